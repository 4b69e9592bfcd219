/** Bulkheads: P7 and P9 of docs/reference/policies.md, and what P1, P2 and P3 say of permits. The counts are in cell.test, the order in queue.test. */
import { AsyncLocalStorage } from 'node:async_hooks';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { watchAbandonedBodies } from '../../../test/abandoned.ts';
import { CountedController } from '../../../test/listeners.ts';
import { seed } from '../../../test/seed.ts';
import { errorOf, settle } from '../../../test/settle.ts';
import { watchUnhandledRejections } from '../../../test/unhandled.ts';
import { nextTurn } from '../../foundation/index.ts';
import {
  breaker,
  bulkhead,
  BulkheadFullError,
  classify,
  constant,
  contextKey,
  failWhen,
  fallback,
  onEvent,
  policy,
  retry,
  scope,
  stoppedBy,
  timeout,
  type Bulkhead,
  type BulkheadOptions,
  type Policy,
  type Scope,
  type Waiting,
} from '../../index.ts';
import { recordEvents, virtualTime, type RecordedEvents, type VirtualTime } from '../../testing/index.ts';

watchUnhandledRejections();
watchAbandonedBodies();

let events: RecordedEvents;
beforeEach(() => {
  events = recordEvents();
});
afterEach(() => events[Symbol.dispose]());

/** Waits, whatever happens to the signal. */
const deaf = (ms: number): Promise<void> => scope((own) => own.sleep(ms));

const told = (kind: string): unknown[] => events.filter(({ event }) => event === kind);

const refusal = (reason: string, rest: object = {}): unknown => ({
  event: 'bulkhead:refused',
  name: 'bulkhead',
  at: expect.any(Number),
  limit: 1,
  queue: 0,
  reason,
  dryRun: false,
  ...rest,
});

/** On virtual time, which passes until the work has ended and nothing is left; then every permit and place is free. */
function within<T>(slots: Bulkhead, work: (now: () => number) => T | Promise<T>): Promise<T> {
  return steps(slots, async (time) => {
    const result = Promise.resolve(work(() => time.now()));
    await time.runAll();
    return result;
  });
}

/** The same where the test lets time pass. */
function steps<T>(slots: Bulkhead, body: (time: VirtualTime) => Promise<T>): Promise<T> {
  return virtualTime(async (time) => {
    const result = await body(time);
    await time.runAll();
    expect([slots.inFlight, slots.waiting, time.pending], 'permits, places and timers that are left').toEqual([
      0, 0, 0,
    ]);
    return result;
  });
}

/**
 * Does something in the turn in which the next attempt that ends gives its permit on: the waiter that was granted it has not
 * begun yet.
 */
function inHandOver<T>(fn: () => T): Promise<Awaited<T>> {
  return new Promise((resolve) => {
    const listening = onEvent('attempt:end', () => {
      listening[Symbol.dispose]();
      resolve(fn() as Awaited<T>);
    });
  });
}

/** A bulkhead that knows how long work takes. */
const learned = (serviceMs: number, options: BulkheadOptions): Bulkhead =>
  bulkhead({ ...options, restore: { version: 1, serviceMs, intervals: 100, departures: 0 } });

