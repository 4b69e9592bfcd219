import { describe, expect, test, vi } from 'vitest';
import { addVerdictRule, classify, permanent, transient } from './index.ts';

const UNKNOWN = { verdict: 'unknown', reason: 'unknown', health: 'down' };

const withCode = (code: string, more?: object): Error => Object.assign(new Error(code), { code }, more);
const refused = (): Error => withCode('ECONNREFUSED');
const lost = (): Error => withCode('ECONNRESET');
const missing = (): Error => withCode('ENOENT');
const notFound = (): object => ({ status: 404 });

describe('what nothing is known of is unknown, and counts against the server', () => {
  test.each([
    ['undefined', undefined],
    ['null', null],
    ['a text', 'ECONNREFUSED'],
    ['a number', 404],
    ['a bigint', 404n],
    ['a symbol', Symbol('AbortError')],
    ['true', true],
    ['a plain error', new Error('x')],
    ['an error with a cause of which nothing is known', new Error('x', { cause: new Error('y') })],
    ['an empty object', {}],
    ['an object without a prototype', Object.create(null)],
    ['a function', () => {}],
    ['a Response that is well', new Response('ok')],
  ])('%s', (_, error) => {
    expect(classify(error)).toEqual(UNKNOWN);
  });

  test('the same frozen object each time: nothing is made for it', () => {
    expect(classify(new Error('x'))).toBe(classify(new Error('y')));
    expect(classify(5)).toBe(classify(new Error('x')));
    expect(Object.isFrozen(classify(new Error('x')))).toBe(true);
  });

  test('its code is told where it has one; a wrapper does not borrow it', () => {
    expect(classify(withCode('P2034'))).toEqual({ ...UNKNOWN, code: 'P2034' });
    expect(Object.isFrozen(classify(withCode('P2034')))).toBe(true);
    expect(classify(new Error('x', { cause: withCode('P2034') }))).toEqual(UNKNOWN);
  });
});

describe('looks through', () => {
  test.each(['cause', 'original', 'parent', 'originalError', 'driverError', 'suppressed'])('%s', (link) => {
    expect(classify({ [link]: refused() })).toMatchObject({ verdict: 'transient', code: 'ECONNREFUSED' });
    expect(classify({ [link]: 'text' })).toEqual(UNKNOWN);
    expect(classify({ [link]: null })).toEqual(UNKNOWN);
  });

  test('wrappers of several kinds', () => {
    const sequelize = Object.assign(new Error('x'), { parent: missing(), original: missing() });
    const query = new Error('failed query', { cause: { driverError: sequelize } });
    expect(classify(query)).toMatchObject({ verdict: 'permanent', code: 'ENOENT' });
  });

  test('one link after the other, until one of them leads to something known', () => {
    expect(classify(Object.assign(new Error('x', { cause: new Error('y') }), { original: lost() })).verdict).toBe(
      'ambiguous',
    );
  });

  test('nothing once a wrapper is known: the outermost decides', () => {
    const error = Object.assign(new Error('x', { cause: lost() }), { code: 'ENOENT' });
    expect(classify(error)).toMatchObject({ verdict: 'permanent', code: 'ENOENT' });
  });

  test('no field that only looks like a link', () => {
    expect(classify({ error: refused(), inner: refused(), reason: refused(), response: refused() })).toEqual(UNKNOWN);
  });

  test('a SuppressedError: the failure that came first decides, the accident of a cleanup only if nothing is known of that', () => {
    const both = (first: unknown, second: unknown): unknown => {
      try {
        using _resource = {
          [Symbol.dispose]: () => {
            throw second;
          },
        };
        throw first;
      } catch (error) {
        return error;
      }
    };
    const first = refused();
    expect(both(first, missing())).toHaveProperty('suppressed', first);
    expect(classify(both(first, missing())).verdict).toBe('transient');
    expect(classify(both(missing(), first)).verdict).toBe('permanent');
    expect(classify(both(new Error('x'), missing())).verdict).toBe('permanent');
    expect(classify(both('primitive', missing())).verdict).toBe('permanent');
  });
});

