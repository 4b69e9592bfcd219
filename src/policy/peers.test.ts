/**
 * Right where the peers are wrong: what we found broken in one library for retries, timeouts, breakers or bulkheads or another, each as one clause.
 * In full, rule by rule, it is in the tests beside each layer; `docs/comparison.md` says which library does what.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { describe, expect, test, vi } from 'vitest';
import { watchAbandonedBodies } from '../../test/abandoned.ts';
import { CountedController } from '../../test/listeners.ts';
import { errorOf, settle } from '../../test/settle.ts';
import { watchUnhandledRejections } from '../../test/unhandled.ts';
import { clock } from '../foundation/index.ts';
import {
  breaker,
  budget,
  bulkhead,
  CircuitOpenError,
  constant,
  decorrelated,
  exponential,
  fallback,
  linear,
  policy,
  retry,
  scope,
  suppressedErrors,
  timeout,
  TimeoutError,
  transient,
  type Backoff,
  type Policy,
  type Scope,
} from '../index.ts';
import { fail, recordEvents, scripted, virtualTime } from '../testing/index.ts';

watchUnhandledRejections();
watchAbandonedBodies();

const reason = new Error('cancelled');

/** Waits, whatever happens to the signal. */
const deaf = (ms: number): Promise<void> => scope((own) => own.sleep(ms));

const down = (): never => {
  throw new Error('down');
};

describe('cancellation', () => {
  test('an abort during back-off acts at once and starts no attempt', async () => {
    await virtualTime(async (time) => {
      for (const layers of [
        retry({ backoff: constant('1h') }),
        policy(timeout('2h'), retry({ backoff: constant('1h') }), timeout('1m')),
      ]) {
        const controller = new CountedController();
        const op = scripted([fail(new Error('down')), 'never asked']);
        const call = layers.settle(op, { signal: controller.signal });
        await time.advance(500);
        const abortedAt = time.now();
        controller.abort(reason);
        const outcome = await call;
        expect(outcome.ok || outcome.error).toBe(reason);
        expect(time.now()).toBe(abortedAt);
        expect([op.calls.length, controller.listeners, time.pending]).toEqual([1, 0, 0]);
        await time.advance('3h');
        expect(op.calls).toHaveLength(1);
      }
    });
  });

  test('a signal already aborted starts none, and nothing else', async () => {
    const asked: string[] = [];
    const slots = bulkhead({ limit: 1, queue: 1 });
    const guard = breaker({ judge: () => void asked.push('judge') });
    const all = policy(
      fallback(() => asked.push('fallback')),
      timeout('1s'),
      retry({ onRetry: () => void asked.push('onRetry'), retryIf: () => (asked.push('retryIf'), true) }),
      guard,
      slots,
      timeout('1s'),
    );
    const run = (layers: Policy<unknown>): Promise<unknown> =>
      errorOf(layers.run(() => asked.push('operation'), { signal: AbortSignal.abort(reason) }));
    await virtualTime(async (time) => {
      for (const layers of [all, retry(), timeout('1s'), guard, slots]) expect(await run(layers)).toBe(reason);
      expect(time.pending).toBe(0);
    });
    expect(asked).toEqual([]);
    expect(slots.inFlight).toBe(0);
  });

  test('a finished success beats a late abort', async () => {
    for (const layers of [
      retry(),
      timeout('1s'),
      policy(timeout('1s'), retry(), bulkhead({ limit: 1 }), timeout('1s')),
    ]) {
      const controller = new AbortController();
      const gate = Promise.withResolvers<string>();
      const call = layers.settle(() => gate.promise, { signal: controller.signal });
      gate.resolve('done');
      controller.abort(reason); // before anybody has heard of the success
      expect(await call).toMatchObject({ ok: true, value: 'done', cancelled: true });
    }
  });

  test('the caller’s cancel is never reported as a timeout', async () => {
    const layers = policy(timeout(100), retry({ idempotent: true, backoff: constant(5) }), timeout(50));
    for (const op of [(s: Scope) => s.sleep('1h'), () => deaf(1_000)]) {
      for (const abortedAt of [10, 49, 50, 55, 74]) {
        await virtualTime(async (time) => {
          const controller = new AbortController();
          void deaf(abortedAt).then(() => controller.abort(reason));
          const call = layers.settle(op, { signal: controller.signal });
          await time.runAll();
          const outcome = await call;
          expect([abortedAt, outcome.ok || outcome.error, outcome.stoppedBy]).toEqual([abortedAt, reason, 'cancelled']);
        });
      }
    }
  });

  test('the signal is per attempt', async () => {
    await virtualTime(async (time) => {
      const signals: AbortSignal[] = [];
      const layers = policy(retry({ attempts: 3, idempotent: true, backoff: constant(10) }), timeout(50));
      const call = layers.run(async (s) => {
        expect(s.signal.aborted).toBe(false);
        signals.push(s.signal);
        if (s.attempt < 3) await s.sleep('1h');
        return s.attempt;
      });
      await time.runAll();
      expect(await call).toBe(3);
      expect(new Set(signals).size).toBe(3);
      expect(signals.map(({ aborted }) => aborted)).toEqual([true, true, false]);
    });
  });

  test('an aborted waiter leaves its queue at once', async () => {
    await virtualTime(async (time) => {
      const slots = bulkhead({ limit: 1, queue: 1 });
      const busy = slots.run(() => deaf(1_000));
      const controller = new AbortController();
      const waits = errorOf(slots.run(down, { signal: controller.signal }));
      expect(slots.waiting).toBe(1);
      controller.abort(reason);
      expect(slots.waiting).toBe(0);
      expect(await waits).toBe(reason);
      const next = slots.run(() => 'it has the place now');
      await time.runAll();
      expect(await next).toBe('it has the place now');
      await busy;
    });
  });
});