describe('P7.1 at most `limit` attempts run at once', () => {
  test('further ones wait in `queue` places, first come first served; then calls are refused', async () => {
    const slots = bulkhead({ limit: 2, queue: 2, name: 'database' });
    const order: string[] = [];
    await steps(slots, async (time) => {
      const calls = [1, 2, 3, 4, 5].map((n) =>
        settle(() =>
          slots.run(async () => {
            order.push(`${n} at ${time.now()}`);
            await deaf(10 * n);
          }),
        ),
      );
      expect([slots.inFlight, slots.waiting]).toEqual([2, 2]);
      expect(await calls[4]).toEqual({ error: expect.any(BulkheadFullError) });
      expect(time.now()).toBe(0);
      await time.runAll();
      await Promise.all(calls);
    });
    expect(order).toEqual(['1 at 0', '2 at 0', '3 at 10', '4 at 20']);
    expect(told('bulkhead:refused')).toEqual([refusal('full', { name: 'database', limit: 2, queue: 2, at: 0 })]);
  });

  test('the refusal says what, how large and why; nothing has run', async () => {
    const slots = bulkhead({ limit: 1, name: 'database' });
    await within(slots, async () => {
      const first = slots.run(() => deaf(10));
      const outcome = await slots.settle(() => expect.fail('ran'));
      const error = outcome.ok || outcome.error;
      expect(error).toBeInstanceOf(BulkheadFullError);
      expect(error).toMatchObject({
        name: 'BulkheadFullError',
        code: 'BULKHEAD_FULL',
        message: 'database has 1 permit and 0 places to wait: all are taken',
        bulkhead: 'database',
        limit: 1,
        queue: 0,
        reason: 'full',
      });
      expect(outcome).toMatchObject({ stoppedBy: 'refused', attempts: [{ number: 1, refused: true, error }] });
      expect(stoppedBy(error)).toBe('refused');
      expect(classify(error)).toMatchObject({ verdict: 'transient', health: 'none' });
      await first;
    });
  });

  test('a higher priority goes first, and among equals the one that came first', async () => {
    const key = contextKey<number>('priority');
    const seen: unknown[] = [];
    const slots = bulkhead({
      limit: 1,
      queue: Infinity,
      priority: (call: Waiting) => {
        seen.push([call.attempt, call.previousError, call.timeLeft()]);
        return call.get(key) ?? 0;
      },
    });
    const order: number[] = [];
    await within(slots, () =>
      Promise.all(
        [0, 1, 5, 1, 5, -2].map((priority, n) =>
          scope({ values: [[key, priority]], timeout: 1_000 + n }, (s) =>
            slots.run(
              async () => {
                order.push(n);
                await deaf(10);
              },
              { signal: s },
            ),
          ),
        ),
      ),
    );
    expect(order).toEqual([0, 2, 4, 1, 3, 5]);
    // Not asked of the first, which needs no place.
    expect(seen).toEqual([1, 2, 3, 4, 5].map((n) => [1, undefined, 1_000 + n]));
  });

  test('P2.5 a priority that throws, or is no number, ends the call with that; nobody else is harmed', async () => {
    const thrown = new Error('priority');
    const answers: (() => unknown)[] = [() => NaN, () => 'high', () => 5n, () => Promise.reject(thrown)];
    let answer: () => unknown = () => {
      throw thrown;
    };
    const slots = bulkhead({ limit: 1, queue: 2, priority: () => answer() as number });
    await within(slots, async () => {
      const first = slots.run(() => deaf(10));
      expect(await errorOf(slots.run(() => expect.fail('ran')))).toBe(thrown);
      answers[3] = () => ({});
      for (answer of answers) {
        const outcome = await slots.settle(() => expect.fail('ran'));
        expect(outcome.ok || outcome.error).toMatchObject({
          code: 'BAD_OPTION',
          option: 'priority',
          expected: 'a function that gives a number',
        });
      }
      expect(slots.waiting).toBe(0);
      answer = () => undefined; // as good as none
      const last = slots.run(() => 'last');
      expect(slots.waiting).toBe(1);
      await first;
      expect(await last).toBe('last');
    });
  });

  test('a priority that aborts its own call, or one that waits, does what an abort does', async () => {
    const reason = new Error('cancelled');
    const controllers = Array.from({ length: 3 }, () => new AbortController());
    let asked = 0;
    const slots = bulkhead({
      limit: 1,
      queue: 5,
      priority: () => {
        if (++asked === 2) for (const controller of controllers) controller.abort(reason);
        return 0;
      },
    });
    for (const layers of [slots, policy(timeout('1h', { grace: 0 }), slots), policy(timeout('1h'), slots)]) {
      asked = 0;
      for (const i of [0, 1, 2]) controllers[i] = new AbortController();
      await steps(slots, async (time) => {
        const first = slots.run(() => deaf(10));
        const [own, other] = [controllers[1], controllers[2]] as [AbortController, AbortController];
        const waits = errorOf(layers.run(() => expect.fail('ran'), { signal: other.signal }));
        const aborts = errorOf(layers.run(() => expect.fail('ran'), { signal: own.signal }));
        expect([await waits, await aborts]).toEqual([reason, reason]);
        expect([time.now(), slots.waiting, slots.inFlight]).toEqual([0, 0, 1]);
        await time.runAll();
        await first;
      });
    }
  });

  test('a priority that aborts one that has just been granted a permit has it hand that on', async () => {
    const reason = new Error('cancelled');
    const granted = new AbortController();
    const aborts = contextKey<boolean>('aborts');
    const slots = bulkhead({
      limit: 1,
      queue: 5,
      priority: (call) => {
        if (call.get(aborts) === true) granted.abort(reason);
        return 0;
      },
    });
    await within(slots, async () => {
      const first = slots.run(() => deaf(10));
      const second = errorOf(slots.run(() => expect.fail('ran'), { signal: granted.signal }));
      const third = inHandOver(() =>
        scope({ values: [[aborts, true]] }, (s) => slots.run(() => 'third', { signal: s })),
      );
      expect(await second).toBe(reason);
      expect(await third).toBe('third');
      await first;
    });
  });

  test('a limit of Infinity, and a queue of Infinity, are no limit', async () => {
    const wide = bulkhead({ limit: Infinity });
    const long = bulkhead({ limit: 1, queue: Infinity });
    for (const slots of [wide, long]) {
      await within(slots, () => Promise.all(Array.from({ length: 1_000 }, () => slots.run(() => deaf(1)))));
    }
    expect(told('bulkhead:refused')).toEqual([]);
  });

  test('P1.1 the same instance in two policies is shared', async () => {
    const slots = bulkhead({ limit: 1 });
    await within(slots, async () => {
      const first = policy(retry(), slots).run(() => deaf(10));
      expect(await errorOf(policy(timeout(100), slots).run(() => 'second'))).toBeInstanceOf(BulkheadFullError);
      await first;
    });
    const other = bulkhead({ limit: 1 });
    await within(other, async () => {
      const first = slots.run(() => deaf(10));
      expect(await other.run(() => 'its own')).toBe('its own');
      await first;
    });
  });

  test('P1.5 the operation is called at once when nothing has to be waited for', () => {
    const slots = bulkhead({ limit: 1, queue: 1 });
    let called = false;
    void slots.run(() => (called = true));
    expect(called).toBe(true);
    expect(slots.inFlight).toBe(1);
  });
});