describe('a name is a guess', () => {
  test('that gives way to what the error wraps', () => {
    expect(classify(new TypeError('fetch failed', { cause: refused() })).verdict).toBe('transient');
    expect(classify(new TypeError('x', { cause: lost() })).verdict).toBe('ambiguous');
    expect(classify(new TypeError('fetch failed', { cause: permanent(new Error('x')) })).verdict).toBe('permanent');
  });

  test('that stays if nothing is known of what the error wraps', () => {
    expect(classify(new TypeError('fetch failed', { cause: new Error('unknown scheme') })).verdict).toBe('ambiguous');
    expect(classify(new TypeError('x', { cause: new Error('y') })).verdict).toBe('permanent');
  });

  test('stands behind the code', () => {
    expect(classify(Object.assign(new TypeError('x'), { code: 'ECONNREFUSED' })).verdict).toBe('transient');
  });

  test.each([
    ['AbortError', 'permanent'],
    ['TimeoutError', 'ambiguous'],
  ])('%s says that something else was ended: of its cause only an ambiguity counts', (name, verdict) => {
    const ended = (cause: unknown): unknown => Object.assign(new Error('x', { cause }), { name });
    for (const cause of [refused(), missing(), notFound(), transient(new Error('x')), new Error('x')])
      expect(classify(ended(cause))).toMatchObject({
        verdict,
        reason: name === 'AbortError' ? 'cancelled' : 'timeout',
      });
    expect(classify(ended(lost()))).toMatchObject({ verdict: 'ambiguous', code: 'ECONNRESET' });
    expect(classify(ended(new DOMException('x', 'TimeoutError')))).toMatchObject({
      verdict: 'ambiguous',
      health: 'down',
    });
  });
});

describe('several errors in one decide together', () => {
  const several = (...errors: unknown[]): AggregateError => new AggregateError(errors, 'all failed');

  test.each([
    ['all transient', [refused(), refused()], 'transient'],
    ['one ambiguous', [refused(), lost(), refused()], 'ambiguous'],
    ['one permanent', [refused(), lost(), notFound()], 'permanent'],
    ['an unknown one among transient ones', [refused(), new Error('x')], 'unknown'],
    ['a primitive among transient ones', [refused(), 'x'], 'unknown'],
    ['an unknown and an ambiguous one', [new Error('x'), lost()], 'ambiguous'],
    ['one alone', [lost()], 'ambiguous'],
    ['none', [], 'unknown'],
  ])('the least retryable counts: %s', (_, errors, verdict) => {
    expect(classify(several(...errors)).verdict).toBe(verdict);
    expect(classify(several(...errors.toReversed())).verdict).toBe(verdict);
  });

  test('the first of those that are equal speaks for them, whole', () => {
    const error = several(lost(), { status: 503 }, { status: 500, headers: { 'retry-after': '5' } });
    expect(classify(error)).toEqual(classify(lost()));
  });

  test('come before the code of the whole, which Node copies from the first one', () => {
    const connect = { syscall: 'connect' };
    const error = Object.assign(several(withCode('ETIMEDOUT', connect), withCode('ENETUNREACH', connect)), {
      code: 'ETIMEDOUT',
    });
    expect(classify(error)).toMatchObject({ verdict: 'transient', reason: 'not connected' });
  });

  test('come after a status, and leave the word to links and code if nothing is known of them', () => {
    expect(classify(Object.assign(several(lost()), { status: 422 })).verdict).toBe('permanent');
    const validation = Object.assign(new Error('x'), { errors: [{ path: 'email' }], parent: refused() });
    expect(classify(validation).verdict).toBe('transient');
    expect(classify(Object.assign(several(new Error('x')), { code: 'EPIPE' })).verdict).toBe('ambiguous');
  });

  test('in any object with a list `errors`, and in one another', () => {
    expect(classify({ errors: [several(refused(), several(lost()))] }).verdict).toBe('ambiguous');
    expect(classify({ errors: { 0: lost() } }).verdict).toBe('unknown');
  });

  test('what is left unread of a long list is not known: it is never called transient', () => {
    const many = (n: number): unknown[] => Array.from({ length: n }, refused);
    expect(classify(several(...many(30))).verdict).toBe('transient');
    expect(classify(several(...many(1_000))).verdict).toBe('unknown');
    expect(classify(several(...many(1_000), lost())).verdict).toBe('unknown');
    expect(classify(several(lost(), ...many(1_000))).verdict).toBe('ambiguous');
    expect(classify(several(...(Array(1_000).fill('primitive') as string[]))).verdict).toBe('unknown');
  });

  test('a rule may call the whole of them unknown, and it stays so', () => {
    using _rule = addVerdictRule((error) =>
      'mine' in error ? { verdict: 'unknown', reason: 'mine', health: 'none' } : undefined,
    );
    expect(classify(Object.assign(several({ mine: true }), { code: 'EPIPE' }))).toEqual({
      verdict: 'unknown',
      reason: 'mine',
      health: 'none',
    });
  });
});

