/** The types of scopes, as users see them. */
import { describe, expectTypeOf, test } from 'vitest';
import { contextKey, scope, scopeSync, type Scope, type SyncScope, type Task } from './index.ts';

describe('scope', () => {
  test('has the type of what its body returns, promise or not', () => {
    expectTypeOf(scope(() => 1)).toEqualTypeOf<Promise<number>>();
    expectTypeOf(scope(async () => 'a' as const)).toEqualTypeOf<Promise<'a'>>();
    expectTypeOf(scope({ timeout: '2s' }, () => 1)).toEqualTypeOf<Promise<number>>();
  });

  test('has the type of what `recover` returns besides', () => {
    expectTypeOf(scope({ recover: () => null }, () => 1)).toEqualTypeOf<Promise<number | null>>();
    expectTypeOf(scope({ recover: async () => 'none' }, () => 1)).toEqualTypeOf<Promise<number | string>>();
  });

  test('takes durations with units and refuses others', () => {
    void scope({ timeout: 250 }, () => 1);
    void scope({ timeout: '1.5s', cleanupTimeout: '2m' }, () => 1);
    // @ts-expect-error a unit that does not exist
    void scope({ timeout: '2 weeks' }, () => 1);
    // @ts-expect-error an option that does not exist
    void scope({ timeot: 250 }, () => 1);
  });

  test('takes a signal or a scope as its signal', () => {
    void scope((s) => scope({ signal: s }, () => 1));
    void scope((s) => scope({ signal: s.signal }, () => 1));
    // @ts-expect-error neither
    void scope({ signal: {} }, () => 1);
  });
});

describe('members', () => {
  const s = {} as Scope;

  test('`use` gives back what it was given, and takes only what can be disposed of', () => {
    const handle = {} as AsyncDisposable & { readonly fd: number };
    expectTypeOf(s.use(handle)).toEqualTypeOf<AsyncDisposable & { readonly fd: number }>();
    expectTypeOf(s.use(null)).toEqualTypeOf<null>();
    // @ts-expect-error a number cannot be disposed of
    s.use(5);
  });

  test('`adopt` gives the value to its disposer', () => {
    expectTypeOf(s.adopt({ id: 1 }, (value) => value.id)).toEqualTypeOf<{ id: number }>();
  });

  test('`go` gives a task of the result', () => {
    expectTypeOf(s.go(async () => 1)).toEqualTypeOf<Task<number>>();
    expectTypeOf(s.go(() => 'a').cancel).toEqualTypeOf<(reason?: unknown) => void>();
  });

  test('`go` takes the options of a scope, but no signal: a child hangs below its scope', () => {
    expectTypeOf(s.go({ recover: () => null }, async () => 1)).toEqualTypeOf<Task<number | null>>();
    // @ts-expect-error a child cannot hang below something else
    void s.go({ signal: new AbortController().signal }, () => 1);
  });

  test('`map` infers item and result', () => {
    expectTypeOf(
      s.map(['a'], { concurrency: 2 }, (item, child) => child.sleep(1).then(() => item.length)),
    ).toEqualTypeOf<Task<number[]>>();
    // @ts-expect-error concurrency is not optional: how much at once is a decision
    void s.map([1], {}, (item) => item);
  });

  test('`race` has the type of its contenders', () => {
    expectTypeOf(s.race([async () => 1, () => 2])).toEqualTypeOf<Task<number>>();
    expectTypeOf(s.race([async () => 1, () => 'a'])).toEqualTypeOf<Task<number | string>>();
    expectTypeOf(s.race([(child) => child.sleep(1)])).toEqualTypeOf<Task<void>>();
    expectTypeOf(s.race(new Set([() => 1]))).toEqualTypeOf<Task<number>>();
  });

  test('`get` has the type of the key, or nothing', () => {
    const traceId = contextKey<string>('trace_id');
    expectTypeOf(s.get(traceId)).toEqualTypeOf<string | undefined>();
    const orderId = contextKey<number>('order_id');
    void scope(
      {
        values: [
          [traceId, 'a1'],
          [orderId, 17],
        ],
      },
      () => 1,
    );
    // @ts-expect-error the key is for a text
    void scope({ values: [[traceId, 17]] }, () => 1);
  });
});

describe('scopeSync', () => {
  test('has the type of what its body returns', () => {
    expectTypeOf(scopeSync(() => 1)).toEqualTypeOf<number>();
    expectTypeOf(scopeSync({ recover: () => null }, () => 1)).toEqualTypeOf<number | null>();
  });

  test('refuses a body that returns a promise', () => {
    // @ts-expect-error nobody would wait for it
    scopeSync(async () => 1);
  });

  test('gives a scope without children, cancellation or asynchronous resources', () => {
    expectTypeOf<keyof SyncScope>().toEqualTypeOf<'defer' | 'use' | 'adopt'>();
    scopeSync((s) => {
      // @ts-expect-error it would have to be awaited
      s.use({} as AsyncDisposable);
    });
  });
});