describe('P7.2 a permit follows the work', () => {
  test('it is given back when the attempt has settled and unwound: body, children, cleanups', async () => {
    const slots = bulkhead({ limit: 1 });
    await steps(slots, async (time) => {
      const taken: [number, number][] = [];
      const call = slots.run((s) => {
        s.defer(() => deaf(10));
        void s.go(() => deaf(20));
        return deaf(5);
      });
      for (let ms = 0; ms <= 30; ms += 5) {
        taken.push([time.now(), slots.inFlight]);
        await time.advance(5);
      }
      await call;
      expect(taken).toEqual([[0, 1], [5, 1], [10, 1], [15, 1], [20, 1], [25, 1], [30, 0]]); // prettier-ignore
    });
  });

  test.each<[string, Policy, (s: Scope) => unknown]>([
    ['a value', retry({ attempts: 1 }), () => 'value'],
    ['an error', retry({ attempts: 1 }), () => Promise.reject(new Error('failed'))],
    ['an operation that throws at once', retry({ attempts: 1 }), () => expect.fail('failed')],
    ['a cleanup that fails', retry({ attempts: 1 }), (s) => s.defer(() => expect.fail('cleanup'))],
    ['its own cancel', retry({ attempts: 1 }), (s) => s.cancel()],
    ['a timeout of the call', timeout(10), (s) => s.sleep('1h')],
    ['a timeout whose body goes on', timeout(10), () => deaf(100)],
  ])('whatever it came to: %s', async (_, layers, op) => {
    const slots = bulkhead({ limit: 1 });
    for (const all of [policy(layers, slots), policy(slots, layers)]) {
      await within(slots, async () => {
        const call = settle(() => all.run(op));
        expect(slots.inFlight).toBe(1);
        await call;
      });
    }
  });

  test('also when its caller was let go long before', async () => {
    const slots = bulkhead({ limit: 1, queue: 1 });
    for (const layers of [policy(timeout(10, { grace: 5 }), slots), policy(slots, timeout(10, { grace: 5 }))]) {
      await steps(slots, async (time) => {
        const call = errorOf(layers.run(() => deaf(500)));
        await time.advance(15);
        expect(await call).toMatchObject({ code: 'TIMEOUT', abandoned: true });
        const startedAt = slots.run(() => time.now());
        await time.advance(484.9);
        expect([slots.inFlight, slots.waiting]).toEqual([1, 1]);
        await time.advance(0.1);
        expect(await startedAt).toBe(500);
      });
    }
  });

  test('P1.3 it is given back before a back-off begins, and every attempt takes one anew', async () => {
    const slots = bulkhead({ limit: 1, queue: 1 });
    const log: string[] = [];
    await within(slots, (now) => {
      const retried = policy(retry({ attempts: 3, backoff: constant(10) }), slots).run(async (s) => {
        log.push(`attempt ${s.attempt} at ${now()}`);
        await deaf(10);
        if (s.attempt < 3) throw new Error('again');
      });
      const other = slots.run(() => (log.push(`other at ${now()}`), deaf(25)));
      return Promise.all([retried, other]);
    });
    expect(log).toEqual(['attempt 1 at 0', 'other at 10', 'attempt 2 at 35', 'attempt 3 at 55']);
  });

  test('a result that was judged a failure has given its permit back as well', async () => {
    const slots = bulkhead({ limit: 1 });
    const results = [503, 503, 200];
    await within(slots, async () => {
      const status = await policy(
        retry({ attempts: 3, backoff: constant(0), idempotent: true }),
        slots,
        failWhen((status: number) => status >= 500),
      ).run(() => results.shift() as number);
      expect(status).toBe(200);
    });
  });
});

describe('P7.3 a permit that is given back goes straight to the next waiter', () => {
  test('nobody overtakes: who comes in the turn of the hand-over finds no permit', async () => {
    const slots = bulkhead({ limit: 1, queue: 1 });
    await within(slots, async () => {
      const order: string[] = [];
      const first = slots.run(() => deaf(10));
      const second = slots.run(() => void order.push('second'));
      const late = inHandOver(() => {
        expect([slots.inFlight, slots.waiting]).toEqual([1, 0]);
        return slots.run(() => void order.push('late'));
      });
      await Promise.all([first, second, late]);
      expect(order).toEqual(['second', 'late']);
    });
  });

  test('a waiter that was granted it, and is aborted in the same turn, gives it on', async () => {
    const reason = new Error('cancelled');
    for (const wrap of [
      (slots: Bulkhead): Policy => slots,
      (slots: Bulkhead): Policy => policy(timeout('1h'), slots),
      (slots: Bulkhead): Policy => policy(slots, timeout('1h')),
    ]) {
      const slots = bulkhead({ limit: 1, queue: 3 });
      await within(slots, async () => {
        const controller = new AbortController();
        const first = slots.run(() => deaf(10));
        const second = errorOf(wrap(slots).run(() => expect.fail('ran'), { signal: controller.signal }));
        const third = slots.run(() => 'third');
        await inHandOver(() => controller.abort(reason));
        expect(await second).toBe(reason);
        expect(await third).toBe('third');
        await first;
      });
    }
  });

  test('P2.7 a waiter runs in the async context of its call, not of who gives the permit back', async () => {
    const storage = new AsyncLocalStorage<string>();
    const slots = bulkhead({ limit: 1, queue: 2, maxWait: 50, priority: () => (seen.push(storage.getStore()), 0) });
    const seen: unknown[] = [];
    await within(slots, async () => {
      const call = (name: string, ms: number) =>
        storage.run(name, () => settle(() => slots.run(() => (seen.push(storage.getStore()), deaf(ms)))));
      const refused = storage.run('fallback', () => fallback(() => seen.push(storage.getStore())));
      await Promise.all([
        call('a', 10),
        call('b', 100),
        storage.run('c', () => policy(refused, slots).run(() => expect.fail('ran'))),
      ]);
    });
    expect(seen).toEqual(['a', 'b', 'c', 'b', 'c']);
  });
});

