/** The types of policies, as users see them. */
import { describe, expectTypeOf, test } from 'vitest';
import {
  breaker,
  budget,
  bulkhead,
  constant,
  failWhen,
  fallback,
  hedge,
  layer,
  policy,
  retry,
  timeout,
  type AttemptReport,
  type Breaker,
  type Bulkhead,
  type FallbackOf,
  type Policy,
  type PolicyOutcome,
  type RetryContext,
  type RetryScheduled,
  type Scope,
  type StoppedBy,
} from '../index.ts';

interface Stock {
  readonly sku: string;
  readonly count: number;
}

const plain = policy(timeout('3s'), retry({ attempts: 4 }), breaker(), bulkhead({ limit: 10 }), timeout('800ms'));
const query = async (sku: string): Promise<Stock> => ({ sku, count: 1 });

describe('policy(…)', () => {
  test('gives nothing in place of a result, unless a fallback is in it', () => {
    expectTypeOf(plain).toEqualTypeOf<Policy>();
    expectTypeOf(policy()).toEqualTypeOf<Policy>();
    expectTypeOf(policy(breaker())).toEqualTypeOf<Policy>();
    expectTypeOf(policy(bulkhead({ limit: 1 }), policy(breaker(), retry()))).toEqualTypeOf<Policy>();
    expectTypeOf(policy(layer({ name: 'own', run: (next) => next() }))).toEqualTypeOf<Policy>();
    expectTypeOf(policy(failWhen((it: Response) => !it.ok))).toEqualTypeOf<Policy>();
  });

  test('gives what its fallbacks give, wherever they stand', () => {
    expectTypeOf(policy(fallback('none'), retry())).toEqualTypeOf<Policy<'none'>>();
    expectTypeOf(
      policy(
        breaker(),
        fallback(() => 5),
      ),
    ).toEqualTypeOf<Policy<number>>();
    expectTypeOf(
      policy(
        fallback('none'),
        retry(),
        fallback(async () => null),
      ),
    ).toEqualTypeOf<Policy<'none' | null>>();
    expectTypeOf(policy(policy(fallback(0), breaker()), policy(policy(fallback('a'))))).toEqualTypeOf<
      Policy<0 | 'a'>
    >();
  });

  test('takes policies only', () => {
    // @ts-expect-error a function that makes one
    policy(retry);
    // @ts-expect-error options
    policy({ attempts: 3 });
    // @ts-expect-error none at all
    policy(undefined);
  });

  test('takes a list that was made before', () => {
    const layers: Policy[] = [retry(), breaker()];
    expectTypeOf(policy(...layers)).toEqualTypeOf<Policy>();
    const mixed = [retry(), fallback(0)] as const;
    expectTypeOf(policy(...mixed)).toEqualTypeOf<Policy<0>>();
  });

  test('is a value of the type Policy, whatever is in it', () => {
    const made: Policy = policy(breaker(), retry());
    const any: Policy<unknown> = policy(fallback(0), breaker());
    const wider: Policy<number | string> = policy(fallback(0));
    expectTypeOf([made, any, wider]).toExtend<Policy<unknown>[]>();
    // @ts-expect-error it may give 0 in place of a text
    const narrower: Policy<string> = policy(fallback(0));
    void narrower;
  });

  test('FallbackOf is what a policy may give in place of a result', () => {
    expectTypeOf<FallbackOf<Policy<0>>>().toEqualTypeOf<0>();
    expectTypeOf<FallbackOf<Policy<0> | Policy<'a'>>>().toEqualTypeOf<0 | 'a'>();
    expectTypeOf<FallbackOf<Policy>>().toEqualTypeOf<never>();
    expectTypeOf<FallbackOf<Breaker>>().toEqualTypeOf<never>();
    expectTypeOf<FallbackOf<Bulkhead | Policy<0>>>().toEqualTypeOf<0>();
    expectTypeOf<FallbackOf<string>>().toEqualTypeOf<never>();
  });
});

