/** What an error tells of its call (P2.2, P3.14): `attemptsOf`, `stoppedBy`, `explain`. */
import { describe, expect, test } from 'vitest';
import { fail, recordEvents, scripted, virtualTime } from '../../testing/index.ts';
import { errorInTime, errorOf } from '../../../test/settle.ts';
import { watchUnhandledRejections } from '../../../test/unhandled.ts';
import {
  attemptsOf,
  breaker,
  BulkheadFullError,
  bulkhead,
  CircuitOpenError,
  constant,
  explain,
  failWhen,
  fallback,
  policy,
  retry,
  stoppedBy,
  timeout,
  TimeoutError,
  transient,
} from '../../index.ts';

watchUnhandledRejections();

const zero = constant(0);
const throws = (error: unknown) => (): never => {
  throw error;
};

describe('attemptsOf', () => {
  test('has each attempt: its number, error, verdict, and what was waited before it', async () => {
    const [first, last] = [new Error('first'), Object.assign(new Error('last'), { code: 'ECONNREFUSED' })];
    const error = await errorInTime(() =>
      retry({ attempts: 2, backoff: constant(100) }).run(scripted([fail(first), fail(last)])),
    );
    expect(error).toBe(last);
    const shared = { refused: false, abandoned: false };
    expect(attemptsOf(error)).toEqual([
      { number: 1, error: first, startedAt: null, durationMs: null, delayMs: 0, verdict: 'unknown', ...shared },
      { number: 2, error: last, startedAt: 100, durationMs: 0, delayMs: 100, verdict: 'transient', ...shared },
    ]);
  });

  test('has the times of the first attempt too, if something needed the clock, or somebody listens', async () => {
    const failing = async (s: { sleep(ms: number): Promise<void> }): Promise<void> => {
      await s.sleep(30);
      throw new Error('down');
    };
    const limited = await errorInTime(() => retry({ attempts: 1, maxElapsed: '1h' }).run(failing));
    expect(attemptsOf(limited)).toMatchObject([{ startedAt: 0, durationMs: 30 }]);
    using _ = recordEvents();
    const observed = await errorInTime(() => retry({ attempts: 1 }).run(failing));
    expect(attemptsOf(observed)).toMatchObject([{ startedAt: 0, durationMs: 30 }]);
  });

  test('has no time of a later attempt that nothing has timed, when the time of the call ends it', async () => {
    const error = await errorInTime(() =>
      policy(timeout(100), retry({ backoff: zero, idempotent: true })).run(async (s) => {
        await s.sleep(s.attempt === 1 ? 70 : 500);
        throw new Error('first');
      }),
    );
    expect(attemptsOf(error)).toMatchObject([
      { number: 1, startedAt: null },
      { number: 2, startedAt: null, durationMs: null, error },
    ]);
    const only = await errorInTime(() => timeout(100).run((s) => s.sleep(500)));
    expect(attemptsOf(only)).toMatchObject([{ number: 1, startedAt: 0, durationMs: 100 }]);
  });

  test('marks an attempt that a layer refused, and one that was abandoned', async () => {
    await virtualTime(async (time) => {
      const gate = bulkhead({ limit: 1 });
      const first = gate.run((s) => s.sleep(10));
      const refused = await errorOf(policy(retry(), gate).run(() => expect.fail('ran')));
      expect(attemptsOf(refused)).toMatchObject([{ number: 1, refused: true, abandoned: false, error: refused }]);
      const deaf = Promise.withResolvers<void>();
      const call = errorOf(policy(retry({ idempotent: false }), timeout(10)).run(() => deaf.promise));
      await time.advance(100);
      const abandoned = await call;
      expect(attemptsOf(abandoned)).toMatchObject([{ number: 1, refused: false, abandoned: true, error: abandoned }]);
      deaf.resolve();
      await first;
    });
  });

  test('has a result that was judged a failure in the place of the error', async () => {
    const bad = { status: 429 };
    const error = new Error('then');
    const op = scripted<unknown>([bad, fail(error)]);
    const judged = policy(
      retry({ attempts: 2, backoff: zero }),
      failWhen((it) => it === bad),
    );
    expect(await errorOf(judged.run(op))).toBe(error);
    expect(attemptsOf(error)).toMatchObject([{ error: bad, verdict: 'transient' }, { error }]);
  });

  test('is frozen, and so is each attempt', async () => {
    const attempts = attemptsOf(await errorOf(retry({ attempts: 1 }).run(throws(new Error('down')))));
    expect(Object.isFrozen(attempts)).toBe(true);
    expect(Object.isFrozen(attempts[0])).toBe(true);
  });

  test('tells of the last call that an error came out of', async () => {
    const shared = new Error('shared');
    await errorOf(retry({ attempts: 3, backoff: zero }).run(throws(shared)));
    expect(attemptsOf(shared)).toHaveLength(3);
    await errorOf(retry({ attempts: 1 }).run(throws(shared)));
    expect(attemptsOf(shared)).toHaveLength(1);
  });

  test('tells of frozen errors, and writes to none', async () => {
    const frozen = Object.freeze(new Error('frozen'));
    expect(await errorOf(retry({ attempts: 2, backoff: zero }).run(throws(frozen)))).toBe(frozen);
    expect(attemptsOf(frozen)).toHaveLength(2);
    const plain = new Error('plain');
    const keys = Reflect.ownKeys(plain);
    await errorOf(retry({ attempts: 2, backoff: zero }).run(throws(plain)));
    expect(Reflect.ownKeys(plain)).toEqual(keys);
  });

  test('is empty for an error that came out of no policy, and for primitives', async () => {
    expect(attemptsOf(new Error('elsewhere'))).toEqual([]);
    for (const primitive of [undefined, null, 0, 'text', Symbol('s'), 1n]) {
      await policy(retry({ attempts: 1 })).settle(throws(primitive));
      expect(attemptsOf(primitive)).toEqual([]);
      expect(stoppedBy(primitive)).toBeUndefined();
    }
  });

  test('has what the retry saw, wherever that stands', async () => {
    const op = throws(new Error('down'));
    for (const made of [
      policy(retry({ attempts: 2, backoff: zero }), timeout('1s'), breaker({ failures: 9 })),
      policy(breaker({ failures: 9 }), retry({ attempts: 2, backoff: zero })),
      policy(
        timeout('1s'),
        bulkhead({ limit: 1 }),
        retry({ attempts: 2, backoff: zero }),
        timeout('1s'),
        timeout('1s'),
      ),
      policy(fallback(throws(new Error('fallback'))), retry({ attempts: 2, backoff: zero })),
    ]) {
      const outcome = await made.settle(op);
      expect(outcome.attempts.map(({ number }) => number)).toEqual([1, 2]);
      expect(outcome.stoppedBy).toBe('attempts');
    }
  });

  test('has what the outermost of two retries saw', async () => {
    const made = policy(
      retry({ attempts: 2, backoff: zero }),
      breaker({ failures: 99 }),
      retry({ attempts: 3, backoff: zero }),
    );
    let runs = 0;
    const error = await errorOf(
      made.run(() => {
        runs++;
        throw new Error('down');
      }),
    );
    expect(runs).toBe(6);
    expect(attemptsOf(error).map(({ number }) => number)).toEqual([1, 2]);
  });

  test('keeps the newest hundred of a call that makes attempts without end', async () => {
    for (const attempts of [99, 100, 101, 150, 199, 200, 250, 1000]) {
      const error = await errorInTime(() =>
        retry({ attempts, backoff: constant(5), budget: false }).run((s) => {
          throw new Error(`${s.attempt}`);
        }),
      );
      const kept = attemptsOf(error);
      expect(kept).toHaveLength(Math.min(attempts, 100));
      expect(kept.at(-1)?.number).toBe(attempts);
      for (const [place, attempt] of kept.entries()) {
        expect(attempt.number).toBe((kept[0]?.number as number) + place);
        expect(attempt.error).toEqual(new Error(`${attempt.number}`));
        expect(attempt.delayMs).toBe(attempt.number === 1 ? 0 : 5);
      }
    }
  });
});

