/** Nobody has to fear for a process: what the library drops on purpose is no unhandled rejection. Each test of the suite is watched for them. */
import { policy, retry, scope, timeout } from 'holdfast';
import { equal, rejection, unhandled, wait, type Group } from './harness.ts';

export const rejections: Group = {
  about: 'unhandled rejections',
  tests: {
    // Without this one the others would say nothing.
    'the watch sees one that nobody handles': async () => {
      const error = new Error('on purpose');
      void Promise.reject(error);
      for (let i = 0; i < 200 && unhandled.length === 0; i++) await wait(5);
      equal(unhandled.splice(0), [error]);
    },

    'none of children, losers and sleeps that nobody awaits': async () => {
      await rejection(
        scope(async (s) => {
          void s.go(() => Promise.reject(new Error('child')));
          void s.go((child) => child.sleep('1h'));
          void s.race([(child) => child.sleep('1h'), () => wait(1)]);
          void s.sleep('1h');
          await wait(5);
        }),
      );
      await wait(20);
    },

    'none of an attempt that fails after its caller was let go': async () => {
      const error = await rejection(
        policy(retry({ attempts: 2, backoff: () => 0 }), timeout(5, { grace: 0 })).run(async () => {
          await wait(20);
          throw new Error('late');
        }),
      );
      equal(error.code, 'TIMEOUT');
      await wait(40);
    },

    'none of settle': async () => {
      const outcome = await policy(retry({ attempts: 1 })).settle(() => Promise.reject(new Error('failed')));
      equal(outcome.ok, false);
      await wait(20);
    },
  },
};
