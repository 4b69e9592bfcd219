/** Rate limits: P10 and P9 of docs/reference/policies.md, and what P1, P2, P3 and P6 say of their refusals. What fits is in cell.test. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { watchAbandonedBodies } from '../../../test/abandoned.ts';
import { CountedController } from '../../../test/listeners.ts';
import { errorOf, settle } from '../../../test/settle.ts';
import { watchUnhandledRejections } from '../../../test/unhandled.ts';
import { clock } from '../../foundation/index.ts';
import {
  abandoned,
  attemptsOf,
  breaker,
  bulkhead,
  classify,
  constant,
  contextKey,
  explain,
  fallback,
  hedge,
  layer,
  onEvent,
  policy,
  rateLimit,
  RateLimitedError,
  retry,
  scope,
  stoppedBy,
  timeout,
  TimeoutError,
  type Policy,
  type RateLimit,
  type RateLimitOptions,
  type Scope,
  type Weighed,
} from '../../index.ts';
import { recordEvents, virtualTime, type RecordedEvents, type VirtualTime } from '../../testing/index.ts';

watchUnhandledRejections();
watchAbandonedBodies();

let events: RecordedEvents;
beforeEach(() => {
  events = recordEvents();
});
afterEach(() => events[Symbol.dispose]());

const told = (kind = 'rate-limit:refused'): unknown[] => events.filter(({ event }) => event === kind);

const nothing = (): void => undefined;
const neverRun = (): never => expect.fail('ran');

/** Waits, whatever happens to the signal. */
const deaf = (ms: number): Promise<void> => scope((own) => own.sleep(ms));

/** Ten a second, one at once: one each 100 ms. */
const spaced = (options: Partial<RateLimitOptions> = {}): RateLimit =>
  rateLimit({ limit: 10, burst: 1, maxWait: '10s', ...options });

/** On virtual time; in the end nobody waits, and no timer is left. */
function steps<T>(limiter: RateLimit, body: (time: VirtualTime) => Promise<T>): Promise<T> {
  return virtualTime(async (time) => {
    const result = await body(time);
    await time.runAll();
    expect([limiter.waiting, time.pending], 'who waits, and timers, that are left').toEqual([0, 0]);
    return result;
  });
}

/** When the operation of each of so many calls that come at once ran. */
async function timesOf(calls: Policy<unknown>, count: number, time: VirtualTime): Promise<number[]> {
  const times: number[] = [];
  const all = Array.from({ length: count }, () => calls.run(() => void times.push(time.now())));
  await time.runAll();
  await Promise.all(all);
  return times;
}

const weightKey = contextKey<number>('weight');

/** A call that weighs so much. */
const weighing = (weight: number, calls: Policy<unknown>, op: (s: Scope) => unknown): Promise<unknown> =>
  scope({ values: [[weightKey, weight]] }, (s) => calls.run(op, { signal: s }));

const byKey = (call: Weighed): number => call.get(weightKey) ?? 1;

describe('P10.1 attempts are let in', () => {
  test('`burst` at once, which is `limit` unless told, and then one for each token', () =>
    virtualTime(async (time) => {
      const limiter = rateLimit({ limit: 2 });
      expect(limiter.tokens).toBe(2);
      await limiter.run(nothing);
      await limiter.run(nothing);
      expect(limiter.tokens).toBe(0);
      expect(await errorOf(limiter.run(neverRun))).toMatchObject({ retryAfterMs: 500 });
      await time.advance(499);
      expect(await errorOf(limiter.run(neverRun))).toMatchObject({ retryAfterMs: 1 });
      await time.advance(1);
      expect(await limiter.run(() => 'in')).toBe('in');
    }));

  test('in `per`, a second unless told', () =>
    virtualTime(async () => {
      for (const [options, retryAfterMs] of [
        [{ limit: 1 }, 1000],
        [{ limit: 1, per: '1m' }, 60_000],
        [{ limit: 4, per: 200, burst: 1 }, 50],
      ] as const) {
        const limiter = rateLimit(options);
        await limiter.run(nothing);
        expect(await errorOf(limiter.run(neverRun))).toMatchObject({ retryAfterMs });
      }
    }));

  test('at once, in the call of run, when nothing has to be waited for', () => {
    let ran = false;
    void spaced().run(() => (ran = true));
    expect(ran).toBe(true);
  });

  test('together in all policies that share it', () =>
    virtualTime(async () => {
      const limiter = rateLimit({ limit: 1 });
      await policy(timeout('1s'), limiter).run(nothing);
      expect(await errorOf(policy(retry(), limiter).run(neverRun))).toBeInstanceOf(RateLimitedError);
    }));

  test('P1.1 once in a policy: inside itself it would count twice', () => {
    const limiter = rateLimit({ limit: 1 });
    expect(() => policy(limiter, retry(), limiter)).toThrow(
      expect.objectContaining({ code: 'BAD_OPTION', option: 'policy' }),
    );
  });

  test('each attempt of a retry anew', () =>
    virtualTime(async () => {
      const limiter = rateLimit({ limit: 5 });
      const down = new Error('down');
      const call = policy(retry({ attempts: 3, backoff: constant(0) }), limiter);
      expect(await errorOf(call.run(() => Promise.reject(down)))).toBe(down);
      expect(limiter.tokens).toBe(2);
    }));

  test('outside a retry, a call once', () =>
    virtualTime(async () => {
      const limiter = rateLimit({ limit: 5 });
      const call = policy(limiter, retry({ attempts: 3, backoff: constant(0) }));
      await errorOf(call.run(() => Promise.reject(new Error('down'))));
      expect(limiter.tokens).toBe(4);
    }));

  test('each launch of a hedge anew', () =>
    virtualTime(async (time) => {
      const limiter = rateLimit({ limit: 5, per: '1h' });
      const call = policy(hedge({ after: 10, idempotent: true, budget: false }), limiter).run((s) => s.sleep(20));
      await time.runAll();
      await call;
      expect(limiter.tokens).toBeCloseTo(3, 1);
    }));
});

