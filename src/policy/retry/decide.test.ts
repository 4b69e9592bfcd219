/** What comes after a failed attempt (P3, and P4 as a retry sees it): the questions in their order, and what each answer does. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { after, fail, recordEvents, scripted, virtualTime } from '../../testing/index.ts';
import { errorOf, settleInTime } from '../../../test/settle.ts';
import { watchUnhandledRejections } from '../../../test/unhandled.ts';
import {
  attemptsOf,
  breaker,
  budget,
  bulkhead,
  BulkheadFullError,
  CircuitOpenError,
  conflict,
  constant,
  failWhen,
  HoldfastError,
  permanent,
  policy,
  retry,
  scope,
  sequence,
  timeout,
  TimeoutError,
  transient,
  type Policy,
  type PolicyOutcome,
  type RetryContext,
  type RetryOptions,
  type RetryScheduled,
  type RunOptions,
  type Scope,
} from '../../index.ts';

watchUnhandledRejections();

const zero = constant(0);
const throws = (error: unknown) => (): never => {
  throw error;
};
const withCode = (code: string, message = code): Error => Object.assign(new Error(message), { code });

/** Nothing is known of it. */
const unknown = new Error('unknown');
/** It may have happened. */
const ambiguous = withCode('ECONNRESET');
/** It did not happen. */
const refusedConnection = withCode('ECONNREFUSED');
const bug = new TypeError('x is not a function');

class CommitUnknownError extends HoldfastError {
  static override readonly code = 'COMMIT_UNKNOWN';
  readonly code = 'COMMIT_UNKNOWN';
}

interface Ended {
  readonly outcome: PolicyOutcome<unknown>;
  /** How often the operation ran. */
  readonly runs: number;
  /** When the call ended. */
  readonly ms: number;
}

/** Runs an operation until no timer is left. */
async function ended(
  made: Policy,
  op: ((s: Scope) => unknown) | { readonly error: unknown },
  options?: RunOptions,
): Promise<Ended> {
  let runs = 0;
  const settled = await settleInTime(async (time) => {
    const outcome = await made.settle((s) => {
      runs++;
      return typeof op === 'function' ? op(s) : throws(op.error)();
    }, options);
    return { outcome, runs, ms: time.now() };
  });
  return (settled as { value: Ended }).value;
}

/** How often an operation that always fails with `error` runs, and why there was no further attempt. */
async function runsOf(error: unknown, options: RetryOptions, run?: RunOptions): Promise<[number, unknown]> {
  const { outcome, runs } = await ended(retry({ backoff: zero, ...options }), { error }, run);
  expect(Object.is((outcome as { error: unknown }).error, error)).toBe(true);
  return [runs, outcome.stoppedBy];
}

beforeEach(() => void vi.spyOn(console, 'warn').mockImplementation(() => {}));
afterEach(() => void vi.restoreAllMocks());

describe('P3.2 attempts', () => {
  test.for([1, 2, 3, 10])('%d count the first one', async (attempts) => {
    expect(await runsOf(unknown, { attempts })).toEqual([attempts, 'attempts']);
  });

  test('may be without end', async () => {
    const op = (s: Scope): string => (s.attempt < 500 ? throws(unknown)() : 'at last');
    const { outcome, runs } = await ended(retry({ attempts: Infinity, backoff: zero, budget: false }), op);
    expect([outcome, runs]).toMatchObject([{ ok: true, value: 'at last' }, 500]);
  });

  test('are not made after a success', async () => {
    const { outcome, runs } = await ended(retry({ attempts: 5, backoff: zero }), scripted([fail(unknown), 'ok']));
    expect([outcome, runs]).toMatchObject([{ ok: true, value: 'ok' }, 2]);
  });

  test('used up end the call before any other question is asked', async () => {
    const unreached = (): never => expect.fail('asked');
    const options = { attempts: 1, retryIf: unreached, backoff: unreached, onRetry: unreached };
    for (const error of [unknown, bug, ambiguous]) expect(await runsOf(error, options)).toEqual([1, 'attempts']);
    expect(console.warn).not.toHaveBeenCalled();
  });
});

