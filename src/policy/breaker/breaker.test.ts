/** Breakers: P6 and P9 of docs/reference/policies.md, and what P1 to P3 say of them. The states themselves are in cell.test. */
import { AsyncLocalStorage } from 'node:async_hooks';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { watchAbandonedBodies } from '../../../test/abandoned.ts';
import { seed } from '../../../test/seed.ts';
import { errorOf, settle } from '../../../test/settle.ts';
import { watchUnhandledRejections } from '../../../test/unhandled.ts';
import {
  breaker,
  bulkhead,
  CircuitOpenError,
  classify,
  constant,
  failWhen,
  onEvent,
  policy,
  retry,
  scope,
  suppressedErrors,
  timeout,
  transient,
  permanent,
  type Breaker,
  type BreakerOptions,
  type BreakerOutcome,
  type Effect,
  type Policy,
  type Scope,
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

/** `from → to at`, for each transition. */
const moves = (): string[] =>
  events
    .filter(({ event }) => event === 'breaker:transition')
    .map(({ from, to, at }) => `${String(from)} → ${String(to)} at ${String(at)}`);

const throws = (error: unknown): never => {
  throw error;
};

const down = (): never => throws(new Error('down'));

const well = (): string => 'well';

/** A call that fails. */
const fails = (guard: Policy): Promise<unknown> => errorOf(guard.run(down));

/** What becomes of each of so many calls: `+` a success, `-` a failure, `x` refused. */
async function calls(guard: Policy, results: string): Promise<string> {
  let came = '';
  for (const result of results) {
    const settled = await settle(() => guard.run(result === '-' ? down : well));
    came += 'value' in settled ? '+' : settled.error instanceof CircuitOpenError ? 'x' : '-';
  }
  return came;
}

/** A breaker that one failure opens. */
const touchy = (options: BreakerOptions = {}): Breaker => breaker({ failures: 1, ...options });

const HALF_OPEN = { version: 1, state: 'half-open', opens: 1, failures: 0, successes: 0, remainingMs: 0, window: null };

/**
 * What a call counts as: the one probe of a half-open breaker closes it, opens it, or changes nothing. Whether somebody listens to events or
 * not: what nobody asks for is not measured.
 */
async function effectOf(run: (guard: Breaker) => unknown, options: BreakerOptions = {}): Promise<Effect> {
  const effect = (): Promise<Effect> =>
    virtualTime(async (time) => {
      const guard = breaker({ ...options, restore: HALF_OPEN, probeLease: Infinity });
      const work = settle(() => run(guard));
      await time.runAll();
      await work;
      const { state } = guard;
      return state === 'closed' ? 'success' : state === 'open' ? 'failure' : 'neither';
    });
  events[Symbol.dispose]();
  const unheard = await effect();
  events = recordEvents();
  expect(await effect()).toBe(unheard);
  return unheard;
}

describe('P6.1 closed: calls pass', () => {
  test('it opens after `failures` failures in a row, 5 if nothing else is said', async () => {
    const guard = breaker();
    expect(await calls(guard, '----+----+-----+')).toBe('----+----+-----x');
    expect(guard.state).toBe('open');
    expect(await calls(breaker({ failures: 2 }), '-+-+--+')).toBe('-+-+--x');
  });

  test('it opens when of the `lastCalls` the share of failures reaches `ratio`, of at least `minCalls`', async () => {
    const guard = breaker({ ratio: 0.5, lastCalls: 4, minCalls: 3 });
    expect(await calls(guard, '--')).toBe('--'); // too few
    expect(await calls(guard, '++')).toBe('+x'); // a success made them enough
    const other = breaker({ ratio: 0.5, lastCalls: 4 });
    expect(await calls(other, '--+-+')).toBe('--+-x'); // four are needed then
    const last = breaker({ ratio: 0.5, lastCalls: 2, minCalls: 1 });
    expect(await calls(last, '++-+')).toBe('++-x');
  });

  test('it opens when of the calls in `window` the share of failures reaches `ratio`', async () => {
    await virtualTime(async (time) => {
      const guard = breaker({ ratio: 0.5, window: '10s', minCalls: 4 });
      expect(await calls(guard, '---')).toBe('---');
      await time.advance('11s');
      expect(await calls(guard, '+++--')).toBe('+++--'); // those before are forgotten
      expect(await calls(guard, '-+')).toBe('-x');
    });
  });

  test('`ratio` looks at 20 calls and more, if nothing else is said, and at no failures in a row', async () => {
    await virtualTime(async () => {
      const guard = breaker({ ratio: 0.5, window: '1h' });
      expect(await calls(guard, '-'.repeat(21))).toBe(`${'-'.repeat(20)}x`);
      const both = breaker({ ratio: 0.5, window: '1h', failures: 3 });
      expect(await calls(both, '----')).toBe('---x');
    });
  });

  test('it opens when the share of calls that took longer than `over` reaches `slow.ratio`', async () => {
    await virtualTime(async (time) => {
      const guard = breaker({ slow: { over: '1s', ratio: 0.5 }, lastCalls: 4, minCalls: 2 });
      const takes = async (ms: number): Promise<void> => {
        const call = guard.run(() => deaf(ms));
        await time.advance(ms);
        await call;
      };
      await takes(1_000); // not longer
      await takes(999);
      await takes(1_001);
      expect(guard.state).toBe('closed');
      await takes(2_000);
      expect(guard.state).toBe('open');
    });
  });

  test('slow calls are those that take long from where they were let in: the wait in a queue before it does not count, that after it neither', async () => {
    for (const [place, opens] of [
      ['before', false],
      ['after', false],
    ] as const) {
      await virtualTime(async (time) => {
        const guard = breaker({ slow: { over: '1s', ratio: 1 }, lastCalls: 1 });
        const slots = bulkhead({ limit: 1, queue: 1 });
        const first = slots.run(() => deaf(5_000));
        const call = policy(...(place === 'before' ? [slots, guard] : [guard, slots])).run(() => deaf(10));
        await time.runAll();
        await Promise.all([first, call]);
        expect(guard.state).toBe(opens ? 'open' : 'closed');
      });
    }
  });

  test('each opening is told, with its breaker’s name', async () => {
    await virtualTime(async (time) => {
      const guard = touchy({ name: 'inventory' });
      await time.advance(5);
      await fails(guard);
    });
    expect(told('breaker:transition')).toEqual([
      { event: 'breaker:transition', name: 'inventory', at: 5, from: 'closed', to: 'open' },
    ]);
  });
});

describe('P6.2 open: calls are refused', () => {
  test('with a CircuitOpenError that says when it is worth trying again; nothing has run', async () => {
    await virtualTime(async (time) => {
      const guard = touchy({ cooldown: '15s', name: 'inventory' });
      await fails(guard);
      await time.advance('4s');
      const outcome = await guard.settle(() => expect.fail('ran'));
      const error = outcome.ok || outcome.error;
      expect(error).toBeInstanceOf(CircuitOpenError);
      expect(error).toMatchObject({ breaker: 'inventory', state: 'open', retryAfterMs: 11_000 });
      expect(outcome).toMatchObject({ stoppedBy: 'refused', attempts: [{ number: 1, refused: true }] });
      expect(told('breaker:refused')).toEqual([
        {
          event: 'breaker:refused',
          name: 'inventory',
          at: 4_000,
          state: 'open',
          retryAfterMs: 11_000,
          dryRun: false,
        },
      ]);
    });
  });

  test('until the cooldown is over, 10 s; it is open until the next call comes, which is a probe', async () => {
    await virtualTime(async (time) => {
      const guard = touchy();
      await fails(guard);
      await time.advance(9_999.9);
      expect(await calls(guard, '+')).toBe('x');
      await time.advance('1h');
      expect(guard.state).toBe('open');
      expect(await calls(guard, '+')).toBe('+');
      expect(guard.state).toBe('closed');
      expect(moves()).toEqual([
        'closed → open at 0',
        'open → half-open at 3609999.9',
        'half-open → closed at 3609999.9',
      ]);
    });
  });

  test('a cooldown may be a function of how many times it has opened since it was last closed', async () => {
    await virtualTime(async (time) => {
      const asked: number[] = [];
      const guard = touchy({ cooldown: (opens) => (asked.push(opens), opens < 3 ? 100 * opens : '1s') });
      await fails(guard);
      for (const ms of [100, 200, 1_000]) {
        await time.advance(ms - 1);
        expect(await calls(guard, '+')).toBe('x');
        await time.advance(1);
        expect(await calls(guard, '-')).toBe('-');
      }
      await time.advance(1_000);
      expect(await calls(guard, '+')).toBe('+');
      await fails(guard);
      expect(asked).toEqual([1, 2, 3, 4, 1]);
    });
  });

  test('P2.5 a cooldown function that throws, or gives no duration, ends the call with that; the next failure asks again', async () => {
    await virtualTime(async () => {
      const thrown = new Error('cooldown');
      let give: () => unknown = () => {
        throw thrown;
      };
      const guard = touchy({ cooldown: () => give() as number });
      const failure = new Error('down');
      expect(await errorOf(guard.run(() => Promise.reject(failure)))).toBe(thrown);
      expect(suppressedErrors(thrown)).toEqual([failure]);
      expect(guard.state).toBe('closed');
      give = () => '5';
      expect(await fails(guard)).toMatchObject({ code: 'BAD_OPTION', option: 'cooldown', given: '5' });
      expect(guard.state).toBe('closed');
      give = () => 100;
      expect(await fails(guard)).toMatchObject({ message: 'down' });
      expect(guard.state).toBe('open');
    });
  });

  test('a cooldown of 0 makes the next call a probe; one of Infinity waits for reset', async () => {
    await virtualTime(async (time) => {
      expect(await calls(touchy({ cooldown: 0 }), '--+-+')).toBe('--+-+');
      const forever = touchy({ cooldown: Infinity });
      await fails(forever);
      await time.advance('365d');
      expect(await errorOf(forever.run(well))).toMatchObject({ state: 'open', retryAfterMs: Infinity });
      forever.reset();
      expect(await calls(forever, '+')).toBe('+');
    });
  });

  test('P3.4 a refusal is not retried, unless `retryOn` names it: then not before it is worth trying again', async () => {
    await virtualTime(async (time) => {
      const guard = touchy({ cooldown: 500 });
      await fails(guard);
      const options = { attempts: 5, backoff: constant(10) };
      const once = await policy(retry(options), guard).settle(well);
      expect(once).toMatchObject({ stoppedBy: 'refused', attempts: [{ refused: true }] });
      const call = policy(retry({ ...options, retryOn: ['CIRCUIT_OPEN'] }), guard).run(() => time.now());
      await time.runAll();
      expect(await call).toBe(510);
    });
  });

  test('P3.5 an isolated one, or one that is open for longer than `maxRetryAfter`, is not waited for', async () => {
    await virtualTime(async (time) => {
      const isolated = breaker();
      isolated.isolate();
      const long = touchy({ cooldown: '61s' });
      await fails(long);
      for (const guard of [isolated, long]) {
        const outcome = await policy(retry({ retryOn: [CircuitOpenError] }), guard).settle(well);
        expect(outcome).toMatchObject({ stoppedBy: 'retryAfter', attempts: [{ number: 1 }] });
      }
      expect(time.now()).toBe(0);
    });
  });

  test('ten thousand calls at once are refused, each with an error of its own', async () => {
    const guard = touchy();
    await fails(guard);
    const errors = await Promise.all(
      Array.from({ length: 10_000 }, () => errorOf(guard.run(() => expect.fail('ran')))),
    );
    expect(new Set(errors).size).toBe(10_000);
    expect(errors.every((error) => error instanceof CircuitOpenError)).toBe(true);
  });
});

describe('P6.3 half-open: `probes` calls at a time pass', () => {
  /** One that is about to be half-open. */
  async function ready(time: VirtualTime, options: BreakerOptions = {}): Promise<Breaker> {
    const guard = touchy({ cooldown: 100, ...options });
    await fails(guard);
    await time.advance(100);
    return guard;
  }

  test('others are refused, to come again after another cooldown', async () => {
    await virtualTime(async (time) => {
      const guard = await ready(time);
      const probe = guard.run(() => deaf(300));
      await time.advance(200);
      const error = await errorOf(guard.run(() => expect.fail('ran')));
      expect(error).toMatchObject({ state: 'half-open', retryAfterMs: 100 });
      await time.advance(100);
      await probe;
      expect(guard.state).toBe('closed');
    });
  });

  test('or when a place comes free for certain, if that is sooner', async () => {
    await virtualTime(async (time) => {
      const guard = await ready(time, { probeLease: 250 });
      const probe = guard.run(() => deaf(300));
      await time.advance(200);
      const error = await errorOf(guard.run(() => expect.fail('ran')));
      expect(error).toMatchObject({ state: 'half-open', retryAfterMs: 50 });
      await time.advance(100);
      await probe;
    });
  });

  test('when `probes` of them have succeeded it closes', async () => {
    await virtualTime(async (time) => {
      const guard = await ready(time, { probes: 3 });
      const probes = [10, 20, 30].map((ms) => guard.run(() => deaf(ms)));
      expect(await calls(guard, '+')).toBe('x');
      await time.advance(20);
      expect(guard.state).toBe('half-open');
      await time.advance(10);
      expect(guard.state).toBe('closed');
      await Promise.all(probes);
    });
  });

  test('one failure opens it again, and the results of the other probes no longer count', async () => {
    await virtualTime(async (time) => {
      const guard = await ready(time, { probes: 2 });
      const others = guard.run(() => deaf(50));
      await fails(guard);
      expect(guard.state).toBe('open');
      await time.advance(50);
      await others;
      expect(guard.state).toBe('open');
      expect(moves().slice(1)).toEqual(['open → half-open at 100', 'half-open → open at 100']);
    });
  });

  test('a probe that has not settled within `probeLease` loses its place, and its result no longer counts', async () => {
    for (const end of [well, down]) {
      await virtualTime(async (time) => {
        const guard = await ready(time, { probeLease: 50 });
        const lost = settle(() => guard.run(() => deaf(80).then(end)));
        await time.advance(49);
        expect(await calls(guard, '+')).toBe('x');
        await time.advance(1);
        const second = guard.run(() => deaf(40)); // it has the place now
        await time.advance(30);
        await lost;
        expect(guard.state).toBe('half-open');
        await time.advance(10);
        await second;
        expect(guard.state).toBe('closed');
      });
    }
  });

  test('a probe that is refused or aborted further inside gives its place back', async () => {
    await virtualTime(async (time) => {
      const guard = await ready(time);
      const slots = bulkhead({ limit: 1 });
      const busy = slots.run(() => deaf(500));
      expect(await errorOf(policy(guard, slots).run(() => expect.fail('ran')))).toMatchObject({
        code: 'BULKHEAD_FULL',
      });
      expect(guard.state).toBe('half-open');
      const controller = new AbortController();
      const aborted = errorOf(guard.run((s) => s.sleep('1h'), { signal: controller.signal }));
      controller.abort(new Error('cancelled'));
      await aborted;
      expect(guard.state).toBe('half-open');
      expect(await calls(guard, '+')).toBe('+');
      expect(guard.state).toBe('closed');
      await time.runAll();
      await busy;
    });
  });

  test('a probe whose caller was let go has settled for the breaker', async () => {
    await virtualTime(async (time) => {
      const guard = await ready(time);
      const probe = errorOf(policy(guard, timeout(10, { grace: 0 })).run(() => deaf(1_000)));
      await time.advance(10);
      await probe;
      expect(guard.state).toBe('open');
      await time.runAll();
      expect(guard.state).toBe('open');
    });
  });
});

describe('P6.4 isolated', () => {
  test('everything is refused until reset, which closes it', async () => {
    await virtualTime(async (time) => {
      const guard = breaker({ name: 'inventory' });
      guard.isolate();
      expect(guard.state).toBe('isolated');
      await time.advance('365d');
      expect(await errorOf(guard.run(() => expect.fail('ran')))).toMatchObject({
        state: 'isolated',
        retryAfterMs: Infinity,
        message: 'inventory is isolated: worth trying again when it is reset',
      });
      guard.reset();
      expect(await calls(guard, '+')).toBe('+');
    });
  });

  test('from every state; and from every state reset closes it, with nothing remembered', async () => {
    await virtualTime(async (time) => {
      const guard = breaker({ failures: 2, cooldown: (opens) => 100 * opens });
      const probes: unknown[] = [];
      const into: Record<string, () => unknown> = {
        closed: () => calls(guard, '-'),
        open: () => calls(guard, '--'),
        'half-open': async () => {
          await calls(guard, '--');
          await time.advance(100);
          probes.push(settle(() => guard.run(() => deaf(1))));
        },
        isolated: () => guard.isolate(),
      };
      for (const [state, enter] of Object.entries(into)) {
        for (const leave of [() => guard.reset(), () => (guard.isolate(), guard.reset())]) {
          await enter();
          expect(guard.state).toBe(state);
          leave();
          expect(guard.state).toBe('closed');
          expect(await calls(guard, '-+-+')).toBe('-+-+'); // no failure is remembered
          expect(guard.toJSON()).toMatchObject({ state: 'closed', opens: 0 });
        }
      }
      await time.runAll();
      await Promise.all(probes);
    });
  });

  test('transitions are told once; what changes nothing is not told', () => {
    const guard = breaker({ name: 'inventory' });
    guard.reset();
    expect(told('breaker:transition')).toEqual([]);
    guard.isolate();
    guard.isolate();
    guard.reset();
    guard.reset();
    expect(told('breaker:transition')).toMatchObject([
      { name: 'inventory', from: 'closed', to: 'isolated' },
      { name: 'inventory', from: 'isolated', to: 'closed' },
    ]);
  });
});

describe('P6.5 a result counts only in the period in which its call was let in', () => {
  test.each<[string, (guard: Breaker, time: VirtualTime) => unknown]>([
    ['it has opened', (guard) => fails(guard)],
    [
      'it has opened, and closed again',
      async (guard, time) => {
        await fails(guard);
        await time.advance(100);
        await guard.run(well);
        expect(guard.state).toBe('closed');
      },
    ],
    [
      'it is half-open',
      async (guard, time) => {
        await fails(guard);
        await time.advance(100);
        void guard.run(() => deaf(10_000));
        expect(guard.state).toBe('half-open');
      },
    ],
    ['it was isolated', (guard) => guard.isolate()],
    ['it was isolated, and reset', (guard) => (guard.isolate(), guard.reset())],
    ['it was reset', (guard) => guard.reset()],
  ])('not if meanwhile %s', async (_, change) => {
    for (const end of [well, down]) {
      await virtualTime(async (time) => {
        const guard = touchy({ cooldown: 100 });
        const stale = settle(() => guard.run(() => deaf(5_000).then(end)));
        await change(guard, time);
        const { state } = guard;
        await time.advance(5_000);
        await stale;
        expect(guard.state).toBe(state);
        await time.runAll();
      });
    }
  });
});

describe('P6.6 three outcomes', () => {
  const cause = (error: unknown, of: unknown): unknown => Object.assign(new Error('wrapped', { cause: of }), { error });

  test.each<[Effect, string, unknown]>([
    ['failure', 'an error that nothing is known of', new Error('who knows')],
    ['failure', 'a primitive', 'text'],
    ['failure', 'undefined', undefined],
    ['failure', 'a connection that was refused', Object.assign(new Error(), { code: 'ECONNREFUSED' })],
    ['failure', 'a status of 503', Object.assign(new Error(), { status: 503 })],
    ['success', 'a status of 404: the server has answered, and is well', Object.assign(new Error(), { status: 404 })],
    ['neither', 'a bug here', new TypeError('x is not a function')],
    ['neither', 'an overload here', Object.assign(new Error(), { code: 'EMFILE' })],
    ['neither', 'the refusal of another breaker', new CircuitOpenError('inner', 'open', 5)],
    ['neither', 'a cancellation that is not of this call', new DOMException('stop', 'AbortError')],
    ['failure', 'a timeout further inside', Object.assign(new Error('late'), { name: 'TimeoutError' })],
    ['failure', 'an error marked transient', transient(new Error('busy'))],
    ['neither', 'an error marked permanent', permanent(new Error('no such row'))],
    [
      'failure',
      'one that wraps a connection that was reset',
      cause(null, Object.assign(new Error(), { code: 'ECONNRESET' })),
    ],
  ])('%s: %s', async (effect, _, error) => {
    const { health } = classify(error);
    expect(effect).toBe(({ down: 'failure', up: 'success', none: 'neither' } as const)[health]);
    expect(await effectOf((guard) => guard.run(() => Promise.reject(error as Error)))).toBe(effect);
    // Likewise in an attempt whose signal was read: a failure aborts it.
    expect(
      await effectOf((guard) =>
        guard.run((s) => {
          expect(s.signal.aborted).toBe(false);
          throw error;
        }),
      ),
    ).toBe(effect);
  });

  test.each<[Effect, unknown]>([
    ['success', { status: 200 }],
    ['failure', { status: 503 }],
    ['success', { status: 404 }],
  ])('%s: the result %j, where failWhen judges all but 200 failures', async (effect, result) => {
    const judged = failWhen((r: { status: number }) => r.status !== 200);
    expect(await effectOf((guard) => policy(guard, judged).run(() => result))).toBe(effect);
  });

  test('success: a value, whatever the attempt was told meanwhile', async () => {
    expect(await effectOf((guard) => guard.run(well))).toBe('success');
    expect(await effectOf((guard) => policy(timeout(10), guard).run(() => deaf(20)))).toBe('success');
    const late = (guard: Breaker): Promise<unknown> => {
      const controller = new AbortController();
      const call = guard.run(() => deaf(20), { signal: controller.signal });
      controller.abort(new Error('cancelled'));
      return call;
    };
    expect(await effectOf(late)).toBe('success');
  });

  describe('neither: the caller’s cancellation, whatever its reason, and whoever lets go', () => {
    const reasons = [new Error('changed my mind'), 'text', undefined, new DOMException('stop', 'AbortError')];
    const places: [string, (guard: Breaker) => Policy][] = [
      ['alone', (guard) => guard],
      ['outside a timeout', (guard) => policy(guard, timeout('1h', { grace: 0 }))],
      ['inside a timeout', (guard) => policy(timeout('1h', { grace: 0 }), guard)],
      ['between two', (guard) => policy(timeout('1h'), retry({ attempts: 1 }), guard, timeout('2h'))],
    ];
    const bodies: [string, (s: Scope) => unknown][] = [
      ['a body that hears', (s) => s.sleep('30m')],
      [
        'a body that wraps it',
        (s) => s.sleep('30m').catch((error) => Promise.reject(new Error('wrapped', { cause: error }))),
      ],
      ['a body that is deaf', () => deaf(1_000)],
      ['a cleanup that takes long', (s) => s.defer(() => deaf(1_000))],
    ];
    test.each(places)('%s', async (place, wrap) => {
      for (const [body, op] of bodies) {
        // A deaf body comes to a success of its own where nobody lets go of it.
        if (place === 'alone' && !body.includes('hears') && !body.includes('wraps')) continue;
        for (const reason of reasons) {
          const effect = await effectOf(async (guard) => {
            const controller = new AbortController();
            const call = settle(() => wrap(guard).run(op, { signal: controller.signal }));
            await deaf(500);
            controller.abort(reason);
            return call;
          });
          expect([body, reason, effect]).toEqual([body, reason, 'neither']);
        }
      }
    });
  });

  describe('ended by a deadline outside the breaker: a failure if it had at least `blameAfter`, 100 ms, else neither', () => {
    const deadlines: [string, (guard: Policy, ms: number, op: (s: Scope) => unknown) => Promise<unknown>][] = [
      ['a timeout', (guard, ms, op) => policy(timeout(ms), guard).run(op)],
      [
        'a timeout, with one inside that is longer',
        (guard, ms, op) => policy(timeout(ms), guard, timeout('1h')).run(op),
      ],
      ['a timeout outside a retry', (guard, ms, op) => policy(timeout(ms), retry({ attempts: 1 }), guard).run(op)],
      ['a timeout in another stage', (guard, ms, op) => policy(timeout(ms), guard, retry({ attempts: 1 })).run(op)],
      ['the scope above', (guard, ms, op) => scope({ timeout: ms }, (s) => guard.run(op, { signal: s }))],
      ['the scope above, with a timeout inside', (guard, ms, op) =>
        scope({ timeout: ms }, (s) => policy(guard, timeout('1h')).run(op, { signal: s }))], // prettier-ignore
    ];
    test.each(deadlines)('%s', async (_, run) => {
      const sleeper = (s: Scope): Promise<void> => s.sleep('2h');
      expect(await effectOf((guard) => run(guard, 99.9, sleeper))).toBe('neither');
      expect(await effectOf((guard) => run(guard, 100, sleeper))).toBe('failure');
      expect(await effectOf((guard) => run(guard, 100, sleeper), { blameAfter: 101 })).toBe('neither');
      expect(await effectOf((guard) => run(guard, 1, sleeper), { blameAfter: 0 })).toBe('failure');
      expect(await effectOf((guard) => run(guard, 3_000_000, sleeper), { blameAfter: Infinity })).toBe('neither');
    });

    test('the wait in a queue does not count: it was not let in then', async () => {
      const late = (order: (guard: Breaker, slots: Policy) => Policy[]) => (guard: Breaker) => {
        const slots = bulkhead({ limit: 1, queue: 1 });
        const first = slots.run(() => deaf(950));
        return Promise.all([
          first,
          settle(() => policy(timeout(1_000), ...order(guard, slots)).run((s) => s.sleep('1h'))),
        ]);
      };
      expect(await effectOf(late((guard, slots) => [slots, guard]))).toBe('neither');
      expect(await effectOf(late((guard, slots) => [guard, slots]))).toBe('neither');
      expect(
        await effectOf(
          late((guard, slots) => [guard, slots]),
          { blameAfter: 50 },
        ),
      ).toBe('failure');
    });

    test('one that was still in a queue behind the breaker is neither, however long it waited', async () => {
      const effect = await effectOf((guard) => {
        const slots = bulkhead({ limit: 1, queue: 1 });
        return Promise.all([
          slots.run(() => deaf(5_000)),
          settle(() => policy(timeout(1_000), guard, slots).run(() => expect.fail('ran'))),
        ]);
      });
      expect(effect).toBe('neither');
    });

    test('a second attempt counts from its own start', async () => {
      const effect = await effectOf(
        (guard) =>
          policy(timeout(1_000), retry({ attempts: 2, backoff: constant(0) }), guard).run(async (s) => {
            if (s.attempt === 2) return s.sleep('1h');
            await s.sleep(950);
            throw Object.assign(new Error('busy here'), { code: 'EBUSY' }); // neither
          }),
        { blameAfter: 100 },
      );
      expect(effect).toBe('neither');
    });

    test('an error of its own that comes after the deadline counts as what it is', async () => {
      const own = (error: Error) => (guard: Breaker) =>
        policy(timeout(50), guard).run(async () => {
          await deaf(60);
          throw error;
        });
      expect(await effectOf(own(new Error('down')))).toBe('failure');
      expect(await effectOf(own(Object.assign(new Error(), { status: 404 })))).toBe('success');
      expect(await effectOf(own(new TypeError('a bug')))).toBe('neither');
    });

    test('a caller who cancels in the grace: nobody is blamed for a deadline that left less than `blameAfter`', async () => {
      const cancels = (ms: number) => async (guard: Breaker) => {
        const controller = new AbortController();
        void deaf(ms + 10).then(() => controller.abort(new Error('cancelled')));
        return policy(timeout(ms), guard).run(() => deaf(10_000), { signal: controller.signal });
      };
      expect(await effectOf(cancels(50))).toBe('neither');
      expect(await effectOf(cancels(500))).toBe('failure');
    });
  });

  describe('ended by a timeout inside the breaker: always a failure', () => {
    const inside: [string, (guard: Policy, grace: number) => Policy][] = [
      ['of the attempt', (guard, grace) => policy(guard, timeout(5, { grace }))],
      ['of the attempt, in a retry', (guard, grace) => policy(retry({ attempts: 1 }), guard, timeout(5, { grace }))],
      ['in another stage', (guard, grace) => policy(guard, retry({ attempts: 1 }), timeout(5, { grace }))],
      ['with a longer one outside', (guard, grace) => policy(timeout('1h'), guard, timeout(5, { grace }))],
    ];
    test.each(inside)('%s', async (_, wrap) => {
      for (const grace of [0, 25]) {
        expect(await effectOf((guard) => wrap(guard, grace).run((s) => s.sleep('2h')))).toBe('failure');
        expect(await effectOf((guard) => wrap(guard, grace).run(() => deaf(1_000)))).toBe('failure');
      }
    });

    test('also if the caller cancels in its grace', async () => {
      const effect = await effectOf((guard) => {
        const controller = new AbortController();
        void deaf(15).then(() => controller.abort(new Error('cancelled')));
        return policy(guard, timeout(5, { grace: 25 })).run(() => deaf(1_000), { signal: controller.signal });
      });
      expect(effect).toBe('failure');
    });
  });

  test('neither: what a hook of a layer inside throws, which let nothing run', async () => {
    const effect = await effectOf(async (guard) => {
      const slots = bulkhead({ limit: 1, queue: 1, priority: () => throws(new Error('priority')) });
      const busy = slots.run(() => deaf(10));
      const error = await errorOf(policy(guard, slots).run(well));
      expect(error).toMatchObject({ message: 'priority' });
      return busy;
    });
    expect(effect).toBe('neither');
  });

  test('a neither changes nothing: failures in a row go on being counted', async () => {
    const guard = breaker({ failures: 2 });
    const bug = (): never => {
      throw new TypeError('a bug');
    };
    await fails(guard);
    await errorOf(guard.run(bug));
    expect(guard.state).toBe('closed');
    await fails(guard);
    expect(guard.state).toBe('open');
  });

  test('each attempt of a retry outside is a call of its own', async () => {
    const guard = breaker({ failures: 3 });
    const outcome = await policy(retry({ attempts: 5, backoff: constant(0) }), guard).settle(down);
    expect(outcome.attempts.map(({ refused }) => refused)).toEqual([false, false, false, true]);
    expect(outcome.stoppedBy).toBe('refused');
  });
});

describe('P6.6 judge', () => {
  test.each<Effect>(['success', 'failure', 'neither'])('decides: %s, whatever the rules say', async (answer) => {
    const judge = (): Effect => answer;
    expect(await effectOf((guard) => guard.run(well), { judge })).toBe(answer);
    expect(await effectOf((guard) => guard.run(() => Promise.reject(new Error('mine'))), { judge })).toBe(answer);
    expect(await effectOf((guard) => guard.run(() => Promise.reject(new TypeError('mine'))), { judge })).toBe(answer);
  });

  test('leaves it to the rules with undefined, and is told what they say', async () => {
    const seen: BreakerOutcome[] = [];
    const guard = breaker({ judge: (outcome) => void seen.push(outcome) });
    const error = Object.assign(new Error(), { status: 404 });
    const result = { status: 503 };
    await guard.run(well);
    await errorOf(guard.run(() => Promise.reject(error)));
    await policy(
      guard,
      failWhen(() => true),
    ).run(() => result);
    await fails(guard);
    expect(seen).toEqual([
      { ok: true, error: undefined, classification: undefined, effect: 'success' },
      { ok: false, error, classification: classify(error), effect: 'success' },
      { ok: false, error: result, classification: classify(result), effect: 'failure' },
      { ok: false, error: new Error('down'), classification: classify(new Error('down')), effect: 'failure' },
    ]);
    expect(seen.every((outcome) => Object.isFrozen(outcome))).toBe(true);
  });

  test('is asked of a call that was refused or cancelled further inside, which is neither', async () => {
    const effects: Effect[] = [];
    const guard = breaker({ judge: ({ effect }) => void effects.push(effect) });
    const slots = bulkhead({ limit: 1, queue: 1 });
    const controller = new AbortController();
    const gate = Promise.withResolvers<void>();
    const busy = slots.run(() => gate.promise);
    const waits = errorOf(policy(guard, slots).run(well, { signal: controller.signal }));
    await errorOf(policy(guard, slots).run(well));
    controller.abort(new Error('cancelled'));
    await waits;
    gate.resolve();
    await busy;
    expect(effects).toEqual(['neither', 'neither']);
  });

  test('is not asked of a call that the breaker itself refused', async () => {
    const guard = touchy({ judge: ({ ok }) => (ok ? expect.fail('asked') : undefined) });
    await fails(guard);
    expect(await calls(guard, '+')).toBe('x');
  });

  test('P2.5 that throws ends the call with that; the rules decide what it counts as, and the attempt’s own error is kept', async () => {
    const thrown = new Error('judge');
    const throwing = (): Breaker =>
      touchy({
        judge: () => {
          throw thrown;
        },
      });
    const failure = new Error('down');
    const opens = throwing();
    const outcome = await policy(retry({ attempts: 3 }), opens).settle(() => Promise.reject(failure));
    expect(outcome).toMatchObject({ error: thrown, stoppedBy: 'verdict' });
    expect(outcome.attempts).toHaveLength(1);
    expect(suppressedErrors(thrown)).toEqual([failure]);
    expect(opens.state).toBe('open');

    const disposed: string[] = [];
    const stays = throwing();
    const error = await errorOf(stays.run(() => ({ [Symbol.dispose]: () => disposed.push('result') })));
    expect(error).toBe(thrown);
    expect(disposed).toEqual(['result']);
    expect(stays.state).toBe('closed');
  });

  test('P2.5 that throws at a call that is aborted in a queue behind it ends that too', async () => {
    const thrown = new Error('judge');
    const reason = new Error('cancelled');
    const slots = bulkhead({ limit: 1, queue: 1 });
    const guard = breaker({
      judge: () => {
        throw thrown;
      },
    });
    const gate = Promise.withResolvers<void>();
    const busy = slots.run(() => gate.promise);
    const controller = new AbortController();
    const waits = errorOf(policy(guard, slots).run(well, { signal: controller.signal }));
    controller.abort(reason);
    expect(await waits).toBe(thrown);
    expect(suppressedErrors(thrown)).toEqual([reason]);
    gate.resolve();
    await busy;
  });

  test('P2.7 is asked in the async context of the call, whoever aborts it or lets go of it', async () => {
    const storage = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    const guard = breaker({ judge: () => void seen.push(storage.getStore()) });
    const slots = bulkhead({ limit: 1, queue: 5 });
    await virtualTime(async (time) => {
      const controller = new AbortController();
      const { signal } = controller;
      const work = storage.run('call', () => [
        slots.run(() => deaf(500)),
        settle(() => policy(guard, slots).run(well, { signal })),
        settle(() => policy(guard, timeout(50, { grace: 0 })).run(() => deaf(100))),
        settle(() => policy(timeout('1h', { grace: 0 }), guard).run(() => deaf(100), { signal })),
        settle(() => policy(timeout(50, { grace: 0 }), guard).run(() => deaf(100))),
      ]);
      await storage.run('nobody', async () => {
        await time.advance(60);
        controller.abort(new Error('cancelled'));
        await time.runAll();
      });
      await Promise.all(work);
    });
    expect(seen).toEqual(Array.from({ length: 4 }, () => 'call'));
  });
});

describe('P1.1 the same instance', () => {
  test('in two policies is shared, and counts for both', async () => {
    const guard = breaker({ failures: 2 });
    await fails(policy(retry({ attempts: 1 }), guard));
    await fails(policy(guard, timeout('1s')));
    expect(await calls(policy(timeout('1s'), guard), '+')).toBe('x');
    expect(await calls(guard, '+')).toBe('x');
  });

  test('another one in the same policy counts for itself', async () => {
    const [outer, inner] = [breaker({ failures: 3, name: 'outer' }), breaker({ failures: 1, name: 'inner' })];
    const both = policy(outer, inner);
    expect(await calls(both, '-+++')).toBe('-xxx');
    expect([outer.state, inner.state]).toEqual(['closed', 'open']);
    expect(String(both)).toBe('breaker outer → breaker inner');
  });

  test('in a policy on virtual time and on real time goes on: what the other clock had measured is over', async () => {
    const guard = touchy({ cooldown: 1_000 });
    await virtualTime(async (time) => {
      await time.advance(1e9);
      await fails(guard);
      expect(guard.state).toBe('open');
    });
    expect(await calls(guard, '+')).toBe('+');
  });
});

describe('P9 dryRun', () => {
  test('lets everything pass, and tells of what it would have refused', async () => {
    await virtualTime(async (time) => {
      const guard = touchy({ dryRun: true, name: 'trial', cooldown: 100 });
      expect(await calls(guard, '-+-+')).toBe('-+-+');
      expect(guard.state).toBe('open');
      expect(told('breaker:refused')).toEqual(
        Array.from({ length: 3 }, () => ({
          event: 'breaker:refused',
          name: 'trial',
          at: 0,
          state: 'open',
          retryAfterMs: 100,
          dryRun: true,
        })),
      );
      await time.advance(100);
      expect(await calls(guard, '+')).toBe('+');
      expect(moves()).toEqual(['closed → open at 0', 'open → half-open at 100', 'half-open → closed at 100']);
    });
  });

  test('what it would have refused does not count', async () => {
    await virtualTime(async (time) => {
      const judged: unknown[] = [];
      const guard = touchy({ dryRun: true, cooldown: 100, judge: ({ ok }) => void judged.push(ok) });
      await fails(guard);
      await time.advance(100);
      const probe = settle(() => guard.run(() => deaf(50)));
      expect(await calls(guard, '-----')).toBe('-----'); // beside the probe
      expect(guard.state).toBe('half-open');
      await time.advance(50);
      await probe;
      expect(guard.state).toBe('closed');
      expect(judged).toEqual([false, true]);
    });
  });

  test('lets pass when it is isolated too', async () => {
    const guard = breaker({ dryRun: true });
    guard.isolate();
    expect(await calls(guard, '+-')).toBe('+-');
    expect(told('breaker:refused')).toMatchObject([
      { state: 'isolated', retryAfterMs: Infinity, dryRun: true },
      { state: 'isolated' },
    ]);
  });
});

describe('events', () => {
  test('a listener that isolates or resets does no harm to the call', async () => {
    const guard = touchy({ cooldown: 0 });
    using _transition = onEvent('breaker:transition', ({ to }) => {
      if (to === 'open') guard.reset();
    });
    expect(await calls(guard, '--+')).toBe('--+');
    expect(guard.state).toBe('closed');
    using _start = onEvent('attempt:start', () => guard.isolate());
    expect(await calls(guard, '+-')).toBe('+x');
  });
});

test('a listener of the transition to half-open that aborts the call keeps it from running; the probe’s place is given back', async () => {
  const reason = new Error('cancelled');
  for (const layers of [(guard: Breaker): Policy => guard, (guard: Breaker): Policy => policy(timeout('1h'), guard)]) {
    const guard = touchy({ cooldown: 0 });
    await fails(guard);
    const controller = new AbortController();
    using _ = onEvent('breaker:transition', () => controller.abort(reason));
    const outcome = await layers(guard).settle(() => expect.fail('ran'), { signal: controller.signal });
    expect(outcome).toMatchObject({ error: reason, stoppedBy: 'cancelled', attempts: [{ refused: true }] });
    expect(guard.state).toBe('half-open');
    expect(await calls(guard, '+')).toBe('+');
  }
});

describe('a snapshot', () => {
  test('through JSON goes on where the other one was, in every state', async () => {
    await virtualTime(async (time) => {
      const options: BreakerOptions = { failures: 2, cooldown: 1_000, probes: 2, ratio: 0.9, window: '10s' };
      const reload = (guard: Breaker): Breaker => breaker({ ...options, restore: JSON.parse(JSON.stringify(guard)) });
      let guard = breaker(options);
      await fails(guard);
      guard = reload(guard);
      expect(guard.state).toBe('closed');
      expect(await calls(guard, '-')).toBe('-'); // the second failure in a row
      expect(guard.state).toBe('open');
      await time.advance(400);
      guard = reload(guard);
      expect(await errorOf(guard.run(well))).toMatchObject({ state: 'open', retryAfterMs: 600 });
      await time.advance(600);
      expect(await calls(guard, '+')).toBe('+'); // the first of two probes
      guard = reload(guard);
      expect(guard.state).toBe('half-open');
      expect(await calls(guard, '+')).toBe('+');
      expect(guard.state).toBe('closed');
      guard.isolate();
      guard = reload(guard);
      expect(await calls(guard, '+')).toBe('x');
    });
  });

  test('goes on under another clock', async () => {
    let text = '';
    await virtualTime(async (time) => {
      await time.advance(1e9);
      const guard = touchy({ cooldown: '1h' });
      await fails(guard);
      await time.advance('20m');
      text = JSON.stringify(guard);
    });
    await virtualTime(async (time) => {
      const guard = touchy({ restore: JSON.parse(text) });
      expect(await errorOf(guard.run(well))).toMatchObject({ retryAfterMs: 40 * 60_000 });
      await time.advance('40m');
      expect(await calls(guard, '+')).toBe('+');
    });
  });

  const valid = { version: 1, state: 'closed', opens: 0, failures: 0, successes: 0, remainingMs: 0, window: null };

  test.each<[string, unknown, string]>([
    ['null', null, 'restore'],
    ['text', 'open', 'restore'],
    ['an empty list', [], 'restore'],
    ['another version', { ...valid, version: 2 }, 'restore'],
    ['a state that there is not', { ...valid, state: 'ajar' }, 'restore.state'],
    ['no state', { ...valid, state: undefined }, 'restore.state'],
    ['a negative count', { ...valid, failures: -1 }, 'restore.failures'],
    ['a count that is text', { ...valid, opens: '1' }, 'restore.opens'],
    ['an endless count', { ...valid, successes: Infinity }, 'restore.successes'],
    ['a time that is none', { ...valid, remainingMs: NaN }, 'restore.remainingMs'],
  ])('is refused if it is %s, and nothing is made', (_, restore, option) => {
    expect(() => breaker({ restore })).toThrow(expect.objectContaining({ code: 'BAD_OPTION', option }));
  });

  test('of hostile getters throws what they throw', () => {
    const hostile = Object.defineProperty({ ...valid }, 'state', { get: () => expect.fail('hostile') });
    expect(() => breaker({ restore: hostile })).toThrow('hostile');
  });

  test('any JSON is taken or refused with BAD_OPTION, and what was taken works', () =>
    fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.jsonValue(),
          fc.record(
            {
              version: fc.constantFrom(1, 1, 1, 2),
              state: fc.constantFrom('closed', 'open', 'half-open', 'isolated', 'x'),
              opens: fc.oneof(fc.nat(5), fc.jsonValue()),
              failures: fc.oneof(fc.nat(5), fc.jsonValue()),
              successes: fc.oneof(fc.nat(5), fc.jsonValue()),
              remainingMs: fc.oneof(fc.nat(5_000), fc.jsonValue()),
              window: fc.oneof(fc.array(fc.nat(4)), fc.jsonValue()),
            },
            { requiredKeys: ['version', 'state', 'opens', 'failures', 'successes', 'remainingMs'] },
          ),
        ),
        (restore) =>
          virtualTime(async () => {
            const made = await settle(() => breaker({ ratio: 0.5, lastCalls: 4, restore }));
            if ('error' in made) {
              expect(made.error).toMatchObject({ code: 'BAD_OPTION' });
              return;
            }
            const guard = made.value as Breaker;
            expect(guard.state).toBe((restore as { state: string }).state);
            await calls(guard, '+-+-');
            guard.reset();
            expect(await calls(guard, '+')).toBe('+');
          }),
      ),
      { seed, numRuns: 300 },
    ));
});

