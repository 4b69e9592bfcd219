/** The options of `retry`: their defaults, how they are shown, and what is refused at the door (P1.2). */
import { describe, expect, test } from 'vitest';
import { virtualTime } from '../../testing/index.ts';
import { errorOf, settleInTime } from '../../../test/settle.ts';
import { watchUnhandledRejections } from '../../../test/unhandled.ts';
import {
  budget,
  constant,
  decorrelated,
  exponential,
  linear,
  retry,
  scope,
  sequence,
  transient,
  type RetryOptions,
} from '../../index.ts';

watchUnhandledRejections();

const throws = (error: unknown) => (): never => {
  throw error;
};

/** When the attempts of a call that always fails begin. */
async function beginnings(options?: RetryOptions, error: unknown = new Error('down')): Promise<readonly number[]> {
  const begins: number[] = [];
  await settleInTime((time) =>
    retry(options).run(() => {
      begins.push(time.now());
      throw error;
    }),
  );
  return begins;
}

/** What is thrown when the layer is made. */
function refusal(options: unknown): any {
  try {
    retry(options as RetryOptions);
  } catch (error) {
    return error;
  }
  return expect.fail('was not refused');
}

describe('by default', () => {
  test('there are 3 attempts, the first one included', async () => {
    expect(await beginnings()).toHaveLength(3);
    expect(await beginnings({ backoff: constant(0) })).toEqual([0, 0, 0]);
  });

  test('the back-off is exponential, at most 100 ms at first, with full jitter', async () => {
    const [first, second, third] = (await beginnings()) as [number, number, number];
    expect(first).toBe(0);
    expect(second).toBeGreaterThan(0);
    expect(second).toBeLessThan(100);
    expect(third - second).toBeGreaterThan(0);
    expect(third - second).toBeLessThan(200);
  });

  test('a layer has a budget of its own, with 100 tokens', async () => {
    const layer = retry({ attempts: 2, backoff: constant(0) });
    let runs = 0;
    for (let call = 0; call < 120; call++) {
      await errorOf(
        layer.run(() => {
          runs++;
          throw new Error('down');
        }),
      );
    }
    expect(runs).toBe(220);
    expect(await errorOf(retry({ attempts: 2, backoff: constant(0) }).run(throws('another layer')))).toBe(
      'another layer',
    );
  });

  test('nothing limits the time since the start of the call', async () => {
    expect(await beginnings({ backoff: constant('30d') })).toHaveLength(3);
  });

  test('an attempt needs 10 ms before the deadline', async () => {
    for (const [timeout, runs] of [
      [59, 1],
      [60, 2],
    ] as const) {
      let count = 0;
      await settleInTime(() =>
        scope({ timeout }, (s) =>
          retry({ attempts: 2, backoff: constant(50) }).run(
            () => {
              count++;
              throw new Error('down');
            },
            { signal: s },
          ),
        ),
      );
      expect(count).toBe(runs);
    }
  });

  test('a server that asks to wait longer than 60 s ends the call', async () => {
    const asks = (retryAfter: number): unknown => transient(new Error('busy'), { retryAfter });
    expect(await beginnings({ attempts: 2, backoff: constant(0) }, asks(60_000))).toEqual([0, 60_000]);
    expect(await beginnings({ attempts: 2, backoff: constant(0) }, asks(60_001))).toEqual([0]);
  });

  test('undefined stands for the default of each option', async () => {
    const undef = {
      attempts: undefined,
      backoff: undefined,
      retryIf: undefined,
      retryOn: undefined,
      idempotent: undefined,
      budget: undefined,
      maxElapsed: undefined,
      minAttemptTime: undefined,
      maxRetryAfter: undefined,
      onRetry: undefined,
    };
    expect(String(retry(undef))).toBe(String(retry()));
    expect(await beginnings(undef)).toEqual(await beginnings());
  });
});

describe('String(retry)', () => {
  test.each([
    [undefined, 'retry ×3 (100ms‥10s, full jitter, budget)'],
    [{ attempts: 1, budget: false }, 'retry ×1 (100ms‥10s, full jitter)'],
    [{ attempts: Infinity, backoff: constant('50ms') }, 'retry ×Infinity (50ms, budget)'],
    [{ backoff: linear('1s'), budget: budget() }, 'retry ×3 (1s‥10s +1s, budget)'],
    [{ backoff: decorrelated('1s'), budget: {} }, 'retry ×3 (1s‥10s, decorrelated jitter, budget)'],
    [{ backoff: sequence([1, 2]), maxElapsed: '1.5s' }, 'retry ×3 (1ms, 2ms, budget, within 1.5s)'],
    [{ backoff: exponential(5), budget: false, maxElapsed: Infinity }, 'retry ×3 (5ms‥10s, full jitter)'],
    [{ backoff: () => 5, budget: false }, 'retry ×3 (own back-off)'],
    [{ backoff: Object.assign(() => 5, { toString: () => 'mine' }) }, 'retry ×3 (mine, budget)'],
  ] as const)('%o: %s', (options, text) => {
    expect(String(retry(options))).toBe(text);
  });
});