describe('P3.3 an abandoned attempt', () => {
  const deaf = Promise.withResolvers<void>();
  const abandons = (options: RetryOptions): Policy => policy(retry({ backoff: zero, ...options }), timeout(10));

  test('is not made again unless the operation is declared idempotent', async () => {
    for (const idempotent of [undefined, false]) {
      const { outcome, runs } = await ended(abandons({ idempotent }), () => deaf.promise);
      expect([outcome, runs]).toMatchObject([{ error: { abandoned: true }, stoppedBy: 'ambiguous' }, 1]);
    }
    const { outcome, runs } = await ended(abandons({ idempotent: true }), (s) => (s.attempt === 1 ? deaf.promise : 2));
    expect([outcome, runs]).toMatchObject([{ ok: true, value: 2 }, 2]);
  });

  test('nor does retryIf say otherwise: it would run beside the first one', async () => {
    const { runs } = await ended(abandons({ retryIf: () => true }), () => deaf.promise);
    expect(runs).toBe(1);
  });
});

describe('P3.4 the verdict', () => {
  test('unknown and transient errors are retried, permanent ones are not', async () => {
    for (const error of [unknown, 'text', undefined, refusedConnection, conflict(), transient(new TypeError('marked'))])
      expect(await runsOf(error, {})).toEqual([3, 'attempts']);
    for (const error of [
      bug,
      permanent(new Error('marked')),
      new DOMException('aborted', 'AbortError'),
      { status: 404 },
    ])
      expect(await runsOf(error, {})).toEqual([1, 'verdict']);
  });

  test('ambiguous ones are retried if the operation is declared idempotent', async () => {
    for (const error of [ambiguous, new TimeoutError('elsewhere', 5), { status: 503 }]) {
      expect(await runsOf(error, {})).toEqual([1, 'ambiguous']);
      expect(await runsOf(error, { idempotent: false })).toEqual([1, 'ambiguous']);
      expect(await runsOf(error, { idempotent: true })).toEqual([3, 'attempts']);
    }
  });

  test('retryIf decides first, by true or false; undefined leaves it to the rest', async () => {
    for (const error of [unknown, bug, ambiguous, new CircuitOpenError('b', 'open', 0)])
      expect(await runsOf(error, { retryIf: () => true })).toEqual([3, 'attempts']);
    for (const error of [unknown, refusedConnection, bug, ambiguous])
      expect(await runsOf(error, { retryIf: () => false, retryOn: [Error] })).toEqual([1, 'verdict']);
    const rest = { retryIf: () => undefined };
    expect(await runsOf(unknown, rest)).toEqual([3, 'attempts']);
    expect(await runsOf(bug, rest)).toEqual([1, 'verdict']);
    expect(await runsOf(ambiguous, rest)).toEqual([1, 'ambiguous']);
  });

  test('retryIf is told the error, and what is known of the attempt', async () => {
    const told: [unknown, RetryContext][] = [];
    const retryIf = (error: unknown, context: RetryContext): undefined => void told.push([error, context]);
    await runsOf(ambiguous, { retryIf, idempotent: true }, { name: 'query' });
    expect(told).toEqual(
      [1, 2].map((attempt) => [ambiguous, { attempt, verdict: 'ambiguous', idempotent: true, name: 'query' }]),
    );
    expect(Object.isFrozen(told[0]?.[1])).toBe(true);
    told.length = 0;
    await runsOf(unknown, { retryIf, attempts: 2 });
    expect(told).toEqual([[unknown, { attempt: 1, verdict: 'unknown', idempotent: undefined, name: undefined }]]);
  });

  test('COMMIT_UNKNOWN is never retried, whatever anybody says', async () => {
    const commit = new CommitUnknownError();
    for (const options of [
      {},
      { idempotent: true },
      { idempotent: true, retryOn: ['COMMIT_UNKNOWN', CommitUnknownError] },
      { idempotent: true, retryIf: () => true },
    ])
      expect(await runsOf(commit, options)).toEqual([1, 'ambiguous']);
    expect(await runsOf(new Error('wrapper', { cause: commit }), { idempotent: true })).toEqual([1, 'ambiguous']);
    expect(console.warn).not.toHaveBeenCalled();
  });

  test('retryIf that answers something else, a promise above all, is a mistake of the program', async () => {
    for (const retryIf of [
      () => null,
      () => 0,
      () => 'yes',
      async () => false,
      async () => throws(new Error('late'))(),
    ]) {
      const { outcome, runs } = await ended(retry({ retryIf: retryIf as () => never }), { error: unknown });
      expect([outcome, runs]).toMatchObject([
        { error: { code: 'BAD_OPTION', option: 'retryIf' }, stoppedBy: 'verdict' },
        1,
      ]);
    }
  });

  describe('with retryOn', () => {
    class Busy extends Error {}

    test('only errors that it names are retried, by class or code', async () => {
      const options = { retryOn: [Busy, 'EBUSY'] };
      for (const error of [new Busy(), withCode('EBUSY'), new (class extends Busy {})()])
        expect(await runsOf(error, options)).toEqual([3, 'attempts']);
      for (const error of [unknown, refusedConnection, bug, 'EBUSY', { message: 'EBUSY' }])
        expect(await runsOf(error, options)).toEqual([1, 'verdict']);
      expect(await runsOf(unknown, { retryOn: [] })).toEqual([1, 'verdict']);
    });

    test('a permanent one that it names is retried', async () => {
      expect(await runsOf(bug, { retryOn: [TypeError] })).toEqual([3, 'attempts']);
      expect(await runsOf(permanent(withCode('MINE')), { retryOn: ['MINE'] })).toEqual([3, 'attempts']);
    });

    test('an ambiguous one that it names is retried only if the operation is idempotent', async () => {
      expect(await runsOf(ambiguous, { retryOn: ['ECONNRESET'] })).toEqual([1, 'ambiguous']);
      expect(await runsOf(ambiguous, { retryOn: ['ECONNRESET'], idempotent: true })).toEqual([3, 'attempts']);
    });

    test('a code is that of the error itself, or of the one that it wraps and that decided', async () => {
      const wrapped = Object.assign(new Error('request failed', { cause: refusedConnection }), { code: 'ERR_REQUEST' });
      const answered = Object.assign(new Error('busy'), { code: 'ERR_BAD_RESPONSE', response: { status: 429 } });
      for (const [error, code] of [
        [wrapped, 'ERR_REQUEST'],
        [wrapped, 'ECONNREFUSED'],
        [answered, 'ERR_BAD_RESPONSE'],
        [answered, '429'],
        [transient(withCode('MINE')), 'MINE'],
      ] as const)
        expect(await runsOf(error, { retryOn: [code] })).toEqual([3, 'attempts']);
    });

    test('errors that cannot be looked at are none of those that it names', async () => {
      const trap = throws(new Error('trap'));
      const hostile = new Proxy(new Busy(), { get: trap, has: trap, getPrototypeOf: trap });
      for (const error of [hostile, null, undefined, 5])
        expect(await runsOf(error, { retryOn: [Busy, 'EBUSY'] })).toEqual([1, 'verdict']);
    });
  });
});

