import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { classify } from '../index.ts';

const named = (name: string, message = 'x'): Error => Object.assign(new Error(message), { name });

test('a cancellation is permanent and tells nothing of the server', () => {
  const cancelled = { verdict: 'permanent', reason: 'cancelled', health: 'none' };
  expect(classify(new DOMException('stop', 'AbortError'))).toEqual(cancelled);
  expect(classify(AbortSignal.abort().reason)).toEqual(cancelled);
  expect(classify(named('AbortError'))).toEqual(cancelled);
  const undici = Object.assign(named('AbortError'), { code: 'UND_ERR_ABORTED' });
  expect(classify(undici)).toEqual({ ...cancelled, code: 'UND_ERR_ABORTED' });
});

test('a TimeoutError is ambiguous and counts against the server, whoever made it', () => {
  const timeout = { verdict: 'ambiguous', reason: 'timeout', health: 'down' };
  expect(classify(new DOMException('late', 'TimeoutError'))).toEqual(timeout);
  expect(classify(named('TimeoutError'))).toEqual(timeout);
});

describe('a failure of the network is ambiguous and counts against the server', () => {
  test('NetworkError', () => {
    const failure = { verdict: 'ambiguous', reason: 'network failure', health: 'down' };
    expect(classify(new DOMException('gone', 'NetworkError'))).toEqual(failure);
  });

  test.each([
    'fetch failed',
    'terminated',
    'Failed to fetch',
    'Failed to fetch (api.shop.example)',
    'network error',
    'NetworkError when attempting to fetch resource.',
    'Load failed',
    'Load failed (api.shop.example)',
    'The Internet connection appears to be offline.',
    'The network connection was lost.',
    'Network request failed',
    'Network connection lost.',
    'error sending request for url (https://shop.example/)',
    ' A network error occurred.',
  ])('a TypeError with the text of a platform: %s', (message) => {
    expect(classify(new TypeError(message))).toEqual({
      verdict: 'ambiguous',
      reason: 'network failure',
      health: 'down',
    });
  });
});

test('an Error is known by the very text of workerd alone', () => {
  const failure = { verdict: 'ambiguous', reason: 'network failure', health: 'down' };
  expect(classify(new Error('Network connection lost.'))).toEqual(failure);
  for (const message of ['Network connection lost. Really', 'fetch failed', 'Network connection lost'])
    expect(classify(new Error(message)).verdict, message).toBe('unknown');
});

describe('an answer that cannot be understood is ambiguous: what was asked for may have been done', () => {
  test('JSON.parse of garbage', () => {
    expect(classify(thrown(() => JSON.parse('<html>')))).toEqual({
      verdict: 'ambiguous',
      reason: 'answer not understood',
      health: 'down',
    });
  });

  test('the parser of undici', () => {
    expect(classify(named('HTTPParserError')).verdict).toBe('ambiguous');
  });
});

describe('a bug is permanent and tells nothing of the server', () => {
  const nothing = undefined as unknown as { field: unknown };
  test.each([
    ['TypeError', () => nothing.field],
    ['TypeError', () => (nothing as unknown as () => void)()],
    ['TypeError', () => new URL('no url')],
    ['RangeError', () => 'x'.repeat(-1)],
    ['ReferenceError', () => runInNewContext('notThere')],
    ['URIError', () => decodeURIComponent('%')],
    ['DataCloneError', () => structuredClone(() => {})],
  ])('%s: case %#', (name, fn) => {
    expect(classify(thrown(fn))).toMatchObject({ verdict: 'permanent', reason: `a bug: ${name}`, health: 'none' });
  });

  test('a TypeError whose text only speaks of the network', () => {
    for (const message of [
      'fetch is not a function',
      "Failed to execute 'fetch' on 'Window': Invalid name",
      'Failed to parse URL from http://',
      'network.send is not a function',
      'terminated is not a function',
      'loadFailed is not defined',
      'Cannot read properties of undefined (reading fetch failed)',
    ])
      expect(classify(new TypeError(message)).verdict, message).toBe('permanent');
  });

  test('a failed assertion, with its code', async () => {
    const assert = await import('node:assert');
    expect(classify(thrown(() => assert.equal(1, 2)))).toEqual({
      verdict: 'permanent',
      reason: 'a bug: AssertionError',
      health: 'none',
      code: 'ERR_ASSERTION',
    });
  });

  test('also from another realm, of another class with the same name', () => {
    const foreign: unknown = runInNewContext('new TypeError("x is not a function")');
    expect(foreign).not.toBeInstanceOf(TypeError);
    expect(classify(foreign).verdict).toBe('permanent');
  });

  test('also of a subclass that keeps the name', () => {
    class Sub extends TypeError {}
    expect(classify(new Sub('x')).verdict).toBe('permanent');
  });
});

test.each([
  'Error',
  'MyError',
  'AbortErrors',
  'XTypeError',
  'MyAbortError',
  'MySyntaxError',
  'SyntaxErrors',
  'TypeErrors',
  'TimeoutErrorX',
  'NetworkErrors',
  'error',
  '',
])('another name, %j, tells nothing', (name) => {
  expect(classify(named(name, 'fetch failed')).verdict).toBe('unknown');
});

test.each([5, undefined, null, {}, ['TypeError'], { toString: () => 'TypeError' }, Symbol('TypeError')])(
  'a name that is no text, %o, tells nothing',
  (name) => {
    expect(classify(Object.assign(new Error('x'), { name })).verdict).toBe('unknown');
  },
);

test.each([5, undefined, null, {}, ['fetch failed'], Symbol('fetch failed')])(
  'a message that is no text, %o, leaves a TypeError a bug',
  (message) => {
    expect(classify({ name: 'TypeError', message }).verdict).toBe('permanent');
  },
);

function thrown(fn: () => unknown): unknown {
  try {
    return fn();
  } catch (error) {
    return error;
  }
}
