import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addSuppressed, suppressedErrors } from './suppressed.ts';

describe('the errors kept beside an error', () => {
  test('are none at first', () => {
    expect(suppressedErrors(new Error('alone'))).toEqual([]);
  });

  test('come out as the same objects, newest last', () => {
    const error = new Error('first');
    const others = [new Error('a'), 'b', undefined, null, new Error('c')];
    for (const other of others) addSuppressed(error, other);
    const kept = suppressedErrors(error);
    expect(kept).toHaveLength(5);
    kept.forEach((other, at) => expect(other).toBe(others[at]));
  });

  test('hold one error once, however often it comes up, and equal ones each', () => {
    const error = new Error('first');
    const [again, other] = [new Error('again'), new Error('again')];
    for (const it of [again, other, again]) addSuppressed(error, it);
    const kept = suppressedErrors(error);
    expect(kept).toHaveLength(2);
    expect(kept[0]).toBe(again);
    expect(kept[1]).toBe(other);
  });

  test('are the newest hundred: an error that many callers share does not collect for ever', () => {
    const error = new Error('shared');
    for (let i = 0; i < 250; i++) addSuppressed(error, i);
    expect(suppressedErrors(error)).toEqual(Array.from({ length: 100 }, (_, i) => 150 + i));
    addSuppressed(error, 249);
    expect(suppressedErrors(error)).toHaveLength(100);
  });

  test('are kept, or whoever wants to keep one is told', () => {
    const error = new Error('first');
    expect([addSuppressed(error, 'x'), addSuppressed(error, 'x'), addSuppressed(error, error)]).toEqual([
      true,
      true,
      true,
    ]);
    expect(addSuppressed('a primitive', 'x')).toBe(false);
    expect(addSuppressed(undefined, 'x')).toBe(false);
  });

  test('never include the error itself', () => {
    const error = new Error('first');
    addSuppressed(error, error);
    expect(suppressedErrors(error)).toEqual([]);
  });

  test('belong to that object alone, not to an equal one', () => {
    const error = new Error('same');
    addSuppressed(error, 'x');
    expect(suppressedErrors(new Error('same'))).toEqual([]);
  });

  test('are handed out as a copy: changing it changes nothing', () => {
    const error = new Error('first');
    addSuppressed(error, 'kept');
    (suppressedErrors(error) as unknown[]).push('forged');
    (suppressedErrors(error) as unknown[]).length = 0;
    expect(suppressedErrors(error)).toEqual(['kept']);
  });

  test('a copy does not grow with what comes later', () => {
    const error = new Error('first');
    const before = suppressedErrors(error);
    addSuppressed(error, 'later');
    expect(before).toEqual([]);
  });
});

describe('the error itself', () => {
  test('is never written to', () => {
    const error = new Error('first');
    const before = Reflect.ownKeys(error);
    addSuppressed(error, 'x');
    expect(Reflect.ownKeys(error)).toEqual(before);
  });

  test('may be frozen, a function, a proxy, or an object without a prototype', () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    for (const error of [Object.freeze(new Error('frozen')), () => {}, proxy, Object.create(null)]) {
      addSuppressed(error, 'x');
      expect(suppressedErrors(error)).toEqual(['x']);
    }
  });

  test.each([undefined, null, 'text', 5, NaN, true, 5n, Symbol('s'), Symbol.for('registered')])(
    'may be a primitive, which keeps nothing: %o',
    (error) => {
      addSuppressed(error, new Error('lost'));
      expect(suppressedErrors(error)).toEqual([]);
    },
  );
});

test('any sequence of additions comes out in its order, per error, without repetitions', () => {
  const additions = fc.array(fc.tuple(fc.nat(3), fc.anything()));
  fc.assert(
    fc.property(additions, (list) => {
      const errors = [0, 1, 2, 3].map((n) => new Error(`${n}`));
      for (const [at, other] of list) addSuppressed(errors[at], other);
      errors.forEach((error, at) => {
        const added = new Set(list.filter(([to]) => to === at).map(([, other]) => other));
        expect(suppressedErrors(error)).toEqual([...added]);
      });
    }),
  );
});