describe('P3.4 a refusal of an inner layer', () => {
  const open = (): Policy => {
    const made = breaker({ cooldown: 100 });
    made.isolate();
    return made;
  };

  test('is not retried, in the same stage or another', async () => {
    for (const made of [
      policy(retry(), open()),
      policy(retry(), timeout('1h'), open()),
      policy(retry({ retryOn: ['EBUSY'] }), open()),
    ]) {
      const { outcome, runs } = await ended(made, () => 'ran');
      expect([outcome, runs]).toMatchObject([{ error: { code: 'CIRCUIT_OPEN' }, stoppedBy: 'refused' }, 0]);
    }
    expect(await runsOf(new BulkheadFullError('b', 1, 0, 'full'), {})).toEqual([1, 'refused']);
  });

  for (const [by, retryOn] of [
    ['code', ['BULKHEAD_FULL']],
    ['class', [BulkheadFullError]],
  ] as const) {
    test(`is retried where retryOn has its ${by}`, async () => {
      await virtualTime(async (time) => {
        const gate = bulkhead({ limit: 1 });
        const first = gate.run((s) => s.sleep(25));
        const call = policy(retry({ attempts: 5, backoff: constant(10), retryOn }), gate).run((s) => [
          s.attempt,
          time.now(),
        ]);
        await time.runAll();
        expect(await call).toEqual([4, 30]);
        await first;
      });
    });
  }

  test('is retried where retryIf says so', async () => {
    await virtualTime(async (time) => {
      const gate = bulkhead({ limit: 1 });
      const first = gate.run((s) => s.sleep(15));
      const call = policy(retry({ backoff: constant(10), retryIf: () => true }), gate).run((s) => s.attempt);
      await time.runAll();
      expect(await call).toBe(3);
      await first;
    });
  });

  test('of an open breaker is retried not before that has cooled down', async () => {
    await virtualTime(async (time) => {
      const inventory = breaker({ failures: 1, cooldown: 100 });
      await errorOf(inventory.run(throws(unknown)));
      const made = policy(retry({ attempts: 2, backoff: constant(7), retryOn: ['CIRCUIT_OPEN'] }), inventory);
      const call = made.run(() => time.now());
      await time.runAll();
      expect(await call).toBe(107);
    });
  });

  test('P3.11 counts as an attempt, is marked in the history, and its token is given back', async () => {
    for (const between of [policy(), timeout('1h')]) {
      await virtualTime(async (time) => {
        const shared = budget({ initial: 5, ratio: 0, trickle: 0 });
        const gate = bulkhead({ limit: 1 });
        const first = gate.run((s) => s.sleep(100));
        const made = policy(
          retry({ attempts: 3, backoff: constant(10), budget: shared, retryOn: ['BULKHEAD_FULL'] }),
          between,
          gate,
        );
        const call = errorOf(made.run(() => expect.fail('ran')));
        await time.advance(5);
        expect(shared.tokens).toBe(4); // of the retry that is to come
        await time.runAll();
        expect(attemptsOf(await call).map(({ number, refused }) => [number, refused])).toEqual([
          [1, true],
          [2, true],
          [3, true],
        ]);
        expect(shared.tokens).toBe(5);
        await first;
      });
    }
  });

  test('P3.11 one that was let in, and failed, costs its token', async () => {
    const shared = budget({ initial: 5, ratio: 0, trickle: 0 });
    await ended(policy(retry({ attempts: 3, backoff: zero, budget: shared }), breaker({ failures: 9 })), {
      error: unknown,
    });
    expect(shared.tokens).toBe(3);
  });
});