describe('P7.4 a waiter leaves the queue at once', () => {
  test('when it is aborted: with the caller’s reason, and its place is free', async () => {
    const reason = new Error('cancelled');
    const slots = bulkhead({ limit: 1, queue: 1 });
    const controller = new CountedController();
    await steps(slots, async (time) => {
      const first = slots.run(() => deaf(100));
      const waits = slots.settle(() => expect.fail('ran'), { signal: controller.signal });
      await time.advance(10);
      expect(slots.waiting).toBe(1);
      controller.abort(reason);
      expect(slots.waiting).toBe(0);
      const next = slots.run(() => time.now());
      expect(slots.waiting).toBe(1);
      const outcome = await waits;
      expect(outcome).toMatchObject({ error: reason, stoppedBy: 'cancelled', cancelled: true });
      expect(outcome.ok || outcome.error).toBe(reason);
      expect(time.now()).toBe(10);
      await time.runAll();
      expect([await first, await next]).toEqual([undefined, 100]);
    });
    expect(controller.listeners).toBe(0);
    expect(told('bulkhead:refused')).toEqual([]);
  });

  test('when its deadline passes: a timeout’s of the call, of an attempt that includes the wait, of the scope above', async () => {
    const slots = bulkhead({ limit: 1, queue: 1 });
    const sleepers = [
      () => policy(timeout(50), slots).run(() => expect.fail('ran')),
      () => policy(retry({ attempts: 1 }), timeout(50), slots).run(() => expect.fail('ran')),
      () => scope({ timeout: 50 }, (s) => slots.run(() => expect.fail('ran'), { signal: s })),
    ];
    for (const sleeper of sleepers) {
      await steps(slots, async (time) => {
        const first = slots.run(() => deaf(100));
        const error = errorOf(sleeper);
        await time.advance(49.9);
        expect(slots.waiting).toBe(1);
        await time.advance(0.1);
        expect(slots.waiting).toBe(0);
        expect(await error).toMatchObject({ code: 'TIMEOUT', timeoutMs: 50, abandoned: false });
        await time.runAll();
        await first;
      });
    }
    expect(told('bulkhead:refused')).toEqual([]);
  });

  test('after `maxWait` it is refused, reason maxWait', async () => {
    const slots = bulkhead({ limit: 1, queue: 1, maxWait: '50ms' });
    await steps(slots, async (time) => {
      const first = slots.run(() => deaf(100));
      const waits = slots.settle(() => expect.fail('ran'));
      await time.advance(50);
      expect(slots.waiting).toBe(0);
      const outcome = await waits;
      expect(outcome).toMatchObject({
        stoppedBy: 'refused',
        attempts: [{ refused: true }],
        error: {
          code: 'BULKHEAD_FULL',
          reason: 'maxWait',
          message: 'bulkhead has 1 permit and 1 place to wait: none came free within maxWait',
        },
      });
      await time.runAll();
      await first;
    });
    expect(told('bulkhead:refused')).toEqual([refusal('maxWait', { queue: 1, at: 50 })]);
  });

  test('with a `maxWait` of 0 it waits for what comes free in the same instant', async () => {
    const slots = bulkhead({ limit: 1, queue: 2, maxWait: 0 });
    await within(slots, async () => {
      const first = slots.run(() => Promise.resolve());
      expect(await slots.run(() => 'second')).toBe('second');
      await first;
      const long = slots.run(() => deaf(10));
      expect(await errorOf(slots.run(() => expect.fail('ran')))).toMatchObject({ reason: 'maxWait' });
      await long;
    });
  });

  test('permit and `maxWait` at one instant: the one that came first decides, and no permit is lost', async () => {
    for (const [workMs, waitMs] of [
      [50, 50], // its permit comes free first: that timer is older
      [50.1, 50],
    ] as const) {
      const slots = bulkhead({ limit: 1, queue: 1, maxWait: waitMs });
      await within(slots, async (now) => {
        const first = slots.run(() => deaf(workMs));
        const second = await settle(() => slots.run(() => now()));
        if (workMs === waitMs) expect(second).toEqual({ value: 50 });
        else expect(second).toEqual({ error: expect.objectContaining({ reason: 'maxWait' }) });
        await first;
      });
    }
  });

  test('refusal and abort at one instant: the caller’s reason comes out', async () => {
    const reason = new Error('cancelled');
    const controller = new AbortController();
    const slots = bulkhead({ limit: 1, queue: 1, maxWait: 50 });
    await within(slots, async () => {
      const first = slots.run(() => deaf(100));
      const second = slots.run(() => expect.fail('ran'), { signal: controller.signal });
      const { push } = events;
      events.push = (...all) => (controller.abort(reason), push.apply(events, all)); // in the turn of the refusal
      expect(await errorOf(second)).toBe(reason);
      await first;
    });
    expect(told('bulkhead:refused')).toHaveLength(1);
  });

  test('P2.4 a call that was cancelled before takes no place', async () => {
    const reason = new Error('cancelled');
    const slots = bulkhead({ limit: 1, queue: 1 });
    expect(await errorOf(slots.run(() => expect.fail('ran'), { signal: AbortSignal.abort(reason) }))).toBe(reason);
    expect([slots.inFlight, slots.waiting]).toEqual([0, 0]);
  });

  test('a probe of a breaker outside that waits and is aborted gives its place back', async () => {
    const guard = breaker({ failures: 1, cooldown: 10 });
    const slots = bulkhead({ limit: 1, queue: 1 });
    await steps(slots, async (time) => {
      await errorOf(guard.run(() => Promise.reject(new Error('down'))));
      const first = slots.run(() => deaf(100));
      await time.advance(20);
      const controller = new AbortController();
      const probe = errorOf(policy(guard, slots).run(() => expect.fail('ran'), { signal: controller.signal }));
      expect(guard.state).toBe('half-open');
      controller.abort(new Error('cancelled'));
      await probe;
      expect(guard.state).toBe('half-open');
      await guard.run(() => 'well');
      expect(guard.state).toBe('closed');
      await time.runAll();
      await first;
    });
  });
});

