/** Timeouts and abandoned work: P5 of docs/reference/policies.md, and what P1.4, P2.3 and P2.7 say of them. */
import { AsyncLocalStorage } from 'node:async_hooks';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { watchAbandonedBodies } from '../../../test/abandoned.ts';
import { CountedController } from '../../../test/listeners.ts';
import { seed } from '../../../test/seed.ts';
import { errorOf } from '../../../test/settle.ts';
import { watchUnhandledRejections } from '../../../test/unhandled.ts';
import { nextTurn } from '../../foundation/index.ts';
import {
  attemptsOf,
  breaker,
  bulkhead,
  classify,
  constant,
  failWhen,
  layer,
  policy,
  retry,
  scope,
  timeout,
  TimeoutError,
  type Exit,
  type Policy,
  type PolicyOutcome,
  type Scope,
} from '../../index.ts';
import { recordEvents, virtualTime, type RecordedEvents, type VirtualTime } from '../../testing/index.ts';

watchUnhandledRejections();

/** Bodies that this test has abandoned. */
const counted = watchAbandonedBodies();

let events: RecordedEvents;
beforeEach(() => {
  events = recordEvents();
});
afterEach(() => events[Symbol.dispose]());

/** Waits, whatever happens to the signal. */
const deaf = (ms: number): Promise<void> => scope((own) => own.sleep(ms));

const told = (...kinds: string[]): unknown[] => events.filter(({ event }) => kinds.includes(event));

/** What a call came to, and when; then time passes until nothing is left. */
async function outcome<T>(
  call: (time: VirtualTime) => Promise<PolicyOutcome<T>>,
): Promise<PolicyOutcome<T> & { at: number }> {
  return virtualTime(async (time) => {
    const settled = call(time).then((came) => ({ ...came, at: time.now() }));
    await time.runAll();
    expect(time.pending).toBe(0);
    return settled;
  });
}

/** With `timeout:fired` and the like at their times. */
const times = (...kinds: string[]): unknown[] =>
  events.filter(({ event }) => kinds.includes(event)).map(({ event, at }) => [event, at]);

describe('P5.1 a timeout that stands outside the retry, or alone, bounds the whole call', () => {
  test('its attempts and back-offs together', async () => {
    const whole = policy(timeout(100), retry({ attempts: 9, backoff: constant(30) }));
    const started: number[] = [];
    const came = await outcome((time) =>
      whole.settle(async (s) => {
        started.push(time.now());
        await s.sleep(20);
        throw new Error('again');
      }),
    );
    expect(started).toEqual([0, 50]); // the third would begin at 100
    expect(came).toMatchObject({ error: new Error('again'), stoppedBy: 'deadline', at: 70 });
  });

  test('an attempt that is in flight when it passes', async () => {
    const came = await outcome(() =>
      policy(timeout(100), retry({ attempts: 9, backoff: constant(30) })).settle(async (s) => {
        await s.sleep(60);
        throw new Error('again');
      }),
    );
    expect(came).toMatchObject({ at: 100, stoppedBy: 'deadline', error: expect.any(TimeoutError) });
    expect(came.attempts.map(({ error }) => String(error))).toEqual([
      'Error: again',
      'TimeoutError: the call did not end within 100 ms',
    ]);
  });

  test('the wait in a queue', async () => {
    const slots = bulkhead({ limit: 1, queue: 1 });
    const came = await outcome(() => {
      void slots.run(() => deaf(500));
      return policy(timeout(100), slots).settle(() => expect.fail('ran'));
    });
    expect(came).toMatchObject({ at: 100, stoppedBy: 'deadline', error: { code: 'TIMEOUT', abandoned: false } });
    expect(told('timeout:abandoned')).toEqual([]);
  });

  test('the cleanups', async () => {
    const came = await outcome(() =>
      timeout(100, { grace: 10 }).settle((s) => {
        s.defer(() => deaf(200));
      }),
    );
    expect(came).toMatchObject({ at: 110, error: { code: 'TIMEOUT', abandoned: true } });
    expect(times('timeout:late')).toEqual([['timeout:late', 200]]);
  });

  test('and nothing that comes after the call: no timer is left of it', async () => {
    await virtualTime(async (time) => {
      await timeout(100).run(() => 'done');
      expect(time.pending).toBe(0);
      await errorOf(timeout(100).run(() => Promise.reject(new Error('failed'))));
      expect(time.pending).toBe(0);
    });
  });
});

describe('P5.1 a timeout that stands inside the retry bounds each attempt', () => {
  test('anew', async () => {
    const came = await outcome(() =>
      policy(retry({ attempts: 3, backoff: constant(50) }), timeout(100)).settle(async (s) => {
        await s.sleep(90);
        if (s.attempt < 3) throw new Error('again');
        return s.attempt;
      }),
    );
    expect(came).toMatchObject({ value: 3, at: 90 + 50 + 90 + 50 + 90 });
  });

  test('from the moment it was let in: the wait in a queue outside it does not count', async () => {
    const slots = bulkhead({ limit: 1, queue: 1 });
    const came = await outcome(() => {
      void slots.run(() => deaf(90));
      return policy(slots, timeout(100)).settle(async (s) => {
        expect(s.timeLeft()).toBe(100);
        await s.sleep(95);
        return 'in time';
      });
    });
    expect(came).toMatchObject({ value: 'in time', at: 185 });
  });

  test('that counts the wait in a queue inside it', async () => {
    const slots = bulkhead({ limit: 1, queue: 1 });
    const came = await outcome(() => {
      void slots.run(() => deaf(500));
      return policy(retry({ attempts: 1 }), timeout(100), slots).settle(() => expect.fail('ran'));
    });
    expect(came).toMatchObject({ error: { code: 'TIMEOUT', timeoutMs: 100 }, at: 100 });
    expect(slots.waiting).toBe(0);
  });
});

