/** The types of decorated methods, as users see them. */
import { describe, expectTypeOf, test } from 'vitest';
import {
  breaker,
  fallback,
  policy,
  resilient,
  retry,
  type Breaker,
  type FallbackOf,
  type Policy,
  type Resilient,
  type Scope,
} from '../../index.ts';

declare const plain: Policy;
declare const zero: Policy<0>;

describe('resilient(policy)', () => {
  test('keeps what the policy may give in place of a result', () => {
    expectTypeOf(resilient(plain)).toEqualTypeOf<Resilient>();
    expectTypeOf(resilient(zero)).toEqualTypeOf<Resilient<0>>();
    expectTypeOf(resilient(breaker())).toEqualTypeOf<Resilient>();
    expectTypeOf(
      resilient(
        policy(
          fallback(async () => 'a'),
          retry(),
        ),
      ),
    ).toEqualTypeOf<Resilient<string>>();
    expectTypeOf<FallbackOf<Breaker>>().toEqualTypeOf<never>();
  });

  test('takes the options of wrap', () => {
    resilient(plain, { signal: (_id: number, signal?: AbortSignal) => signal, idempotent: true, name: 'orders' });
    resilient(plain, { signal: (s: Scope) => s });
    // @ts-expect-error nobody waits for a signal
    resilient(plain, { signal: async () => undefined });
    // @ts-expect-error an option of a layer
    resilient(plain, { attempts: 3 });
    // @ts-expect-error a function that makes one
    resilient(retry);
  });
});

class Shop {
  failures = 0;

  @resilient(plain)
  async place(id: number, note?: string): Promise<string> {
    return `${id} ${note} ${this.failures}`;
  }

  @resilient(plain)
  async first<T>(items: readonly T[]): Promise<T | undefined> {
    return items[0];
  }

  @resilient(zero)
  async count(): Promise<number> {
    return 1;
  }

  @resilient(plain)
  static async open<T extends Shop>(this: new () => T): Promise<T> {
    return new this();
  }

  @resilient(plain)
  async #hidden(): Promise<number> {
    return this.failures;
  }

  hidden(): Promise<number> {
    return this.#hidden();
  }

  overloaded(id: number): Promise<number>;
  overloaded(id: string): Promise<string>;
  @resilient(plain)
  async overloaded(id: number | string): Promise<number | string> {
    return id;
  }
}

class Big extends Shop {
  @resilient(plain)
  override async place(id: number): Promise<string> {
    return super.place(id);
  }
}

describe('a decorated method', () => {
  test('has the type that it had', () => {
    const shop = new Shop();
    expectTypeOf(shop.place).toEqualTypeOf<(id: number, note?: string) => Promise<string>>();
    expectTypeOf(shop.count).toEqualTypeOf<() => Promise<number>>();
    expectTypeOf(shop.first(['a'])).toEqualTypeOf<Promise<string | undefined>>();
    expectTypeOf(Big.open()).toEqualTypeOf<Promise<Big>>();
    expectTypeOf(shop.hidden()).toEqualTypeOf<Promise<number>>();
    expectTypeOf(shop.overloaded(1)).toEqualTypeOf<Promise<number>>();
    expectTypeOf(shop.overloaded('a')).toEqualTypeOf<Promise<string>>();
    expectTypeOf(new Big().place).toEqualTypeOf<(id: number) => Promise<string>>();
  });
});

describe('does not compile', () => {
  test('on a method that could not return what the fallback gives', () => {
    class Wrong {
      // @ts-expect-error a text, and never 0
      @resilient(zero)
      async name(): Promise<string> {
        return 'a';
      }
    }
    void Wrong;
  });

  test('on a method that returns no promise', () => {
    class Wrong {
      // @ts-expect-error not a promise
      @resilient(plain)
      count(): number {
        return 1;
      }
    }
    void Wrong;
  });

  test('on fields, accessors and classes', () => {
    // @ts-expect-error a class
    @resilient(plain)
    class Wrong {
      // @ts-expect-error a field
      @resilient(plain)
      field = async (): Promise<number> => 1;

      // @ts-expect-error a getter
      @resilient(plain)
      get size(): Promise<number> {
        return Promise.resolve(1);
      }
    }
    void Wrong;
  });
});
