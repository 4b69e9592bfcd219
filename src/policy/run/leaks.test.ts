/**
 * What a call leaves behind: nothing. No timer, no listener, nothing in the cancellation tree, no rejection of ours that nobody handles; and a call
 * that makes attempts for ever grows neither the stack nor the heap.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../foundation/index.ts';
import { contextOfSignal, type RunningScope } from '../../scope/index.ts';
import { virtualTime } from '../../testing/index.ts';
import { CountedController } from '../../../test/listeners.ts';
import { seed } from '../../../test/seed.ts';
import { errorOf, settle, type Settled } from '../../../test/settle.ts';
import { watchUnhandledRejections } from '../../../test/unhandled.ts';
import {
  abandoned,
  breaker,
  bulkhead,
  constant,
  failWhen,
  fallback,
  layer,
  onEvent,
  policy,
  retry,
  scope,
  timeout,
  type Policy,
  type Scope,
} from '../../index.ts';

watchUnhandledRejections();

const zero = constant(0);
const own = new Error('own');
const throws = (error: unknown) => (): never => {
  throw error;
};

describe('one outer signal', () => {
  test('has one listener, however many calls hang below it, and none when they have ended', async () => {
    await virtualTime(async (time) => {
      const controller = new CountedController();
      const made = policy(timeout('1h'), retry({ attempts: 2, backoff: constant(20), budget: false }), timeout('30m'));
      const calls = Array.from({ length: 1000 }, (_, i) =>
        made.run(
          async (s) => {
            await s.sleep(10);
            if (s.attempt === 1) throw own;
            return i;
          },
          { signal: controller.signal },
        ),
      );
      for (let ms = 0; ms < 40; ms += 5) {
        expect(controller.listeners).toBe(1);
        await time.advance(5);
      }
      expect(await Promise.all(calls)).toEqual(Array.from({ length: 1000 }, (_, i) => i));
      expect([controller.listeners, time.pending]).toEqual([0, 0]);
      expect(controller.added).toBe(controller.removed);
    });
  });

  test('gets no listener from a call that is over before something had to be waited for', async () => {
    const controller = new CountedController();
    for (let i = 0; i < 10; i++) {
      await policy().run(() => i, { signal: controller.signal });
      await errorOf(retry({ attempts: 2, backoff: zero }).run(throws(own), { signal: controller.signal }));
    }
    expect(controller.listeners).toBe(0);
    expect(controller.added).toBe(controller.removed);
  });
});

test('a scope that lives long keeps nothing of the calls that were linked to it', async () => {
  await virtualTime(async (time) => {
    const made = policy(timeout('1h'), retry({ attempts: 3, backoff: constant(5) }), breaker({ failures: 1e6 }));
    const ended = scope(async (s) => {
      const { context } = s as RunningScope;
      for (let i = 0; i < 10; i++) {
        await errorOf(
          made.run(
            async (attempt) => {
              await attempt.sleep(10);
              throw own;
            },
            { signal: s },
          ),
        );
        expect([context.first, context.last, context.children]).toEqual([null, null, 0]);
      }
    });
    await time.runAll();
    await ended;
  });
});

describe('ten thousand calls that end in all kinds of ways', () => {
  const gate = bulkhead({ limit: 50, queue: 200, maxWait: 80, priority: (call) => call.attempt });
  const shared = breaker({ ratio: 0.99, window: 100, minCalls: 50, cooldown: 30, probes: 5 });

  function anyPolicy(random: () => number): Policy<unknown> {
    const pick = <T>(...of: T[]): T => of[Math.floor(random() * of.length)] as T;
    const layers: Policy<unknown>[] = [
      retry({
        attempts: pick(1, 2, 4),
        backoff: constant(pick(0, 10, 30)),
        idempotent: pick(true, false),
        budget: false,
      }),
    ];
    if (random() < 0.3) layers.unshift(timeout(pick(20, 100, 500), { grace: pick(0, 10, Infinity) }));
    if (random() < 0.3)
      layers.unshift(
        fallback(
          pick<unknown>(
            'instead',
            () => 'made',
            () => throws(new Error('fallback'))(),
          ),
        ),
      );
    if (random() < 0.2) layers.unshift(layer({ name: 'own', run: (next) => next() }));
    if (random() < 0.3) layers.push(shared);
    if (random() < 0.3) layers.push(gate);
    if (random() < 0.3) layers.push(timeout(pick(10, 30, 500), { grace: pick(0, 10, Infinity) }));
    if (random() < 0.2) layers.push(failWhen((result) => result === 'bad'));
    return policy(...layers);
  }

  function any(signal: AbortSignal, random: () => number): Promise<unknown> {
    const pick = <T>(...of: T[]): T => of[Math.floor(random() * of.length)] as T;
    const ms = (): number => Math.floor(random() * 60);
    const op = async (s: Scope): Promise<unknown> => {
      if (random() < 0.3) void s.signal;
      if (random() < 0.4) s.defer(() => s.sleep(ms()));
      if (random() < 0.1) s.defer(() => Promise.reject(new Error('cleanup')));
      if (random() < 0.1) s.defer((exit) => exit.recover('recovered'));
      if (random() < 0.1) void s.sleep(ms());
      if (random() < 0.2) void s.go((child) => child.sleep(ms()).then(pick(() => {}, throws(own))));
      if (random() < 0.1) void scope({ signal: s }, (linked) => linked.sleep(ms())).catch(() => {});
      const wait = ms();
      switch (pick('now', 'heeds', 'deaf')) {
        case 'heeds':
          await s.sleep(wait);
          break;
        case 'deaf':
          await scope((deaf) => deaf.sleep(wait));
      }
      return pick<() => unknown>(
        () => 'result',
        () => 'bad',
        throws(own),
        throws(undefined),
        () => s.cancel(),
      )();
    };
    return anyPolicy(random).run(op, { signal, idempotent: pick(true, false) });
  }

  test('leave no timer, no listener, no permit, nothing abandoned and nothing in the tree', async () => {
    await virtualTime(async (time) => {
      const random = seededRandom(seed, 'calls');
      const controller = new CountedController();
      const calls: Promise<Settled>[] = [];
      for (let round = 0; round < 20; round++) {
        for (let i = 0; i < 500; i++) calls.push(settle(() => any(controller.signal, random)));
        await time.advance(20);
        expect(controller.listeners).toBeLessThanOrEqual(1);
      }
      controller.abort();
      await time.runAll();
      const ends = new Set((await Promise.all(calls)).map((settled) => ('value' in settled ? 'value' : 'error')));
      expect(ends).toEqual(new Set(['value', 'error']));
      expect([time.pending, controller.listeners, gate.inFlight, gate.waiting, abandoned()]).toEqual([0, 0, 0, 0, 0]);
      expect(controller.added).toBe(controller.removed);
      const context = contextOfSignal(controller.signal);
      expect([context.first, context.last, context.children]).toEqual([null, null, 0]);
    });
  });
});

describe('a great many attempts of one call', () => {
  const endless = retry({ attempts: Infinity, backoff: zero, budget: false, idempotent: true });

  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  /** Of the heap, in bytes for each attempt, measured in the last one. */
  async function growth(op: (s: Scope) => unknown, attempts: number): Promise<number> {
    collect();
    const before = process.memoryUsage().heapUsed;
    let after = 0;
    await endless.run((s) => {
      if (s.attempt < attempts) return op(s);
      collect();
      after = process.memoryUsage().heapUsed;
    });
    return (after - before) / attempts;
  }

  const down = (): never => throws(new Error('down'))();
  const ops: readonly (readonly [attempts: number, how: string, op: (s: Scope) => unknown])[] = [
    [100_000, 'throws at once', down],
    [20_000, 'rejects at once', async () => down()],
    [20_000, 'rejects later', () => Promise.resolve().then(down)],
    [20_000, 'fails by a cleanup', (s) => s.defer(down)],
    [20_000, 'fails by a child', (s) => void s.go(down)],
  ];
  // Whatever was kept of an attempt, its error above all, would be a kilobyte.
  test.for(ops)('(%d) need neither stack nor heap where the operation %s', async ([attempts, , op]) => {
    expect(await growth(op, attempts)).toBeLessThan(100);
  });

  test('need no stack where a layer refuses each at once', async () => {
    const gate = bulkhead({ limit: 1 });
    const first = Promise.withResolvers<void>();
    const held = gate.run(() => first.promise);
    const made = policy(retry({ attempts: 20_000, backoff: zero, retryOn: ['BULKHEAD_FULL'] }), gate);
    await virtualTime(async (time) => {
      const refused = errorOf(made.run(() => expect.fail('ran')));
      await time.runAll();
      expect(await refused).toMatchObject({ code: 'BULKHEAD_FULL' });
    });
    first.resolve();
    await held;
  });
});