describe('P5.1 two timeouts', () => {
  const sleeper = (s: Scope): Promise<void> => s.sleep('1h');

  test.each([
    [100, 200, 'the call did not end within 100 ms'],
    [200, 100, 'attempt 1 of the call did not end within 100 ms'],
    [100, 100, 'the call did not end within 100 ms'], // it began first
  ])('of the call, %d ms, and of the attempt, %d ms: the nearer one ends it', async (whole, each, message) => {
    const came = await outcome(() =>
      policy(timeout(whole), retry({ attempts: 1 }), timeout(each)).settle((s) => {
        expect([s.timeLeft(), s.deadline]).toEqual([100, 100]);
        return sleeper(s);
      }),
    );
    expect(came).toMatchObject({ at: 100, error: { message } });
    expect(times('timeout:fired')[0]).toEqual(['timeout:fired', 100]);
  });

  test.each([
    [100, 200],
    [200, 100],
  ])('beside each other, %d and %d ms, without a retry: the nearer one ends it', async (first, second) => {
    const came = await outcome(() => policy(timeout(first), timeout(second)).settle(sleeper));
    expect(came).toMatchObject({ at: 100, stoppedBy: 'deadline', error: { timeoutMs: 100 } });
  });

  test('three and more are right too', async () => {
    const came = await outcome(() => policy(timeout(300), timeout(200), timeout(100), timeout(400)).settle(sleeper));
    expect(came).toMatchObject({ at: 100, error: { timeoutMs: 100 } });
  });

  test('once one of them has let go, no timer of the other one is left', async () => {
    await virtualTime(async (time) => {
      const call = policy(timeout(110, { grace: 5 }), timeout(100, { grace: 25 })).settle(() => deaf(1_000));
      await time.advance(115);
      expect(await call).toMatchObject({ error: { timeoutMs: 110, abandoned: true } });
      expect(time.pending).toBe(1); // the body's
      await time.runAll();
    });
  });

  test('once one of them has passed, the other one says nothing more', async () => {
    for (const [whole, each] of [
      [100, 110],
      [110, 100],
    ] as const) {
      const came = await outcome(() =>
        policy(timeout(whole, { grace: 50 }), timeout(each, { grace: 5 })).settle(() => deaf(1_000)),
      );
      expect(came).toMatchObject({ at: whole < each ? 150 : 105, error: { timeoutMs: 100, abandoned: true } });
    }
    expect(times('timeout:fired')).toEqual([
      ['timeout:fired', 100],
      ['timeout:fired', 100],
    ]);
  });

  test('the one of the call passes in the grace of the attempt’s: it comes out, and the grace that ends first lets go', async () => {
    const body = (): Promise<void> => deaf(1_000);
    const shorter = await outcome(() =>
      policy(timeout(110, { grace: 5 }), retry({ attempts: 2 }), timeout(100, { grace: 25 })).settle(body),
    );
    expect(shorter).toMatchObject({ at: 115, error: { timeoutMs: 110, abandoned: true }, stoppedBy: 'deadline' });
    const longer = await outcome(() =>
      policy(timeout(110, { grace: 50 }), retry({ attempts: 2 }), timeout(100, { grace: 25 })).settle(body),
    );
    expect(longer).toMatchObject({ at: 125, error: { timeoutMs: 110, abandoned: true }, stoppedBy: 'deadline' });
    const waiting = await outcome(() =>
      policy(timeout(110, { grace: 5 }), timeout(100, { grace: Infinity })).settle(body),
    );
    expect(waiting).toMatchObject({ at: 115, error: { timeoutMs: 110, abandoned: true } });
    expect(times('timeout:late')).toEqual(Array.from({ length: 3 }, () => ['timeout:late', 1_000]));
  });

  test('the one of the call passes in the grace of the attempt’s: what still comes within that is the outcome', async () => {
    const both = policy(timeout(110), retry({ attempts: 2, idempotent: true }), timeout(100));
    const value = await outcome(() => both.settle(() => deaf(120).then(() => 'late')));
    expect(value).toMatchObject({ value: 'late', at: 120 });
    const own = new Error('own');
    const failed = await outcome(() => both.settle(() => deaf(120).then(() => Promise.reject(own))));
    expect(failed).toMatchObject({ at: 120, stoppedBy: 'deadline' });
    expect(failed.ok || failed.error).toBe(own);
    const reason = await outcome(() => both.settle((s) => deaf(120).then(() => s.throwIfAborted())));
    expect(reason).toMatchObject({ at: 120, error: { timeoutMs: 110, abandoned: false } });
  });
});

describe('P5.2 when it passes, the signal of the attempt is aborted with a TimeoutError', () => {
  test('at its time, and everything below', async () => {
    await virtualTime(async (time) => {
      const seen: unknown[] = [];
      const call = errorOf(
        timeout(100).run(async (s) => {
          s.signal.addEventListener('abort', () => seen.push(s.signal.reason, time.now()));
          const child = s.go((child) => child.sleep('1h'));
          seen.push(await errorOf(scope({ signal: s }, (linked) => linked.sleep('1h'))), await errorOf(child));
          throw new Error('wrapped', { cause: s.signal.reason });
        }),
      );
      await time.advance(99.999);
      expect(seen).toEqual([]);
      await time.advance(0.001);
      const error = await call;
      expect(seen).toEqual([error, 100, error, error]);
      expect(seen[2]).toBe(error);
    });
  });

  test.each([
    [timeout(50), undefined, { timeoutMs: 50, of: 'the call' }],
    [timeout('1.5s'), 'orders', { timeoutMs: 1_500, of: 'orders' }],
    [policy(retry({ idempotent: false }), timeout(50)), undefined, { timeoutMs: 50, of: 'attempt 1 of the call' }],
    [policy(retry({ idempotent: false }), timeout(50)), 'orders', { timeoutMs: 50, of: 'attempt 1 of orders' }],
  ])('%s, named %s, says what did not end, and within what', async (layers, name, fields) => {
    const came = await outcome(() => layers.settle((s) => s.sleep('1h'), { name }));
    const error = came.ok || came.error;
    expect(error).toBeInstanceOf(TimeoutError);
    expect(error).toMatchObject({ ...fields, code: 'TIMEOUT', abandoned: false });
    expect(told('timeout:fired')).toEqual([
      { event: 'timeout:fired', at: fields.timeoutMs, name, timeoutMs: fields.timeoutMs, of: fields.of },
    ]);
  });

  test('of no time: the operation is called, and aborted as soon as time passes', async () => {
    const came = await outcome(() => timeout(0).settle((s) => s.sleep(10)));
    expect(came).toMatchObject({ at: 0, error: { code: 'TIMEOUT', timeoutMs: 0 } });
    expect(await timeout(0).run(() => 'at once')).toBe('at once');
  });

  test('P1.4 as a parent does it: exit.cancelled is true in its cleanups, and nothing is recovered there', async () => {
    for (const layers of [timeout(100), policy(retry({ attempts: 1 }), timeout(100))]) {
      const exits: unknown[] = [];
      const came = await outcome(() =>
        layers.settle(async (s) => {
          s.defer((exit) => exits.push(exit.cancelled, exit.error, exit.recover('recovered')));
          await s.sleep('1h');
        }),
      );
      expect(came).toMatchObject({ at: 100, error: { code: 'TIMEOUT' } });
      expect(exits).toEqual([true, came.ok || came.error, undefined]);
    }
  });

  test('and not when it has ended before: exit.cancelled is false', async () => {
    const exits: Exit[] = [];
    await timeout(100).run((s) => s.defer((exit) => exits.push(exit)));
    expect(exits[0]?.cancelled).toBe(false);
  });
});

