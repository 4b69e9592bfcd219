import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { seed } from '../../../test/seed.ts';
import { duration, type Duration } from '../../foundation/index.ts';
import { constant, decorrelated, exponential, linear, sequence, type Backoff, type Jitter } from './backoff.ts';

/** The first delays, each handed to the next as what was waited before it. */
function delays(backoff: Backoff, count: number, random: number): number[] {
  const list: number[] = [];
  for (let attempt = 1; attempt <= count; attempt++) list.push(backoff(attempt, list.at(-1) ?? 0, random));
  return list;
}

const bad = (option: string, given: unknown, expected = expect.any(String) as string): unknown =>
  expect.objectContaining({ code: 'BAD_OPTION', option, given, expected });

const HALF = 0.5;
const ALMOST_1 = 1 - 2 ** -53;

describe('a constant back-off', () => {
  test('is the same each time, without jitter', () => {
    expect(delays(constant('50ms'), 4, 0)).toEqual([50, 50, 50, 50]);
    expect(delays(constant(0), 2, HALF)).toEqual([0, 0]);
  });

  test('may have jitter', () => {
    expect(constant(100, { jitter: 'full' })(1, 0, 0.25)).toBe(25);
  });

  test('has no cap: 25 days are 25 days', () => {
    expect(constant('25d')(10_000, 0, HALF)).toBe(25 * 86_400_000);
    expect(constant('25d', { jitter: 1 })(10_000, 0, 0.75)).toBe(1.5 * 25 * 86_400_000);
  });

  test.each([NaN, -1, Infinity, '5', 'Infinityms', undefined, null, 2 ** 53])('of %j is refused', (delay) => {
    expect(() => constant(delay as Duration)).toThrow(bad('delay', delay));
  });
});

describe('a linear back-off', () => {
  test('adds a step each time, without jitter', () => {
    expect(delays(linear('100ms'), 4, HALF)).toEqual([100, 200, 300, 400]);
  });

  test('ends at its cap, 10 s unless it is given', () => {
    expect(delays(linear('4s'), 4, HALF)).toEqual([4000, 8000, 10_000, 10_000]);
    expect(delays(linear(100, { cap: 250 }), 4, HALF)).toEqual([100, 200, 250, 250]);
  });

  test('may have jitter', () => {
    expect(delays(linear(100, { jitter: 'equal' }), 2, HALF)).toEqual([75, 150]);
  });

  test('refuses a step that is none', () => {
    expect(() => linear('1 s')).toThrow(bad('step', '1 s'));
  });

  test('refuses a cap below its step', () => {
    expect(() => linear('1s', { cap: 999 })).toThrow(bad('cap', 999, 'at least the step, 1s'));
    expect(delays(linear('1s', { cap: '1s' }), 2, HALF)).toEqual([1000, 1000]);
  });
});

describe('an exponential back-off', () => {
  test('doubles each time', () => {
    expect(delays(exponential('100ms', { jitter: 'none' }), 5, HALF)).toEqual([100, 200, 400, 800, 1600]);
  });

  test('has full jitter, so that the first delay is at most the base', () => {
    expect(delays(exponential(100), 3, HALF)).toEqual([50, 100, 200]);
    expect(exponential(100)(1, 0, 0)).toBe(0);
    expect(exponential(100)(1, 0, ALMOST_1)).toBeCloseTo(100);
  });

  test('ends at its cap, 10 s unless it is given', () => {
    expect(delays(exponential('4s', { jitter: 'none' }), 3, HALF)).toEqual([4000, 8000, 10_000]);
    expect(delays(exponential(100, { jitter: 'none', cap: 300 }), 3, HALF)).toEqual([100, 200, 300]);
  });

  test('multiplies by its factor', () => {
    expect(delays(exponential(100, { factor: 3, jitter: 'none' }), 3, HALF)).toEqual([100, 300, 900]);
    expect(delays(exponential(100, { factor: 1, jitter: 'none' }), 3, HALF)).toEqual([100, 100, 100]);
    expect(delays(exponential(100, { factor: 1.5, jitter: 'none' }), 3, HALF)).toEqual([100, 150, 225]);
  });

  test('does not overflow at attempt 10,000', () => {
    expect(exponential(1, { jitter: 'none' })(10_000, 0, HALF)).toBe(10_000);
    expect(exponential(1, { jitter: 'none', cap: '25d', factor: 1e300 })(10_000, 0, HALF)).toBe(25 * 86_400_000);
    expect(exponential(0, { jitter: 'none' })(10_000, 0, HALF)).toBe(0);
  });

  test('caps before the jitter too: capped delays are spread as the others are', () => {
    expect(exponential(100, { cap: 100 })(50, 0, HALF)).toBe(50);
  });

  test.each([0.99, 0, -2, NaN, Infinity, '2', null])('refuses the factor %j', (factor) => {
    expect(() => exponential(100, { factor: factor as number })).toThrow(
      bad('factor', factor, 'a finite number from 1'),
    );
  });

  test('refuses a base that is none', () => {
    expect(() => exponential(-1)).toThrow(bad('base', -1));
    expect(() => exponential(Infinity)).toThrow(bad('base', Infinity, 'a finite delay'));
  });

  test('refuses a cap below its base, the one that is there by default too', () => {
    expect(() => exponential('2s', { cap: '1s' })).toThrow(bad('cap', '1s', 'at least the base, 2s'));
    expect(() => exponential('11s')).toThrow(bad('cap', '10s', 'at least the base, 11s'));
    expect(exponential('25d', { cap: '25d', jitter: 'none' })(3, 0, HALF)).toBe(25 * 86_400_000);
  });

  test.each([Infinity, NaN, -5, 'ever'])('refuses the cap %j', (cap) => {
    expect(() => exponential(0, { cap: cap as Duration })).toThrow(bad('cap', cap));
  });
});