describe('P3.14 stoppedBy, without a retry', () => {
  test('is the refusal', async () => {
    const open = breaker({ failures: 1 });
    await errorOf(open.run(throws(new Error('down'))));
    const error = await errorOf(open.run(() => expect.fail('ran')));
    expect(error).toBeInstanceOf(CircuitOpenError);
    expect(stoppedBy(error)).toBe('refused');
  });

  test('is the attempts otherwise: there is one', async () => {
    for (const made of [policy(), timeout('1h'), breaker(), policy(breaker(), timeout('1h'), breaker())]) {
      const error = await errorInTime(() => made.run(throws(new Error('down'))));
      expect(stoppedBy(error)).toBe('attempts');
      expect(attemptsOf(error)).toMatchObject([{ number: 1, error }]);
    }
  });

  test('is the deadline for the timeout of a layer', async () => {
    for (const made of [
      timeout(10),
      policy(timeout('1h'), timeout(10)),
      policy(timeout(10), breaker(), timeout('1h')),
    ]) {
      const error = await errorInTime(() => made.run((s) => s.sleep('1h')));
      expect(error).toBeInstanceOf(TimeoutError);
      expect(stoppedBy(error)).toBe('deadline');
    }
  });

  test('is the cancellation', async () => {
    for (const made of [policy(), timeout('1h'), policy(breaker(), timeout('1h'), breaker())]) {
      const controller = new AbortController();
      const call = errorInTime(() => made.run((s) => s.sleep('1h'), { signal: controller.signal }));
      const reason = new Error('cancelled');
      controller.abort(reason);
      expect(await call).toBe(reason);
      expect(stoppedBy(reason)).toBe('cancelled');
    }
  });

  test('is known of an error by itself, where no call has reported it', () => {
    expect(stoppedBy(new CircuitOpenError('b', 'open', 5))).toBe('refused');
    expect(stoppedBy(new BulkheadFullError('b', 1, 0, 'full'))).toBe('refused');
    expect(stoppedBy(new TimeoutError('scope', 5))).toBe('deadline');
    expect(stoppedBy(new Error('elsewhere'))).toBeUndefined();
  });
});

