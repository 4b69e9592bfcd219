/** Rule 2.10: everything of a call runs in the async context that it was made in, whichever timer, listener or call of another woke it. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { describe, expect, test } from 'vitest';
import { virtualTime } from '../testing/index.ts';
import { watchUnhandledRejections } from '../../test/unhandled.ts';
import { scope, type Scope } from '../index.ts';

watchUnhandledRejections();

const storage = new AsyncLocalStorage<string>();

/** Notes the store that is seen at a place. */
class Seen {
  readonly stores = new Map<string, unknown>();

  at(place: string): void {
    this.stores.set(place, storage.getStore());
  }
}

/**
 * Makes two calls in contexts of their own that wait for equal times, so that one timer wakes both, and says what each has seen. The timers
 * fire, and `meanwhile` runs, in a third context.
 */
async function twoCalls(
  call: (seen: Seen) => Promise<unknown>,
  wait: (ms: number) => Promise<unknown>,
  meanwhile: () => void = () => {},
): Promise<[Seen, Seen]> {
  const [a, b] = [new Seen(), new Seen()];
  const ended = Promise.allSettled([a, b].map((seen, i) => storage.run(`call ${i}`, () => call(seen))));
  await storage.run('nobody', async () => {
    await wait(10);
    meanwhile();
    await wait(50);
  });
  await ended;
  return [a, b];
}

const virtually = (call: (seen: Seen) => Promise<unknown>, meanwhile?: () => void): Promise<[Seen, Seen]> =>
  virtualTime((time) => twoCalls(call, (ms) => time.advance(ms), meanwhile));

const really = (call: (seen: Seen) => Promise<unknown>): Promise<[Seen, Seen]> =>
  twoCalls(call, () => Promise.resolve());

function expectOwnStores(calls: [Seen, Seen], places: string[]): void {
  calls.forEach((seen, i) => {
    expect([...seen.stores.keys()].sort()).toEqual([...places].sort());
    for (const [place, store] of seen.stores) expect(`${place}: ${String(store)}`).toBe(`${place}: call ${i}`);
  });
}

/** A call that goes everywhere; its timers are equal to those of its twin. */
const everywhere = (seen: Seen) =>
  scope({ timeout: 15, cleanupTimeout: 4, recover: () => seen.at('option recover') }, async (s: Scope) => {
    seen.at('body');
    s.defer(() => seen.at('last cleanup'));
    s.defer(async () => {
      seen.at('cleanup');
      await s.sleep(2);
      seen.at('cleanup, after a sleep');
    });
    s.defer(async () => {
      s.signal.addEventListener('abort', () => seen.at('abort listener of a cleanup that overruns'));
      await new Promise(() => {});
    });
    s.signal.addEventListener('abort', () => seen.at('abort listener, deadline'));
    await s.sleep(2);
    seen.at('body, after a sleep');
    await s.map([1, 2, 3], { concurrency: 2 }, async (item, child) => {
      seen.at(`item ${item}`);
      await child.sleep(1);
      seen.at(`item ${item}, after a sleep`);
    });
    await s.race([
      (winner) => winner.sleep(1),
      async (loser) => {
        loser.signal.addEventListener('abort', () => seen.at('abort listener of a loser'));
        loser.defer(() => seen.at('cleanup of a loser'));
        await loser.sleep(100).catch(() => seen.at('loser'));
      },
    ]);
    seen.at('body, after a race');
    await s.go(async (child) => {
      child.defer(() => seen.at('cleanup of a child'));
      await child.sleep(1_000).catch(() => seen.at('child, at the deadline'));
      child.throwIfAborted();
    });
  });

const EVERYWHERE = [
  'body',
  'body, after a sleep',
  'item 1',
  'item 2',
  'item 3',
  'item 1, after a sleep',
  'item 2, after a sleep',
  'item 3, after a sleep',
  'abort listener of a loser',
  'loser',
  'cleanup of a loser',
  'body, after a race',
  'abort listener, deadline',
  'child, at the deadline',
  'cleanup of a child',
  'abort listener of a cleanup that overruns',
  'cleanup',
  'cleanup, after a sleep',
  'last cleanup',
  'option recover',
];

describe('2.10 two calls whose timers are the same each see their own async context everywhere', () => {
  test('on virtual time', async () => {
    expectOwnStores(await virtually(everywhere), EVERYWHERE);
  });

  test('on real time', async () => {
    const call = (seen: Seen) =>
      // Long enough that the first sleep is over before, on a busy machine too.
      scope({ timeout: 400, cleanupTimeout: 5 }, async (s) => {
        s.defer(() => seen.at('cleanup after one that overran'));
        s.defer(async () => {
          s.signal.addEventListener('abort', () => seen.at('abort listener of a cleanup'));
          await new Promise(() => {});
        });
        s.signal.addEventListener('abort', () => seen.at('abort listener'));
        await s.sleep(3);
        seen.at('body, after a sleep');
        void s.go((child) => child.sleep('1h').catch(() => seen.at('child')));
        await s.sleep('1h').catch(() => seen.at('body, at the deadline'));
      });
    expectOwnStores(await really(call), [
      'body, after a sleep',
      'abort listener',
      'child',
      'body, at the deadline',
      'abort listener of a cleanup',
      'cleanup after one that overran',
    ]);
  });
});

describe('2.10 whoever cancels, listeners and what was waiting run in the context of the call', () => {
  const waiting = (start: (body: (s: Scope) => Promise<void>) => Promise<unknown>) => (seen: Seen) =>
    start(async (s) => {
      s.defer(() => seen.at('cleanup'));
      s.signal.addEventListener('abort', () => seen.at('abort listener'));
      void s.go(async (child) => {
        child.signal.addEventListener('abort', () => seen.at('abort listener of a child'));
        await child.sleep('1h').catch(() => seen.at('child'));
      });
      await s.sleep('1h').catch(() => seen.at('body'));
    });
  const PLACES = ['abort listener', 'abort listener of a child', 'child', 'body', 'cleanup'];

  test('an outer signal that is aborted by another call', async () => {
    const controller = new AbortController();
    const calls = await virtually(
      waiting((body) => scope({ signal: controller.signal }, body)),
      () => controller.abort(),
    );
    expectOwnStores(calls, PLACES);
  });

  test('a scope that another call holds', async () => {
    const scopes: Scope[] = [];
    const calls = await virtually(
      waiting((body) =>
        scope((s) => {
          scopes.push(s);
          return body(s);
        }),
      ),
      () => scopes.forEach((s) => s.cancel()),
    );
    expectOwnStores(calls, PLACES);
  });

  test('a task of another call that fails', async () => {
    const gate = Promise.withResolvers<never>();
    const calls = await virtually(
      waiting((body) =>
        scope((s) => {
          void s.go(() => gate.promise);
          return body(s);
        }),
      ),
      () => gate.reject(new Error('of another')),
    );
    expectOwnStores(calls, PLACES);
  });
});

test('2.10 a listener that reads no store leaves that of whoever aborts as it was', async () => {
  const controller = new AbortController();
  const ended = storage.run('call', () =>
    scope({ signal: controller.signal }, async (s) => {
      s.signal.addEventListener('abort', () => {});
      await s.sleep('1h').catch(() => {});
    }),
  );
  storage.run('other', () => {
    controller.abort();
    expect(storage.getStore()).toBe('other');
  });
  await ended;
});
