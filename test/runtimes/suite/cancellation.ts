/** Signals of the platform, from outside and to the outside. */
import { policy, retry, scope, TimeoutError } from 'holdfast';
import { equal, ok, rejection, wait, type Group } from './harness.ts';

export const cancellation: Group = {
  about: 'cancellation',
  tests: {
    "cancel without a reason is the platform's AbortError": async () => {
      const error = await rejection(
        scope(async (s) => {
          s.cancel();
          await s.sleep('1h');
        }),
      );
      ok(error instanceof DOMException, 'it is a DOMException');
      equal(error.name, 'AbortError');
    },

    'the reason of a signal from outside comes out, the same object, whatever it is': async () => {
      for (const reason of [new Error('stop'), 'stop', 0]) {
        const controller = new AbortController();
        const ended = rejection(scope({ signal: controller.signal }, (s) => s.sleep('1h')));
        controller.abort(reason);
        equal(await ended, reason);
      }
    },

    'a controller that is aborted without a reason gives its DOMException': async () => {
      const controller = new AbortController();
      const ended = rejection(scope({ signal: controller.signal }, (s) => s.sleep('1h')));
      controller.abort();
      const error = await ended;
      equal(error, controller.signal.reason);
      ok(error instanceof DOMException && error.name === 'AbortError', 'it is an AbortError');
    },

    'a signal that is aborted already runs no body, in a scope and in a policy': async () => {
      const signal = AbortSignal.abort('before');
      let ran = 0;
      equal(await rejection(scope({ signal }, () => ran++)), 'before');
      equal(await rejection(policy(retry()).run(() => ran++, { signal })), 'before');
      equal(ran, 0);
    },

    'AbortSignal.timeout ends a scope with its TimeoutError, a DOMException': async () => {
      const signal = AbortSignal.timeout(10);
      const error = await rejection(scope({ signal }, (s) => s.sleep('1h')));
      equal(error, signal.reason);
      ok(error instanceof DOMException && error.name === 'TimeoutError', 'it is a TimeoutError');
    },

    'AbortSignal.any of a signal of ours and one of theirs is ended by either': async () => {
      for (const which of [0, 1]) {
        const theirs = new AbortController();
        const reason = await rejection(
          scope(async (s) => {
            const ended = scope({ signal: AbortSignal.any([s.signal, theirs.signal]) }, (inner) => inner.sleep('1h'));
            if (which === 0) s.cancel('ours');
            else theirs.abort('theirs');
            await ended;
          }),
        );
        equal(reason, ['ours', 'theirs'][which]);
      }
    },

    's.signal is an AbortSignal, aborted with the reason, and leads back to its scope': async () => {
      const reason = new Error('stop');
      const seen: unknown[] = [];
      const error = await rejection(
        scope(async (s) => {
          const { signal } = s;
          ok(signal instanceof AbortSignal, 'it is an AbortSignal');
          signal.addEventListener('abort', () => seen.push(signal.reason));
          const linked = scope({ signal }, (inner) => inner.sleep('1h'));
          s.cancel(reason);
          seen.push(await rejection(linked));
          signal.throwIfAborted();
        }),
      );
      equal(error, reason);
      equal(seen, [reason, reason]);
    },

    'a signal from outside has one listener, whatever hangs below it, and none at the end': async () => {
      const { signal } = new AbortController();
      let listeners = 0;
      const { addEventListener, removeEventListener } = AbortSignal.prototype;
      signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
        listeners++;
        addEventListener.apply(signal, args);
      };
      signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
        listeners--;
        removeEventListener.apply(signal, args);
      };
      await scope({ signal }, (s) =>
        s.map([1, 2, 3], { concurrency: 3 }, async () => {
          await scope({ signal }, (inner) => inner.sleep(1));
          equal(listeners, 1);
        }),
      );
      equal(listeners, 0);
    },

    'a deadline ends what is below it with a TimeoutError of ours, and cleanups are shielded': async () => {
      const seen: unknown[] = [];
      const error = await rejection(
        scope({ timeout: 10, name: 'report' }, async (s) => {
          s.defer(async () => {
            seen.push(s.signal.aborted);
            await s.sleep(1);
            seen.push('slept');
          });
          await s.go((child) => child.sleep('1h'));
        }),
      );
      ok(error instanceof TimeoutError, 'it is a TimeoutError');
      equal([error.code, error.timeoutMs], ['TIMEOUT', 10]);
      equal(seen, [false, 'slept']);
    },

    'a success that arrives after the abort is a success': async () => {
      const result = await scope(async (s) => {
        s.cancel();
        await wait(1);
        return 'done all the same';
      });
      equal(result, 'done all the same');
    },
  },
};