describe('a breaker', () => {
  test('a stale result of an earlier breaker state is ignored', async () => {
    await virtualTime(async (time) => {
      const guard = breaker({ failures: 1, cooldown: 100 });
      const slow = [() => deaf(500), () => deaf(500).then(down)].map((op) => settle(() => guard.run(op)));
      await errorOf(guard.run(down));
      await time.advance(100);
      const probe = guard.run(() => deaf(1_000));
      await time.advance(500); // both of the closed period end while it is half-open
      await Promise.all(slow);
      expect(guard.state).toBe('half-open');
      await time.advance(500);
      await probe;
      expect(guard.state).toBe('closed');
    });
  });

  test('a cancelled probe neither opens nor closes', async () => {
    await virtualTime(async (time) => {
      for (const [layers, abort] of [
        [(guard: Policy) => guard, reason],
        [(guard: Policy) => policy(guard, timeout('1s', { grace: 0 })), 'a text'],
        [(guard: Policy) => policy(timeout('1s', { grace: 0 }), guard), new DOMException('stop', 'AbortError')],
      ] as const) {
        const guard = breaker({ failures: 1, cooldown: 100 });
        await errorOf(guard.run(down));
        await time.advance(100);
        const controller = new AbortController();
        const probe = errorOf(layers(guard).run((s) => s.sleep('1m'), { signal: controller.signal }));
        controller.abort(abort);
        expect(await probe).toBe(abort);
        expect(guard.state).toBe('half-open');
        expect(await guard.run(() => 'the place is free')).toBe('the place is free');
      }
    });
  });

  test('probes are bounded and leased', async () => {
    await virtualTime(async (time) => {
      const guard = breaker({ failures: 1, cooldown: 100, probes: 2, probeLease: '1s' });
      await errorOf(guard.run(down));
      await time.advance(100);
      let running = 0;
      const hung = Array.from({ length: 50 }, () => settle(() => guard.run(() => (running++, deaf(10_000)))));
      expect(running).toBe(2);
      await time.advance('1s');
      // The two hang, and have lost their places: others may find out how it is.
      await guard.run(() => {});
      await guard.run(() => {});
      expect(guard.state).toBe('closed');
      await time.runAll();
      await Promise.all(hung);
    });
  });

  test('own refusals do not count as failures', async () => {
    await virtualTime(async (time) => {
      const [outer, inner] = [breaker({ failures: 1, name: 'outer' }), breaker({ failures: 1, name: 'inner' })];
      const slots = bulkhead({ limit: 1 });
      inner.isolate();
      const busy = slots.run(() => deaf(100));
      expect(await errorOf(policy(outer, inner).run(down))).toMatchObject({ breaker: 'inner' });
      expect(await errorOf(policy(outer, slots).run(down))).toMatchObject({ code: 'BULKHEAD_FULL' });
      // Also when they come from far inside, as an error of the operation.
      expect(await errorOf(outer.run((s) => inner.run(down, { signal: s })))).toBeInstanceOf(CircuitOpenError);
      expect(outer.state).toBe('closed');
      await time.runAll();
      await busy;
    });
  });

  test('an inner refusal does not burn attempts', async () => {
    await virtualTime(async (time) => {
      const guard = breaker({ failures: 1, cooldown: '1h' });
      const shared = budget({ initial: 10, trickle: 0 });
      const layers = policy(retry({ attempts: 5, backoff: constant(100), budget: shared }), guard);
      const call = layers.settle(down);
      await time.runAll();
      const outcome = await call;
      // The first failed and opened the breaker; the second was refused, and that is that: no third, fourth and fifth.
      expect(outcome.attempts.map(({ refused }) => refused)).toEqual([false, true]);
      expect(outcome).toMatchObject({ stoppedBy: 'refused', error: expect.any(CircuitOpenError) });
      expect([time.now(), shared.tokens]).toEqual([100, 10]);
    });
  });
});