describe('P5.3 from the abort on the attempt has `grace`', () => {
  const own = new Error('own');

  /** What a body may do at last, and what the call comes to when that is its outcome. */
  const ways: Record<string, (s: Scope) => unknown> = {
    'a value': () => 'value',
    'an error of its own': () => Promise.reject(own),
    'the reason': (s) => Promise.reject(s.signal.reason as Error),
    'an error that wraps the reason': (s) => Promise.reject(new Error('wrapped', { cause: s.signal.reason })),
  };

  /** `letGo`: when the caller is let go, if the body is abandoned. */
  const rows = [
    { grace: 0, settles: 99, letGo: null },
    { grace: 0, settles: 100, letGo: 100 },
    { grace: 0, settles: 101, letGo: 100 },
    { grace: 25, settles: 99, letGo: null },
    { grace: 25, settles: 100, letGo: null },
    { grace: 25, settles: 101, letGo: null },
    { grace: 25, settles: 124.9, letGo: null },
    { grace: 25, settles: 125, letGo: null }, // its timer is older than that of the grace
    { grace: 25, settles: 125.1, letGo: 125 },
    { grace: 25, settles: 5_000, letGo: 125 },
    { grace: undefined, settles: 120, letGo: null },
    { grace: undefined, settles: 130, letGo: 125 },
    { grace: Infinity, settles: 100, letGo: null },
    { grace: Infinity, settles: 5e6, letGo: null },
  ];

  describe.each([
    ['of the call', (grace: number | undefined) => timeout(100, { grace })],
    ['of an attempt', (grace: number | undefined) => policy(retry({ attempts: 1 }), timeout(100, { grace }))],
  ])('%s', (_, layers) => {
    for (const [way, settle] of Object.entries(ways)) {
      const isReason = way.includes('reason');
      test.each(rows.filter(({ settles }) => settles >= 100 || !isReason))(
        `grace $grace, ${way} at $settles ms`,
        async ({ grace, settles, letGo }) => {
          let reason: unknown;
          const came = await outcome(() =>
            layers(grace).settle(async (s) => {
              s.signal.addEventListener('abort', () => (reason = s.signal.reason));
              await deaf(settles);
              return settle(s);
            }),
          );
          const [ok, error] = came.ok ? [came.value] : [undefined, came.error];
          expect(came.at).toBe(letGo ?? settles);
          if (letGo !== null || isReason) expect(error).toBe(reason);
          else expect([ok, error]).toEqual(way === 'a value' ? ['value', undefined] : [undefined, own]);
          if (letGo !== null || isReason) expect(error).toMatchObject({ code: 'TIMEOUT', abandoned: letGo !== null });
          expect(told('timeout:abandoned')).toEqual(
            letGo === null
              ? []
              : [{ event: 'timeout:abandoned', name: undefined, at: letGo, error: reason, detached: true }],
          );
          expect(told('timeout:late')).toEqual(
            letGo === null
              ? []
              : [
                  {
                    event: 'timeout:late',
                    name: undefined,
                    at: settles,
                    number: 1,
                    ok: way === 'a value',
                    value: way === 'a value' ? 'value' : undefined,
                    error: way === 'a value' ? undefined : isReason ? reason : own,
                  },
                ],
          );
        },
      );
    }
  });

  test('to unwind too: a cleanup that ends within it belongs to the outcome, a later one is abandoned', async () => {
    const unwinding = (ms: number) =>
      outcome(() =>
        timeout(100).settle(async (s) => {
          s.defer(() => deaf(ms));
          await deaf(90);
          return 'value';
        }),
      );
    expect(await unwinding(30)).toMatchObject({ value: 'value', at: 120 });
    expect(told('timeout:abandoned')).toEqual([]);
    expect(await unwinding(40)).toMatchObject({ error: { abandoned: true }, at: 125 });
    expect(told('timeout:late')).toMatchObject([{ at: 130, ok: true, value: 'value' }]);
  });

  test('an error that came before the abort stays, however long the cleanups take within it', async () => {
    const own = new Error('own');
    const came = await outcome(() =>
      timeout(100).settle((s) => {
        s.defer(() => deaf(110));
        throw own;
      }),
    );
    expect(came).toMatchObject({ at: 110, stoppedBy: 'deadline' });
    expect(came.ok || came.error).toBe(own);
  });

  test('an error that came before the abort is late as well, if the cleanups do not end within it', async () => {
    const own = new Error('own');
    const came = await outcome(() =>
      timeout(100).settle((s) => {
        s.defer(() => deaf(200));
        expect(s.signal.aborted).toBe(false); // its own failure aborts it
        throw own;
      }),
    );
    expect(came).toMatchObject({ at: 125, stoppedBy: 'deadline', error: { code: 'TIMEOUT', abandoned: true } });
    expect(told('timeout:abandoned')).toMatchObject([{ error: came.ok || came.error }]);
    expect(told('timeout:late')).toMatchObject([{ at: 200, ok: false, error: own }]);
  });

  test('children are waited for within it', async () => {
    const came = await outcome(() =>
      timeout(100).settle((s) => {
        void s.go(() => deaf(110));
        return 'value';
      }),
    );
    expect(came).toMatchObject({ at: 110, value: 'value' });
    const late = await outcome(() =>
      timeout(100).settle((s) => {
        void s.go(() => deaf(130));
        return 'value';
      }),
    );
    expect(late).toMatchObject({ at: 125, error: { abandoned: true } });
  });

  test('success and timeout at one instant: the success that is there when the timeout passes is late, and within the grace', async () => {
    for (const grace of [0, 25]) {
      const gate = Promise.withResolvers<string>();
      using listening = onFirst('timeout:fired', () => gate.resolve('just now'));
      const came = await outcome(() => timeout(100, { grace }).settle(() => gate.promise));
      expect(listening.count).toBe(1);
      if (grace > 0) expect(came).toMatchObject({ at: 100, value: 'just now' });
      else expect(came).toMatchObject({ at: 100, error: { abandoned: true } });
    }
    expect(told('timeout:late')).toMatchObject([{ at: 100, ok: true, value: 'just now' }]);
  });

  test('success and timeout at one instant: the success that came first is the outcome, and nothing is told of a timeout', async () => {
    const gate = Promise.withResolvers<string>();
    const came = await outcome(() => {
      void deaf(100).then(() => gate.resolve('first')); // its timer is older
      return timeout(100, { grace: 0 }).settle(() => gate.promise);
    });
    expect(came).toMatchObject({ at: 100, value: 'first' });
    expect(told('timeout:fired')).toEqual([]);
  });
});

/** Does something when an event is first told. */
function onFirst(event: string, fn: () => void): Disposable & { count: number } {
  const recorded = { count: 0, [Symbol.dispose]: () => void (events.push = push) };
  const { push } = events;
  events.push = (...told) => {
    for (const one of told) if (one.event === event && recorded.count++ === 0) fn();
    return push.apply(events, told);
  };
  return recorded;
}

