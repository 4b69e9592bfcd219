import { describe, expect, test } from 'vitest';
import { classify, conflict, permanent, transient } from './index.ts';

describe('a mark', () => {
  test('leaves the error the same object, unchanged', () => {
    const error = new Error('declined');
    const before = Reflect.ownKeys(error);
    expect(permanent(error)).toBe(error);
    expect(transient(error)).toBe(error);
    expect(Reflect.ownKeys(error)).toEqual(before);
  });

  test.each([
    ['a frozen error', Object.freeze(new Error('frozen'))],
    ['an object without a prototype', Object.create(null) as object],
    ['a function', () => {}],
    ['a proxy that throws whatever is asked', hostileProxy()],
    ['a proxy that was revoked', revokedProxy()],
  ])('may be put on %s', (_, error) => {
    permanent(error);
    expect(classify(error).verdict).toBe('permanent');
    transient(error);
    expect(classify(error).verdict).toBe('transient');
  });

  test.each([undefined, null, 'text', 5, 5n, true, Symbol('s')])('on the primitive %s is refused', (primitive) => {
    const refusal = { code: 'BAD_OPTION', option: 'error', given: primitive };
    expect(() => permanent(primitive)).toThrow(TypeError);
    expect(() => transient(primitive)).toThrow(expect.objectContaining(refusal) as Error);
  });

  test('is found under wrappers', () => {
    const error = new Error('order 17', { cause: new Error('payment', { cause: permanent(new Error('declined')) }) });
    expect(classify(error)).toEqual({ verdict: 'permanent', reason: 'marked permanent', health: 'none' });
  });

  test('comes before what else is known of the same object', () => {
    const refused = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
    expect(classify(refused).verdict).toBe('transient');
    expect(classify(permanent(refused)).verdict).toBe('permanent');
  });

  test('does not come before what is known of a wrapper', () => {
    const error = Object.assign(new Error('not found', { cause: transient(new Error('cause')) }), { status: 404 });
    expect(classify(error).verdict).toBe('permanent');
  });

  test('takes the place of the one before it', () => {
    const error = new Error('x');
    expect(classify(transient(permanent(error))).verdict).toBe('transient');
    expect(classify(permanent(error)).verdict).toBe('permanent');
  });
});

test('permanent: repeating cannot help, and nothing is said of the server', () => {
  const said = classify(permanent(new Error('x')));
  expect(said).toEqual({ verdict: 'permanent', reason: 'marked permanent', health: 'none' });
  expect(Object.isFrozen(said)).toBe(true);
});

describe('transient', () => {
  test('may be run again, and counts against the server', () => {
    const said = classify(transient(new Error('x')));
    expect(said).toEqual({ verdict: 'transient', reason: 'marked transient', health: 'down' });
    expect(Object.isFrozen(said)).toBe(true);
  });

  test.each([
    ['1.5s', 1_500],
    [250, 250],
    [0, 0],
    [Infinity, Infinity],
  ] as const)('takes the time to wait, %s, as a duration', (retryAfter, retryAfterMs) => {
    expect(classify(transient(new Error('x'), { retryAfter })).retryAfterMs).toBe(retryAfterMs);
  });

  test.each([{ retryAfter: -1 }, { retryAfter: '5' }, { retryAfter: NaN }, { after: 5 }, null, 5])(
    'refuses %o, and marks nothing',
    (options) => {
      const error = new Error('x');
      expect(() => transient(error, options as never)).toThrow(
        expect.objectContaining({ code: 'BAD_OPTION' }) as Error,
      );
      expect(classify(error).verdict).toBe('unknown');
    },
  );
});

describe('conflict', () => {
  test('is a new error that is transient, of a healthy server', () => {
    expect(classify(conflict())).toEqual({ verdict: 'transient', reason: 'conflict', health: 'up' });
    expect(conflict()).not.toBe(conflict());
  });

  test('takes a message and a cause', () => {
    const cause = new Error('version 7');
    expect(conflict().message).toBe('conflict');
    expect(conflict('order 17 was changed', { cause })).toMatchObject({ message: 'order 17 was changed', cause });
    expect(conflict('x')).toBeInstanceOf(Error);
  });
});

function hostileProxy(): object {
  const refuse = (): never => {
    throw new Error('hostile');
  };
  return new Proxy({}, { get: refuse, has: refuse, getPrototypeOf: refuse, ownKeys: refuse });
}

function revokedProxy(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}