describe('work', () => {
  test('permits follow the work', async () => {
    await virtualTime(async (time) => {
      const slots = bulkhead({ limit: 1, queue: 1 });
      const call = errorOf(policy(timeout(10, { grace: 0 }), slots).run(() => deaf(1_000)));
      await time.advance(10);
      expect(await call).toBeInstanceOf(TimeoutError);
      const next = slots.run(() => time.now());
      expect([slots.inFlight, slots.waiting]).toEqual([1, 1]);
      await time.runAll();
      expect(await next).toBe(1_000);
    });
  });

  test('a late rejection after a timeout is an event, never lost, never an unhandledRejection', async () => {
    await virtualTime(async (time) => {
      using events = recordEvents();
      const late = new Error('late');
      const layers = policy(retry({ attempts: 2, idempotent: true, backoff: constant(0) }), timeout(10, { grace: 0 }));
      const call = layers.settle(async (s) => {
        await deaf(100);
        throw s.attempt === 1 ? late : 'a text';
      });
      await time.runAll();
      expect(await call).toMatchObject({ ok: false, error: { code: 'TIMEOUT' } });
      const told = events.filter(({ event }) => event === 'timeout:late');
      expect(told).toMatchObject([
        { number: 1, ok: false, error: late, at: 100 },
        { number: 2, ok: false, error: 'a text', at: 110 },
      ]);
      expect(told[0]?.['error']).toBe(late);
    });
  });

  test('a linked scope does not close what an abandoned body still uses', async () => {
    await virtualTime(async (time) => {
      const used: string[] = [];
      const request = scope({ timeout: 50 }, async (s) => {
        const connection = { open: true };
        s.defer(() => (connection.open = false));
        await timeout(10, { grace: 0 }).run(
          async () => {
            await deaf(200);
            used.push(connection.open ? 'open' : 'closed');
          },
          { signal: s.signal },
        );
      });
      const ended = errorOf(request).then(() => time.now());
      await time.runAll();
      expect(used).toEqual(['open']);
      expect(await ended).toBe(200);
    });
  });
});

