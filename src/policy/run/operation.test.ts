/**
 * What an operation may be (P1.5): one that throws at once, returns a plain value or a foreign thenable is taken as one that returned a promise.
 * And what may come out of it (P2.1, P2.2): the same value, the same error, whatever they are.
 */
import { describe, expect, test } from 'vitest';
import { settle } from '../../../test/settle.ts';
import { watchUnhandledRejections } from '../../../test/unhandled.ts';
import {
  breaker,
  bulkhead,
  constant,
  failWhen,
  fallback,
  layer,
  policy,
  retry,
  suppressedErrors,
  timeout,
  type Policy,
} from '../../index.ts';

watchUnhandledRejections();

const zero = constant(0);

/** Each goes another way through the run: straight on, with a promise of its own, with gates, in two stages, in a scope around it. */
const policies: readonly (readonly [name: string, policy: Policy])[] = [
  ['no layers', policy()],
  ['retry', retry({ attempts: 2, backoff: zero })],
  ['timeouts', policy(timeout('1h'), timeout('30m'))],
  ['gates', policy(breaker({ failures: 1e6 }), bulkhead({ limit: 100 }))],
  [
    'failWhen',
    policy(
      retry({ attempts: 2, backoff: zero }),
      failWhen(() => false),
    ),
  ],
  ['two stages', policy(breaker({ failures: 1e6 }), retry({ attempts: 2, backoff: zero }))],
  [
    'a layer of one’s own',
    policy(layer({ name: 'own', run: (next) => next() }), retry({ attempts: 2, backoff: zero })),
  ],
];

const throws = (error: unknown) => (): never => {
  throw error;
};

/** A thenable that is no promise. */
const thenable = (then: (resolve: (value: unknown) => void, reject: (error: unknown) => void) => unknown): any => ({
  // oxlint-disable-next-line unicorn/no-thenable -- that is what it is
  then,
});

/** Values of which each is told from all others. */
const values: readonly unknown[] = [
  undefined,
  null,
  false,
  0,
  -0,
  Number.NaN,
  '',
  1n,
  Symbol('value'),
  {},
  Object.create(null),
  Object.freeze({}),
  [],
  () => {},
  new Error('a value too'),
  new Proxy({}, {}),
];