describe('P3.5 the delay', () => {
  test('is asked of the back-off, with the attempt, the delay before, and a random number', async () => {
    const asked: unknown[][] = [];
    const delays = [10, 20, 0];
    const backoff = (...args: unknown[]): number => {
      asked.push(args);
      return delays[asked.length - 1] as number;
    };
    const { ms } = await ended(retry({ attempts: 4, backoff }), { error: unknown });
    expect(ms).toBe(30);
    expect(asked.map((args) => args.slice(0, 2))).toEqual([
      [1, 0],
      [2, 10],
      [3, 20],
    ]);
    const randoms = asked.map((args) => args[2] as number);
    for (const random of randoms) expect(random >= 0 && random < 1).toBe(true);
    expect(new Set(randoms).size).toBe(3);
  });

  test('is waited, and is the same for the same seed', async () => {
    const once = (): Promise<number> => ended(retry({ attempts: 5 }), { error: unknown }).then(({ ms }) => ms);
    const ms = await once();
    expect(ms).toBeGreaterThan(0);
    expect(await once()).toBe(ms);
  });

  test('is that and what the error asks for: a floor with the back-off above it', async () => {
    const busy = transient(new Error('busy'), { retryAfter: 1000 });
    const { ms, outcome } = await ended(retry({ attempts: 3, backoff: sequence([10, 20]) }), { error: busy });
    expect(ms).toBe(1010 + 1020);
    expect(outcome.attempts.map(({ delayMs }) => delayMs)).toEqual([0, 1010, 1020]);
  });

  test('before it is the back-off’s own part of it', async () => {
    const asked: number[] = [];
    const backoff = (_attempt: number, previousMs: number): number => (asked.push(previousMs), 7);
    await ended(retry({ attempts: 4, backoff }), { error: transient(new Error('busy'), { retryAfter: 1000 }) });
    expect(asked).toEqual([0, 7, 7]);
  });

  test('is what a Retry-After says, of a result too', async () => {
    const answer = (status: number): unknown => ({ status, headers: { 'retry-after': '2' } });
    const made = policy(
      retry({ backoff: zero }),
      failWhen((it: { status: number }) => it.status !== 200),
    );
    const { ms, outcome } = await ended(made, scripted([answer(429), answer(503), { status: 200 }]));
    expect([ms, outcome]).toMatchObject([4000, { ok: true, value: { status: 200 } }]);
  });

  test('is not waited where the error asks for more than maxRetryAfter: that ends the call', async () => {
    const busy = transient(new Error('busy'), { retryAfter: 1000 });
    expect(await ended(retry({ attempts: 2, backoff: zero, maxRetryAfter: 1000 }), { error: busy })).toMatchObject({
      ms: 1000,
      runs: 2,
    });
    expect(await ended(retry({ attempts: 2, maxRetryAfter: 999 }), { error: busy })).toMatchObject({
      ms: 0,
      runs: 1,
      outcome: { error: busy, stoppedBy: 'retryAfter' },
    });
  });

  test('is never for ever, whatever maxRetryAfter is', async () => {
    const never = transient(new Error('busy'), { retryAfter: Infinity });
    expect(await runsOf(never, { maxRetryAfter: Infinity })).toEqual([1, 'retryAfter']);
    const isolated = breaker();
    isolated.isolate();
    const { outcome } = await ended(
      policy(retry({ maxRetryAfter: Infinity, retryOn: ['CIRCUIT_OPEN'] }), isolated),
      () => 1,
    );
    expect(outcome).toMatchObject({ ok: false, stoppedBy: 'retryAfter' });
  });

  test('may be longer than a timer of the platform can wait', async () => {
    const { ms } = await ended(retry({ attempts: 2, backoff: constant('60d') }), { error: unknown });
    expect(ms).toBe(60 * 86_400_000);
  });
});