describe('P10.2 what was let in has used its weight', () => {
  test('whatever it comes to', () =>
    virtualTime(async (time) => {
      const limiter = rateLimit({ limit: 10, per: '1h' });
      await limiter.run(nothing);
      await errorOf(limiter.run(() => Promise.reject(new Error('down'))));
      const controller = new AbortController();
      const aborted = errorOf(limiter.run((s) => s.sleep(10), { signal: controller.signal }));
      controller.abort(new Error('enough'));
      await aborted;
      const late = errorOf(policy(limiter, timeout(1, { grace: 0 })).run(() => deaf(50)));
      await time.advance(1);
      expect(await late).toMatchObject({ code: 'TIMEOUT', abandoned: true });
      expect(abandoned()).toBe(1);
      await time.runAll();
      expect(limiter.tokens).toBeCloseTo(6, 1);
    }));

  test('also when a layer inside refuses', () =>
    virtualTime(async (time) => {
      const limiter = rateLimit({ limit: 5, per: '1h' });
      const slots = bulkhead({ limit: 1 });
      const held = slots.run((s) => s.sleep(10));
      expect(await errorOf(policy(limiter, slots).run(neverRun))).toMatchObject({ code: 'BULKHEAD_FULL' });
      expect(limiter.tokens).toBe(4);
      await time.runAll();
      await held;
    }));

  test('what a layer outside refuses has used nothing', () =>
    virtualTime(async () => {
      const gate = breaker();
      gate.isolate();
      const limiter = rateLimit({ limit: 5 });
      expect(await errorOf(policy(gate, limiter).run(neverRun))).toMatchObject({ code: 'CIRCUIT_OPEN' });
      expect(limiter.tokens).toBe(5);
    }));

  test('what is refused has used nothing', () =>
    virtualTime(async () => {
      const limiter = rateLimit({ limit: 3, weight: byKey });
      await weighing(2, limiter, nothing);
      for (let i = 0; i < 5; i++) await errorOf(weighing(2, limiter, neverRun));
      expect(limiter.tokens).toBe(1);
    }));

  test('P2.4 a call that was cancelled before has used nothing, and was not weighed', () =>
    virtualTime(async () => {
      const weight = vi.fn<() => number>(() => 1);
      const limiter = rateLimit({ limit: 3, weight });
      const reason = new Error('cancelled');
      expect(await errorOf(limiter.run(neverRun, { signal: AbortSignal.abort(reason) }))).toBe(reason);
      expect([limiter.tokens, weight.mock.calls.length]).toEqual([3, 0]);
    }));
});