describe('P5.4 then the caller is let go', () => {
  test('and the body is counted in abandoned() until it has settled and its cleanups have run', async () => {
    await virtualTime(async (time) => {
      const order: string[] = [];
      const calls = [1, 2].map((n) =>
        timeout(100, { grace: 10 }).settle(async (s) => {
          s.defer(() => deaf(200).then(() => order.push(`cleanup ${n}`)));
          await deaf(100 * n + 50);
          order.push(`body ${n}`);
        }),
      );
      await time.advance(109.9);
      expect(counted()).toBe(0);
      await time.advance(0.1);
      await Promise.all(calls);
      expect([counted(), order]).toEqual([2, []]);
      await time.advance(239); // 349
      expect([counted(), order]).toEqual([2, ['body 1', 'body 2']]);
      await time.advance(1);
      expect([counted(), order]).toEqual([1, ['body 1', 'body 2', 'cleanup 1']]);
      await time.runAll();
      expect([counted(), order]).toEqual([0, ['body 1', 'body 2', 'cleanup 1', 'cleanup 2']]);
    });
  });

  test('with their own reason, when they had cancelled', async () => {
    const reason = new Error('cancelled');
    for (const layers of [
      timeout('1h'),
      policy(retry(), timeout('1h')),
      policy(timeout('1h'), retry(), timeout('1h')),
    ]) {
      const controller = new CountedController();
      const came = await outcome(() => {
        void deaf(100).then(() => controller.abort(reason));
        return layers.settle(() => deaf(1_000), { signal: controller.signal });
      });
      expect(came).toMatchObject({ at: 125, stoppedBy: 'cancelled', cancelled: true });
      expect(came.ok || came.error).toBe(reason);
      expect(controller.listeners).toBe(0);
    }
    expect(told('timeout:abandoned')).toMatchObject(Array.from({ length: 3 }, () => ({ error: reason })));
    expect(times('timeout:late')).toEqual(Array.from({ length: 3 }, () => ['timeout:late', 1_000]));
  });

  test('P2.3 a caller who cancels in the grace of an attempt’s timeout gets their reason, not the timeout', async () => {
    const reason = new Error('cancelled');
    const attempts = policy(retry({ attempts: 3, idempotent: true, backoff: constant(0) }), timeout(100));
    for (const [body, at] of [
      [() => deaf(1_000), 125],
      [(s: Scope) => deaf(115).then(() => s.throwIfAborted()), 115],
    ] as const) {
      const controller = new AbortController();
      const came = await outcome(() => {
        void deaf(110).then(() => controller.abort(reason));
        return attempts.settle(body, { signal: controller.signal });
      });
      expect(came).toMatchObject({ at, stoppedBy: 'cancelled', attempts: [{ number: 1 }] });
      expect(came.ok || came.error).toBe(reason);
    }
  });

  test('P2.3 a caller who cancels in the grace of the call’s timeout gets their reason too', async () => {
    const reason = new Error('cancelled');
    for (const [body, at] of [
      [() => deaf(1_000), 125],
      [(s: Scope) => deaf(115).then(() => s.throwIfAborted()), 115],
    ] as const) {
      const controller = new CountedController();
      const came = await outcome(() => {
        void deaf(110).then(() => controller.abort(reason));
        return timeout(100).settle(body, { signal: controller.signal });
      });
      expect(came).toMatchObject({ at, stoppedBy: 'cancelled', cancelled: true });
      expect(came.ok || came.error).toBe(reason);
      expect(controller.listeners).toBe(0);
    }
  });

  test('P2.3 a success, or an error of its own, that still comes in that grace is the outcome', async () => {
    const own = new Error('own');
    for (const [ending, value] of [
      [() => 'value', { value: 'value' }],
      [() => Promise.reject(own), { error: own }],
    ] as const) {
      const controller = new AbortController();
      const came = await outcome(() => {
        void deaf(110).then(() => controller.abort(new Error('cancelled')));
        return timeout(100).settle<unknown>(() => deaf(115).then(ending), { signal: controller.signal });
      });
      expect(came).toMatchObject({ at: 115, ...value });
    }
  });

  test.each(['cancel', 'timeout'])(
    'cancel and timeout at one instant, the %s first: the caller’s reason comes out',
    async (first) => {
      const reason = new Error('cancelled');
      const controller = new AbortController();
      const cancel = (): unknown => deaf(100).then(() => controller.abort(reason));
      const came = await outcome(() => {
        if (first === 'cancel') void cancel(); // its timer is older then
        const call = timeout(100).settle(() => deaf(1_000), { signal: controller.signal });
        if (first === 'timeout') void cancel();
        return call;
      });
      expect(came).toMatchObject({ at: 125, error: reason, stoppedBy: 'cancelled' });
      expect(told('timeout:fired')).toHaveLength(first === 'timeout' ? 1 : 0);
    },
  );

  test('its cleanups see what the body came to, and that it was cancelled: nothing is recovered in it', async () => {
    const own = new Error('own');
    for (const [end, ok] of [
      [() => 'value', true],
      [() => Promise.reject(own), false],
    ] as const) {
      const exits: unknown[] = [];
      await outcome(() =>
        timeout(100).settle<unknown>(async (s) => {
          s.defer((exit) => exits.push(exit.ok, exit.value, exit.error, exit.cancelled, exit.recover('recovered')));
          s.defer(async () => exits.push(s.signal.aborted, s.timeLeft())); // a cleanup is out of reach
          await deaf(1_000);
          return end();
        }),
      );
      expect(exits).toEqual([false, Infinity, ok, ok ? 'value' : undefined, ok ? undefined : own, true, undefined]);
    }
    expect(told('timeout:late')).toMatchObject([
      { ok: true, value: 'value' },
      { ok: false, error: own },
    ]);
  });

  test('nothing of it is left on the caller’s signal, though the body goes on', async () => {
    await virtualTime(async (time) => {
      const controller = new CountedController();
      const call = errorOf(
        timeout(100, { grace: 0 }).run(
          async (s) => {
            expect(s.signal.aborted).toBe(false);
            await deaf(1_000);
          },
          { signal: controller.signal },
        ),
      );
      expect(controller.listeners).toBe(1);
      await time.advance(100);
      await call;
      expect([controller.listeners, counted()]).toEqual([0, 1]);
      await time.runAll();
    });
  });

  test('a caller who cancels while the operation is being called is let go as well', async () => {
    const reason = new Error('cancelled');
    const controller = new AbortController();
    const came = await outcome(() =>
      timeout(100, { grace: 0 }).settle(
        () => {
          controller.abort(reason);
          expect(counted()).toBe(1);
          return deaf(50);
        },
        { signal: controller.signal },
      ),
    );
    expect(came).toMatchObject({ at: 0, error: reason });
    expect(times('timeout:late')).toEqual([['timeout:late', 50]]);
  });

  test('an abort reaches everybody else, also when the call lets go of its body at once', async () => {
    const reason = new Error('cancelled');
    const ended = await virtualTime(async (time) => {
      const ended: unknown[] = [];
      const root = scope(async (s) => {
        const end = (who: string) => (error: unknown) => void ended.push([who, error, time.now()]);
        const calls = [
          timeout('1h', { grace: 0 })
            .run((attempt) => (expect(attempt.signal.aborted).toBe(false), deaf(100)), { signal: s })
            .catch(end('call')),
          s.sleep('1h').catch(end('sleep')),
          retry()
            .run((attempt) => attempt.sleep('1h'), { signal: s })
            .catch(end('other call')),
        ];
        s.cancel(reason);
        await Promise.all(calls);
      });
      await time.runAll();
      await root;
      return ended;
    });
    expect(ended).toHaveLength(3);
    for (const [, error, at] of ended as unknown[][]) expect([error, at]).toEqual([reason, 0]);
  });

  test('its permits stay taken until the body has settled and unwound', async () => {
    const slots = bulkhead({ limit: 1 });
    await virtualTime(async (time) => {
      const call = policy(slots, timeout(100, { grace: 0 })).settle(async (s) => {
        s.defer(() => deaf(100));
        await deaf(200);
      });
      await time.advance(100);
      expect(await call).toMatchObject({ error: { abandoned: true } });
      await time.advance(199);
      expect(slots.inFlight).toBe(1);
      await time.advance(1);
      expect(slots.inFlight).toBe(0);
    });
  });

  test('a breaker counts it when the caller is let go, once, and not again at the late end', async () => {
    const judged: unknown[] = [];
    const guard = breaker({ failures: 2, judge: ({ effect, error }) => void judged.push([effect, error]) });
    const came = await outcome(() =>
      policy(guard, timeout(100)).settle(async () => {
        await deaf(500);
        return 'in the end it succeeded';
      }),
    );
    expect(judged).toEqual([['failure', came.ok || came.error]]);
    expect(guard.state).toBe('closed');
  });

  test('a value that comes late is disposed of, if it is disposable; what goes wrong is an event', async () => {
    const disposed: string[] = [];
    const error = new Error('not disposed');
    const results = [
      { [Symbol.dispose]: () => disposed.push('sync') },
      { [Symbol.asyncDispose]: () => deaf(10).then(() => disposed.push('async')) },
      { [Symbol.asyncDispose]: () => disposed.push('preferred'), [Symbol.dispose]: () => disposed.push('not this') },
      { [Symbol.dispose]: () => Promise.reject(error) },
      {
        [Symbol.dispose]: () => {
          throw error;
        },
      },
      { plain: true },
      null,
    ];
    for (const result of results)
      await outcome(() => timeout(10).settle(() => deaf(100).then(() => result), { name: 'x' }));
    expect(disposed).toEqual(['sync', 'async', 'preferred']);
    expect(told('call:disposal-failed')).toEqual(
      Array.from({ length: 2 }, () => ({ event: 'call:disposal-failed', name: 'x', at: 100, error })),
    );
    expect(told('timeout:late').map((event) => (event as { value: unknown }).value)).toEqual(results);
  });

  test('a value that is within the grace is the caller’s, and not disposed of', async () => {
    const result = { [Symbol.dispose]: () => expect.fail('disposed of') };
    const came = await outcome(() => timeout(10).settle(() => deaf(20).then(() => result)));
    expect(came.ok && came.value).toBe(result);
  });

  test('a result that would be judged a failure, and comes late, is disposed of too; so is one that the judge throws at', async () => {
    const disposed: unknown[] = [];
    const result = { [Symbol.dispose]: () => disposed.push(result) };
    const judges = [() => true, () => false, () => expect.fail('thrown by the judge')];
    for (const judge of judges) {
      await outcome(() => policy(timeout(10), failWhen(judge)).settle(() => deaf(100).then(() => result)));
    }
    expect(disposed).toEqual([result, result, result]);
  });

  test('no rejection of a body that comes late goes unhandled, and its error is an event', async () => {
    const errors = [new Error('late'), Object.freeze(new Error('frozen')), 'text', undefined];
    for (const error of errors)
      await outcome(() => timeout(10).settle(() => deaf(100).then(() => Promise.reject(error))));
    expect(told('timeout:late')).toMatchObject(errors.map((error) => ({ ok: false, value: undefined, error })));
  });
});