describe('errors', () => {
  test('a frozen or non-Error rejection passes unchanged', async () => {
    const errors = [Object.freeze(new Error('frozen')), Object.freeze({}), 'text', 0, null, undefined, Symbol('s')];
    for (const error of errors) {
      const keys = Reflect.ownKeys(Object(error));
      const [again, guard, slots, limit] = [
        retry({ attempts: 2, backoff: constant(0) }),
        breaker(),
        bulkhead({ limit: 1 }),
        timeout('1s'),
      ];
      for (const layers of [again, guard, slots, limit, policy(limit, again, guard, slots, limit)]) {
        const outcome = await layers.settle(() => Promise.reject(error as Error));
        expect(outcome.ok).toBe(false);
        expect(outcome.ok || outcome.error).toBe(error);
        expect(Reflect.ownKeys(Object(error))).toEqual(keys);
      }
    }
  });

  test('budget is asked before the sleep and hides no error', async () => {
    await virtualTime(async (time) => {
      using events = recordEvents();
      const error = new Error('down');
      const layers = retry({ backoff: constant('1h'), budget: { initial: 0, trickle: 0, name: 'empty' } });
      const outcome = await layers.settle(() => Promise.reject(error));
      expect(outcome).toMatchObject({ stoppedBy: 'budget', attempts: [{ number: 1 }] });
      expect(outcome.ok || outcome.error).toBe(error);
      expect([time.now(), time.pending]).toEqual([0, 0]);
      expect(events.map(({ event }) => event)).toContain('budget:empty');
    });
  });

  test('a fallback keeps the first error', async () => {
    const [first, second] = [new Error('down'), new Error('the fallback is down too')];
    const layers = policy(
      fallback(() => Promise.reject(second)),
      retry({ attempts: 1 }),
    );
    expect(await errorOf(layers.run(() => Promise.reject(first)))).toBe(second);
    expect(second.cause).toBe(first);
    expect(suppressedErrors(second)).toEqual([first]);
    const caused = new Error('with a cause of its own', { cause: 'own' });
    expect(await errorOf(fallback(() => Promise.reject(caused)).run(() => Promise.reject(first)))).toBe(caused);
    expect(caused.cause).toBe('own');
    expect(suppressedErrors(caused)).toEqual([first]);
  });
});

describe('time', () => {
  test('25-day delays work', async () => {
    const days = 86_400_000;
    await virtualTime(async (time) => {
      const op = scripted([fail(new Error('down')), 'after 25 days']);
      const call = policy(timeout('60d'), retry({ backoff: constant('25d') })).run(op);
      await time.advance('25d');
      expect(await call).toBe('after 25 days');
      expect(op.calls.map(({ at }) => at)).toEqual([0, 25 * days]);
    });
    // On the platform's own timers, where a longer delay than 2³¹ ms becomes 1 ms.
    const controller = new AbortController();
    const op = scripted([fail(new Error('down')), 'at once']);
    const layers = policy(timeout('30d', { grace: 0 }), retry({ backoff: constant('25d') }), timeout('30d'));
    const call = errorOf(layers.run(op, { signal: controller.signal }));
    await deaf(30);
    expect(op.calls).toHaveLength(1);
    controller.abort(reason);
    expect(await call).toBe(reason);
  });

  test('the cap holds after jitter', () => {
    const jitters = ['none', 'full', 'equal', 0.5, 1] as const;
    const backoffs: Backoff[] = [
      ...jitters.map((jitter) => exponential(100, { cap: 1_000, jitter })),
      ...jitters.map((jitter) => linear(100, { cap: 1_000, jitter })),
      decorrelated(100, { cap: 1_000 }),
    ];
    for (const backoff of backoffs) {
      let previousMs = 0;
      for (let attempt = 1; attempt < 2_000; attempt += attempt < 20 ? 1 : 97) {
        for (const random of [0, 0.5, 1 - Number.EPSILON]) {
          const delayMs = backoff(attempt, previousMs, random);
          expect(delayMs).toBeGreaterThanOrEqual(0);
          expect(delayMs).toBeLessThanOrEqual(1_000);
          previousMs = delayMs;
        }
      }
    }
  });

  test('a delay that cannot fit the deadline is not begun', async () => {
    await virtualTime(async (time) => {
      const error = transient(new Error('come again'), { retryAfter: '20s' });
      const run = (layers: Policy, op: () => unknown, signal?: Scope) => layers.settle(op, { signal });
      for (const outcome of [
        await run(policy(timeout('1s'), retry({ backoff: constant(1_000) })), down),
        await run(policy(timeout('10s'), retry()), () => Promise.reject(error)),
        await scope({ timeout: '1s' }, (s) => run(retry({ backoff: constant(995) }), down, s)),
      ]) {
        expect(outcome).toMatchObject({ ok: false, stoppedBy: 'deadline', attempts: [{ number: 1 }] });
        expect(outcome.ok || outcome.error).not.toBeInstanceOf(TimeoutError);
      }
      expect([time.now(), time.pending]).toEqual([0, 0]);
    });
  });

  test('wall-clock jumps change nothing', async () => {
    const trace = (jump: boolean): Promise<unknown[]> =>
      virtualTime({ seed: 1 }, async (time) => {
        const jumps = [0, 4e12, -1, 1e15, 1];
        const wall = vi.spyOn(clock, 'wallNow');
        if (jump) wall.mockImplementation(() => jumps[Math.floor(time.now()) % jumps.length] as number);
        const seen: unknown[] = [];
        const guard = breaker({ failures: 2, cooldown: 300, ratio: 0.9, window: '1s' });
        const layers = policy(
          timeout('5s'),
          retry({
            attempts: 8,
            maxElapsed: '4s',
            retryOn: ['CIRCUIT_OPEN', 'TIMEOUT'],
            retryIf: () => true,
            idempotent: true,
          }),
          guard,
          bulkhead({ limit: 1, queue: 1, maxWait: 500 }),
          timeout(100),
        );
        const call = layers.settle(async (s) => {
          seen.push([s.attempt, time.now(), guard.state, s.timeLeft()]);
          if (s.attempt % 2 === 0) await s.sleep('1h');
          down();
        });
        await time.runAll();
        const outcome = await call;
        return [seen, outcome.stoppedBy, outcome.attempts, time.now()];
      });
    const [steady, jumping] = [await trace(false), await trace(true)];
    expect((steady[0] as unknown[]).length).toBeGreaterThan(2);
    expect(jumping).toEqual(steady);
  });
});

