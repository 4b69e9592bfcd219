/** Real time, on the platform's timers. Only what holds on a busy machine too: never early, and at all. */
import { policy, scope, timeout, type Scope } from 'holdfast';
import { equal, ok, rejection, wait, type Group } from './harness.ts';

const days25 = 25 * 86_400_000;

async function elapsedMs(fn: () => PromiseLike<unknown>): Promise<number> {
  const start = performance.now();
  await fn();
  return performance.now() - start;
}

export const timers: Group = {
  about: 'timers',
  tests: {
    'a sleep is never early': async () => {
      for (const ms of [0, 1, 7, 20, 33])
        ok((await elapsedMs(() => scope((s) => s.sleep(ms)))) >= ms, `a sleep of ${ms} ms`);
    },

    'a thousand sleeps at once all end, none of them early': async () => {
      const early: number[] = [];
      await scope((s) =>
        s.map(Array(1_000).keys(), { concurrency: Infinity }, async (index, child) => {
          const ms = index % 50;
          if ((await elapsedMs(() => child.sleep(ms))) < ms) early.push(ms);
        }),
      );
      equal(early, []);
    },

    'a sleep and a deadline of 25 days do not pass at once': async () => {
      let passed = false;
      const error = await rejection(
        scope({ timeout: days25 }, async (s) => {
          void s.sleep(days25).then(
            () => (passed = true),
            () => {},
          );
          await wait(30);
          equal({ passed, aborted: s.signal.aborted }, { passed: false, aborted: false });
          ok(s.timeLeft() > days25 - 86_400_000, `25 days are left: ${s.timeLeft()} ms`);
          throw new Error('long before');
        }),
      );
      equal(error.message, 'long before');
    },

    'a timeout layer of 25 days does not pass at once': async () => {
      equal(await policy(timeout(days25)).run(() => wait(20).then(() => 'long before')), 'long before');
    },

    'an abort ends a sleep at once': async () => {
      const controller = new AbortController();
      const ms = await elapsedMs(async () => {
        const slept = rejection(scope({ signal: controller.signal }, (s) => s.sleep('1h')));
        controller.abort();
        await slept;
      });
      ok(ms < 5_000, `it took ${ms} ms`);
    },

    'a deadline does not fire once its scope has ended': async () => {
      let signal: AbortSignal | undefined;
      await scope({ timeout: 5 }, (s: Scope) => {
        signal = s.signal;
      });
      await wait(20);
      equal(signal!.aborted, false);
    },

    'timeouts of calls that begin together are not early, and each fires': async () => {
      const bounded = policy(timeout(350, { grace: 0 }));
      const calls = Array.from({ length: 20 }, async (_, index) => {
        await wait(index % 5);
        const start = performance.now();
        const { code } = await rejection(bounded.run((s) => s.sleep('1h')));
        return code === 'TIMEOUT' && performance.now() - start >= 350;
      });
      equal([...new Set(await Promise.all(calls))], [true]);
    },

    // It is for whoever runs the tests to see that the process ends by itself: what has ended must not hold it open.
    'what has ended leaves no timer that matters': async () => {
      await scope({ timeout: '1h' }, (s) => s.sleep(1));
      await policy(timeout('2h')).run(() => 'at once');
      await scope({ timeout: days25 }, () => {});
    },
  },
};