describe('whatever happens', () => {
  const op = fc.record({
    startMs: fc.nat(2_000),
    workMs: fc.nat(300),
    ends: fc.constantFrom('value' as const, 'down' as const, 'bug' as const, 'gone' as const),
    hears: fc.boolean(),
    abortMs: fc.option(fc.nat(300), { nil: undefined }),
    timeoutMs: fc.option(fc.nat(300), { nil: undefined }),
    inside: fc.boolean(),
    grace: fc.constantFrom(0, 10, Infinity),
    control: fc.constantFrom(undefined, undefined, undefined, 'isolate' as const, 'reset' as const),
  });

  test('its transitions are those of the diagram, half-open lets at most `probes` through, and it can always be closed', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(op, { minLength: 1, maxLength: 30 }),
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 1, max: 2 }),
        async (ops, failures, probes) => {
          const allowed = new Set([
            'closed → open',
            'open → half-open',
            'half-open → closed',
            'half-open → open',
            'isolated → closed',
            'open → closed', // by reset
            ...['closed', 'open', 'half-open'].map((state) => `${state} → isolated`),
          ]);
          const guard = breaker({ failures, probes, cooldown: 200, probeLease: '1h' });
          const seen: string[] = ['closed'];
          let period = { running: 0 };
          let most = 0;
          using _ = onEvent('breaker:transition', ({ from, to }) => {
            if (from !== seen.at(-1)) seen.push(`not from ${from}`);
            if (!allowed.has(`${from} → ${to}`)) seen.push(`never ${from} → ${to}`);
            seen.push(to);
            period = { running: 0 };
          });
          await virtualTime(async (time) => {
            const work = Promise.all(
              ops.map(async ({ startMs, workMs, ends, hears, abortMs, timeoutMs, inside, grace, control }) => {
                const controller = new AbortController();
                await deaf(startMs);
                if (control !== undefined) return guard[control]();
                if (abortMs !== undefined) void deaf(abortMs).then(() => controller.abort(new Error('cancelled')));
                const limit = timeoutMs === undefined ? [] : [timeout(timeoutMs, { grace })];
                const layers = policy(...(inside ? [guard, ...limit] : [...limit, guard]));
                return settle(() =>
                  layers.run(
                    async (s) => {
                      const own = period;
                      // One that is let go of gives its place back before its body has settled.
                      if (guard.state === 'half-open' && abortMs === undefined && timeoutMs === undefined) {
                        most = Math.max(most, ++own.running);
                        s.defer(() => void own.running--);
                      }
                      await (hears ? s.sleep(workMs) : deaf(workMs));
                      if (ends === 'down') throw new Error('down');
                      if (ends === 'bug') throw new TypeError('a bug');
                      if (ends === 'gone') throw Object.assign(new Error(), { status: 404 });
                    },
                    { signal: controller.signal },
                  ),
                );
              }),
            );
            await time.runAll();
            await work;
            guard.reset();
            expect(await calls(guard, '+')).toBe('+');
          });
          expect(seen.filter((it) => it.includes(' '))).toEqual([]);
          expect(most).toBeLessThanOrEqual(probes);
        },
      ),
      { seed, numRuns: 150 },
    ));
});