describe('P3.6 maxElapsed', () => {
  test('counts from the start of the call: a delay that would pass it is not begun', async () => {
    const made = (maxElapsed: number): Policy => retry({ attempts: 9, backoff: constant(100), maxElapsed });
    const op = (s: Scope): Promise<never> => s.sleep(50).then(throws(unknown));
    for (const [maxElapsed, runs, ms] of [
      [149, 1, 50],
      [150, 2, 200],
      [299, 2, 200],
      [300, 3, 350],
    ] as const)
      expect(await ended(made(maxElapsed), op)).toMatchObject({
        runs,
        ms,
        outcome: { error: unknown, stoppedBy: 'maxElapsed' },
      });
  });

  test('of 0 allows what comes at once', async () => {
    expect(await runsOf(unknown, { maxElapsed: 0 })).toEqual([3, 'attempts']);
    expect(await runsOf(unknown, { maxElapsed: 0, backoff: constant(1) })).toEqual([1, 'maxElapsed']);
  });

  test('counts the time in a queue', async () => {
    await virtualTime(async (time) => {
      const gate = bulkhead({ limit: 1, queue: 1 });
      const first = gate.run((s) => s.sleep(100));
      const call = policy(retry({ backoff: constant(10), maxElapsed: 105 }), gate).settle(throws(unknown));
      await time.runAll();
      expect(await call).toMatchObject({ stoppedBy: 'maxElapsed', attempts: [{ number: 1 }] });
      await first;
    });
  });

  test('does not end an attempt in flight', async () => {
    const { outcome, ms } = await ended(retry({ maxElapsed: 10 }), (s) => s.sleep(1000).then(() => 'late'));
    expect([outcome, ms]).toMatchObject([{ ok: true, value: 'late' }, 1000]);
  });
});

describe('P3.7 the deadline', () => {
  const around: readonly (readonly [
    whose: string,
    run: (timeout: number, options: RetryOptions) => Promise<PolicyOutcome<unknown>>,
  ])[] = [
    ['a timeout outside the retry', (ms, options) => policy(timeout(ms), retry(options)).settle(throws(unknown))],
    [
      'a timeout in another stage',
      (ms, options) => policy(timeout(ms), breaker(), retry(options)).settle(throws(unknown)),
    ],
    [
      'the scope of the caller',
      (ms, options) => scope({ timeout: ms }, (s) => retry(options).settle(throws(unknown), { signal: s })),
    ],
    [
      'a scope above that',
      (ms, options) =>
        scope({ timeout: ms }, (s) =>
          s.go((child) => retry(options).settle(throws(unknown), { signal: child.signal })),
        ),
    ],
    [
      'an attempt that the call is linked to',
      (ms, options) => timeout(ms).run((s) => retry(options).settle(throws(unknown), { signal: s })),
    ],
  ];
  test.for(around)(
    'of %s: a delay that would leave less than minAttemptTime before it is not begun',
    async ([, run]) => {
      for (const [ms, attempts] of [
        [129, 1],
        [130, 2],
        [229, 2],
        [230, 3],
      ] as const) {
        const options = { attempts: 9, backoff: constant(100), minAttemptTime: 30 };
        const settled = await settleInTime(async (time) => [await run(ms, options), time.now()]);
        expect(settled).toMatchObject({
          value: [{ error: unknown, stoppedBy: 'deadline', cancelled: false }, (attempts - 1) * 100],
        });
        expect((settled as { value: [PolicyOutcome<unknown>] }).value[0].attempts).toHaveLength(attempts);
      }
    },
  );

  test('of a timeout inside the retry is none of its business', async () => {
    const { runs } = await ended(policy(retry({ attempts: 2, backoff: constant(1000) }), timeout(20)), {
      error: unknown,
    });
    expect(runs).toBe(2);
  });

  test('that has passed in the attempt ends the call with that', async () => {
    const { outcome, runs } = await ended(policy(timeout(50), retry({ idempotent: true })), (s) =>
      s.sleep('1h').catch(throws(unknown)),
    );
    expect([outcome, runs]).toMatchObject([{ error: unknown, stoppedBy: 'deadline' }, 1]);
  });
});