describe('P10.3 a refusal', () => {
  test('says whose, and when it is worth trying again; nothing was run', () =>
    virtualTime(async () => {
      const limiter = rateLimit({ limit: 3, burst: 1, name: 'search' });
      await limiter.run(nothing);
      const outcome = await limiter.settle(neverRun);
      const error = outcome.ok || outcome.error;
      expect(error).toBeInstanceOf(RateLimitedError);
      expect(error).toMatchObject({
        name: 'RateLimitedError',
        code: 'RATE_LIMITED',
        message: 'search is used up: worth trying again in 334 ms',
        limiter: 'search',
        retryAfterMs: 334,
      });
      expect(outcome).toMatchObject({ stoppedBy: 'refused', attempts: [{ number: 1, refused: true, error }] });
      expect([stoppedBy(error), attemptsOf(error).length]).toEqual(['refused', 1]);
      expect(explain(error)).toContain('a layer refused to let it run');
      expect(classify(error)).toMatchObject({ verdict: 'transient', health: 'none', retryAfterMs: 334 });
      const { name, at } = { name: 'search', at: 0 };
      expect(told()).toEqual([{ event: 'rate-limit:refused', name, at, retryAfterMs: 334, dryRun: false }]);
    }));

  test('is made without an event when nobody listens', () =>
    virtualTime(async () => {
      const limiter = rateLimit({ limit: 1 });
      await limiter.run(nothing);
      events[Symbol.dispose]();
      expect(await errorOf(limiter.run(neverRun))).toMatchObject({ limiter: 'rateLimit' });
      const seen: unknown[] = [];
      using _listening = onEvent('rate-limit:refused', ({ name }) => seen.push(name));
      await errorOf(limiter.run(neverRun));
      expect(seen).toEqual(['rateLimit']);
    }));

  test('costs one look at the clock, as being let in does', () =>
    virtualTime(async () => {
      const limiter = rateLimit({ limit: 1 });
      events[Symbol.dispose]();
      const now = vi.spyOn(clock, 'now');
      await limiter.run(nothing);
      expect(now).toHaveBeenCalledTimes(1);
      await errorOf(limiter.run(neverRun));
      expect(now).toHaveBeenCalledTimes(2);
      now.mockRestore();
    }));

  test('nobody asks when an attempt began that did not wait', async () => {
    events[Symbol.dispose]();
    const { signal } = new AbortController();
    const error = await errorOf(rateLimit({ limit: 1 }).run(() => Promise.reject(new Error('down')), { signal }));
    expect(attemptsOf(error)).toMatchObject([{ startedAt: null, durationMs: null }]);
  });

  test('P3.4 is not retried unless it is asked for', () =>
    virtualTime(async (time) => {
      const limiter = rateLimit({ limit: 1 });
      await limiter.run(nothing);
      for (const layers of [retry(), retry({ retryOn: ['CIRCUIT_OPEN'] }), retry({ idempotent: true })]) {
        const error = await errorOf(policy(layers, limiter).run(neverRun));
        expect([stoppedBy(error), attemptsOf(error).length, time.now()]).toEqual(['refused', 1, 0]);
      }
    }));

  test.each([
    ['retryOn its code', { retryOn: ['RATE_LIMITED'] }],
    ['retryOn its class', { retryOn: [RateLimitedError] }],
    ['retryIf', { retryIf: () => true }],
  ])('P3.5 then, by %s, not before its retryAfterMs, with the back-off above', (_, options) =>
    virtualTime(async (time) => {
      const limiter = rateLimit({ limit: 1 });
      await limiter.run(nothing);
      await time.advance(400);
      for (const [backoffMs, at] of [
        [0, 1000],
        [25, 2025],
      ] as const) {
        const call = policy(retry({ ...options, backoff: constant(backoffMs) }), limiter).run((s) => [
          s.attempt,
          time.now(),
        ]);
        await time.runAll();
        expect(await call).toEqual([2, at]);
      }
    }),
  );

  test('P3.5 beyond maxRetryAfter the call ends', () =>
    virtualTime(async () => {
      const limiter = rateLimit({ limit: 1, per: '2m' });
      await limiter.run(nothing);
      const call = policy(retry({ retryOn: ['RATE_LIMITED'] }), limiter);
      expect(stoppedBy(await errorOf(call.run(neverRun)))).toBe('retryAfter');
    }));

  test('P3.7 a retryAfterMs that passes the deadline is not waited for', () =>
    virtualTime(async (time) => {
      const limiter = rateLimit({ limit: 1 });
      await limiter.run(nothing);
      const call = policy(timeout(900), retry({ retryOn: ['RATE_LIMITED'] }), limiter);
      const error = await errorOf(call.run(neverRun));
      expect([error.code, stoppedBy(error), time.now()]).toEqual(['RATE_LIMITED', 'deadline', 0]);
    }));

  test('P6.6 is neither failure nor success for a breaker, on whichever side of it', () =>
    virtualTime(async (time) => {
      const limiter = rateLimit({ limit: 2, per: '1m' });
      const gate = breaker({ failures: 1, cooldown: 10 });
      await limiter.run(nothing);
      await errorOf(policy(gate, limiter).run(() => Promise.reject(new Error('down'))));
      expect(gate.state).toBe('open');
      await time.advance(10);
      // A probe that is refused gives its place back.
      for (const layers of [policy(gate, limiter), policy(limiter, gate), policy(gate, retry(), limiter)])
        expect(await errorOf(layers.run(neverRun))).toMatchObject({ code: 'RATE_LIMITED' });
      expect(gate.state).toBe('half-open');
      await gate.run(nothing);
      expect(gate.state).toBe('closed');
      for (let i = 0; i < 5; i++) await errorOf(policy(gate, limiter).run(neverRun));
      expect(gate.state).toBe('closed');
    }));

  test('P8 has a fallback like any failure', () =>
    virtualTime(async () => {
      const limiter = rateLimit({ limit: 1 });
      const call = policy(fallback('from the cache'), limiter);
      expect([await call.run(() => 'fresh'), await call.run(() => 'fresh')]).toEqual(['fresh', 'from the cache']);
    }));

  test('in a middle of layers of one’s own is told as one', () =>
    virtualTime(async () => {
      const limiter = rateLimit({ limit: 1 });
      const call = policy(retry(), layer({ name: 'own', run: (next) => next() }), limiter);
      await call.run(nothing);
      const error = await errorOf(call.run(neverRun));
      expect([error.code, stoppedBy(error)]).toEqual(['RATE_LIMITED', 'refused']);
    }));
});