describe('depth', () => {
  const chain = (links: number, last: unknown): unknown =>
    Array.from({ length: links }).reduce((cause) => new Error('x', { cause }), last);

  test('is 16 links', () => {
    expect(classify(chain(16, refused())).verdict).toBe('transient');
    expect(classify(chain(17, refused()))).toEqual(UNKNOWN);
  });

  test('does not matter to a chain of a hundred thousand', () => {
    expect(classify(chain(100_000, refused()))).toEqual(UNKNOWN);
  });

  test('is counted anew each time', () => {
    classify(chain(17, refused()));
    expect(classify(chain(16, refused())).verdict).toBe('transient');
  });
});

describe('a hostile error is survived', () => {
  const boom = (): never => {
    throw new Error('hostile');
  };
  const hostileTo = (...fields: string[]): object =>
    Object.defineProperties({}, Object.fromEntries(fields.map((field) => [field, { get: boom, enumerable: true }])));

  test.each([
    'code',
    'errors',
    'status',
    'statusCode',
    'response',
    'name',
    'cause',
    'original',
    'parent',
    'suppressed',
    'originalError',
    'driverError',
  ])('a getter %s that throws', (field) => {
    expect(classify(hostileTo(field))).toEqual(UNKNOWN);
    expect(classify(new Error('x', { cause: hostileTo(field) }))).toEqual(UNKNOWN);
  });

  test('what is known before it throws stays known', () => {
    expect(classify(Object.assign(hostileTo('cause'), { status: 404 })).verdict).toBe('permanent');
    expect(classify(Object.assign(new TypeError('fetch failed'), { original: hostileTo('code') })).verdict).toBe(
      'ambiguous',
    );
    expect(classify(permanent(hostileTo('code'))).verdict).toBe('permanent');
  });

  test.each([
    ['headers', { status: 503, headers: hostileTo('get') }],
    ['a header that is no text', { status: 503, headers: { 'retry-after': { toString: boom } } }],
    ['a get that throws', { status: 503, headers: { get: boom } }],
    ['headers that cannot be listed', { status: 503, headers: new Proxy({}, { ownKeys: boom }) }],
    ['a syscall', { code: 'ECONNRESET', syscall: { toString: boom } }],
    ['a message', { code: 'ECONNRESET', message: { toString: boom } }],
    ['a syscall without a prototype', { code: 'ECONNRESET', syscall: Object.create(null) }],
    ['a list that cannot be read', { errors: new Proxy([], { get: boom }) }],
  ])('%s', (_, error) => {
    expect(classify(error)).toEqual(UNKNOWN);
  });

  test('a proxy that throws whatever is asked', () => {
    const handler = new Proxy({}, { get: () => boom });
    expect(classify(new Proxy({}, handler))).toEqual(UNKNOWN);
    expect(classify(new Proxy(() => {}, handler))).toEqual(UNKNOWN);
    expect(classify(new Error('x', { cause: new Proxy({}, handler) }))).toEqual(UNKNOWN);
  });

  test('a proxy that was revoked, also as a list', () => {
    const { proxy, revoke } = Proxy.revocable([], {});
    revoke();
    expect(classify(proxy)).toEqual(UNKNOWN);
    expect(classify({ errors: proxy })).toEqual(UNKNOWN);
  });

  test('a proxy that answers everything with itself', () => {
    const asked = vi.fn<() => unknown>(() => proxy);
    const proxy: object = new Proxy({}, { get: asked });
    expect(classify(proxy)).toEqual(UNKNOWN);
    expect(asked.mock.calls.length).toBeLessThan(64 * 20);
  });

  test('cycles', () => {
    const one: { cause?: unknown; errors?: unknown[] } = {};
    const other = { cause: one, parent: one, original: one, errors: [one, one] };
    Object.assign(one, { cause: other, parent: one, suppressed: other, error: one, errors: [other, one, other] });
    expect(classify(one)).toEqual(UNKNOWN);
  });

  test('a list without end', () => {
    const endless = Object.assign([], {
      *[Symbol.iterator]() {
        for (;;) yield refused();
      },
    });
    expect(classify({ errors: endless })).toEqual(UNKNOWN);
  });

  test('a getter that classifies', () => {
    const error = {
      get cause(): unknown {
        classify(this);
        classify(refused());
        return this;
      },
    };
    expect(classify(error)).toEqual(UNKNOWN);
    expect(classify(refused()).verdict).toBe('transient');
  });

  test('a stack that has run out', () => {
    const seen = new Set<string>();
    const deeper = (): void => {
      try {
        seen.add(classify(refused()).verdict);
      } catch {
        // The stack ran out in our hands; that it is out is the caller's to see.
      }
      deeper();
    };
    expect(deeper).toThrow(RangeError);
    expect(classify(refused()).verdict).toBe('transient');
    expect([...seen].filter((verdict) => !['transient', 'unknown'].includes(verdict))).toEqual([]);
  });
});