describe('P5.5 while a body is abandoned, the cleanups of the scopes above it wait for it', () => {
  /** Scopes above a call that is let go at 10 and settles at 100. When each has closed. */
  async function closings(
    above: (
      call: (s?: Scope | AbortSignal) => Promise<unknown>,
      close: (name: string) => () => void,
    ) => Promise<unknown>,
    layers: Policy = timeout(10, { grace: 0 }),
  ): Promise<unknown[]> {
    return virtualTime(async (time) => {
      const closed: unknown[] = [];
      const call = (signal?: Scope | AbortSignal): Promise<unknown> =>
        layers.run(() => deaf(100), { signal }).catch(() => closed.push(['let go', time.now()]));
      const ended = above(call, (name) => () => void closed.push([name, time.now()])).then(() =>
        closed.push(['end', time.now()]),
      );
      await time.runAll();
      await ended;
      return closed;
    });
  }

  test.each([
    ['the scope itself', (s: Scope) => s],
    ['its signal', (s: Scope) => s.signal],
  ])('linked by %s', async (_, by) => {
    const closed = await closings((call, close) =>
      scope(async (s) => {
        s.defer(close('first'));
        s.defer(close('second'));
        await call(by(s));
      }),
    );
    expect(closed).toEqual([['let go', 10], ['second', 100], ['first', 100], ['end', 100]]); // prettier-ignore
    expect(told('timeout:abandoned')).toMatchObject([{ detached: false }]);
  });

  test('on every level upwards: linked ones, children, attempts of policies', async () => {
    const closed = await closings((call, close) =>
      scope((outermost) => {
        outermost.defer(close('outermost'));
        return outermost.go((child) => {
          child.defer(close('child'));
          return scope({ signal: child.signal }, (linked) => {
            linked.defer(close('linked'));
            return retry().run(
              (attempt) => {
                attempt.defer(close('attempt'));
                return call(attempt);
              },
              { signal: linked },
            );
          });
        });
      }),
    );
    expect(closed).toEqual([
      ['let go', 10],
      ['attempt', 100],
      ['linked', 100],
      ['child', 100],
      ['outermost', 100],
      ['end', 100],
    ]);
  });

  test('the attempts of layers around it: the scope of a middleware, an attempt of a retry', async () => {
    const closed = await closings(
      (call, close) =>
        scope((s) => {
          s.defer(close('scope'));
          return call(s);
        }),
      policy(
        layer({
          name: 'own',
          run: (next, s) => {
            s.defer(() => void deferred.push('layer'));
            return next();
          },
        }),
        retry({ attempts: 1 }),
        timeout(10, { grace: 0 }),
      ),
    );
    expect(closed).toEqual([['let go', 100], ['scope', 100], ['end', 100]]); // prettier-ignore
    expect(deferred).toEqual(['layer']);
  });
  const deferred: string[] = [];

  test('a scope without cleanups does not wait', async () => {
    const closed = await closings((call) => scope((s) => call(s)));
    expect(closed).toEqual([['let go', 10], ['end', 10]]); // prettier-ignore
  });

  test('a scope without cleanups between two that have some does not wait, the ones above it do', async () => {
    const closed = await closings((call, close) =>
      scope(async (s) => {
        s.defer(close('above'));
        await scope({ signal: s }, (middle) => call(middle));
        close('middle has ended')();
      }),
    );
    expect(closed).toEqual([['let go', 10], ['middle has ended', 10], ['above', 100], ['end', 100]]); // prettier-ignore
  });

  test('`detach` opts out, and the event tells', async () => {
    const closed = await closings(
      (call, close) =>
        scope((s) => {
          s.defer(close('scope'));
          return call(s);
        }),
      timeout(10, { grace: 0, detach: true }),
    );
    expect(closed).toEqual([['let go', 10], ['scope', 10], ['end', 10]]); // prettier-ignore
    expect(told('timeout:abandoned')).toEqual([
      { event: 'timeout:abandoned', name: undefined, at: 10, error: expect.any(TimeoutError), detached: true },
    ]);
  });

  test('with nothing above there is nothing that waits: the event says detached', async () => {
    await closings((call) => call());
    await closings((call) => call(new AbortController().signal));
    expect(told('timeout:abandoned')).toMatchObject([{ detached: true }, { detached: false }]);
  });

  test('several at once: until the last one has settled', async () => {
    const closed = await virtualTime(async (time) => {
      const closed: unknown[] = [];
      const ended = scope(async (s) => {
        s.defer(() => void closed.push(time.now()));
        await Promise.all(
          [30, 300, 100].map((ms) => errorOf(timeout(10, { grace: 0 }).run(() => deaf(ms), { signal: s }))),
        );
      });
      await time.runAll();
      await ended;
      return closed;
    });
    expect(closed).toEqual([300]);
  });

  test('and for the cleanups of the body: it is abandoned until they have run', async () => {
    const order: string[] = [];
    await virtualTime(async (time) => {
      const ended = scope((s) => {
        s.defer(() => void order.push('outer'));
        return errorOf(
          timeout(10, { grace: 0 }).run(
            async (attempt) => {
              attempt.defer(() => deaf(100).then(() => order.push('inner')));
              await deaf(100);
            },
            { signal: s },
          ),
        );
      });
      await time.runAll();
      await ended;
    });
    expect(order).toEqual(['inner', 'outer']);
  });

  test('of a cleanup that abandons one, the last one too: the cleanups after it, and the scopes above', async () => {
    for (const above of [
      (body: (s: Scope) => void, s: Scope) => scope({ signal: s }, body),
      (body: (s: Scope) => void, s: Scope) => retry().run(body, { signal: s }),
      (body: (s: Scope) => void, s: Scope) => s.go(body),
    ]) {
      const closed = await closings((call, close) =>
        scope(async (outer) => {
          outer.defer(close('outer'));
          await above((inner) => {
            inner.defer(() => call(inner));
            inner.defer(close('inner'));
            inner.defer(() => call(inner));
          }, outer);
          close('inner has ended')();
        }),
      );
      expect(closed).toEqual([
        ['let go', 10],
        ['inner', 100],
        ['let go', 110],
        ['inner has ended', 110],
        ['outer', 200],
        ['end', 200],
      ]);
    }
  });

  test('after a retry has gone on: the attempt that was abandoned holds them, not only the last one', async () => {
    const log: unknown[] = [];
    await virtualTime(async (time) => {
      const ended = scope(async (s) => {
        s.defer(() => void log.push(['scope', time.now()]));
        const retried = policy(
          retry({ attempts: 2, idempotent: true, backoff: constant(0) }),
          timeout(10, { grace: 0 }),
        );
        const value = await retried.run(
          (attempt) => (attempt.attempt === 1 ? deaf(100).then(() => 'first') : 'second'),
          { signal: s },
        );
        log.push([value, time.now()]);
      });
      await time.runAll();
      await ended;
    });
    expect(log).toEqual([
      ['second', 10],
      ['scope', 100],
    ]);
  });
});