describe('a decorrelated back-off', () => {
  test('is first between the base and three times the base', () => {
    const backoff = decorrelated('100ms');
    expect([0, HALF, ALMOST_1].map((random) => backoff(1, 0, random))).toEqual([100, 200, 300]);
  });

  test('is then between the base and three times the delay before, whatever the attempt', () => {
    const backoff = decorrelated('100ms');
    expect([0, HALF, ALMOST_1].map((random) => backoff(9, 200, random))).toEqual([100, 350, 600]);
  });

  test('ends at its cap, 10 s unless it is given', () => {
    expect(delays(decorrelated(100), 12, 0.9).at(-1)).toBe(10_000);
    expect(decorrelated(100, { cap: 250 })(2, 200, 0.9)).toBe(250);
  });

  test('takes a wait that was longer than its cap, because a server had asked for it, as the cap', () => {
    expect(decorrelated(100, { cap: 400 })(2, 60_000, 0.25)).toBe(100 + 0.25 * 1100);
    expect(decorrelated(100, { cap: 400 })(2, Infinity, 0)).toBe(100);
  });

  test('takes a wait that was shorter than its base as the base', () => {
    expect(decorrelated(100)(2, 10, HALF)).toBe(200);
  });

  test('refuses a base that is none, and a cap below it', () => {
    expect(() => decorrelated('x' as Duration)).toThrow(bad('base', 'x'));
    expect(() => decorrelated(100, { cap: 99 })).toThrow(bad('cap', 99, 'at least the base, 100ms'));
  });
});

describe('a sequence', () => {
  test('gives its delays one after the other, and repeats the last', () => {
    expect(delays(sequence(['100ms', 200, '1s']), 5, HALF)).toEqual([100, 200, 1000, 1000, 1000]);
    expect(sequence([7])(10_000, 0, HALF)).toBe(7);
  });

  test('does not see what becomes of the list later', () => {
    const list: Duration[] = [1, 2];
    const backoff = sequence(list);
    list[1] = 99;
    expect(backoff(2, 0, HALF)).toBe(2);
  });

  test.each([[[]], ['100ms'], [undefined], [{ length: 1 }]])('of %j is refused', (list) => {
    expect(() => sequence(list as never)).toThrow(bad('delays', list, 'a list of at least one delay'));
  });

  test('names the delay that is none', () => {
    expect(() => sequence([1, NaN])).toThrow(bad('delays[1]', NaN));
    expect(() => sequence([Infinity])).toThrow(bad('delays[0]', Infinity, 'a finite delay'));
    // oxlint-disable-next-line no-sparse-arrays -- a hole is no delay
    expect(() => sequence([1, , 2] as Duration[])).toThrow(bad('delays[1]', undefined));
  });
});

describe('jitter', () => {
  const at = (jitter: Jitter): number[] =>
    [0, HALF, ALMOST_1].map((random) => constant(100, { jitter })(1, 0, random)).map(Math.round);

  test.each([
    ['none', [100, 100, 100]],
    ['full', [0, 50, 100]],
    ['equal', [50, 75, 100]],
    [0.2, [80, 100, 120]],
    [1, [0, 100, 200]],
  ] as const)('%j draws evenly from its range', (jitter, expected) => {
    expect(at(jitter)).toEqual(expected);
  });

  test('of a ratio goes above the delay, but not above the cap', () => {
    const backoff = linear(100, { cap: 250, jitter: 0.5 });
    expect([1, 2, 3].map((attempt) => backoff(attempt, 0, ALMOST_1)).map(Math.round)).toEqual([150, 250, 250]);
    expect(backoff(3, 0, 0)).toBe(125);
  });

  test.each([0, -0.1, 1.01, NaN, Infinity, 'half', true, null])('%j is refused', (jitter) => {
    const expected = "'none', 'full', 'equal', or a ratio above 0 and up to 1";
    for (const make of [constant, linear, exponential])
      expect(() => make(100, { jitter: jitter as Jitter })).toThrow(bad('jitter', jitter, expected));
  });
});