describe('P10.4 with `maxWait` it waits for its turn', () => {
  test('first come, first served, each as soon as its token is there', () => {
    const limiter = rateLimit({ limit: 10, burst: 2, maxWait: '1s' });
    return steps(limiter, async (time) => {
      expect(await timesOf(limiter, 5, time)).toEqual([0, 0, 100, 200, 300]);
    });
  });

  test('in order: each is let in before the one that came after it', () => {
    const limiter = spaced();
    return steps(limiter, async (time) => {
      const order: number[] = [];
      const calls = [1, 2, 3, 4].map((n) => limiter.run(() => order.push(n)));
      expect(limiter.waiting).toBe(3);
      await time.advance(150);
      expect(limiter.waiting).toBe(2);
      calls.push(limiter.run(() => order.push(5)));
      await time.runAll();
      await Promise.all(calls);
      expect(order).toEqual([1, 2, 3, 4, 5]);
    });
  });

  test('a light one does not overtake a heavy one', () => {
    const limiter = rateLimit({ limit: 10, burst: 4, maxWait: '1s', weight: byKey });
    return steps(limiter, async (time) => {
      const began: string[] = [];
      const calls = [3, 4, 1].map((weight) =>
        weighing(weight, limiter, () => began.push(`${weight} at ${time.now()}`)),
      );
      await time.runAll();
      await Promise.all(calls);
      expect(began).toEqual(['3 at 0', '4 at 300', '1 at 400']);
    });
  });

  test('several that fit together are let in together', () => {
    const limiter = rateLimit({ limit: 5000, burst: 5, maxWait: '1s' });
    return steps(limiter, async (time) => {
      expect(await timesOf(limiter, 14, time)).toEqual([0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 2]);
    });
  });

  test('exactly `maxWait`, but not longer: then it is refused at once', () => {
    const limiter = spaced({ maxWait: 200 });
    return steps(limiter, async (time) => {
      const calls = [limiter.run(nothing), limiter.run(nothing), limiter.run(nothing)];
      expect(await errorOf(limiter.run(neverRun))).toMatchObject({ retryAfterMs: 300 });
      expect(time.now()).toBe(0);
      await time.runAll();
      await Promise.all(calls);
      expect(time.now()).toBe(200);
    });
  });

  test('not at all without it', () =>
    virtualTime(async (time) => {
      const limiter = rateLimit({ limit: 10, burst: 1 });
      await limiter.run(nothing);
      await errorOf(limiter.run(neverRun));
      expect([limiter.waiting, time.pending]).toEqual([0, 0]);
    }));

  test('with one timer, that of the first, however many wait and are refused', () => {
    const limiter = spaced({ maxWait: 300 });
    return steps(limiter, async (time) => {
      const calls = [1, 2, 3, 4].map(() => limiter.run(nothing));
      for (let i = 0; i < 5; i++) await errorOf(limiter.run(neverRun));
      expect([limiter.waiting, time.pending]).toEqual([3, 1]);
      await time.advance(100);
      calls.push(limiter.run(nothing));
      expect([limiter.waiting, time.pending]).toEqual([3, 1]);
      await time.runAll();
      await Promise.all(calls);
    });
  });

  test('for ever, if that is what was asked for', () => {
    const limiter = rateLimit({ limit: 1, per: '1d', maxWait: Infinity });
    return steps(limiter, async (time) => {
      expect(await timesOf(limiter, 3, time)).toEqual([0, 86_400_000, 172_800_000]);
    });
  });

  test.each<[string, (limiter: RateLimit, ms: number) => Promise<unknown>]>([
    ['of the call', (limiter, ms) => policy(timeout(ms), limiter).run(() => 'ran')],
    ['of a scope', (limiter, ms) => scope({ timeout: ms }, (s) => limiter.run(() => 'ran', { signal: s }))],
    [
      'of an attempt around it',
      (limiter, ms) => policy(retry(), timeout(ms), layer({ name: 'l', run: (n) => n() }), limiter).run(() => 'ran'),
    ],
  ])('one that cannot make its deadline is refused at once: %s', (_, call) => {
    const limiter = spaced();
    return steps(limiter, async (time) => {
      await limiter.run(nothing);
      // At 100 the timeout is first.
      for (const ms of [50, 100])
        expect(await errorOf(call(limiter, ms))).toMatchObject({ code: 'RATE_LIMITED', retryAfterMs: 100 });
      expect([time.now(), limiter.waiting]).toEqual([0, 0]);
      const last = call(limiter, 101);
      await time.runAll();
      expect(await last).toBe('ran');
    });
  });

  test('a timeout inside it does not count the wait', () => {
    const limiter = spaced();
    return steps(limiter, async (time) => {
      const call = policy(limiter, timeout(50));
      const all = [1, 2, 3].map(() => call.run((s) => s.sleep(40)));
      await time.runAll();
      await Promise.all(all);
      expect(time.now()).toBe(240);
    });
  });

  test('and for its permit after that', () => {
    const limiter = spaced();
    return steps(limiter, async (time) => {
      const began: number[] = [];
      const call = policy(limiter, bulkhead({ limit: 1, queue: 5 }));
      const all = [1, 2, 3].map(() =>
        call.run((s) => {
          began.push(time.now());
          return s.sleep(150);
        }),
      );
      await time.runAll();
      await Promise.all(all);
      expect(began).toEqual([0, 150, 300]);
    });
  });

  test('a retry waits for its turn too, behind who came before', () => {
    const limiter = spaced();
    return steps(limiter, async (time) => {
      const order: string[] = [];
      const again = policy(retry({ attempts: 2, backoff: constant(0) }), limiter).run((s) => {
        order.push(`attempt ${s.attempt} at ${time.now()}`);
        if (s.attempt === 1) throw new Error('down');
      });
      const other = limiter.run(() => order.push(`other at ${time.now()}`));
      await time.runAll();
      await Promise.all([again, other]);
      expect(order).toEqual(['attempt 1 at 0', 'other at 100', 'attempt 2 at 200']);
    });
  });

  test('the times of an attempt that waited begin when it was let in', () => {
    const limiter = spaced();
    return steps(limiter, async (time) => {
      const first = limiter.run(nothing);
      const second = errorOf(limiter.run((s) => s.sleep(5).then(() => Promise.reject(new Error('down')))));
      await time.runAll();
      await first;
      expect(attemptsOf(await second)).toMatchObject([{ startedAt: 100, durationMs: 5, refused: false }]);
    });
  });

  test('P2.7 in the async context of its call, whoever lets it in', () => {
    const limiter = spaced();
    const store = new AsyncLocalStorage<string>();
    return steps(limiter, async (time) => {
      const seen: unknown[] = [];
      const calls = ['a', 'b', 'c'].map((name) =>
        store.run(name, () => limiter.run(() => seen.push(store.getStore()))),
      );
      await time.runAll();
      await Promise.all(calls);
      expect(seen).toEqual(['a', 'b', 'c']);
    });
  });

  test('who is called by one that was let in comes after those that wait', () => {
    const limiter = spaced();
    return steps(limiter, async (time) => {
      const order: string[] = [];
      const outer = limiter.run(async () => {
        order.push(`outer at ${time.now()}`);
        await limiter.run(() => order.push(`inner at ${time.now()}`));
      });
      const other = limiter.run(() => order.push(`other at ${time.now()}`));
      await time.runAll();
      await Promise.all([outer, other]);
      expect(order).toEqual(['outer at 0', 'inner at 100', 'other at 200']);
    });
  });

  test('while a timer is late, those whose turn has come still go before who comes now', () => {
    const limiter = spaced({ maxWait: 100 });
    return steps(limiter, async (time) => {
      const order: string[] = [];
      const calls = [1, 2].map((n) => limiter.run(() => order.push(`${n} at ${time.now()}`)));
      const now = vi.spyOn(clock, 'now').mockImplementation(() => 150); // the event loop was busy
      calls.push(limiter.run(() => order.push(`3 at ${time.now()}`)));
      now.mockRestore();
      expect(limiter.waiting).toBe(1);
      await time.advance(0);
      expect(order).toEqual(['1 at 0', '2 at 0']); // the time is still that of the test
      await time.runAll();
      await Promise.all(calls);
      expect(order).toHaveLength(3);
    });
  });
});