test('on real time a cooldown is not over early', async () => {
  const guard = touchy({ cooldown: 30 });
  await fails(guard);
  const startedMs = performance.now();
  let error: unknown;
  do {
    error = await guard.run(() => undefined).catch((refused) => refused);
    await new Promise((resolve) => setTimeout(resolve, 1));
  } while (error instanceof CircuitOpenError);
  expect(error).toBe(undefined);
  expect(performance.now() - startedMs).toBeGreaterThanOrEqual(29); // it had opened a moment before
});

describe('P1.2 options', () => {
  const bad = (option: string, given: unknown): unknown =>
    expect.objectContaining({ code: 'BAD_OPTION', option, given });

  test.each<[string, object, unknown?]>([
    ['failures', { failures: 0 }],
    ['failures', { failures: 1.5 }],
    ['failures', { failures: NaN }],
    ['failures', { failures: Infinity }],
    ['failures', { failures: '5' }],
    ['failures', { failures: null }],
    ['ratio', { ratio: 0, lastCalls: 10 }],
    ['ratio', { ratio: 1.01, lastCalls: 10 }],
    ['ratio', { ratio: NaN, lastCalls: 10 }],
    ['ratio', { ratio: '50%', lastCalls: 10 }],
    ['ratio', { ratio: 0.5 }],
    ['window', { ratio: 0.5, window: 0 }],
    ['window', { ratio: 0.5, window: '0s' }],
    ['window', { ratio: 0.5, window: -1 }],
    ['window', { ratio: 0.5, window: 'long' }],
    ['window', { window: '10s' }],
    ['lastCalls', { lastCalls: 10 }, 10],
    ['lastCalls', { ratio: 0.5, lastCalls: 0 }],
    ['lastCalls', { ratio: 0.5, lastCalls: 2.5 }],
    ['lastCalls', { ratio: 0.5, lastCalls: '5' }],
    ['lastCalls', { ratio: 0.5, lastCalls: 5, window: '10s' }],
    ['minCalls', { ratio: 0.5, lastCalls: 10, minCalls: 0 }],
    ['minCalls', { ratio: 0.5, lastCalls: 10, minCalls: 11 }],
    ['minCalls', { ratio: 0.5, window: '10s', minCalls: 0.5 }],
    ['slow', { slow: { over: 10, ratio: 0.5 } }],
    ['slow', { slow: null, lastCalls: 10 }],
    ['slow', { slow: 5, lastCalls: 10 }],
    ['slow.ratio', { slow: { over: 10, ratio: 2 }, lastCalls: 10 }, 2],
    ['slow.ratio', { slow: { over: 10 }, lastCalls: 10 }, undefined],
    ['slow.over', { slow: { ratio: 0.5 }, lastCalls: 10 }, undefined],
    ['slow.over', { slow: { over: -1, ratio: 0.5 }, lastCalls: 10 }, -1],
    ['under', { slow: { over: 10, ratio: 0.5, under: 5 }, lastCalls: 10 }, 5],
    ['cooldown', { cooldown: -1 }],
    ['cooldown', { cooldown: 'long' }],
    ['cooldown', { cooldown: null }],
    ['probes', { probes: 0 }],
    ['probes', { probes: Infinity }],
    ['probes', { probes: null }],
    ['probeLease', { probeLease: 0 }],
    ['probeLease', { probeLease: -1 }],
    ['probeLease', { probeLease: null }],
    ['blameAfter', { blameAfter: -1 }],
    ['blameAfter', { blameAfter: null }],
    ['judge', { judge: 'success' }],
    ['judge', { judge: null }],
    ['dryRun', { dryRun: 1 }],
    ['dryRun', { dryRun: null }],
    ['name', { name: 5 }],
    ['name', { name: null }],
    ['threshold', { threshold: 5 }],
  ])('%s: %j is refused', (option, options, ...rest) => {
    const given = rest.length > 0 ? rest[0] : (options as Record<string, unknown>)[option];
    expect(() => breaker(options)).toThrow(bad(option, given));
  });

  test.each([null, 5, 'open'] as never[])('options that are no object are refused: %s', (options) => {
    expect(() => breaker(options)).toThrow(bad('breaker', options));
  });

  test('the message names option, range and value; what is out of range is a RangeError', () => {
    expect(() => breaker({ failures: 0 })).toThrow('failures: expected a whole number from 1; got 0');
    expect(() => breaker({ ratio: 2, lastCalls: 5 })).toThrow('ratio: expected a share above 0, to 1; got 2');
    expect(() => breaker({ ratio: 0.5 })).toThrow('ratio: expected window or lastCalls beside it; got 0.5');
    expect(() => breaker({ ratio: 0.5, lastCalls: 10, minCalls: 11 })).toThrow(
      'minCalls: expected at most lastCalls; got 11',
    );
    expect(() => breaker({ ratio: 1, window: 0 })).toThrow('window: expected a duration above 0; got 0');
    expect(() => breaker({ failures: 0 })).toThrow(RangeError);
    expect(() => breaker({ probes: '1' as never })).toThrow(TypeError);
  });

  test('undefined ones are as if they were not there', async () => {
    const none = { ratio: undefined, window: undefined, lastCalls: undefined, minCalls: undefined, slow: undefined };
    const more = {
      probes: undefined,
      probeLease: undefined,
      blameAfter: undefined,
      judge: undefined,
      dryRun: undefined,
    };
    const guard = breaker({
      failures: undefined,
      ...none,
      ...more,
      restore: undefined,
      cooldown: undefined,
      name: undefined,
    });
    expect([String(guard), guard.name, guard.state]).toEqual(['breaker', 'breaker', 'closed']);
    expect(await calls(guard, '-----+')).toBe('-----x');
  });

  test('it is shown with its name', () => {
    expect(String(breaker({ name: 'inventory' }))).toBe('breaker inventory');
    expect(String(policy(timeout('3s'), breaker()))).toBe('timeout 3s → breaker');
  });
});