describe('options', () => {
  test.each([
    [constant, 'cap', 'an option of constant: jitter'],
    [linear, 'factor', 'an option of linear: cap, jitter'],
    [exponential, 'max', 'an option of exponential: factor, cap, jitter'],
    [decorrelated, 'jitter', 'an option of decorrelated: cap'],
  ])('that are unknown are refused: %o', (make, option, expected) => {
    expect(() => (make as (delay: Duration, options: object) => Backoff)(100, { [option]: 1 })).toThrow(
      bad(option, 1, expected),
    );
  });

  test.each([constant, linear, exponential, decorrelated])('are an object, or nothing: %o', (make) => {
    expect(() => make(100, null as never)).toThrow(bad(make.name, null));
  });

  test('that are undefined are the defaults', () => {
    const unset = { cap: undefined, jitter: undefined, factor: undefined };
    expect(String(exponential(100, unset))).toBe('100ms‥10s, full jitter');
  });

  test('out of range are a RangeError, of the wrong kind a TypeError', () => {
    expect(() => constant(-1)).toThrow(RangeError);
    expect(() => constant(Infinity)).toThrow(RangeError);
    expect(() => exponential(1, { factor: 0 })).toThrow(RangeError);
    expect(() => constant(1, { jitter: 2 })).toThrow(RangeError);
    expect(() => linear(100, { cap: 1 })).toThrow(RangeError);
    expect(() => linear('100ms', { cap: '1ms' })).toThrow(TypeError);
    expect(() => constant(1, { jitter: 'some' as Jitter })).toThrow(TypeError);
    expect(() => exponential(1, { factor: '2' as never })).toThrow(TypeError);
  });
});

describe('as a text', () => {
  test.each([
    ['50ms', () => constant('50ms')],
    ['1.5s, full jitter', () => constant(1500, { jitter: 'full' })],
    ['100ms, ±7% jitter', () => constant(100, { jitter: 0.07 })],
    ['100ms, ±33.33% jitter', () => constant(100, { jitter: 1 / 3 })],
    ['100ms‥10s +100ms', () => linear('100ms')],
    ['1s‥1m +1s, equal jitter', () => linear('1s', { cap: '1m', jitter: 'equal' })],
    ['100ms‥5s, full jitter', () => exponential('100ms', { cap: '5s' })],
    ['100ms‥5s', () => exponential('100ms', { cap: '5s', jitter: 'none' })],
    ['100ms‥10s ×3, full jitter', () => exponential('100ms', { factor: 3 })],
    ['100ms‥10s, decorrelated jitter', () => decorrelated('100ms')],
    ['100ms, 200ms, 1s', () => sequence(['100ms', '200ms', '1s'])],
  ])('%s', (text, make) => {
    expect(String(make())).toBe(text);
  });

  test.each([
    [0, '0ms'],
    [0.5, '0.5ms'],
    [999, '999ms'],
    [1000, '1s'],
    [1250, '1250ms'],
    [1300, '1.3s'],
    [61_000, '61s'],
    [90_000, '1.5m'],
    [3_600_000, '1h'],
    [86_400_000, '1d'],
    [25 * 86_400_000, '25d'],
  ])('%d ms are written in the largest unit that needs one decimal at most: %s', (ms, text) => {
    expect(String(constant(ms))).toBe(text);
    expect(duration(text)).toBe(ms);
  });

  test('it is no property that one sees', () => {
    expect(Object.keys(constant(1))).toEqual([]);
  });
});

test('every delay is a finite number from 0 to the cap', () => {
  const span = fc.oneof(fc.nat(10_000), fc.double({ min: 0, max: Number.MAX_SAFE_INTEGER, noNaN: true }));
  const jitter = fc.oneof(
    fc.constantFrom('none' as const, 'full' as const, 'equal' as const),
    fc.double({ min: 0, minExcluded: true, max: 1, noNaN: true }),
  );
  const factor = fc.oneof(
    fc.double({ min: 1, max: 4, noNaN: true }),
    fc.double({ min: 1, max: Number.MAX_VALUE, noNaN: true }),
  );
  const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  const attempt = fc.oneof(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 10_000 }));
  fc.assert(
    fc.property(
      fc.record({ first: span, second: span, jitter, factor, random, attempt, previousMs: span }),
      ({ first, second, jitter, factor, random, attempt, previousMs }) => {
        const [base, cap] = first < second ? [first, second] : [second, first];
        const made: [Backoff, number][] = [
          [constant(base, { jitter }), Number.MAX_SAFE_INTEGER],
          [linear(base, { cap, jitter }), cap],
          [exponential(base, { factor, cap, jitter }), cap],
          [decorrelated(base, { cap }), cap],
          [sequence([base, cap]), cap],
        ];
        for (const [backoff, most] of made) {
          const delayMs = backoff(attempt, previousMs, random);
          expect(delayMs).toBeGreaterThanOrEqual(0);
          expect(delayMs).toBeLessThanOrEqual(most);
        }
      },
    ),
    { seed, numRuns: 2000 },
  );
});
