/**
 * Everything of a call runs in the async context that it was made in, whichever timer, listener or call of another woke it
 * (rule 10 of scopes, P2.7 of policies).
 */
import { bulkhead, policy, retry, scope, timeout } from 'holdfast';
import { builtin, equal, wait, type Group } from './harness.ts';

interface Storage {
  run<T>(store: string, fn: () => T): T;
  getStore(): string | undefined;
}

let storage: Storage | undefined;

/** Made by the first test that asks, which is where there are such. */
function stores(): Storage {
  storage ??= new (builtin('async_hooks') as { AsyncLocalStorage: new () => Storage }).AsyncLocalStorage();
  return storage;
}

type Note = (place: string) => void;

/** Makes two equal calls in contexts of their own, whose timers are the same, and says what each has seen. */
async function twoCalls(call: (note: Note) => Promise<unknown>, meanwhile?: () => Promise<void>): Promise<void> {
  const seen: string[][] = [[], []];
  const ended = seen.map((places, i) =>
    stores().run(`call ${i}`, () => call((place) => places.push(`${place}: ${stores().getStore()}`))),
  );
  await stores().run('nobody', async () => meanwhile?.());
  await Promise.allSettled(ended);
  seen.forEach((places, i) => {
    equal(
      places.filter((place) => !place.endsWith(`: call ${i}`)),
      [],
      `what call ${i} has seen of others`,
    );
    equal(places.length > 0, true, 'something was noted');
  });
  equal(seen[0]!.length, seen[1]!.length);
}

export const asyncContext: Group = {
  about: 'async context',
  needs: 'async context',
  tests: {
    'bodies, children and cleanups see that of their call, after every wait': () =>
      twoCalls((note) =>
        scope(async (s) => {
          note('body');
          s.defer(async () => {
            note('cleanup');
            await s.sleep(2);
            note('cleanup, after a sleep');
          });
          await s.sleep(5);
          note('body, after a sleep');
          await s.go(async (child) => {
            await child.sleep(5);
            note('child');
          });
        }),
      ),

    'listeners of s.signal see that of their call at a deadline, whose timer many share': () =>
      twoCalls((note) =>
        scope({ timeout: 20 }, async (s) => {
          s.signal.addEventListener('abort', () => note('listener'));
          await s.sleep('1h').catch(() => note('body'));
        }),
      ),

    'they see it too when a signal from outside is aborted by somebody else': async () => {
      const controller = new AbortController();
      await twoCalls(
        (note) =>
          scope({ signal: controller.signal }, async (s) => {
            s.signal.addEventListener('abort', () => note('listener'));
            await s.sleep('1h').catch(() => note('body'));
          }),
        async () => {
          await wait(5);
          controller.abort();
        },
      );
    },

    'an attempt after a back-off, and one after a timeout, sees that of its call': () =>
      twoCalls((note) =>
        policy(retry({ attempts: 3, backoff: () => 5, idempotent: true }), timeout(10, { grace: 5 })).settle((s) => {
          note(`attempt ${s.attempt}`);
          if (s.attempt === 1) throw Object.assign(new Error('unavailable'), { status: 503 });
          return new Promise(() => {});
        }),
      ),

    'one that waited in a queue sees that of its call, though another one gave it the permit': async () => {
      const database = bulkhead({ limit: 1, queue: 1 });
      await twoCalls((note) =>
        database.run(async (s) => {
          note('let in');
          await s.sleep(5);
        }),
      );
    },
  },
};