describe('several at once', () => {
  test('one caller’s async context never leaks into another’s', async () => {
    const storage = new AsyncLocalStorage<string>();
    const seen: string[] = [];
    const note = (place: string): undefined => void seen.push(`${place}: ${storage.getStore()}`);
    const slots = bulkhead({ limit: 1, queue: 9, priority: () => (note('priority'), 0) });
    const layers = policy(
      fallback(() => note('fallback')),
      timeout(1_000),
      retry({
        attempts: 3,
        idempotent: true,
        budget: false,
        retryIf: () => note('retryIf'),
        onRetry: () => note('onRetry'),
        backoff: () => (note('backoff'), 50),
      }),
      breaker({ failures: 99, judge: () => note('judge') }),
      slots,
      timeout(60, { grace: 10 }),
    );
    await virtualTime(async (time) => {
      const calls = ['a', 'b', 'c'].map((name) =>
        storage.run(name, () =>
          layers.run(async (s) => {
            note(`attempt ${s.attempt}`);
            s.defer(() => note('cleanup'));
            s.signal.addEventListener('abort', () => note('abort listener'));
            await (s.attempt === 1 ? s.sleep('1h') : deaf(s.attempt === 2 ? 100 : 10));
            note('after a wait');
            throw new Error('down');
          }),
        ),
      );
      await storage.run('nobody', () => time.runAll());
      await Promise.all(calls);
    });
    expect(seen.filter((line) => !/: [abc]$/.test(line))).toEqual([]);
    expect(new Set(seen.map((line) => line.split(':')[0]))).toEqual(
      new Set(
        'attempt 1,attempt 2,attempt 3,abort listener,after a wait,cleanup,priority,judge,retryIf,backoff,onRetry,fallback'.split(
          ',',
        ),
      ),
    );
    for (const name of ['a', 'b', 'c']) expect(seen.some((line) => line === `attempt 3: ${name}`)).toBe(true);
  });
});