describe('P7.5 a waiter that cannot make its deadline is refused at once', () => {
  test('by the average of what a place takes', async () => {
    const slots = learned(100, { limit: 1, queue: 5 });
    await steps(slots, async (time) => {
      const first = slots.run(() => deaf(100));
      const calls = [50, 100, 150, 200, 250].map((ms) => policy(timeout(ms), slots).settle(() => 'made it'));
      await nextTurn();
      expect(slots.waiting).toBe(2);
      await time.runAll();
      await first;
      expect((await Promise.all(calls)).map((outcome) => (outcome.ok ? outcome.value : outcome.error))).toEqual([
        expect.objectContaining({ reason: 'deadline' }), // the first place takes 100
        'made it',
        expect.objectContaining({ reason: 'deadline' }), // the second one 200
        'made it',
        expect.objectContaining({ reason: 'deadline' }), // the third one 300
      ]);
    });
    expect(told('bulkhead:refused')).toEqual(Array.from({ length: 3 }, () => refusal('deadline', { queue: 5, at: 0 })));
  });

  test('says so, and why', async () => {
    const slots = learned(100, { limit: 1, queue: 5, name: 'database' });
    await within(slots, async () => {
      const first = slots.run(() => deaf(100));
      const outcome = await policy(timeout(50), slots).settle(() => expect.fail('ran'));
      expect(outcome).toMatchObject({
        stoppedBy: 'refused',
        error: {
          message: 'database has 1 permit and 5 places to wait: the wait would be longer than the deadline allows',
        },
      });
      await first;
    });
  });

  test('the deadline of the scope above counts too, the nearer one', async () => {
    const slots = learned(100, { limit: 1, queue: 5 });
    await within(slots, async () => {
      const first = slots.run(() => deaf(100));
      const error = errorOf(
        scope({ timeout: 60 }, (s) => policy(timeout(200), slots).run(() => expect.fail('ran'), { signal: s })),
      );
      expect(await error).toMatchObject({ reason: 'deadline' });
      await first;
    });
  });

  test('a higher priority has a better place, and so a shorter wait', async () => {
    const key = contextKey<number>('priority');
    const slots = learned(100, { limit: 1, queue: 5, priority: (call) => call.get(key) ?? 0 });
    const call = (priority: number, ms: number): Promise<unknown> =>
      scope({ values: [[key, priority]] }, (s) =>
        policy(timeout(ms), slots)
          .run(() => 'ran', { signal: s })
          .catch((error) => error.reason),
      );
    await within(slots, async () => {
      const first = slots.run(() => deaf(100));
      const calls = [call(0, '1h' as never), call(0, 150), call(1, 150)];
      expect(await Promise.all(calls)).toEqual(['ran', 'deadline', 'ran']);
      await first;
    });
  });

  test('a wait without a limit needs no timer', async () => {
    const slots = bulkhead({ limit: 1, queue: 1 });
    await steps(slots, async (time) => {
      const calls = [slots.run(() => deaf(100)), slots.run(() => 'second')];
      expect([slots.waiting, time.pending]).toEqual([1, 1]);
      await time.runAll();
      await Promise.all(calls);
    });
  });

  test('without a deadline, or while it is not known how long work takes, everybody may wait', async () => {
    for (const [slots, layers] of [
      [learned(1e6, { limit: 1, queue: 1 }), retry()],
      [bulkhead({ limit: 1, queue: 1 }), timeout(1_000)],
    ] as const) {
      await within(slots, async () => {
        const first = slots.run(() => deaf(100));
        expect(await policy(layers, slots).run(() => 'ran')).toBe('ran');
        await first;
      });
    }
  });

  test('it learns from the work itself', async () => {
    const slots = bulkhead({ limit: 1, queue: 100 });
    await steps(slots, async (time) => {
      const calls = Array.from({ length: 60 }, () => slots.run(() => deaf(100)));
      await time.advance(2_000);
      expect(slots.toJSON()).toMatchObject({ serviceMs: expect.closeTo(100, 6) });
      expect(slots.waiting).toBe(39);
      const error = await errorOf(policy(timeout(3_000), slots).run(() => expect.fail('ran')));
      expect(error).toMatchObject({ reason: 'deadline' });
      await time.runAll();
      await Promise.all(calls);
    });
  });
});