describe('P5.4 a body in a stage inside, behind a layer of one’s own, is abandoned once, whichever timeout lets go', () => {
  const own = layer({ name: 'own', run: (next) => next() });

  test.each<[string, number, number, (slots: Policy) => Policy[]]>([
    ['the outer one, at once', 50, 50, (slots) => [timeout(50, { grace: 0 }), own, slots, timeout(100)]],
    ['both, after equal graces', 50, 75, (slots) => [timeout(50), own, slots, timeout(100)]],
    ['both, the inner grace shorter', 50, 60, (slots) => [timeout(50), own, slots, timeout(100, { grace: 10 })]],
    ['both, the outer grace shorter', 50, 60, (slots) => [timeout(50, { grace: 10 }), own, slots, timeout(100)]],
    ['the outer one, which has no other inside', 50, 75, (slots) => [timeout(50), own, slots]],
    ['the outer one, with the permit outside', 50, 75, (slots) => [timeout(50), slots, own]],
    ['the outer one, around two retries', 50, 75, (slots) => [timeout(50), slots, retry(), retry()]],
    ['the inner one', 50, 75, (slots) => [timeout(100), own, slots, timeout(50)]],
    ['the inner one, with the permit outside', 50, 75, (slots) => [timeout(100), slots, own, timeout(50)]],
    ['the inner one, when the outer one has passed too', 60, 75, (slots) => [timeout(60), own, slots, timeout(50)]],
  ])('%s', async (_, timeoutMs, letGo, layers) => {
    const slots = bulkhead({ limit: 1 });
    await virtualTime(async (time) => {
      const closed: number[] = [];
      const ended = scope(async (s) => {
        s.defer(() => void closed.push(time.now()));
        const came = await policy(...layers(slots)).settle(() => deaf(1_000), { signal: s, idempotent: false });
        expect([time.now(), counted(), slots.inFlight]).toEqual([letGo, 1, 1]);
        expect(came).toMatchObject({ stoppedBy: 'deadline', error: { code: 'TIMEOUT', timeoutMs, abandoned: true } });
      });
      await time.runAll();
      await ended;
      expect([closed, counted(), slots.inFlight]).toEqual([[1_000], 0, 0]);
    });
    expect(times('timeout:abandoned')).toEqual([['timeout:abandoned', letGo]]);
    expect(told('timeout:abandoned')).toMatchObject([{ error: { abandoned: true } }]);
    expect(times('timeout:late')).toEqual([['timeout:late', 1_000]]);
  });
});

describe('P5.6 grace', () => {
  test('of Infinity always waits: the caller is never let go of work that still runs', async () => {
    await virtualTime(async (time) => {
      const call = timeout(100, { grace: Infinity }).run(() => deaf(86_400_000).then(() => time.now()));
      await time.advance(100);
      expect(time.pending).toBe(1); // the body's
      await time.runAll();
      expect(await call).toBe(86_400_000);
    });
    expect(told('timeout:abandoned')).toEqual([]);
    expect(times('timeout:fired')).toEqual([['timeout:fired', 100]]);
  });

  test('of 0 lets go at once, even of work that is about to end', async () => {
    const came = await outcome(() => timeout(100, { grace: 0 }).settle((s) => s.sleep('1h')));
    expect(came).toMatchObject({ at: 100, error: { abandoned: true } });
    expect(times('timeout:fired', 'timeout:abandoned', 'timeout:late')).toEqual([
      ['timeout:fired', 100],
      ['timeout:abandoned', 100],
      ['timeout:late', 100],
    ]);
  });

  test('of a timeout belongs to the caller’s cancellation too, and does not begin twice', async () => {
    const controller = new AbortController();
    const came = await outcome(() => {
      void deaf(90).then(() => controller.abort(new Error('cancelled')));
      return timeout(100, { grace: 50 }).settle(() => deaf(1_000), { signal: controller.signal });
    });
    expect(came).toMatchObject({ at: 140, error: new Error('cancelled') });
    expect(told('timeout:fired')).toEqual([]); // it had been aborted before
  });
});