describe('P10.5 a waiter leaves at once', () => {
  test('when it is aborted: with the caller’s reason; those behind it move up', () => {
    const limiter = spaced();
    return steps(limiter, async (time) => {
      const reason = new Error('enough');
      const controllers = [new CountedController(), new CountedController()];
      const first = limiter.run(nothing);
      const aborted = controllers.map(({ signal }) => errorOf(limiter.run(neverRun, { signal })));
      const last = limiter.run(() => time.now());
      expect(limiter.waiting).toBe(3);
      await time.advance(50);
      for (const controller of controllers) controller.abort(reason);
      expect(limiter.waiting).toBe(1);
      expect(await Promise.all(aborted)).toEqual([reason, reason]);
      expect([stoppedBy(reason), time.now()]).toEqual(['cancelled', 50]);
      expect(controllers.map(({ listeners }) => listeners)).toEqual([0, 0]);
      await time.runAll();
      expect(await last).toBe(100);
      await first;
    });
  });

  test('from the middle of the queue as well', () => {
    const limiter = spaced();
    return steps(limiter, async (time) => {
      const controller = new AbortController();
      const began: string[] = [];
      const run = (name: string, signal?: AbortSignal): Promise<unknown> =>
        limiter.run(() => began.push(`${name} at ${time.now()}`), { signal });
      const calls = [run('a'), run('b'), errorOf(run('c', controller.signal)), run('d')];
      controller.abort();
      expect(limiter.waiting).toBe(2);
      await time.runAll();
      await Promise.all(calls);
      expect(began).toEqual(['a at 0', 'b at 100', 'd at 200']);
    });
  });

  test('the light one behind a heavy one that leaves is let in at once, if it fits', () => {
    const limiter = rateLimit({ limit: 10, burst: 4, maxWait: '1s', weight: byKey });
    return steps(limiter, async (time) => {
      const controller = new AbortController();
      const first = weighing(3, limiter, nothing);
      const heavy = errorOf(
        scope({ values: [[weightKey, 4]], signal: controller.signal }, (s) => limiter.run(neverRun, { signal: s })),
      );
      const light = [weighing(1, limiter, () => time.now()), weighing(1, limiter, () => time.now())];
      expect(limiter.waiting).toBe(3);
      await time.advance(10);
      controller.abort(new Error('enough'));
      expect(limiter.waiting).toBe(1);
      expect(await light[0]).toBe(10);
      await time.runAll();
      expect(await light[1]).toBe(100);
      await Promise.all([first, heavy]);
    });
  });

  test('its place in what may be promised is free again', () => {
    const limiter = spaced({ maxWait: 100 });
    return steps(limiter, async (time) => {
      await limiter.run(nothing);
      const controller = new AbortController();
      const waiter = errorOf(limiter.run(neverRun, { signal: controller.signal }));
      expect(await errorOf(limiter.run(neverRun))).toMatchObject({ retryAfterMs: 200 });
      controller.abort();
      const next = limiter.run(() => time.now());
      await time.runAll();
      expect([await next, (await waiter).name]).toEqual([100, 'AbortError']);
    });
  });

  test('when its deadline passes: a timeout that the wait did not have when it came', () => {
    const limiter = spaced();
    return steps(limiter, async (time) => {
      await limiter.run(nothing);
      // A signal tells nobody when it will be aborted.
      const controller = new AbortController();
      const waiter = policy(retry({ retryIf: () => true }), limiter).settle(neverRun, { signal: controller.signal });
      await time.advance(60);
      controller.abort(new TimeoutError('the page', 60));
      expect(await waiter).toMatchObject({ ok: false, stoppedBy: 'deadline', attempts: [{ refused: true }] });
      expect(time.pending).toBe(0);
    });
  });

  test('in the turn in which it was let in it has used its weight', () => {
    const limiter = spaced();
    return steps(limiter, async (time) => {
      const reason = new Error('enough');
      const controller = new AbortController();
      await limiter.run(nothing);
      const waiter = errorOf(limiter.run(neverRun, { signal: controller.signal }));
      // The clock says that its turn has come, and somebody else asks first.
      const now = vi.spyOn(clock, 'now').mockImplementation(() => 100);
      const other = limiter.run(nothing);
      expect([limiter.waiting, limiter.tokens]).toEqual([1, 0]);
      controller.abort(reason);
      expect([limiter.waiting, limiter.tokens]).toEqual([1, 0]);
      now.mockRestore();
      expect(await waiter).toBe(reason);
      await time.runAll();
      await other;
    });
  });

  test('no attempt is made of one that was let in and aborted in one turn', () => {
    const limiter = spaced();
    return steps(limiter, async (time) => {
      await limiter.run(nothing);
      const controller = new AbortController();
      const waiter = errorOf(
        policy(retry({ retryIf: () => true, backoff: constant(0) }), limiter).run(neverRun, {
          signal: controller.signal,
        }),
      );
      const listening = onEvent('rate-limit:refused', () => controller.abort(new Error('enough')));
      await time.advance(99);
      const now = vi.spyOn(clock, 'now').mockImplementation(() => 100);
      // Lets the waiter in, and is refused in the same turn.
      await errorOf(policy(timeout(10), limiter).run(neverRun));
      now.mockRestore();
      listening[Symbol.dispose]();
      expect(await waiter).toMatchObject({ message: 'enough' });
    });
  });
});