describe('P3.8, P4 the budget', () => {
  const empty = { initial: 0, trickle: 0 };

  test('that is empty ends the call with the error in hand, and an event tells', async () => {
    using events = recordEvents();
    const { outcome, runs } = await ended(retry({ budget: budget({ ...empty, name: 'shared' }) }), { error: unknown });
    expect([outcome, runs]).toMatchObject([{ error: unknown, stoppedBy: 'budget' }, 1]);
    expect(events.filter(({ event }) => event === 'budget:empty')).toMatchObject([{ name: 'shared' }]);
  });

  test('pays one token for each retry', async () => {
    const shared = budget({ initial: 10, trickle: 0 });
    await ended(retry({ attempts: 4, backoff: zero, budget: shared }), { error: unknown });
    expect(shared.tokens).toBe(7);
    await ended(retry({ attempts: 4, backoff: zero, budget: shared }), scripted([fail(unknown), 'ok']));
    expect(shared.tokens).toBe(6);
  });

  test('is filled by calls that succeed at their first attempt, by nothing else', async () => {
    const shared = budget({ initial: 1, ratio: 0.25, trickle: 0 });
    const made = retry({ attempts: 2, backoff: zero, budget: shared });
    await ended(made, () => 'ok');
    expect(shared.tokens).toBe(1.25);
    await ended(made, scripted([fail(unknown), 'ok']));
    expect(shared.tokens).toBe(0.25);
    await ended(made, { error: bug });
    await ended(
      policy(
        made,
        failWhen(() => true),
      ),
      () => 'judged',
    );
    expect(shared.tokens).toBe(0.25);
  });

  test('may be shared by several retries, or left out', async () => {
    const shared = budget({ initial: 3, ratio: 0, trickle: 0 });
    const [a, b] = [retry({ backoff: zero, budget: shared }), retry({ backoff: zero, budget: shared })];
    expect(await ended(a, { error: unknown })).toMatchObject({ runs: 3 });
    expect(await ended(b, { error: unknown })).toMatchObject({ runs: 2, outcome: { stoppedBy: 'budget' } });
    for (let call = 0; call < 200; call++)
      expect(await runsOf(unknown, { attempts: 2, budget: false })).toEqual([2, 'attempts']);
  });

  test('refills in time', async () => {
    const made = retry({ attempts: 9, backoff: constant(500), budget: { initial: 1, trickle: 1 } });
    // One token at first; at 500 ms there is half of one.
    expect(await ended(made, { error: unknown })).toMatchObject({ ms: 500, runs: 2, outcome: { stoppedBy: 'budget' } });
    const slower = retry({ attempts: 4, backoff: constant(1000), budget: { initial: 1, trickle: 1 } });
    expect(await ended(slower, { error: unknown })).toMatchObject({ ms: 3000, runs: 4 });
  });

  test('is not asked where something before it ends the call', async () => {
    const shared = budget({ initial: 5, trickle: 0 });
    for (const [error, options] of [
      [bug, {}],
      [ambiguous, {}],
      [unknown, { retryIf: () => false }],
      [unknown, { attempts: 1 }],
      [unknown, { maxElapsed: 0, backoff: constant(1) }],
      [transient(new Error('busy'), { retryAfter: '1h' }), {}],
    ] as const)
      await runsOf(error, { ...options, budget: shared });
    expect(shared.tokens).toBe(5);
  });
});

describe('P3.9 a retry', () => {
  test('withdraws its token, then calls onRetry, then waits', async () => {
    const shared = budget({ initial: 5, trickle: 0 });
    await virtualTime(async (time) => {
      const told: unknown[] = [];
      const onRetry = (retry: RetryScheduled): void => void told.push([retry, shared.tokens, time.now(), time.pending]);
      const made = retry({ attempts: 2, backoff: constant(100), budget: shared, onRetry, idempotent: true });
      const call = errorOf(made.run(throws(ambiguous), { name: 'query' }));
      await time.runAll();
      await call;
      const context = { attempt: 1, verdict: 'ambiguous', idempotent: true, name: 'query' };
      expect(told).toEqual([[{ ...context, error: ambiguous, delayMs: 100 }, 4, 0, 0]]);
      expect(Object.isFrozen((told[0] as unknown[])[0])).toBe(true);
    });
  });

  test('without a delay uses no timer, and begins before the event loop turns', async () => {
    await virtualTime(async (time) => {
      const made = retry({ attempts: 100, backoff: zero });
      let turned = false;
      setImmediate(() => (turned = true));
      await errorOf(
        made.run(() => {
          expect([time.pending, turned]).toEqual([0, false]);
          throw unknown;
        }),
      );
    });
  });

  test('begins exactly when the delay is over', async () => {
    const begins: number[] = [];
    await settleInTime((time) =>
      retry({ attempts: 4, backoff: sequence([1, 10, 1000]) }).run(() => {
        begins.push(time.now());
        throw unknown;
      }),
    );
    expect(begins).toEqual([0, 1, 11, 1011]);
  });

  test('keeps the process alive: on real time its delay is never early', async () => {
    const begin = performance.now();
    await errorOf(retry({ attempts: 2, backoff: constant(15) }).run(throws(unknown)));
    expect(performance.now() - begin).toBeGreaterThanOrEqual(15);
  });
});

