import { describe, expect, test } from 'vitest';
import { virtualTime } from '../../testing/index.ts';
import { classify } from '../index.ts';

const answer = (status: unknown, headers?: unknown): object => ({ status, headers });

describe('the status decides', () => {
  test.each([408, 421, 425, 429])(
    '%d is transient: refused before it was worked on, by a server that lives',
    (status) => {
      expect(classify(answer(status))).toEqual({
        verdict: 'transient',
        reason: `HTTP ${status}`,
        health: 'up',
        code: String(status),
      });
    },
  );

  test.each([400, 401, 402, 403, 404, 405, 406, 407, 409, 410, 411, 412, 413, 415, 417, 422, 423, 428, 431, 451, 499])(
    '%d is permanent, and the server is healthy',
    (status) => {
      expect(classify(answer(status))).toMatchObject({ verdict: 'permanent', health: 'up', reason: `HTTP ${status}` });
    },
  );

  test.each([500, 502, 503, 504, 507, 509, 520, 522, 599])(
    '%d is ambiguous, and counts against the server',
    (status) => {
      expect(classify(answer(status))).toMatchObject({ verdict: 'ambiguous', health: 'down', code: String(status) });
    },
  );

  test.each([501, 505, 506, 508, 510])('%d is permanent: the server does not do such a thing', (status) => {
    expect(classify(answer(status))).toMatchObject({ verdict: 'permanent', health: 'up' });
  });

  test('511 is permanent, and was not the server', () => {
    expect(classify(answer(511))).toMatchObject({ verdict: 'permanent', health: 'none' });
  });

  test.each([0, 1, 100, 127, 200, 206, 304, 399, 600, 1000, 404.5, NaN, Infinity, -404, '404', 404n, [404], {}, null])(
    '%o is no failure of HTTP',
    (status) => {
      expect(classify(answer(status)).verdict).toBe('unknown');
    },
  );
});

describe('a status is found', () => {
  test.each([
    ['on status', { status: 404 }],
    ['on statusCode', { statusCode: 404 }],
    ['on statusCode, where status is something else', { status: 'error', statusCode: 404 }],
    ['on response.status', { response: { status: 404 } }],
    ['on response.statusCode', { response: { statusCode: 404 } }],
    ['on an error', Object.assign(new Error('x'), { status: 404 })],
    ['on a Response, which is no error', new Response('', { status: 404 })],
    ['before the code', Object.assign(new Error('x'), { status: 404, code: 'ECONNRESET' })],
    ['before the name', Object.assign(new TypeError('x'), { status: 404 })],
    ['on the error before the response', { status: 404, response: { status: 500 } }],
  ])('%s', (_, error) => {
    expect(classify(error)).toEqual({ verdict: 'permanent', reason: 'HTTP 404', health: 'up', code: '404' });
  });

  test('not on a response that is none', () => {
    expect(classify({ response: 404 }).verdict).toBe('unknown');
    expect(classify({ response: { status: 200 } }).verdict).toBe('unknown');
  });

  test('in what is wrapped', () => {
    expect(classify(new Error('load', { cause: { response: { status: 429 } } })).verdict).toBe('transient');
  });
});

describe('Retry-After', () => {
  test('makes a 503 transient; it counts against the server all the same', () => {
    expect(classify(answer(503, { 'retry-after': '7' }))).toEqual({
      verdict: 'transient',
      reason: 'HTTP 503',
      health: 'down',
      code: '503',
      retryAfterMs: 7_000,
    });
  });

  test.each([408, 429, 404, 500, 502, 511])('is told with a %d, whose verdict it does not change', (status) => {
    const { retryAfterMs, ...rest } = classify(answer(status, { 'retry-after': '7' }));
    expect(retryAfterMs).toBe(7_000);
    expect(rest).toEqual(classify(answer(status)));
  });

  test.each([
    ['Headers', new Headers({ 'Retry-After': '7' })],
    ['a Map', new Map([['retry-after', '7']])],
    ['an object with small letters', { 'retry-after': '7' }],
    ['an object with other letters', { 'Content-Length': '0', 'Retry-AFTER': '7' }],
    ['an object with a number', { 'retry-after': 7 }],
    ['an object with a list', { 'retry-after': ['7'] }],
  ])('is found in %s', (_, headers) => {
    expect(classify(answer(503, headers)).retryAfterMs).toBe(7_000);
    expect(classify({ response: { statusCode: 503, headers } }).retryAfterMs).toBe(7_000);
  });

  test('is found in a Response', () => {
    const response = new Response('', { status: 503, headers: { 'Retry-After': '120' } });
    expect(classify(response).retryAfterMs).toBe(120_000);
  });

  test('may be no time at all', () => {
    expect(classify(answer(503, { 'retry-after': '0' }))).toMatchObject({ verdict: 'transient', retryAfterMs: 0 });
  });

  test.each([
    ['the form of today', 'Thu, 01 Jan 2099 00:00:30 GMT'],
    ['the form of RFC 850', 'Tuesday, 01-Jan-30 00:00:30 GMT'],
    ['the form of asctime', 'Tue Jan  1 00:00:30 2030'],
  ])('may be a date, in %s, by the wall clock', async (_, date) => {
    const year = date.includes('2099') ? '2099' : '2030';
    await virtualTime({ date: `${year}-01-01T00:00:00Z` }, async (time) => {
      const error = answer(503, { 'retry-after': date });
      expect(classify(error).retryAfterMs).toBe(30_000);
      await time.advance('20s');
      expect(classify(error).retryAfterMs).toBe(10_000);
      await time.advance('20s');
      expect(classify(error)).toMatchObject({ verdict: 'transient', retryAfterMs: 0 });
    });
  });

  test.each([
    '',
    ' ',
    'soon',
    '-5',
    '+5',
    '1e3',
    '0x10',
    '5s',
    '5, 6',
    'NaN',
    'Infinity',
    '2030-01-01T00:00:00Z',
    'Sunny day 5',
    'Foo, 99 Bar 2030 99:99:99 GMT',
    '555 5:55:55',
  ])('that is garbage, %j, is none: the 503 stays ambiguous', (text) => {
    const said = classify(answer(503, { 'retry-after': text }));
    expect(said.verdict).toBe('ambiguous');
    expect(said).not.toHaveProperty('retryAfterMs');
  });

  test.each([undefined, null, 5, 'retry-after: 7', [], {}, { get: 5 }, new Headers(), new Map()])(
    'is not found in %o',
    (headers) => {
      expect(classify(answer(503, headers)).verdict).toBe('ambiguous');
    },
  );
});