describe('run', () => {
  test('has the type of what the operation returns, promise or not', () => {
    expectTypeOf(plain.run(() => 1)).toEqualTypeOf<Promise<number>>();
    expectTypeOf(plain.run(async () => 'a' as const)).toEqualTypeOf<Promise<'a'>>();
    expectTypeOf(plain.run(() => query('a'))).toEqualTypeOf<Promise<Stock>>();
    expectTypeOf(plain.run((s) => s.sleep(1))).toEqualTypeOf<Promise<void>>();
    expectTypeOf(breaker().run(() => 1)).toEqualTypeOf<Promise<number>>();
    expectTypeOf(bulkhead({ limit: 1 }).run(() => 1)).toEqualTypeOf<Promise<number>>();
  });

  test('or of what a fallback gives besides', () => {
    expectTypeOf(policy(fallback(null), retry()).run(() => query('a'))).toEqualTypeOf<Promise<Stock | null>>();
    expectTypeOf(fallback([]).run((): Stock[] => [])).toEqualTypeOf<Promise<Stock[] | readonly []>>();
  });

  test('keeps the type parameters of a function that calls it', () => {
    const through = <T>(op: (s: Scope) => Promise<T>): Promise<T> => plain.run(op);
    expectTypeOf(through(() => query('a'))).toEqualTypeOf<Promise<Stock>>();
    const first = <T>(items: readonly T[]): Promise<T | undefined> => plain.run(() => items[0]);
    expectTypeOf(first(['a'])).toEqualTypeOf<Promise<string | undefined>>();
  });

  test('gives the operation a scope', () => {
    void plain.run((s) => expectTypeOf(s).toEqualTypeOf<Scope>());
  });

  test('takes a signal or a scope, idempotent and a name', () => {
    void plain.run((s) => plain.run(() => 1, { signal: s, idempotent: true, name: 'query' }));
    void plain.run(() => 1, { signal: new AbortController().signal, idempotent: undefined });
    // @ts-expect-error neither
    void plain.run(() => 1, { signal: {} });
    // @ts-expect-error neither true nor false
    void plain.run(() => 1, { idempotent: 'yes' });
    // @ts-expect-error an option of another function
    void plain.run(() => 1, { timeout: 5 });
    // @ts-expect-error no function
    void plain.run(query('a'));
  });
});

describe('settle', () => {
  test('has an outcome of that', () => {
    expectTypeOf(plain.settle(() => query('a'))).toEqualTypeOf<Promise<PolicyOutcome<Stock>>>();
    expectTypeOf(policy(fallback(0)).settle(() => 'a')).toEqualTypeOf<Promise<PolicyOutcome<string | 0>>>();
  });

  test('tells by `ok` what there is', async () => {
    const outcome = await plain.settle(() => query('a'));
    if (outcome.ok) expectTypeOf(outcome.value).toEqualTypeOf<Stock>();
    else expectTypeOf(outcome.error).toEqualTypeOf<unknown>();
    expectTypeOf(outcome.attempts).toEqualTypeOf<readonly AttemptReport[]>();
    expectTypeOf(outcome.stoppedBy).toEqualTypeOf<StoppedBy | undefined>();
    expectTypeOf(outcome.cancelled).toEqualTypeOf<boolean>();
    // @ts-expect-error it is frozen
    outcome.ok = true;
  });
});

describe('bind', () => {
  test('gives a function of the arguments after the scope', () => {
    const stock = plain.bind((s, sku: string, count?: number): Stock => {
      expectTypeOf(s).toEqualTypeOf<Scope>();
      return { sku, count: count ?? 0 };
    });
    expectTypeOf(stock).toEqualTypeOf<(sku: string, count?: number) => Promise<Stock>>();
    // @ts-expect-error no text
    void stock(5);
    // @ts-expect-error one too many
    void stock('a', 1, 2);
  });

  test('takes rest parameters, and none', () => {
    expectTypeOf(plain.bind((_s, ...skus: string[]) => skus.length)).toEqualTypeOf<
      (...skus: string[]) => Promise<number>
    >();
    expectTypeOf(plain.bind(async () => 1)).toEqualTypeOf<() => Promise<number>>();
  });

  test('or of what a fallback gives besides', () => {
    const stock = policy(fallback(null)).bind((_s, sku: string) => query(sku));
    expectTypeOf(stock).toEqualTypeOf<(sku: string) => Promise<Stock | null>>();
  });

  test('keeps the type parameters of a generic function', () => {
    const pick = plain.bind(<T>(_s: Scope, items: readonly T[]): T | undefined => items[0]);
    expectTypeOf(pick(['a'])).toEqualTypeOf<Promise<string | undefined>>();
    expectTypeOf(pick([1])).toEqualTypeOf<Promise<number | undefined>>();
  });
});

describe('wrap', () => {
  test('gives a function with the same parameters, which returns a promise', () => {
    expectTypeOf(plain.wrap(query)).toEqualTypeOf<(sku: string) => Promise<Stock>>();
    expectTypeOf(plain.wrap((a: number, b: number = 2) => a + b)).toEqualTypeOf<
      (a: number, b?: number) => Promise<number>
    >();
    expectTypeOf(policy(fallback('none')).wrap(query)).toEqualTypeOf<(sku: string) => Promise<Stock | 'none'>>();
  });

  test('keeps the type parameters of a generic function', () => {
    const first = plain.wrap(<T>(items: readonly T[]): Promise<T | undefined> => Promise.resolve(items[0]));
    expectTypeOf(first(['a'])).toEqualTypeOf<Promise<string | undefined>>();
  });

  test('takes methods', () => {
    class Orders {
      async place(id: number): Promise<string> {
        return `${id}`;
      }
    }
    expectTypeOf(plain.wrap(Orders.prototype.place)).toEqualTypeOf<(id: number) => Promise<string>>();
  });
});