describe.each(policies)('P1.5, P2: in a policy of %s', (_name, made) => {
  test('the operation is called at once, within the call of run', async () => {
    const log: string[] = [];
    const promise = made.run(() => void log.push('called'));
    log.push('returned');
    await promise;
    expect(log).toEqual(['called', 'returned']);
  });

  test('a value comes out as it is, returned or promised', async () => {
    for (const value of values) {
      for (const op of [
        () => value,
        async () => value,
        () => thenable((resolve) => resolve(value)),
        () => Promise.resolve(value),
      ]) {
        const settled = (await settle(() => made.run(op))) as { value: unknown };
        expect(settled).toHaveProperty('value');
        expect(Object.is(settled.value, value)).toBe(true);
      }
    }
  });

  test('an error comes out as the same object, unchanged, thrown at once or not', async () => {
    for (const error of [...values, Object.freeze(new Error('frozen')), new AggregateError([])]) {
      for (const op of [
        throws(error),
        async () => throws(error)(),
        () => Promise.reject(error),
        () => thenable((_, reject) => reject(error)),
        () => thenable(() => throws(error)()),
      ]) {
        const settled = (await settle(() => made.run(op))) as { error: unknown };
        expect(settled).toHaveProperty('error');
        expect(Object.is(settled.error, error)).toBe(true);
      }
    }
    const plain = new Error('plain');
    const before = JSON.stringify(Object.getOwnPropertyDescriptors(plain));
    await settle(() => made.run(throws(plain)));
    expect(JSON.stringify(Object.getOwnPropertyDescriptors(plain))).toBe(before);
    expect(suppressedErrors(plain)).toEqual([]);
  });

  test('an error that cannot be looked at comes out as the same object', async () => {
    const trap = throws(new Error('trap'));
    const target = Object.assign(new Error('hostile'), { code: 'TIMEOUT' });
    for (const error of [
      new Proxy(target, { get: trap }),
      new Proxy(target, { has: trap }),
      new Proxy(target, { getPrototypeOf: trap }),
      new Proxy(target, { get: trap, has: trap, getPrototypeOf: trap, ownKeys: trap, getOwnPropertyDescriptor: trap }),
      Object.defineProperty(new Error('getter'), 'code', { get: trap }),
      Object.defineProperty(new Error('getter'), 'cause', { get: trap }),
    ]) {
      const settled = (await settle(() => made.run(throws(error)))) as { error: unknown };
      expect(Object.is(settled.error, error)).toBe(true);
      const outcome = await made.settle(throws(error));
      expect(outcome.ok).toBe(false);
      expect(Object.is((outcome as { error: unknown }).error, error)).toBe(true);
    }
  });

  test('a thenable that calls back twice, or throws after it has called back, counts once', async () => {
    const first = thenable((resolve, reject) => {
      resolve('first');
      resolve('second');
      reject(new Error('third'));
      throw new Error('fourth');
    });
    expect(await made.run(() => first)).toBe('first');
    const second = thenable((resolve, reject) => {
      reject('first');
      resolve('second');
    });
    expect(await settle(() => made.run(() => second))).toEqual({ error: 'first' });
  });

  test('a thenable of a thenable of a promise is waited for to the end', async () => {
    const inner = thenable((resolve) => queueMicrotask(() => resolve(Promise.resolve('end'))));
    expect(await made.run(() => thenable((resolve) => resolve(inner)))).toBe('end');
    expect(
      await settle(() => made.run(() => thenable((resolve) => resolve(Promise.reject(new Error('end')))))),
    ).toEqual({
      error: new Error('end'),
    });
  });

  test('a `then` that throws when it is looked at is what the operation threw', async () => {
    // oxlint-disable-next-line unicorn/no-thenable -- that is what it is
    const hostile = Object.defineProperty({}, 'then', { get: throws('getter') });
    expect(await settle(() => made.run(() => hostile))).toEqual({ error: 'getter' });
  });

  test('a `then` that somebody has put on a promise of the platform is not called, as `await` does not', async () => {
    // oxlint-disable-next-line unicorn/no-thenable -- likewise
    const promise = Object.assign(Promise.resolve('own'), { then: throws(new Error('called')) });
    expect(await made.run(() => promise)).toBe('own');
    // oxlint-disable-next-line unicorn/no-thenable -- likewise
    const rejected = Object.assign(Promise.reject(new Error('own')), { then: () => new Promise(() => {}) });
    expect(await settle(() => made.run(() => rejected))).toEqual({ error: new Error('own') });
  });

  test('a promise of a subclass is waited for by its own `then`', async () => {
    let asked = 0;
    class Counted<T> extends Promise<T> {
      // oxlint-disable-next-line unicorn/no-thenable -- that is what it is
      override then<A = T, B = never>(
        onfulfilled?: ((value: T) => A | PromiseLike<A>) | null,
        onrejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
      ): Promise<A | B> {
        asked++;
        return super.then(onfulfilled, onrejected);
      }
    }
    expect(await made.run(() => Counted.resolve('own'))).toBe('own');
    expect(asked).toBe(1);
    expect(await settle(() => made.run(() => Counted.reject(new Error('own'))))).toEqual({ error: new Error('own') });
  });
});

test('P2.2 what a fallback function throws, and what it was given, may be values that cannot be looked at', async () => {
  const trap = throws(new Error('trap'));
  const hostile = new Proxy(new Error('hostile'), { get: trap, has: trap, getPrototypeOf: trap, defineProperty: trap });
  const settled = (await settle(() => fallback(throws(hostile)).run(throws('first')))) as { error: unknown };
  expect(Object.is(settled.error, hostile)).toBe(true);
  let given: unknown;
  await fallback((error) => void (given = error)).run(throws(hostile));
  expect(Object.is(given, hostile)).toBe(true);
});
