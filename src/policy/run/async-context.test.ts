/** The operation, hooks, predicates and cleanups run in the async context of their call (P2.7), whoever woke it: a timer, another call, who aborts. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { describe, expect, test } from 'vitest';
import { virtualTime } from '../../testing/index.ts';
import { watchUnhandledRejections } from '../../../test/unhandled.ts';
import {
  breaker,
  bulkhead,
  constant,
  failWhen,
  fallback,
  layer,
  policy,
  retry,
  scope,
  timeout,
  type Policy,
  type Scope,
} from '../../index.ts';

watchUnhandledRejections();

const storage = new AsyncLocalStorage<string>();

/** Notes the store that is seen at a place. */
class Seen {
  readonly stores: string[] = [];

  /** Answers `undefined`, so that a hook may be nothing else. */
  at(place: string): undefined {
    this.stores.push(`${place}: ${storage.getStore()}`);
  }
}

/** Makes two calls in contexts of their own, on timers that are the same; what wakes them runs in a third context. */
async function twoCalls(
  call: (seen: Seen) => Promise<unknown>,
  wake: () => Promise<unknown>,
): Promise<readonly (readonly string[])[]> {
  const seen = [new Seen(), new Seen()];
  const ended = Promise.allSettled(seen.map((it, i) => storage.run(`call ${i}`, () => call(it))));
  await storage.run('nobody', wake);
  await ended;
  return seen.map(({ stores }) => stores);
}

const virtually = (
  call: (seen: Seen) => Promise<unknown>,
  meanwhile: () => void = () => {},
): Promise<readonly (readonly string[])[]> =>
  virtualTime((time) =>
    twoCalls(call, async () => {
      await time.advance(5);
      meanwhile();
      await time.advance(1_000);
    }),
  );

function expectOwnStores(calls: readonly (readonly string[])[], places: readonly string[]): void {
  calls.forEach((stores, i) => expect(stores).toEqual(places.map((place) => `${place}: call ${i}`)));
}

describe('P2.7 two calls whose timers are the same each see their own async context', () => {
  const retries = (seen: Seen, delayMs: number) =>
    retry({
      attempts: 3,
      retryIf: () => seen.at('retryIf'),
      backoff: () => {
        seen.at('backoff');
        return delayMs;
      },
      onRetry: () => seen.at('onRetry'),
    });

  /** An operation that fails twice, and has something to do everywhere. */
  const op = (seen: Seen) => async (s: Scope) => {
    seen.at(`attempt ${s.attempt}`);
    s.defer(() => seen.at('last cleanup'));
    s.defer(async () => {
      seen.at('cleanup');
      await s.sleep(2);
      seen.at('cleanup, after a sleep');
    });
    await s.sleep(2);
    seen.at('after a sleep');
    await s.go(async (child) => {
      await child.sleep(2);
      seen.at('child');
    });
    if (s.attempt < 3) throw new Error('again');
    return s.attempt;
  };
  const ATTEMPT = ['after a sleep', 'child', 'cleanup', 'cleanup, after a sleep', 'last cleanup'];
  const HOOKS = ['retryIf', 'backoff', 'onRetry'];
  const EVERYWHERE = [1, 2, 3].flatMap((n) => [`attempt ${n}`, ...ATTEMPT, ...(n < 3 ? HOOKS : [])]);

  for (const delayMs of [0, 10]) {
    test(`in attempts, cleanups and hooks, with back-offs of ${delayMs} ms`, async () => {
      expectOwnStores(await virtually((seen) => retries(seen, delayMs).run(op(seen))), EVERYWHERE);
    });

    test(`inside and around timeouts, gates and layers of one’s own, with back-offs of ${delayMs} ms`, async () => {
      const made = (seen: Seen): Policy =>
        policy(
          layer({
            name: 'own',
            run: async (next) => {
              seen.at('layer');
              await next();
              seen.at('layer, after it');
            },
          }),
          timeout('1h'),
          retries(seen, delayMs),
          breaker({ failures: 100 }),
          timeout('1h'),
        );
      expectOwnStores(await virtually((seen) => made(seen).run(op(seen))), ['layer', ...EVERYWHERE, 'layer, after it']);
    });
  }

  test('on real time', async () => {
    const calls = await twoCalls(
      (seen) => policy(timeout('1m'), retries(seen, 3)).run(op(seen)),
      () => Promise.resolve(),
    );
    expectOwnStores(calls, EVERYWHERE);
  });

  test('in predicates that are asked of results and errors', async () => {
    const call = (seen: Seen) =>
      policy(
        fallback(() => seen.at('fallback')),
        retry({ attempts: 2, backoff: constant(10) }),
        breaker({ failures: 100, judge: () => seen.at('judge') }),
        failWhen(() => (seen.at('failWhen'), true)),
      ).run((s) => s.sleep(2));
    expectOwnStores(await virtually(call), ['failWhen', 'judge', 'failWhen', 'judge', 'fallback']);
  });
});

