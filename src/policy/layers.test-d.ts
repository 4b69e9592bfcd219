/** The types of layers, back-offs, errors and events that `policy.test-d.ts` does not have: every signature is in one of the two. */
import { describe, expectTypeOf, test } from 'vitest';
import {
  abandoned,
  attemptsOf,
  breaker,
  bulkhead,
  BulkheadFullError,
  CircuitOpenError,
  constant,
  decorrelated,
  explain,
  exponential,
  linear,
  onEvent,
  rateLimit,
  RateLimitedError,
  sequence,
  stoppedBy,
  timeout,
  TimeoutError,
  type AttemptReport,
  type Backoff,
  type Breaker,
  type BreakerOutcome,
  type BreakerSnapshot,
  type BreakerState,
  type Bulkhead,
  type BulkheadSnapshot,
  type Duration,
  type Policy,
  type RateLimit,
  type RateLimitSnapshot,
  type StoppedBy,
  type Verdict,
  type Waiting,
  type Weighed,
} from '../index.ts';

describe('timeout', () => {
  test('takes a duration, and options', () => {
    expectTypeOf(timeout('800ms')).toEqualTypeOf<Policy>();
    expectTypeOf(timeout(5, { grace: '25ms', exact: true, detach: false })).toEqualTypeOf<Policy>();
    timeout(Infinity, { grace: Infinity });
    // @ts-expect-error it has no default
    timeout();
    // @ts-expect-error a unit that does not exist
    timeout('2 weeks');
    // @ts-expect-error an option that does not exist
    timeout(5, { graceMs: 5 });
  });
});

describe('breaker', () => {
  test('can be looked at, moved and saved', () => {
    const made = breaker({ failures: 5, cooldown: '15s', name: 'inventory' });
    expectTypeOf(made).toEqualTypeOf<Breaker>();
    expectTypeOf(made.state).toEqualTypeOf<BreakerState>();
    expectTypeOf<BreakerState>().toEqualTypeOf<'closed' | 'open' | 'half-open' | 'isolated'>();
    expectTypeOf(made.isolate).toEqualTypeOf<() => void>();
    expectTypeOf(made.reset).toEqualTypeOf<() => void>();
    expectTypeOf(made.toJSON()).toEqualTypeOf<BreakerSnapshot>();
    // @ts-expect-error it is moved by `isolate` and `reset`
    made.state = 'closed';
  });

  test('takes shares of a window or of the last calls, slow calls, a cooldown that grows, a judge', () => {
    breaker({ ratio: 0.5, window: '30s', minCalls: 20, slow: { over: '1s', ratio: 0.5 } });
    breaker({
      ratio: 0.5,
      lastCalls: 100,
      cooldown: (opens) => {
        expectTypeOf(opens).toEqualTypeOf<number>();
        return opens * 1_000;
      },
      judge: (outcome) => {
        expectTypeOf(outcome).toEqualTypeOf<BreakerOutcome>();
        return outcome.ok ? 'success' : undefined;
      },
      restore: JSON.parse('{}') as unknown,
    });
    // @ts-expect-error nobody waits for it
    breaker({ judge: async () => 'success' });
    // @ts-expect-error no effect that there is
    breaker({ judge: () => 'bad' });
    // @ts-expect-error an option that does not exist
    breaker({ threshold: 5 });
  });
});

describe('bulkhead', () => {
  test('can be looked at and saved', () => {
    const made = bulkhead({ limit: 100, queue: 50 });
    expectTypeOf(made).toEqualTypeOf<Bulkhead>();
    expectTypeOf([made.inFlight, made.waiting, made.limit]).toEqualTypeOf<number[]>();
    expectTypeOf(made.toJSON()).toEqualTypeOf<BulkheadSnapshot>();
  });

  test('takes a limit, a queue, a priority, and may adapt', () => {
    bulkhead({
      limit: 5,
      maxWait: '1s',
      priority: (call) => {
        expectTypeOf(call).toEqualTypeOf<Waiting>();
        return call.attempt;
      },
    });
    bulkhead({ limit: 100, adaptive: 'vegas' });
    bulkhead({ limit: 100, adaptive: { algorithm: 'aimd', initial: 5, min: 2, window: '2s', over: '1s' } });
    // @ts-expect-error how many is not said
    bulkhead({});
    // @ts-expect-error an algorithm that does not exist
    bulkhead({ limit: 5, adaptive: 'reno' });
    // @ts-expect-error a priority is a number
    bulkhead({ limit: 5, priority: () => 'high' });
  });
});