describe('P1.2 retry refuses', () => {
  const DURATION = "milliseconds from 0, or a text such as '250ms', '1.5s', '2m', '12h', '25d'";
  const notDuration = [null, Number.NaN, -1, -Infinity, '', '5', '2 s', 'soon', {}, [], true, 1n];
  const notFunction = [null, 0, Number.NaN, 'text', {}, [], Symbol('f'), Promise.resolve()];
  const arrow = (error: unknown): boolean => error instanceof Error;
  const bad: readonly (readonly [option: string, values: readonly unknown[], expected: string])[] = [
    [
      'attempts',
      [0, -1, 1.5, Number.NaN, -Infinity, null, '3', {}, [], true, 3n],
      'a whole number from 1, or Infinity',
    ],
    ['backoff', [...notFunction, 100, '100ms'], 'a function'],
    ['retryIf', notFunction, 'a function'],
    ['onRetry', notFunction, 'a function'],
    ['idempotent', [null, 0, 1, 'true', {}, () => true], 'true or false'],
    [
      'retryOn',
      [
        null,
        0,
        'CODE',
        Error,
        {},
        new Set(['CODE']),
        [1],
        [null],
        [undefined],
        ['CODE', 5],
        [{}],
        [arrow],
        [async () => true],
      ],
      'a list of error classes and codes',
    ],
    ['maxElapsed', notDuration, DURATION],
    ['minAttemptTime', notDuration, DURATION],
    ['maxRetryAfter', notDuration, DURATION],
    ['budget', [null, 0, 5, 'text', true], 'an object with options'],
  ];
  test.for(bad)('a bad %s, naming it, the range and the value', ([option, values, expected]) => {
    for (const value of values) {
      const error = refusal({ [option]: value });
      const isNumber =
        typeof value === 'number' && ['attempts', 'maxElapsed', 'minAttemptTime', 'maxRetryAfter'].includes(option);
      expect(error).toBeInstanceOf(isNumber ? RangeError : TypeError);
      expect(error).toMatchObject({ code: 'BAD_OPTION', option, expected });
      expect(Object.is(error.given, value)).toBe(true);
    }
  });

  test('a bad option of its budget', () => {
    expect(refusal({ budget: { ratio: -1 } })).toMatchObject({ code: 'BAD_OPTION', option: 'ratio', given: -1 });
    expect(refusal({ budget: { tokens: 5 } })).toMatchObject({ code: 'BAD_OPTION', option: 'tokens' });
  });

  test('an option that it does not know, and says which it does', () => {
    const known =
      'attempts, backoff, retryIf, retryOn, idempotent, budget, maxElapsed, minAttemptTime, maxRetryAfter, onRetry';
    for (const option of ['retries', 'Attempts', 'delay', '0'])
      expect(refusal({ [option]: 1 })).toMatchObject({
        code: 'BAD_OPTION',
        option,
        expected: `an option of retry: ${known}`,
      });
  });

  test('options that are no object', () => {
    for (const options of [null, 1, 'text', true, Symbol('o'), () => {}])
      expect(refusal(options)).toMatchObject({
        code: 'BAD_OPTION',
        option: 'retry',
        expected: 'an object with options',
      });
  });

  test('nothing else: the ends of every range are taken', async () => {
    for (const options of [
      { attempts: 1 },
      { attempts: Infinity },
      { retryOn: [] },
      { retryOn: ['CODE', Error, TypeError, class Own extends Error {}, function Old() {}] },
      { budget: false },
      { idempotent: false },
      { maxElapsed: 0 },
      { minAttemptTime: 0 },
      { maxRetryAfter: 0 },
      { maxElapsed: Infinity, minAttemptTime: Infinity, maxRetryAfter: Infinity },
    ] as readonly unknown[])
      expect(() => retry(options as RetryOptions)).not.toThrow();
    await virtualTime(async () => expect(await retry({ attempts: Infinity }).run(() => 1)).toBe(1));
  });
});