describe('P3.10 idempotent', () => {
  test('is the word of the call, else of the layer', async () => {
    for (const [layer, run, runs] of [
      [undefined, undefined, 1],
      [undefined, true, 3],
      [undefined, false, 1],
      [true, undefined, 3],
      [true, false, 1],
      [true, true, 3],
      [false, undefined, 1],
      [false, true, 3],
      [false, false, 1],
    ] as const)
      expect((await runsOf(ambiguous, { idempotent: layer }, { idempotent: run }))[0]).toBe(runs);
  });

  test('unset: the first time that it stops a retry, an event and one warning say what to declare', async () => {
    using events = recordEvents();
    const made = retry({ backoff: zero });
    await ended(made, { error: ambiguous }, { name: 'place order' });
    await ended(made, { error: ambiguous });
    const warnings = events.filter(({ event }) => event === 'policy:warning');
    expect(warnings).toMatchObject([{ name: 'place order', error: ambiguous }]);
    expect(console.warn).toHaveBeenCalledExactlyOnceWith(warnings[0]?.['message']);
    expect(warnings[0]?.['message']).toBe(
      'holdfast: place order was not retried after "connection lost", because it may have happened. If the operation may run twice, say so with { idempotent: true }, on retry or on run; { idempotent: false } ends this warning.',
    );
  });

  test('unset: each layer warns by itself, and says "the call" of one without a name', async () => {
    for (let layer = 1; layer <= 2; layer++) {
      await runsOf(ambiguous, {});
      expect(console.warn).toHaveBeenCalledTimes(layer);
      expect(console.warn).toHaveBeenLastCalledWith(expect.stringMatching(/^holdfast: the call was not retried/));
    }
  });

  test('false does the same without the warning', async () => {
    using events = recordEvents();
    expect(await runsOf(ambiguous, { idempotent: false })).toEqual([1, 'ambiguous']);
    expect(await runsOf(ambiguous, {}, { idempotent: false })).toEqual([1, 'ambiguous']);
    expect(events.filter(({ event }) => event === 'policy:warning')).toEqual([]);
    expect(console.warn).not.toHaveBeenCalled();
  });

  test('unset: nothing is said where something else stops the retry', async () => {
    await runsOf(ambiguous, { attempts: 1 });
    await runsOf(ambiguous, { retryIf: () => false });
    await runsOf(ambiguous, { retryOn: ['EBUSY'] });
    await runsOf(bug, {});
    expect(console.warn).not.toHaveBeenCalled();
  });
});

describe('P3.12 a result that was judged a failure', () => {
  const judged = (options: RetryOptions): Policy =>
    policy(
      retry({ attempts: 3, backoff: zero, ...options }),
      failWhen((it: { status: number }) => it.status >= 400),
    );

  test('is classified as an error would be: by its status', async () => {
    for (const [status, runs, stoppedBy] of [
      [404, 1, 'verdict'],
      [429, 3, 'attempts'],
      [503, 1, 'ambiguous'],
    ] as const) {
      const answer = new Response('', { status });
      const { outcome, runs: count } = await ended(judged({}), () => answer);
      expect([count, outcome.stoppedBy, outcome]).toMatchObject([runs, stoppedBy, { ok: true, value: answer }]);
    }
  });

  test('is what retryIf, onRetry and previousError are given', async () => {
    const [busy, done] = [{ status: 429 }, { status: 200 }];
    const seen: unknown[] = [];
    const made = judged({ retryIf: (error) => void seen.push(error), onRetry: ({ error }) => void seen.push(error) });
    const { outcome } = await ended(made, (s) => (s.attempt === 1 ? busy : (seen.push(s.previousError), done)));
    expect([outcome, seen]).toMatchObject([{ ok: true, value: done }, [busy, busy, busy]]);
  });

  test('is named in retryOn by its class or status', async () => {
    expect((await ended(judged({ retryOn: [Response] }), () => new Response('', { status: 404 }))).runs).toBe(3);
    expect((await ended(judged({ retryOn: ['404'] }), () => new Response('', { status: 404 }))).runs).toBe(3);
  });
});