describe('rateLimit', () => {
  test('can be looked at and saved', () => {
    const made = rateLimit({ limit: 5 });
    expectTypeOf(made).toEqualTypeOf<RateLimit>();
    expectTypeOf([made.tokens, made.waiting]).toEqualTypeOf<number[]>();
    expectTypeOf(made.toJSON()).toEqualTypeOf<RateLimitSnapshot>();
    expectTypeOf(made.run(() => 'a')).toEqualTypeOf<Promise<string>>();
  });

  test('takes a limit in a time, a burst, and a weight', () => {
    rateLimit({ limit: 5, per: '1m', burst: 10, maxWait: '1s', name: 'api', weight: 2 });
    rateLimit({
      limit: 5,
      weight: (call) => {
        expectTypeOf(call).toEqualTypeOf<Weighed>();
        return call.attempt;
      },
    });
    // @ts-expect-error how many is not said
    rateLimit({ per: '1s' });
    // @ts-expect-error a unit that does not exist
    rateLimit({ limit: 5, per: '1 minute' });
    // @ts-expect-error an option that does not exist
    rateLimit({ limit: 5, interval: 5 });
  });
});

describe('back-offs', () => {
  test('are functions of the attempt, the delay before and a random number', () => {
    expectTypeOf<Backoff>().toEqualTypeOf<(attempt: number, previousMs: number, random: number) => number>();
    for (const made of [
      constant('1s', { jitter: 'full' }),
      linear(5, { cap: '1s', jitter: 0.5 }),
      exponential('100ms', { factor: 3, cap: '5s', jitter: 'equal' }),
      decorrelated('100ms', { cap: '5s' }),
      sequence([1, '5ms']),
    ])
      expectTypeOf(made).toEqualTypeOf<Backoff>();
  });

  test('refuse what is no option of theirs', () => {
    // @ts-expect-error a jitter that does not exist
    constant(5, { jitter: 'some' });
    // @ts-expect-error it does not grow
    constant(5, { cap: 10 });
    // @ts-expect-error it has its jitter
    decorrelated(5, { jitter: 'full' });
    // @ts-expect-error a list
    sequence(5);
  });

  test('take durations with a unit, or milliseconds', () => {
    expectTypeOf<'1.5s'>().toExtend<Duration>();
    expectTypeOf<5>().toExtend<Duration>();
    expectTypeOf<'5 weeks'>().not.toExtend<Duration>();
    expectTypeOf<'5'>().not.toExtend<Duration>();
  });
});

describe('what became of a call', () => {
  test('is asked of its error', () => {
    const error: unknown = new Error('own');
    expectTypeOf(attemptsOf(error)).toEqualTypeOf<readonly AttemptReport[]>();
    expectTypeOf(stoppedBy(error)).toEqualTypeOf<StoppedBy | undefined>();
    expectTypeOf(explain(error)).toEqualTypeOf<string>();
    expectTypeOf(abandoned()).toEqualTypeOf<number>();
    expectTypeOf<AttemptReport['verdict']>().toEqualTypeOf<Verdict>();
    expectTypeOf<Verdict>().toEqualTypeOf<'transient' | 'permanent' | 'ambiguous' | 'unknown'>();
    expectTypeOf<AttemptReport['durationMs']>().toEqualTypeOf<number | null>();
  });

  test('refusals and timeouts have a code, and what a handler needs', () => {
    const error = new Error() as CircuitOpenError | BulkheadFullError | RateLimitedError | TimeoutError;
    switch (error.code) {
      case 'CIRCUIT_OPEN':
        expectTypeOf(error.retryAfterMs).toEqualTypeOf<number>();
        expectTypeOf(error.state).toEqualTypeOf<BreakerState>();
        break;
      case 'BULKHEAD_FULL':
        expectTypeOf(error.reason).toEqualTypeOf<'full' | 'deadline' | 'maxWait'>();
        break;
      case 'RATE_LIMITED':
        expectTypeOf(error.limiter).toEqualTypeOf<string>();
        break;
      case 'TIMEOUT':
        expectTypeOf(error.abandoned).toEqualTypeOf<boolean>();
    }
  });
});

describe('onEvent', () => {
  test('gives each listener the fields of its event', () => {
    expectTypeOf(
      onEvent('breaker:transition', (e) => expectTypeOf(e.to).toEqualTypeOf<BreakerState>()),
    ).toEqualTypeOf<Disposable>();
    onEvent('retry:scheduled', (e) => expectTypeOf(e.delayMs).toEqualTypeOf<number>());
    onEvent('retry:gave-up', (e) => expectTypeOf(e.stoppedBy).toEqualTypeOf<StoppedBy>());
    onEvent('rate-limit:refused', (e) => expectTypeOf(e.retryAfterMs).toEqualTypeOf<number>());
    onEvent('bulkhead:refused', (e) => expectTypeOf(e.reason).toEqualTypeOf<'full' | 'deadline' | 'maxWait'>());
    onEvent('policy:warning', (e) =>
      expectTypeOf(e.warning).toEqualTypeOf<
        'not-idempotent' | 'timeout-not-retried' | 'breaker-outside-retry' | 'timeout-never-fires'
      >(),
    );
    onEvent('call:end', (e) => expectTypeOf(e).toExtend<{ name: string | undefined; at: number; ok: boolean }>());
    // @ts-expect-error an event that does not exist
    onEvent('breaker:opened', () => {});
    // @ts-expect-error a field that it does not have
    onEvent('budget:empty', (e) => e.delayMs);
  });
});