describe('P10.6 a weight', () => {
  test('may be a number for all', () =>
    virtualTime(async () => {
      const limiter = rateLimit({ limit: 10, weight: 2.5 });
      await limiter.run(nothing);
      expect(limiter.tokens).toBe(7.5);
    }));

  test('may be a function of the call, asked at each attempt', () =>
    virtualTime(async () => {
      const asked: unknown[] = [];
      const limiter = rateLimit({
        limit: 10,
        weight: (call) => {
          asked.push([
            call.attempt,
            (call.previousError as Error | undefined)?.message,
            call.get(weightKey),
            call.timeLeft(),
          ]);
          return call.attempt;
        },
      });
      const call = policy(timeout(500), retry({ attempts: 2, backoff: constant(0) }), limiter);
      await errorOf(
        scope({ values: [[weightKey, 7]] }, (s) => call.run(() => Promise.reject(new Error('down')), { signal: s })),
      );
      expect(limiter.tokens).toBe(7);
      expect(asked).toEqual([
        [1, undefined, 7, 500],
        [2, 'down', 7, 500],
      ]);
    }));

  test('of 0 uses nothing and never waits', () => {
    const limiter = spaced({ weight: byKey });
    return steps(limiter, async (time) => {
      const calls = [weighing(1, limiter, nothing), weighing(1, limiter, nothing)];
      for (let i = 0; i < 10; i++) calls.push(weighing(0, limiter, nothing));
      expect([limiter.waiting, limiter.tokens, await weighing(0, limiter, () => time.now())]).toEqual([1, 0, 0]);
      await time.runAll();
      await Promise.all(calls);
    });
  });

  test('of a whole burst is let in when nothing is used', () =>
    virtualTime(async (time) => {
      const limiter = rateLimit({ limit: 10, burst: 3, weight: 3 });
      await limiter.run(nothing);
      expect(await errorOf(limiter.run(neverRun))).toMatchObject({ retryAfterMs: 300 });
      await time.advance(300);
      await limiter.run(nothing);
    }));

  test.each([-1, -0.1, 3.1, Infinity, NaN, '1', null, undefined, true, 1n])(
    'that is none, or more than a burst, ends the call: %s',
    (given) =>
      virtualTime(async (time) => {
        const limiter = rateLimit({ limit: 10, burst: 3, weight: () => given as number });
        const error = await errorOf(policy(retry({ retryIf: () => true }), limiter).run(neverRun));
        const expected = 'a function that gives a number from 0 to 3 (burst)';
        expect(error).toMatchObject({ code: 'BAD_OPTION', option: 'weight', given, expected });
        expect([stoppedBy(error), limiter.tokens, time.now()]).toEqual(['verdict', 3, 0]);
      }),
  );

  test('that is a promise ends the call, and is not an unhandled rejection', () =>
    virtualTime(async () => {
      const limiter = rateLimit({ limit: 10, weight: (() => Promise.reject(new Error('late'))) as never });
      expect(await errorOf(limiter.run(neverRun))).toMatchObject({ code: 'BAD_OPTION', option: 'weight' });
    }));

  test('P2.5 that throws ends the call with that error; the attempts before it are told of', () =>
    virtualTime(async () => {
      const thrown = new Error('no weight');
      const down = new Error('down');
      const limiter = rateLimit({
        limit: 10,
        weight: ({ attempt }) => {
          if (attempt === 2) throw thrown;
          return 1;
        },
      });
      const call = policy(retry({ attempts: 5, backoff: constant(0), retryIf: () => true }), limiter);
      const error = await errorOf(call.run(() => Promise.reject(down)));
      expect(error).toBe(thrown);
      expect([stoppedBy(error), limiter.tokens]).toEqual(['verdict', 9]);
      expect(attemptsOf(error).map((it) => it.error)).toEqual([down, thrown]);
    }));

  test('may call the very limit that asks: what it used is seen', () =>
    virtualTime(async () => {
      let depth = 0;
      const limiter: RateLimit = rateLimit({
        limit: 2,
        weight: () => {
          if (depth++ === 0) void limiter.run(nothing);
          return 1;
        },
      });
      await limiter.run(nothing);
      expect(limiter.tokens).toBe(0);
    }));

  test('may abort the call that it weighs: it ends with the reason, and does not wait', () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    let calls = 0;
    const limiter = spaced({
      weight: () => {
        if (++calls === 2) controller.abort(reason);
        return 1;
      },
    });
    return steps(limiter, async (time) => {
      await limiter.run(nothing);
      expect(await errorOf(limiter.run(neverRun, { signal: controller.signal }))).toBe(reason);
      expect([limiter.waiting, time.pending, time.now()]).toEqual([0, 0, 0]);
    });
  });
});