describe('P2.7 whoever wakes a call', () => {
  test('another one that gives back a permit: what waited runs in its own context', async () => {
    const gate = bulkhead({ limit: 1, queue: 9 });
    const call = (seen: Seen) =>
      policy(retry({ attempts: 2, backoff: constant(1), onRetry: () => seen.at('onRetry') }), gate).run(async (s) => {
        seen.at('attempt');
        s.defer(() => seen.at('cleanup'));
        await s.sleep(1);
        throw new Error('again');
      });
    expectOwnStores(await virtually(call), ['attempt', 'cleanup', 'onRetry', 'attempt', 'cleanup']);
  });

  test('the priority of a queue is asked in the context of its own call', async () => {
    const call = (seen: Seen) => {
      const gate = bulkhead({ limit: 1, queue: 1, priority: () => (seen.at('priority'), 1) });
      const first = gate.run((s) => s.sleep(1));
      return Promise.all([first, gate.run(() => seen.at('attempt'))]);
    };
    expectOwnStores(await virtually(call), ['priority', 'attempt']);
  });

  test('who aborts the signal: listeners, cleanups and what was waiting run in the context of the call', async () => {
    const controller = new AbortController();
    const call = (seen: Seen) =>
      policy(retry(), breaker({ judge: () => seen.at('judge') })).run(
        async (s) => {
          s.defer(() => seen.at('cleanup'));
          s.signal.addEventListener('abort', () => seen.at('abort listener'));
          await s.sleep('1h').catch(() => seen.at('body'));
          s.throwIfAborted();
        },
        { signal: controller.signal },
      );
    const calls = await virtually(call, () => controller.abort());
    expectOwnStores(calls, ['abort listener', 'body', 'cleanup', 'judge']);
  });

  test('who aborts a call that waits in a queue: gates outside it are told in the context of the call', async () => {
    const controller = new AbortController();
    const gate = bulkhead({ limit: 1, queue: 9 });
    const first = Promise.withResolvers<void>();
    const held = gate.run(() => first.promise);
    const call = (seen: Seen) =>
      policy(breaker({ judge: () => seen.at('judge') }), gate).run(() => {}, { signal: controller.signal });
    const calls = await virtually(call, () => controller.abort());
    first.resolve();
    await held;
    expectOwnStores(calls, ['judge']);
  });

  test('a timeout that gives up a deaf attempt: hooks and the next attempt run in the context of the call', async () => {
    for (const delayMs of [0, 10]) {
      const deaf = Promise.withResolvers<void>();
      const call = (seen: Seen) =>
        policy(
          retry({
            idempotent: true,
            backoff: () => (seen.at('backoff'), delayMs),
            retryIf: () => seen.at('retryIf'),
            onRetry: () => seen.at('onRetry'),
          }),
          breaker({ failures: 9, judge: () => seen.at('judge') }),
          timeout(10),
        ).run((s) => {
          seen.at(`attempt ${s.attempt}`);
          return s.attempt === 1 ? deaf.promise : undefined;
        });
      const places = ['attempt 1', 'judge', 'retryIf', 'backoff', 'onRetry', 'attempt 2', 'judge'];
      expectOwnStores(await virtually(call), places);
      deaf.resolve();
    }
  });

  test('a call that is linked to a scope sees its own context, not that of the scope', async () => {
    const inner = new Seen();
    const op = (s: Scope): void => {
      inner.at(`attempt ${s.attempt}`);
      if (s.attempt === 1) throw new Error('again');
    };
    const call = (seen: Seen) =>
      scope(async (s) => {
        await storage.run('inner', () => retry({ attempts: 2, backoff: constant(10) }).run(op, { signal: s }));
        seen.at('after it');
      });
    expectOwnStores(await virtually(call), ['after it']);
    expect(inner.stores.toSorted()).toEqual([
      'attempt 1: inner',
      'attempt 1: inner',
      'attempt 2: inner',
      'attempt 2: inner',
    ]);
  });
});