describe('retry', () => {
  test('tells its hooks what is known of the attempt', () => {
    retry({
      retryIf: (error, context) => {
        expectTypeOf(error).toEqualTypeOf<unknown>();
        expectTypeOf(context).toEqualTypeOf<RetryContext>();
        return context.attempt < 3 ? true : undefined;
      },
      onRetry: (scheduled) => expectTypeOf(scheduled).toEqualTypeOf<RetryScheduled>(),
      backoff: (attempt, previousMs, random) => attempt * previousMs * random,
    });
  });

  test('takes classes and codes, a budget or its options, durations with units', () => {
    abstract class Own extends Error {
      abstract readonly order: number;
    }
    retry({ retryOn: ['ECONNRESET', TypeError, Own], budget: budget(), maxElapsed: '1.5s', minAttemptTime: 10 });
    retry({ budget: { ratio: 0.1 }, maxRetryAfter: Infinity, idempotent: true, attempts: Infinity });
    retry({ budget: false, backoff: constant('50ms') });
  });

  test('refuses what is none of that', () => {
    // @ts-expect-error nobody would wait for it
    retry({ retryIf: async () => true });
    // @ts-expect-error not a list
    retry({ retryOn: TypeError });
    // @ts-expect-error an error, and not its class
    retry({ retryOn: [new TypeError()] });
    // @ts-expect-error a predicate is for retryIf
    retry({ retryOn: [(error: unknown) => error instanceof TypeError] });
    // @ts-expect-error false is the only other thing
    retry({ budget: true });
    // @ts-expect-error no back-off, but a duration
    retry({ backoff: '100ms' });
    // @ts-expect-error a unit that does not exist
    retry({ maxElapsed: '2 weeks' });
    // @ts-expect-error no number
    retry({ attempts: '3' });
    // @ts-expect-error an option that does not exist
    retry({ retries: 3 });
  });
});

describe('failWhen', () => {
  test('takes a predicate of the result', () => {
    failWhen((response: Response) => response.status >= 500);
    failWhen((it) => it === 'busy');
    // @ts-expect-error nobody would wait for it
    failWhen(async () => true);
    // @ts-expect-error no predicate
    failWhen(/busy/);
  });
});

describe('fallback', () => {
  test('has the type of the value, or of what the function gives', () => {
    expectTypeOf(fallback(0)).toEqualTypeOf<Policy<0>>();
    expectTypeOf(fallback({ count: 0 })).toEqualTypeOf<Policy<{ readonly count: 0 }>>();
    expectTypeOf(fallback(() => 0)).toEqualTypeOf<Policy<number>>();
    expectTypeOf(fallback(async () => 'a')).toEqualTypeOf<Policy<string>>();
  });

  test('gives the function the error and a scope', () => {
    fallback((error, s) => {
      expectTypeOf(error).toEqualTypeOf<unknown>();
      expectTypeOf(s).toEqualTypeOf<Scope>();
      return s.sleep(1);
    });
  });
});

describe('hedge', () => {
  test('is a policy that gives nothing in place of a result', () => {
    expectTypeOf(hedge({ after: '50ms' }).run(() => 1)).toEqualTypeOf<Promise<number>>();
    expectTypeOf(
      policy(retry(), hedge({ after: 50, extra: 2, idempotent: true, budget: false })),
    ).toEqualTypeOf<Policy>();
    expectTypeOf(hedge({ after: { percentile: 95 } }).afterMs).toEqualTypeOf<number | undefined>();
  });

  test('takes a duration or a percentile', () => {
    hedge({ after: { percentile: 99, min: '5ms', max: 1000 }, budget: { ratio: 0.1 }, restore: JSON.parse('{}') });
    // @ts-expect-error -- `after` is required
    hedge({});
    // @ts-expect-error -- no unit
    hedge({ after: '50' });
    // @ts-expect-error -- a percentile is required
    hedge({ after: { min: 5 } });
  });
});

describe('layer', () => {
  test('takes a name and a function around what is inside', () => {
    layer({ name: 'own', run: (next, s) => s.go(() => next()) });
    layer({ name: 'cached', run: async () => 'value' });
    // @ts-expect-error every layer has a name
    layer({ run: (next: () => unknown) => next() });
    // @ts-expect-error nothing to run
    layer({ name: 'own' });
    // @ts-expect-error an option that does not exist
    layer({ name: 'own', run: () => 1, retries: 3 });
  });
});

describe('budget', () => {
  test('takes numbers of tokens', () => {
    expectTypeOf(budget({ ratio: 0.1, name: 'inventory' }).tokens).toEqualTypeOf<number>();
    // @ts-expect-error a budget is not counted in time
    budget({ trickle: '1s' });
    // @ts-expect-error an option that does not exist
    budget({ tokens: 5 });
  });
});