describe('P10.7 state', () => {
  test('may be saved, and goes into a new one, perhaps under another limit', () =>
    virtualTime(async (time) => {
      const limiter = rateLimit({ limit: 10 });
      for (let i = 0; i < 4; i++) await limiter.run(nothing);
      await time.advance(100);
      const saved: unknown = JSON.parse(JSON.stringify({ limiter }));
      expect(saved).toEqual({ limiter: { version: 1, used: 3 } });
      const { limiter: restore } = saved as { limiter: unknown };
      expect(rateLimit({ limit: 10, restore }).tokens).toBe(7);
      expect(rateLimit({ limit: 5, restore }).tokens).toBe(2);
      expect(rateLimit({ limit: 2, restore }).tokens).toBe(0);
    }));

  test('is checked when it is restored', () => {
    expect(() => rateLimit({ limit: 1, restore: {} })).toThrow(
      expect.objectContaining({ code: 'BAD_OPTION', option: 'restore' }),
    );
  });

  test('jumps of the wall clock change nothing: it is not even read', () =>
    virtualTime(async (time) => {
      const wall = vi.spyOn(clock, 'wallNow');
      const dateNow = vi.spyOn(Date, 'now');
      const limiter = spaced();
      const times: number[] = [];
      const calls = [1, 2, 3].map(() => limiter.run(() => void times.push(time.now())));
      for (const jump of [9e12, -9e12, 0]) {
        wall.mockReturnValue(jump);
        dateNow.mockReturnValue(jump);
        await time.advance(100);
      }
      await Promise.all(calls);
      expect(times).toEqual([0, 100, 200]);
      expect([wall.mock.calls.length, dateNow.mock.calls.length]).toEqual([0, 0]);
      wall.mockRestore();
      dateNow.mockRestore();
    }));

  test('of its own in each clock: after virtual time it goes on', async () => {
    const limiter = rateLimit({ limit: 1, per: '1h' });
    await virtualTime(async (time) => {
      await time.advance('1000d');
      await limiter.run(nothing);
    });
    await virtualTime(async (time) => {
      expect(await errorOf(limiter.run(neverRun))).toMatchObject({ retryAfterMs: 3_600_000 });
      await time.advance('1h');
      await limiter.run(nothing);
    });
  });

  test('is at rest when nothing is used and nobody waits', () =>
    virtualTime(async (time) => {
      const limiter = spaced();
      expect(limiter.isAtRest).toBe(true);
      const calls = [limiter.run(nothing), limiter.run(nothing)];
      expect(limiter.isAtRest).toBe(false);
      await time.advance(199);
      expect(limiter.isAtRest).toBe(false);
      await time.advance(1);
      expect(limiter.isAtRest).toBe(true);
      await Promise.all(calls);
    }));
});

