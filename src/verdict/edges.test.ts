/** Where a table ends: what looks nearly like one of its rows is none. And what the refusals of the verdicts' own options say. */
import process from 'node:process';
import { describe, expect, test } from 'vitest';
import { HoldfastError, suppressedErrors } from '../foundation/index.ts';
import { virtualTime } from '../testing/index.ts';
import { addVerdictRule, classify, permanent, transient, type Classification } from './index.ts';

class Ours extends HoldfastError {
  readonly code: string;

  constructor(code: unknown, options?: ErrorOptions) {
    super('x', options);
    this.code = code as string;
  }
}

const refused = (): Error => Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });

describe('an error of ours', () => {
  test.each([
    'MY_TIMEOUT',
    'TIMEOUT_OF_MINE',
    'MY_COMMIT_UNKNOWN',
    'COMMIT_UNKNOWN_2',
    'A_SCOPE_ENDED',
    'SCOPE_ENDED_2',
  ])('with the code %s, which only holds another one, is unknown', (code) => {
    expect(classify(new Ours(code))).toMatchObject({ verdict: 'unknown', code });
  });

  test.each(['HALF_CIRCUIT_OPEN', 'CIRCUIT_OPENED', 'NOT_BULKHEAD_FULL', 'RATE_LIMITED_2'])(
    'with the code %s is no refusal of a layer',
    (code) => {
      expect(classify(new Ours(code))).toMatchObject({ verdict: 'unknown', code });
    },
  );

  test('with a code that is no text is told by what it wraps', () => {
    expect(classify(new Ours(5, { cause: refused() }))).toMatchObject({ verdict: 'transient', code: 'ECONNREFUSED' });
  });
});

describe('a status of HTTP', () => {
  test.each([1, 200, 399, 600, 1408])('is on statusCode where status is %d, which is no failure', (status) => {
    expect(classify({ status, statusCode: 404 })).toMatchObject({ verdict: 'permanent', code: '404' });
  });

  test('with a Retry-After that has something before its date has none', () => {
    const headers = { 'retry-after': '- Thu, 01 Jan 2099 00:00:30 GMT' };
    expect(classify({ status: 503, headers })).toMatchObject({ verdict: 'ambiguous' });
  });

  test.each(['Thu, 01 Jan 2099 00:00:30 GMT', 'Thu Jan  1 00:00:30 2099'])(
    'with a Retry-After of %s means that time in Greenwich, wherever the machine is',
    async (date) => {
      const { TZ } = process.env;
      process.env['TZ'] = 'America/New_York';
      try {
        expect(new Date('2099-01-01').getTimezoneOffset()).toBe(300);
        await virtualTime({ date: '2099-01-01T00:00:00Z' }, () => {
          expect(classify({ status: 503, headers: { 'retry-after': date } }).retryAfterMs).toBe(30_000);
        });
      } finally {
        if (TZ === undefined) delete process.env['TZ'];
        else process.env['TZ'] = TZ;
      }
    },
  );
});

describe('a name', () => {
  test.each(['MyTimeoutError', 'MyAbortError'])('that ends as another one, %s, tells nothing', (name) => {
    expect(classify(Object.assign(new Error('x'), { name })).verdict).toBe('unknown');
  });

  test.each(['A network error occurred.', ' A network error occurred.'])(
    'of a failure of the network may come with the message %j',
    (message) => {
      expect(classify(new TypeError(message))).toMatchObject({ verdict: 'ambiguous', reason: 'network failure' });
    },
  );
});

test('of a list, 31 errors are looked at: each counts twice towards the 64, as a place and as an object', () => {
  const list = (known: number): object => ({
    errors: Array.from({ length: 40 }, (_, i) => (i + 1 === known ? permanent(new Error('x')) : new Error('x'))),
  });
  expect(classify(list(31)).verdict).toBe('permanent');
  expect(classify(list(32)).verdict).toBe('unknown');
});

describe('what is refused', () => {
  const thrown = (fn: () => unknown): unknown => {
    try {
      return fn();
    } catch (error) {
      return error;
    }
  };

  test('a mark on a primitive: an object is expected', () => {
    expect(thrown(() => permanent('x'))).toMatchObject({ code: 'BAD_OPTION', option: 'error', expected: 'an object' });
  });

  test('an option of transient that does not exist, and a duration that is none', () => {
    expect(thrown(() => transient(new Error('x'), { retryafter: 5 } as never))).toMatchObject({
      code: 'BAD_OPTION',
      expected: 'an option of transient: retryAfter',
    });
    expect(thrown(() => transient(new Error('x'), { retryAfter: -5 }))).toMatchObject({
      code: 'BAD_OPTION',
      option: 'retryAfter',
    });
  });

  test('an answer of a rule that is none: the error that is classified keeps what was expected', () => {
    using _ = addVerdictRule(() => ({ verdict: 'perhaps' }) as unknown as Classification);
    const error = new Error('x');
    expect(classify(error).verdict).toBe('unknown');
    expect(suppressedErrors(error)).toMatchObject([
      { code: 'BAD_OPTION', option: 'rule', expected: 'a Classification or undefined as its result' },
    ]);
  });
});