describe('explain', () => {
  test('tells of each attempt, and why there was no other', async () => {
    const busy = transient(new Error('busy'), { retryAfter: '2s' });
    const op = scripted([fail(busy), fail('text')]);
    const error = await errorInTime(() =>
      retry({ attempts: 3, backoff: constant(500) }).run(scripted([fail(busy), fail(busy), fail(busy)])),
    );
    expect(explain(error)).toBe(
      [
        'gave up after 3 attempts, because the attempts were used up',
        '  1. Error: busy (transient)',
        '  2. Error: busy (transient, after 2500 ms, took 0 ms)',
        '  3. Error: busy (transient, after 2500 ms, took 0 ms)',
      ].join('\n'),
    );
    await errorOf(retry({ attempts: 1 }).run(op));
    const once = await errorOf(retry({ attempts: 1 }).run(throws(new TypeError('x is not a function'))));
    expect(explain(once)).toBe(
      'gave up after 1 attempt, because the attempts were used up\n  1. TypeError: x is not a function (permanent)',
    );
  });

  test('tells of refusals and of abandoned attempts', async () => {
    await virtualTime(async (time) => {
      const gate = bulkhead({ limit: 1, name: 'db' });
      const first = gate.run((s) => s.sleep(10));
      const refused = await errorOf(policy(retry(), gate).run(() => expect.fail('ran')));
      expect(explain(refused)).toBe(
        [
          'gave up after 1 attempt, because a layer refused to let it run',
          `  1. BulkheadFullError: ${refused.message} (refused)`,
        ].join('\n'),
      );
      const deaf = Promise.withResolvers<void>();
      const call = errorOf(
        policy(retry({ idempotent: false }), timeout(10)).run(() => deaf.promise, { name: 'query' }),
      );
      await time.advance(100);
      expect(explain(await call)).toBe(
        [
          'gave up after 1 attempt, because it may have happened, and the operation is not declared idempotent',
          '  1. TimeoutError: attempt 1 of query did not end within 10 ms (ambiguous, still running when it was given up, took 35 ms)',
        ].join('\n'),
      );
      deaf.resolve();
      await first;
    });
  });

  test('says what it left out of a long history', async () => {
    const error = await errorOf(retry({ attempts: 250, backoff: zero, budget: false }).run(throws(new Error('down'))));
    const lines = explain(error).split('\n');
    expect(lines).toHaveLength(102);
    expect(lines.slice(0, 3)).toEqual([
      'gave up after 250 attempts, because the attempts were used up',
      '  …',
      '  151. Error: down (unknown)',
    ]);
  });

  test('has words for every reason', async () => {
    const down = throws(new Error('down'));
    const stopped = async (made: ReturnType<typeof policy>, op: () => unknown, options = {}): Promise<string> => {
      const error = await errorInTime(() => made.run(op, options));
      return explain(error).split('\n')[0] as string;
    };
    const said = [
      await stopped(retry(), throws(new TypeError('bug'))),
      await stopped(retry({ budget: { initial: 0, trickle: 0 } }), throws(new Error('down'))),
      await stopped(policy(timeout(10), retry({ minAttemptTime: '1s' })), throws(new Error('down'))),
      await stopped(retry({ maxElapsed: 5, backoff: constant(10) }), throws(new Error('down'))),
      await stopped(retry({ maxRetryAfter: 5 }), throws(transient(new Error('down'), { retryAfter: 10 }))),
      await stopped(retry(), down, { signal: AbortSignal.abort(new Error('no more')) }),
    ];
    expect(said).toEqual([
      'gave up after 1 attempt, because repeating could not help',
      'gave up after 1 attempt, because the retry budget was empty',
      'gave up after 1 attempt, because the deadline left no time for another attempt',
      'gave up after 1 attempt, because another attempt would have passed maxElapsed',
      'gave up after 1 attempt, because the server asked to wait longer than maxRetryAfter',
      'gave up after 0 attempts, because the caller cancelled',
    ]);
  });

  test('survives every value', async () => {
    const hostile = new Proxy(new Error('hostile'), {
      get: throws(new Error('trap')),
      has: throws(new Error('trap')),
      getPrototypeOf: throws(new Error('trap')),
    });
    expect(explain(hostile)).toBe('object: it came out of no policy');
    await retry({ attempts: 1 }).settle(throws(hostile));
    expect(explain(hostile)).toBe('gave up after 1 attempt, because the attempts were used up\n  1. object (unknown)');
    expect(explain(Object.create(null))).toBe('object: it came out of no policy');
    expect(explain('text')).toBe('text: it came out of no policy');
    expect(explain(Symbol('s'))).toBe('Symbol(s): it came out of no policy');
    expect(explain(undefined)).toBe('undefined: it came out of no policy');
  });
});