describe('P3.4 a refusal', () => {
  test('is not retried, unless its code or class is in `retryOn`', async () => {
    const slots = bulkhead({ limit: 1 });
    for (const [retryOn, attempts] of [
      [undefined, 1],
      [['BULKHEAD_FULL'], 3],
      [[BulkheadFullError], 3],
    ] as const) {
      await within(slots, async () => {
        const first = slots.run(() => deaf(100));
        const outcome = await policy(retry({ attempts: 3, backoff: constant(1), retryOn }), slots).settle(() => 1);
        expect(outcome).toMatchObject({ stoppedBy: attempts === 1 ? 'refused' : 'attempts' });
        expect(outcome.attempts).toHaveLength(attempts);
        expect(outcome.attempts.every(({ refused }) => refused)).toBe(true);
        await first;
      });
    }
  });

  test('may come ten thousand times in a row, with no delay between: others have their turn meanwhile', async () => {
    const slots = bulkhead({ limit: 1 });
    await steps(slots, async (time) => {
      const held = Promise.withResolvers<void>();
      const first = slots.run(() => held.promise);
      const storm = policy(
        retry({ attempts: 10_000, backoff: constant(0), retryOn: ['BULKHEAD_FULL'], budget: false }),
        slots,
      );
      const refused = errorOf(storm.run(() => expect.fail('ran')));
      await time.runAll();
      expect(await refused).toMatchObject({ reason: 'full' });
      expect(time.now()).toBe(0);
      held.resolve();
      await first;
    });
  });

  test('P3.11 a token is given back for a retry that it refused, or that was aborted while it waited', async () => {
    const tokens = { initial: 5, cap: 5, trickle: 0 };
    const { budget } = await import('../../index.ts');
    const shared = budget(tokens);
    const slots = bulkhead({ limit: 1, queue: 1 });
    const controller = new AbortController();
    await steps(slots, async (time) => {
      const call = policy(retry({ attempts: 2, backoff: constant(10), budget: shared }), slots).run(
        () => Promise.reject(new Error('again')),
        { signal: controller.signal },
      );
      await time.advance(1);
      const first = slots.run(() => deaf(100));
      await time.advance(19);
      expect([shared.tokens, slots.waiting]).toEqual([4, 1]);
      controller.abort(new Error('cancelled'));
      expect(await errorOf(call)).toMatchObject({ message: 'cancelled' });
      expect(shared.tokens).toBe(5);
      await time.runAll();
      await first;
    });
  });
});

describe('ten thousand waiters', () => {
  const count = 10_000;

  test('are let in one after another, without a deep stack', async () => {
    const slots = bulkhead({ limit: 1, queue: Infinity });
    await within(slots, async () => {
      const results = await Promise.all(Array.from({ length: count }, (_, i) => slots.run(() => i)));
      expect(results).toEqual(Array.from({ length: count }, (_, i) => i));
    });
  });

  test('are aborted at once by one signal', async () => {
    const reason = new Error('cancelled');
    const controller = new CountedController();
    const slots = bulkhead({ limit: 1, queue: Infinity });
    await steps(slots, async (time) => {
      const first = slots.run(() => deaf(10));
      const calls = Array.from({ length: count }, () =>
        errorOf(slots.run(() => expect.fail('ran'), { signal: controller.signal })),
      );
      expect([slots.waiting, controller.added]).toEqual([count, 1]);
      controller.abort(reason);
      expect(slots.waiting).toBe(0);
      expect(new Set(await Promise.all(calls))).toEqual(new Set([reason]));
      await time.runAll();
      await first;
    });
    expect(controller.listeners).toBe(0);
  });

  test('that are aborted when the first of them has just been granted a permit hand it on to the last one', async () => {
    const reason = new Error('cancelled');
    const controller = new AbortController();
    const slots = bulkhead({ limit: 1, queue: Infinity });
    await within(slots, async () => {
      const first = slots.run(() => deaf(10));
      const calls = Array.from({ length: count }, () =>
        errorOf(slots.run(() => expect.fail('ran'), { signal: controller.signal })),
      );
      const last = slots.run(() => 'last');
      await inHandOver(() => controller.abort(reason));
      expect(new Set(await Promise.all(calls))).toEqual(new Set([reason]));
      expect(await last).toBe('last');
      await first;
    });
  });

  test('are refused at one time', async () => {
    const slots = bulkhead({ limit: 1, queue: Infinity, maxWait: 10 });
    await within(slots, async () => {
      const first = slots.run(() => deaf(100));
      const errors = await Promise.all(Array.from({ length: count }, () => errorOf(slots.run(() => 'ran'))));
      expect(new Set(errors.map(({ reason }) => reason))).toEqual(new Set(['maxWait']));
      await first;
    });
  });
});

