/** The types of `standard`, as users see them. */
import { describe, expectTypeOf, test } from 'vitest';
import { standard, type Policy, type Scope, type StandardOptions } from '../../index.ts';

describe('standard', () => {
  test('gives nothing in place of a result, unless a fallback is in it', () => {
    expectTypeOf(standard()).toEqualTypeOf<Policy>();
    expectTypeOf(standard({})).toEqualTypeOf<Policy>();
    expectTypeOf(standard({ timeout: '3s', retry: false })).toEqualTypeOf<Policy>();
    expectTypeOf(standard({ fallback: false })).toEqualTypeOf<Policy>();
    expectTypeOf(standard({ fallback: undefined })).toEqualTypeOf<Policy>();
  });

  test('gives what the fallback gives', () => {
    expectTypeOf(standard({ fallback: 0 })).toEqualTypeOf<Policy<0>>();
    expectTypeOf(standard({ fallback: null, breaker: false })).toEqualTypeOf<Policy<null>>();
    expectTypeOf(standard({ fallback: { count: 0 } })).toEqualTypeOf<Policy<{ readonly count: 0 }>>();
    expectTypeOf(standard({ fallback: () => 5 })).toEqualTypeOf<Policy<number>>();
    expectTypeOf(standard({ fallback: async () => 'a' })).toEqualTypeOf<Policy<string>>();
    expectTypeOf(standard({ fallback: () => false })).toEqualTypeOf<Policy<boolean>>();
    expectTypeOf(standard({ fallback: 0 }).run(() => 'a')).toEqualTypeOf<Promise<string | 0>>();
    const maybe: 0 | false = Math.random() > 0.5 ? 0 : false;
    expectTypeOf(standard({ fallback: maybe })).toEqualTypeOf<Policy<0>>();
  });

  test('gives the function of a fallback the error and a scope', () => {
    standard({
      fallback: (error, s) => {
        expectTypeOf(error).toEqualTypeOf<unknown>();
        expectTypeOf(s).toEqualTypeOf<Scope>();
        return s.sleep(1);
      },
    });
  });

  test('takes the options of each layer, durations, and false', () => {
    standard({
      timeout: { after: '3s', grace: 0 },
      retry: { attempts: 2 },
      breaker: { failures: 2 },
      rateLimit: { limit: 5, per: '1m' },
      bulkhead: { limit: 5 },
      attemptTimeout: 50,
    });
    standard({
      timeout: false,
      retry: false,
      breaker: false,
      rateLimit: false,
      bulkhead: false,
      attemptTimeout: false,
    });
    const options: StandardOptions = { timeout: '3s', fallback: 5 };
    expectTypeOf(standard(options)).toEqualTypeOf<Policy<unknown>>();
  });

  test('refuses what is none of that', () => {
    // @ts-expect-error a slot that does not exist
    standard({ timeouts: '3s' });
    // @ts-expect-error a layer that is on has options, or nothing
    standard({ retry: true });
    // @ts-expect-error an option that does not exist
    standard({ retry: { retries: 3 } });
    // @ts-expect-error a bulkhead has a limit
    standard({ bulkhead: {} });
    // @ts-expect-error how long is not said
    standard({ timeout: { grace: 5 } });
    // @ts-expect-error a unit that does not exist
    standard({ attemptTimeout: '2 weeks' });
  });
});