describe('P3.13 a retry inside an attempt of another', () => {
  const nested = async (run: () => Promise<unknown>): Promise<unknown[]> => {
    using events = recordEvents();
    await settleInTime(run);
    return events.filter(({ event }) => event === 'retry:nested').map(({ name, product }) => [name, product]);
  };
  const times = (attempts: number): Policy => retry({ attempts, backoff: zero, budget: false });
  /** Fails once, in the first attempt of all. */
  const once = (): (() => void) => {
    let runs = 0;
    return () => (runs++ === 0 ? throws(unknown)() : undefined);
  };

  test('is noticed when it fails, with the product of attempts', async () => {
    const op = once();
    const events = await nested(() => times(3).run((s) => times(4).run(op, { signal: s, name: 'inner' })));
    expect(events).toEqual([['inner', 12]]);
  });

  test('at any distance: through scopes, children, signals, and other policies', async () => {
    const op = once();
    const events = await nested(() =>
      times(2).run((a) =>
        a.go((child) =>
          timeout('1h').run((b) => scope({ signal: b.signal }, (c) => times(5).run(op, { signal: c })), {
            signal: child,
          }),
        ),
      ),
    );
    expect(events).toEqual([[undefined, 10]]);
  });

  test('of three retries: each that fails tells of all outside it', async () => {
    const events = await nested(() =>
      times(2).run((a) =>
        times(3).run((b) => times(4).run(throws(unknown), { signal: b, name: 'c' }), { signal: a, name: 'b' }),
      ),
    );
    const inEachAttempt = [
      ['c', 24],
      ['b', 6],
      ['c', 24],
      ['c', 24],
    ];
    expect(events).toEqual([...inEachAttempt, ...inEachAttempt]);
  });

  test('without end is noticed as well', async () => {
    const [a, b] = [once(), once()];
    expect(await nested(() => times(3).run((s) => times(Infinity).run(a, { signal: s })))).toEqual([
      [undefined, Infinity],
    ]);
    expect(await nested(() => times(Infinity).run((s) => times(3).run(b, { signal: s })))).toEqual([
      [undefined, Infinity],
    ]);
  });

  test('in one policy as in two', async () => {
    expect(await nested(() => policy(times(2), breaker({ failures: 99 }), times(3)).run(once()))).toEqual([
      [undefined, 6],
    ]);
  });

  test('is not, where the outer one makes one attempt, where the inner one succeeds, or where they are not linked', async () => {
    expect(await nested(() => times(1).run((s) => times(3).run(throws(unknown), { signal: s })))).toEqual([]);
    expect(await nested(() => times(3).run((s) => times(3).run(() => 1, { signal: s })))).toEqual([]);
    expect(await nested(() => times(2).run(() => times(2).run(throws(unknown))))).toEqual([]);
    expect(await nested(() => scope((s) => times(2).run(throws(unknown), { signal: s })))).toEqual([]);
  });
});

describe('the questions are asked in their order: the first that applies ends the call', () => {
  const busyForLong = transient(withCode('ECONNRESET'), { retryAfter: '1h' });
  /** Each of these ends the call by itself. With all of them at once the first one does; without that one the second; and so on. */
  const reasons: readonly (readonly [stoppedBy: string, options: RetryOptions])[] = [
    ['attempts', { attempts: 1 }],
    ['verdict', { retryIf: () => false }],
    ['retryAfter', {}],
    ['maxElapsed', { maxElapsed: 0 }],
    ['deadline', {}],
    ['budget', { budget: { initial: 0, trickle: 0 } }],
  ];
  test.for(reasons.map((_, first) => first))('from question %d on', async (first) => {
    const applying = reasons.slice(first);
    const options: RetryOptions = Object.assign({ backoff: constant(100) }, ...applying.map(([, option]) => option));
    const names = applying.map(([name]) => name);
    const error = names.includes('retryAfter') ? busyForLong : unknown;
    const made = policy(names.includes('deadline') ? timeout(50) : policy(), retry(options));
    expect((await ended(made, { error })).outcome).toMatchObject({ error, stoppedBy: names[0] });
  });

  test('and with none of them there is another attempt', async () => {
    const { outcome, ms } = await ended(
      retry({ backoff: constant(100) }),
      scripted([after(5, fail(unknown) as never), 'ok']),
    );
    expect([outcome, ms]).toMatchObject([{ ok: true, value: 'ok' }, 105]);
  });
});