describe('P9 dryRun', () => {
  test('lets everything pass, and tells of those that would have found no place', async () => {
    const slots = bulkhead({ limit: 1, queue: 2, dryRun: true, name: 'trial' });
    await within(slots, async (now) => {
      const calls = Array.from({ length: 5 }, () => slots.run(() => deaf(10)));
      expect([slots.inFlight, slots.waiting]).toEqual([5, 0]);
      expect(told('bulkhead:refused')).toEqual(
        Array.from({ length: 2 }, () => refusal('full', { name: 'trial', queue: 2, at: 0, dryRun: true })),
      );
      await Promise.all(calls);
      expect(now()).toBe(10);
    });
  });

  test('without a queue tells of everybody above the limit', async () => {
    const slots = bulkhead({ limit: 2, dryRun: true });
    await within(slots, () => Promise.all(Array.from({ length: 5 }, () => slots.run(() => deaf(10)))));
    expect(told('bulkhead:refused')).toHaveLength(3);
  });

  test('asks no priority, starts no timer, and refuses nobody for a deadline', async () => {
    const slots = learned(1e6, { limit: 1, queue: 9, maxWait: 5, dryRun: true, priority: () => expect.fail('asked') });
    await steps(slots, async (time) => {
      const calls = Array.from({ length: 5 }, () => policy(timeout(100), slots).run(() => deaf(10)));
      expect(time.pending).toBe(10);
      await time.runAll();
      await Promise.all(calls);
    });
    expect(told('bulkhead:refused')).toEqual([]);
  });

  test('builds no event when nobody listens', async () => {
    events[Symbol.dispose]();
    const slots = bulkhead({ limit: 1, dryRun: true });
    await within(slots, () => Promise.all([slots.run(() => deaf(1)), slots.run(() => deaf(1))]));
    expect(events).toEqual([]);
  });
});

describe('whatever happens', () => {
  /** What one call is like. */
  const call = fc.record({
    startMs: fc.nat(60),
    workMs: fc.nat(40),
    ends: fc.constantFrom('value' as const, 'error' as const, 'throw' as const),
    hears: fc.boolean(),
    cleanupMs: fc.option(fc.nat(20), { nil: undefined }),
    abortMs: fc.option(fc.nat(100), { nil: undefined }),
    timeoutMs: fc.option(fc.nat(60), { nil: undefined }),
    attemptTimeoutMs: fc.option(fc.nat(40), { nil: undefined }),
    grace: fc.constantFrom(0, 5, Infinity),
    attempts: fc.integer({ min: 1, max: 3 }),
    backoffMs: fc.constantFrom(0, 3),
    priority: fc.constantFrom(0, 0, 1, 2),
  });

  test('never more than `limit` run, the queue never overflows, every call settles, and permits balance to 0', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(call, { minLength: 1, maxLength: 15 }),
        fc.integer({ min: 1, max: 3 }),
        fc.nat(4),
        fc.constantFrom(undefined, 0, 15),
        async (calls, limit, queue, maxWait) => {
          const key = contextKey<number>('priority');
          const slots = bulkhead({ limit, queue, maxWait, priority: (waiting) => waiting.get(key) ?? 0 });
          let running = 0;
          let most: [running: number, inFlight: number, waiting: number] = [0, 0, 0];
          await within(slots, () =>
            Promise.all(
              calls.map(async (it) => {
                const controller = new AbortController();
                await deaf(it.startMs);
                if (it.abortMs !== undefined)
                  void deaf(it.abortMs).then(() => controller.abort(new Error('cancelled')));
                const layers = policy(
                  ...(it.timeoutMs === undefined ? [] : [timeout(it.timeoutMs, { grace: it.grace })]),
                  retry({
                    attempts: it.attempts,
                    backoff: constant(it.backoffMs),
                    retryOn: ['BULKHEAD_FULL', 'AGAIN', 'TIMEOUT'],
                    idempotent: true,
                    budget: false,
                  }),
                  slots,
                  ...(it.attemptTimeoutMs === undefined ? [] : [timeout(it.attemptTimeoutMs, { grace: it.grace })]),
                );
                const op = (s: Scope): unknown => {
                  most = [
                    Math.max(most[0], ++running),
                    Math.max(most[1], slots.inFlight),
                    Math.max(most[2], slots.waiting),
                  ];
                  s.defer(() => void running--);
                  const { cleanupMs } = it;
                  if (cleanupMs !== undefined) s.defer(() => deaf(cleanupMs));
                  if (it.ends === 'throw') throw Object.assign(new Error('at once'), { code: 'AGAIN' });
                  return (it.hears ? s.sleep(it.workMs) : deaf(it.workMs)).then(() => {
                    if (it.ends === 'error') throw Object.assign(new Error('failed'), { code: 'AGAIN' });
                  });
                };
                await settle(() =>
                  scope({ values: [[key, it.priority]], signal: controller.signal }, (s) =>
                    layers.run(op, { signal: s }),
                  ),
                );
              }),
            ),
          );
          expect(running).toBe(0);
          expect(most[0]).toBeLessThanOrEqual(limit);
          expect(most[1]).toBeLessThanOrEqual(limit);
          expect(most[2]).toBeLessThanOrEqual(queue);
        },
      ),
      { seed, numRuns: 150 },
    ));
});

