/** The types of `rateLimit`, as users see them. */
import { describe, expectTypeOf, test } from 'vitest';
import {
  contextKey,
  onEvent,
  policy,
  rateLimit,
  RateLimitedError,
  retry,
  type Policy,
  type RateLimit,
  type RateLimitSnapshot,
  type Weighed,
} from '../../index.ts';

describe('rateLimit', () => {
  test('is a policy of one layer, that gives nothing of its own', async () => {
    const api = rateLimit({ limit: 10, per: '1s', burst: 2, maxWait: '250ms', dryRun: false, name: 'api' });
    expectTypeOf(api).toEqualTypeOf<RateLimit>();
    expectTypeOf(api).toExtend<Policy>();
    expectTypeOf(await api.run(() => 5)).toEqualTypeOf<number>();
    expectTypeOf(policy(retry({ retryOn: [RateLimitedError, 'RATE_LIMITED'] }), api)).toEqualTypeOf<Policy>();
  });

  test('needs a limit, and knows its options', () => {
    // @ts-expect-error no limit
    rateLimit({});
    // @ts-expect-error no such option
    rateLimit({ limit: 5, rate: 5 });
    // @ts-expect-error no duration
    rateLimit({ limit: 5, per: 'second' });
  });

  test('a weight is a number, or a function of the call that gives one', () => {
    const size = contextKey<number>('size');
    rateLimit({ limit: 5, weight: 2 });
    rateLimit({ limit: 5, weight: (call) => call.get(size) ?? call.attempt });
    rateLimit({
      limit: 5,
      weight: (call) => {
        expectTypeOf(call).toEqualTypeOf<Weighed>();
        return 1;
      },
    });
    // @ts-expect-error nobody waits for it
    rateLimit({ limit: 5, weight: async () => 1 });
  });

  test('can be looked at and saved', () => {
    const api = rateLimit({ limit: 10 });
    expectTypeOf(api.tokens).toEqualTypeOf<number>();
    expectTypeOf(api.waiting).toEqualTypeOf<number>();
    expectTypeOf(api.name).toEqualTypeOf<string>();
    expectTypeOf(api.toJSON()).toEqualTypeOf<RateLimitSnapshot>();
  });

  test('tells of what it refuses', () => {
    onEvent('rate-limit:refused', ({ name, retryAfterMs, dryRun }) => {
      expectTypeOf(name).toEqualTypeOf<string | undefined>();
      expectTypeOf(retryAfterMs).toEqualTypeOf<number>();
      expectTypeOf(dryRun).toEqualTypeOf<boolean>();
    });
    expectTypeOf<RateLimitedError['code']>().toEqualTypeOf<'RATE_LIMITED'>();
    expectTypeOf<RateLimitedError['limiter']>().toEqualTypeOf<string>();
  });
});
