/** The types of `perKey`, as users see them. */
import { describe, expectTypeOf, test } from 'vitest';
import {
  breaker,
  fallback,
  onEvent,
  perKey,
  policy,
  retry,
  type Breaker,
  type PerKey,
  type Policy,
} from '../../index.ts';

describe('perKey', () => {
  test('gives what its function gives, by what that takes', () => {
    const hosts = perKey((host: string) => breaker({ name: host }));
    expectTypeOf(hosts).toEqualTypeOf<PerKey<string, Breaker>>();
    expectTypeOf(hosts.get('a')).toEqualTypeOf<Breaker>();
    expectTypeOf(perKey((_key: number) => policy(fallback(0), retry())).get(5)).toEqualTypeOf<Policy<0>>();
    expectTypeOf(perKey(() => retry()).get({})).toEqualTypeOf<Policy>();
    // @ts-expect-error a key of another type
    hosts.get(5);
  });

  test('can be looked at', () => {
    const hosts = perKey((host: string) => breaker({ name: host }), { max: 5, name: 'hosts' });
    expectTypeOf(hosts.size).toEqualTypeOf<number>();
    expectTypeOf(hosts.max).toEqualTypeOf<number>();
    expectTypeOf([...hosts]).toEqualTypeOf<(readonly [key: string, policy: Breaker])[]>();
    // @ts-expect-error it is not set from outside
    hosts.max = 7;
  });

  test('refuses what makes no policy, and options that do not exist', () => {
    // @ts-expect-error no policy
    perKey(() => 5);
    // @ts-expect-error a policy is not a function that makes one
    perKey(retry());
    // @ts-expect-error nobody waits for it
    perKey(async () => retry());
    // @ts-expect-error an option that does not exist
    perKey(() => retry(), { size: 5 });
  });

  test('tells by an event', () => {
    onEvent('per-key:full', (e) => {
      expectTypeOf(e.key).toEqualTypeOf<unknown>();
      expectTypeOf(e.size).toEqualTypeOf<number>();
    });
  });
});