describe('whatever passes when', () => {
  // No two things fall on one instant: each kind of time has a last digit of its own, and graces end in 0.
  const tens = (digit: number): fc.Arbitrary<number> => fc.nat(30).map((n) => 10 * n + digit);
  const grace = fc.constantFrom(0, 10, 50, 200, Infinity);
  const layer = (digit: number): fc.Arbitrary<{ ms: number; grace: number } | undefined> =>
    fc.option(fc.record({ ms: tens(digit), grace }), { nil: undefined });

  const own = new Error('own');
  const cancelled = new Error('cancelled');
  const ways: Record<string, (s: Scope) => unknown> = {
    value: () => 'value',
    own: () => Promise.reject(own),
    reason: (s) => s.throwIfAborted(),
    envelope: (s) => Promise.reject(new Error('wrapped', { cause: s.signal.reason })),
  };

  test('a call ends with what its body comes to, or when the first grace that has begun ends; the caller’s reason goes before the call’s timeout, and that before the attempt’s', () =>
    fc.assert(
      fc.asyncProperty(
        tens(1),
        layer(2),
        layer(3),
        fc.option(tens(4), { nil: Infinity }),
        fc.constantFrom(...Object.keys(ways)),
        async (bodyMs, each, whole, cancelMs, way) => {
          events.length = 0;
          const controller = new AbortController();
          const layers = policy(
            ...(whole === undefined ? [] : [timeout(whole.ms, { grace: whole.grace })]),
            retry({ attempts: 1 }),
            ...(each === undefined ? [] : [timeout(each.ms, { grace: each.grace })]),
          );
          const came = await outcome(() => {
            if (cancelMs < Infinity) void deaf(cancelMs).then(() => controller.abort(cancelled));
            return layers.settle<unknown>(
              async (s) => {
                await deaf(bodyMs);
                // Without an abort there is no reason to pass on.
                return s.signal.aborted || way === 'own' ? ways[way]?.(s) : 'value';
              },
              { signal: controller.signal },
            );
          });

          const wholeMs = whole?.ms ?? Infinity;
          const eachMs = each?.ms ?? Infinity;
          const letGo: number[] = [];
          // What has passed already by the time of the others says nothing more.
          if (each !== undefined && eachMs < Math.min(wholeMs, cancelMs)) letGo.push(eachMs + each.grace);
          const stopped = Math.min(wholeMs, cancelMs);
          if (whole !== undefined && stopped < Math.min(bodyMs, ...letGo)) letGo.push(stopped + whole.grace);
          else if (whole === undefined && each !== undefined && cancelMs < eachMs) letGo.push(cancelMs + each.grace);
          const at = Math.min(bodyMs, ...letGo);
          const abandonedAt = at < bodyMs;
          expect(came.at).toBe(at);
          expect(times('timeout:abandoned')).toEqual(abandonedAt ? [['timeout:abandoned', at]] : []);
          expect(times('timeout:late')).toEqual(abandonedAt ? [['timeout:late', bodyMs]] : []);

          const passed = [cancelMs, wholeMs, eachMs].findIndex((ms) => ms <= at);
          const ended = passed >= 0 && (abandonedAt || way === 'reason' || way === 'envelope');
          if (!ended) expect(came).toMatchObject(way === 'own' ? { error: own } : { ok: true, value: 'value' });
          else if (passed === 0) expect(came.ok || came.error).toBe(cancelled);
          else {
            const timeoutMs = passed === 1 ? wholeMs : eachMs;
            expect(came).toMatchObject({ error: { code: 'TIMEOUT', timeoutMs, abandoned: abandonedAt } });
          }
        },
      ),
      { seed, numRuns: 1_000 },
    ));
});

describe('P5.7 an attempt that was ended by an attempt’s timeout has failed with a TimeoutError, which is ambiguous', () => {
  const attempts = (idempotent: boolean | undefined, grace?: number): Policy =>
    policy(retry({ attempts: 3, idempotent, backoff: constant(10), retryIf: undefined }), timeout(100, { grace }));

  test('it is not retried, unless the operation is declared idempotent', async () => {
    const once = await outcome(() => attempts(false).settle((s) => s.sleep('1h')));
    expect(once).toMatchObject({ at: 100, stoppedBy: 'ambiguous', attempts: [{ verdict: 'ambiguous' }] });
    expect(classify(once.ok || once.error)).toMatchObject({ verdict: 'ambiguous', code: 'TIMEOUT', health: 'down' });
    const thrice = await outcome(() => attempts(true).settle((s) => s.sleep('1h')));
    expect(thrice).toMatchObject({ at: 320, stoppedBy: 'attempts', error: { of: 'attempt 3 of the call' } });
    expect(thrice.attempts).toHaveLength(3);
  });

  test('P3.3 one that was abandoned neither, whatever `retryIf` says: no attempt starts beside one that still runs', async () => {
    const always = policy(retry({ attempts: 3, idempotent: false, retryIf: () => true }), timeout(100));
    const came = await outcome(() => always.settle(() => deaf(1_000)));
    expect(came).toMatchObject({ at: 125, stoppedBy: 'ambiguous', attempts: [{ abandoned: true }] });
    const settled = await outcome(() => always.settle((s) => s.sleep('1h')));
    expect(settled.attempts).toHaveLength(3);
  });

  test('one that was abandoned is, if the operation is declared idempotent; the history says abandoned', async () => {
    const running: number[] = [];
    const came = await outcome(() =>
      attempts(undefined, 0).settle(
        async (s) => {
          running.push(s.attempt);
          expect(counted()).toBe(s.attempt - 1);
          await deaf(1_000);
        },
        { idempotent: true },
      ),
    );
    expect(running).toEqual([1, 2, 3]);
    expect(came).toMatchObject({ at: 320, stoppedBy: 'attempts' });
    expect(attemptsOf(came.ok || came.error)).toMatchObject(
      Array.from({ length: 3 }, () => ({ abandoned: true, refused: false })),
    );
    expect(times('timeout:late')).toEqual([
      ['timeout:late', 1_000],
      ['timeout:late', 1_110],
      ['timeout:late', 1_220],
    ]);
    expect(told('timeout:late')).toMatchObject([{ number: 1 }, { number: 2 }, { number: 3 }]);
  });

  test('the next attempt is told what ended it', async () => {
    const seen: unknown[] = [];
    await outcome(() =>
      attempts(true).settle((s) => {
        seen.push(s.previousError);
        return s.sleep('1h');
      }),
    );
    expect(seen).toEqual([undefined, expect.any(TimeoutError), expect.any(TimeoutError)]);
  });
});

describe('P2.7 in the async context of the call, whichever timer has woken it', () => {
  const storage = new AsyncLocalStorage<string>();

  test.each(['with', 'without'])(
    'runs what follows an abandoned attempt, and what follows a cancellation: hooks, predicates, attempts, cleanups; %s a breaker',
    async (breakers) => {
      const seen: string[] = [];
      const note = (place: string): undefined => void seen.push(`${place}: ${storage.getStore()}`);
      const layers = policy(
        retry({
          attempts: 3,
          idempotent: true,
          retryIf: () => note('retryIf'),
          backoff: () => {
            note('backoff');
            return 10;
          },
          onRetry: () => note('onRetry'),
        }),
        ...(breakers === 'with' ? [breaker({ judge: () => note('judge') })] : []),
        timeout(100, { grace: 0 }),
      );
      const controller = new AbortController();
      await virtualTime(async (time) => {
        const calls = ['a', 'b'].map((name) =>
          storage.run(name, () =>
            layers.settle(
              async (s) => {
                note(`attempt ${s.attempt}`);
                s.defer(() => note('cleanup'));
                await deaf(1_000);
              },
              { signal: controller.signal },
            ),
          ),
        );
        await storage.run('nobody', async () => {
          await time.advance(150);
          controller.abort(new Error('cancelled'));
          await time.runAll();
        });
        await Promise.all(calls);
      });
      expect(seen.filter((line) => !/: [ab]$/.test(line))).toEqual([]);
      expect(new Set(seen.map((line) => line.split(':')[0]))).toEqual(
        new Set([
          ...(breakers === 'with' ? ['judge'] : []),
          'attempt 1',
          'attempt 2',
          'retryIf',
          'backoff',
          'onRetry',
          'cleanup',
        ]),
      );
    },
  );
});