describe('P9 in a dry run', () => {
  test('everything passes at once, and what would have been refused is told', () =>
    virtualTime(async (time) => {
      const limiter = rateLimit({ limit: 10, burst: 2, dryRun: true, name: 'api' });
      for (let i = 0; i < 4; i++) expect(await limiter.run(() => i)).toBe(i);
      expect(time.now()).toBe(0);
      const event = { event: 'rate-limit:refused', name: 'api', at: 0, retryAfterMs: 100, dryRun: true };
      expect(told()).toEqual([event, event]);
      await time.advance(100);
      await limiter.run(nothing);
      expect(told()).toHaveLength(2);
    }));

  test('who would have waited takes at once what it would have taken; who would have waited too long takes nothing', () =>
    virtualTime(async (time) => {
      const limiter = rateLimit({ limit: 10, burst: 1, maxWait: 200, dryRun: true });
      for (let i = 0; i < 5; i++) await limiter.run(nothing);
      expect(told()).toMatchObject([{ retryAfterMs: 300 }, { retryAfterMs: 300 }]);
      expect([limiter.waiting, limiter.tokens, time.now()]).toEqual([0, 0, 0]);
      await time.advance(299);
      expect(limiter.tokens).toBeCloseTo(0.99, 10);
    }));

  test('who could not make its deadline is told of', () =>
    virtualTime(async () => {
      const limiter = rateLimit({ limit: 10, burst: 1, maxWait: '1s', dryRun: true });
      await limiter.run(nothing);
      expect(await policy(timeout(50), limiter).run(() => 'ran')).toBe('ran');
      expect(told()).toMatchObject([{ retryAfterMs: 100, dryRun: true }]);
    }));

  test('it tells of the same refusals as one in earnest', async () => {
    const refusals = (dryRun: boolean): Promise<unknown[]> =>
      virtualTime(async (time) => {
        const limiter = rateLimit({ limit: 10, burst: 3, maxWait: 250, weight: byKey, dryRun });
        const calls: Promise<unknown>[] = [];
        for (let i = 0; i < 60; i++) {
          calls.push(settle(() => weighing(1 + (i % 3), limiter, nothing)));
          await time.advance((i * 37) % 230);
        }
        await Promise.all(calls);
        const seen = events
          .filter(({ event }) => event === 'rate-limit:refused')
          .map((e) => [e.at, (e as { retryAfterMs?: number }).retryAfterMs]);
        events.length = 0;
        return seen;
      });
    const inEarnest = await refusals(false);
    expect(inEarnest.length).toBeGreaterThan(5);
    expect(await refusals(true)).toEqual(inEarnest);
  });
});

describe('P1.2 options', () => {
  const bad = (option: string, given: unknown): unknown =>
    expect.objectContaining({ code: 'BAD_OPTION', option, given });

  test.each<[string, unknown, string]>([
    ['limit', 0, 'a whole number from 1'],
    ['limit', -1, 'a whole number from 1'],
    ['limit', 1.5, 'a whole number from 1'],
    ['limit', NaN, 'a whole number from 1'],
    ['limit', Infinity, 'a whole number from 1'],
    ['limit', '5', 'a whole number from 1'],
    ['limit', undefined, 'a whole number from 1'],
    ['burst', 0, 'a whole number from 1'],
    ['burst', 1.5, 'a whole number from 1'],
    ['burst', Infinity, 'a whole number from 1'],
    ['burst', null, 'a whole number from 1'],
    ['per', 0, 'a duration above 0, not Infinity'],
    ['per', '0s', 'a duration above 0, not Infinity'],
    ['per', Infinity, 'a duration above 0, not Infinity'],
    ['weight', -1, 'a number from 0 to 4 (burst), or a function'],
    ['weight', 4.5, 'a number from 0 to 4 (burst), or a function'],
    ['weight', NaN, 'a number from 0 to 4 (burst), or a function'],
    ['weight', '1', 'a number from 0 to 4 (burst), or a function'],
    ['weight', null, 'a number from 0 to 4 (burst), or a function'],
    ['dryRun', 1, 'true or false'],
    ['dryRun', null, 'true or false'],
    ['name', 5, 'a string'],
    ['name', null, 'a string'],
  ])('%s: %j is refused', (option, given, expected) => {
    const make = (): unknown => rateLimit({ limit: 2, burst: 4, [option]: given });
    expect(make).toThrow(expect.objectContaining({ code: 'BAD_OPTION', option, given, expected }));
    const isRange = typeof given === 'number' && option !== 'dryRun' && option !== 'name';
    expect(make).toThrow(isRange ? RangeError : TypeError);
  });

  test.each<[string, unknown]>([
    ['per', 'soon'],
    ['per', -1],
    ['maxWait', -1],
    ['maxWait', 'soon'],
    ['maxWait', null],
    ['rate', 5],
  ])('%s: %j is refused', (option, given) => {
    expect(() => rateLimit({ limit: 1, [option]: given })).toThrow(bad(option, given));
  });

  test.each([undefined, null, 5, 'wide'] as never[])('options that are no object are refused: %s', (options) => {
    expect(() => rateLimit(options)).toThrow(bad('rateLimit', options));
  });

  test('undefined ones are as if they were not there', () => {
    const options = { per: undefined, burst: undefined, weight: undefined, maxWait: undefined, dryRun: undefined };
    const limiter = rateLimit({ limit: 3, ...options, name: undefined, restore: undefined });
    expect([String(limiter), limiter.name, limiter.tokens]).toEqual(['rateLimit 3/1s', 'rateLimit', 3]);
  });

  test('it is shown with its name, limit, and a burst of its own', () => {
    expect(String(rateLimit({ limit: 100 }))).toBe('rateLimit 100/1s');
    expect(String(rateLimit({ limit: 100, burst: 100 }))).toBe('rateLimit 100/1s');
    expect(String(rateLimit({ limit: 5, per: '1m', burst: 2, name: 'mail' }))).toBe('rateLimit mail 5/1m, burst 2');
    expect(String(policy(retry(), rateLimit({ limit: 5, per: 250 })))).toMatch(/ → rateLimit 5\/250ms$/);
  });
});