describe('no rejection of ours goes unhandled', () => {
  // What is asserted is in `watchUnhandledRejections`: these tests only do what might cause one.
  test('when a call fails at its first attempt, after retries, in stages, and in queues', async () => {
    await virtualTime(async (time) => {
      const gate = bulkhead({ limit: 1, queue: 1 });
      const calls = [
        policy().run(throws(own)),
        retry({ backoff: constant(10) }).run(throws(own)),
        policy(breaker(), retry({ backoff: zero }), layer({ name: 'own', run: (next) => next() })).run(throws(own)),
        policy(timeout(5), gate).run((s) => s.sleep(100)),
        gate.run(throws(own)),
        gate.run(() => expect.fail('ran')),
      ];
      const settled = Promise.allSettled(calls);
      await time.runAll();
      expect((await settled).map(({ status }) => status)).toEqual(calls.map(() => 'rejected'));
    });
  });

  test('when abandoned work fails at last', async () => {
    await virtualTime(async (time) => {
      const late = Promise.withResolvers<void>();
      const call = errorOf(timeout(10).run(() => late.promise));
      await time.runAll();
      await call;
      late.reject(own);
      await time.runAll();
      expect(abandoned()).toBe(0);
    });
  });

  test.each(['', ', also when somebody listens to calls'])(
    'but the rejection of a call that nobody awaits is its caller’s to handle%s',
    async (and) => {
      using _listener = and === '' ? undefined : onEvent('call:end', () => {});
      const unhandled = new Promise((resolve) => {
        const listeners = process.listeners('unhandledRejection');
        process.removeAllListeners('unhandledRejection');
        process.once('unhandledRejection', (reason) => {
          for (const listener of listeners) process.on('unhandledRejection', listener);
          resolve(reason);
        });
      });
      void retry({ attempts: 2, backoff: zero }).run(throws(own));
      expect(await unhandled).toBe(own);
    },
  );
});