describe('P5.2 on real time', () => {
  test.each([false, true])('it is never early, exact %s', async (exact) => {
    const durations = [0, 1, 2.5, 10, 33, 50];
    const took = await Promise.all(
      durations.map(async (ms) => {
        const startedMs = performance.now();
        let tookMs = 0;
        await errorOf(
          timeout(ms, { exact }).run((s) => {
            s.signal.addEventListener('abort', () => (tookMs = performance.now() - startedMs));
            return s.sleep('1h');
          }),
        );
        return tookMs;
      }),
    );
    took.forEach((tookMs, i) => expect(tookMs).toBeGreaterThanOrEqual(durations[i] as number));
  });

  test('a body is let go after the grace, and goes on', async () => {
    const startedMs = performance.now();
    const gate = Promise.withResolvers<string>();
    const error = await errorOf(timeout(20, { grace: 10 }).run(() => gate.promise));
    expect(performance.now() - startedMs).toBeGreaterThanOrEqual(30);
    expect(error).toMatchObject({ code: 'TIMEOUT', abandoned: true });
    expect(counted()).toBe(1);
    gate.resolve('late');
    await nextTurn();
    expect(told('timeout:late')).toMatchObject([{ ok: true, value: 'late' }]);
  });

  test('one of 25 days, longer than a timer of the platform can be, does not pass at once', async () => {
    const value = await timeout('25d', { grace: 0 }).run((s) => s.sleep(30).then(() => 'value'));
    expect(value).toBe('value');
    expect(told('timeout:fired')).toEqual([]);
  });
});

describe('P5.2 on a platform whose time is driven by hand', () => {
  /** Fires each timer by the whole millisecond above its delay, as platforms do. */
  class Platform {
    timeMs = 0;
    private readonly timers = new Map<object, { fn: () => void; dueMs: number }>();
    /** By how much timers fire before they are due. */
    earlyMs = 0;

    now = (): number => this.timeMs;

    setTimer = (fn: () => void, delayMs: number): object => {
      const handle = { ref: () => handle, unref: () => handle };
      this.timers.set(handle, { fn, dueMs: this.timeMs + Math.max(1, Math.ceil(delayMs)) - this.earlyMs });
      return handle;
    };

    clearTimer = (handle: object): void => void this.timers.delete(handle);

    async advanceTo(untilMs: number): Promise<void> {
      for (;;) {
        const [next] = [...this.timers].sort(([, a], [, b]) => a.dueMs - b.dueMs);
        if (next === undefined || next[1].dueMs > untilMs) break;
        this.timers.delete(next[0]);
        this.timeMs = Math.max(this.timeMs, next[1].dueMs);
        next[1].fn();
        await nextTurn();
      }
      this.timeMs = untilMs;
    }
  }

  const mocked = '../../foundation/system.ts';
  afterEach(() => {
    vi.doUnmock(mocked);
    vi.resetModules();
  });

  /** How late many timeouts of one layer are that begin at irregular times. */
  async function latenesses(durationMs: number, exact: boolean, earlyMs = 0): Promise<number[]> {
    const platform = new Platform();
    vi.doMock(mocked, async (original) => {
      const { now, setTimer, clearTimer } = platform;
      return { ...(await original<object>()), now, setTimer, clearTimer };
    });
    vi.resetModules();
    // A body that reads its signal, or its deadline, has the clock read for it.
    const fresh = (await import('./timeout.ts')).timeout(durationMs, { exact, grace: 0 });
    platform.earlyMs = earlyMs;
    const late: number[] = [];
    const calls: Promise<unknown>[] = [];
    const bodies = Promise.withResolvers<void>();
    for (let i = 0; i < 20; i++) {
      await platform.advanceTo(platform.timeMs + ((i * 7.3) % 11));
      const dueMs = platform.timeMs + durationMs;
      const call = fresh.run((s) => (i % 2 === 0 ? bodies.promise : s.sleep(Infinity)));
      calls.push(errorOf(call).then(() => late.push(platform.timeMs - dueMs)));
      await nextTurn();
    }
    await platform.advanceTo(platform.timeMs + durationMs + 100);
    await Promise.all(calls);
    bodies.resolve();
    return late;
  }

  test.each([1, 10, 100, 319, 320, 500, 5_000, 60_000])(
    'one of %d ms is never early, and late by at most 1/32, not less than 2 ms nor more than 10 ms',
    async (durationMs) => {
      for (const earlyMs of [0, 0.9]) {
        const late = await latenesses(durationMs, false, earlyMs);
        expect(Math.min(...late)).toBeGreaterThanOrEqual(0);
        expect(Math.max(...late)).toBeLessThanOrEqual(Math.min(Math.max(durationMs / 32, 2), 10));
      }
    },
  );

  test.each([1, 320, 5_000])(
    'an exact one of %d ms is late by no more than the millisecond of the platform',
    async (durationMs) => {
      for (const earlyMs of [0, 0.9]) {
        const late = await latenesses(durationMs, true, earlyMs);
        expect(Math.min(...late)).toBeGreaterThanOrEqual(0);
        expect(Math.max(...late)).toBeLessThanOrEqual(1);
      }
    },
  );
});

describe('P1.2 options', () => {
  const bad = (option: string, given: unknown): unknown =>
    expect.objectContaining({ code: 'BAD_OPTION', option, given });

  test.each([NaN, -1, -0.1, '5', '2 s', '1e3ms', '', null, undefined, {}, true, 5n] as never[])(
    'a duration of %s is refused',
    (given) => {
      expect(() => timeout(given)).toThrow(bad('timeout', given));
      expect(() => timeout(given)).toThrow(typeof given === 'number' ? RangeError : TypeError);
    },
  );

  test.each([
    ['grace', -1],
    ['grace', NaN],
    ['grace', 'soon'],
    ['grace', null],
    ['exact', 1],
    ['exact', 'true'],
    ['exact', null],
    ['detach', 0],
    ['detach', null],
    ['signal', new AbortController().signal],
  ])('%s: %s is refused', (option, given) => {
    expect(() => timeout(5, { [option]: given })).toThrow(bad(option, given));
  });

  test.each(['exact', 'detach'])('the refusal of a wrong %s tells what is expected', (option) => {
    expect(() => timeout(5, { [option]: 1 })).toThrow(expect.objectContaining({ expected: 'true or false' }));
  });

  test.each([null, 5, 'fast'] as never[])('options that are no object are refused: %s', (options) => {
    expect(() => timeout(5, options)).toThrow(bad('timeout', options));
  });

  test('the message names option, range and value', () => {
    expect(() => timeout(-1)).toThrow(
      "timeout: expected milliseconds from 0, or a text such as '250ms', '1.5s', '2m', '12h', '25d'; got -1",
    );
    expect(() => timeout(1, { exact: 1 } as never)).toThrow('exact: expected true or false; got 1');
    expect(() => timeout(1, { grce: 1 } as never)).toThrow('grce: expected an option of timeout: grace, exact, detach');
  });

  test('undefined ones are as if they were not there', () => {
    expect(String(timeout('800ms', { grace: undefined, exact: undefined, detach: undefined }))).toBe('timeout 800ms');
  });

  test('Infinity is no limit: no layer at all', async () => {
    expect(timeout(Infinity).layers).toEqual([]);
    await virtualTime(async (time) => {
      const call = timeout(Infinity).run((s) => {
        expect(s.deadline).toBe(Infinity);
        expect(time.pending).toBe(0);
        return 'value';
      });
      expect(await call).toBe('value');
    });
  });

  test('it is shown in the largest unit', () => {
    expect([timeout(1_500), timeout('2m'), timeout('25d'), timeout(0.5)].map(String)).toEqual([
      'timeout 1.5s',
      'timeout 2m',
      'timeout 25d',
      'timeout 0.5ms',
    ]);
  });
});