describe('a snapshot', () => {
  test('through JSON brings back what was learned; permits and waiters stay with their process', async () => {
    const slots = bulkhead({ limit: 2, queue: 50 });
    await steps(slots, async (time) => {
      const calls = Array.from({ length: 40 }, (_, i) => slots.run(() => deaf(20 + i)));
      await time.advance(300);
      const text = JSON.stringify(slots);
      const copy = bulkhead({ limit: 2, queue: 50, restore: JSON.parse(text) });
      expect(JSON.stringify(copy)).toBe(text);
      expect([copy.inFlight, copy.waiting]).toEqual([0, 0]);
      await time.runAll();
      await Promise.all(calls);
    });
  });

  test.each<[string, unknown, string]>([
    ['null', null, 'restore'],
    ['a number', 5, 'restore'],
    ['text', '{}', 'restore'],
    ['an empty object', {}, 'restore'],
    ['another version', { version: 2, serviceMs: 1, intervals: 1, departures: 0 }, 'restore'],
    ['a time that is no number', { version: 1, serviceMs: '5', intervals: 1, departures: 0 }, 'restore.serviceMs'],
    ['a negative time', { version: 1, serviceMs: -1, intervals: 1, departures: 0 }, 'restore.serviceMs'],
    ['an infinite time', { version: 1, serviceMs: Infinity, intervals: 1, departures: 0 }, 'restore.serviceMs'],
    ['a part of an interval', { version: 1, serviceMs: 1, intervals: 0.5, departures: 0 }, 'restore.intervals'],
    ['no departures', { version: 1, serviceMs: 1, intervals: 1 }, 'restore.departures'],
  ])('is refused if it is %s', (_, restore, option) => {
    expect(() => bulkhead({ limit: 1, restore })).toThrow(expect.objectContaining({ code: 'BAD_OPTION', option }));
  });

  test('is taken with more in it than is known, and as a hostile object that throws it is refused by what it throws', () => {
    const extra = { version: 1, serviceMs: 1, intervals: 1, departures: 0, more: 'than that', ['__proto__']: { x: 1 } };
    expect(bulkhead({ limit: 1, restore: extra }).toJSON()).toEqual({
      version: 1,
      serviceMs: 1,
      intervals: 1,
      departures: 0,
    });
    const hostile = Object.defineProperty({}, 'version', { get: () => expect.fail('hostile') });
    expect(() => bulkhead({ limit: 1, restore: hostile })).toThrow('hostile');
  });
});

describe('P1.2 options', () => {
  const bad = (option: string, given: unknown): unknown =>
    expect.objectContaining({ code: 'BAD_OPTION', option, given });

  test.each<[string, unknown]>([
    ['limit', 0],
    ['limit', -1],
    ['limit', 1.5],
    ['limit', NaN],
    ['limit', '5'],
    ['limit', undefined],
    ['limit', null],
    ['queue', -1],
    ['queue', 0.5],
    ['queue', NaN],
    ['queue', '5'],
    ['queue', null],
    ['maxWait', -1],
    ['maxWait', 'soon'],
    ['maxWait', null],
    ['priority', 5],
    ['priority', null],
    ['dryRun', 1],
    ['dryRun', null],
    ['name', 5],
    ['name', null],
    ['permits', 5],
  ])('%s: %j is refused', (option, given) => {
    expect(() => bulkhead({ limit: 1, [option]: given })).toThrow(bad(option, given));
    expect(() => bulkhead({ limit: 1, [option]: given })).toThrow(
      typeof given === 'number' &&
        option !== 'priority' &&
        option !== 'dryRun' &&
        option !== 'name' &&
        option !== 'permits'
        ? RangeError
        : TypeError,
    );
  });

  test.each([undefined, null, 5, 'wide'] as never[])('options that are no object are refused: %s', (options) => {
    expect(() => bulkhead(options)).toThrow(bad('bulkhead', options));
  });

  test('the message names option, range and value', () => {
    expect(() => bulkhead({ limit: 0 })).toThrow('limit: expected a whole number from 1, or Infinity; got 0');
    expect(() => bulkhead({ limit: 1, queue: -1 })).toThrow(
      'queue: expected a whole number from 0, or Infinity; got -1',
    );
    expect(() => bulkhead({ limit: 1, dryRun: 'yes' as never })).toThrow('dryRun: expected true or false; got "yes"');
  });

  test('undefined ones are as if they were not there', () => {
    const options = { queue: undefined, maxWait: undefined, priority: undefined, dryRun: undefined, name: undefined };
    const slots = bulkhead({ limit: 3, ...options, restore: undefined });
    expect([String(slots), slots.name]).toEqual(['bulkhead 3', 'bulkhead']);
  });

  test('it is shown with its name, limit and queue', () => {
    expect(String(bulkhead({ limit: 100, queue: 50 }))).toBe('bulkhead 100+50');
    expect(String(bulkhead({ limit: 5, name: 'database' }))).toBe('bulkhead database 5');
    expect(String(policy(retry(), bulkhead({ limit: 5, queue: Infinity })))).toMatch(/ → bulkhead 5\+Infinity$/);
  });
});
