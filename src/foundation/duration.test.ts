import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { duration, durationOption, type Duration } from './duration.ts';

const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

function refusal(value: unknown): unknown {
  try {
    return duration(value as Duration);
  } catch (error) {
    return error;
  }
}

describe('a number', () => {
  test.each([0, 1, 0.5, 250, 2 ** 31, Number.MAX_VALUE])('%d is that many milliseconds', (ms) => {
    expect(duration(ms)).toBe(ms);
  });

  test('Infinity is no limit', () => {
    expect(duration(Infinity)).toBe(Infinity);
  });

  test('a zero with a sign is no time at all', () => {
    expect(duration(-0) === 0).toBe(true);
  });

  test.each([NaN, -1, -Number.MIN_VALUE, -Infinity])('%d is refused with a RangeError', (ms) => {
    expect(refusal(ms)).toBeInstanceOf(RangeError);
    expect(refusal(ms)).toMatchObject({ code: 'BAD_OPTION', given: ms });
  });
});

describe('a text', () => {
  test.each([
    ['250ms', 250],
    ['0ms', 0],
    ['2s', 2_000],
    ['1.5s', 1_500],
    ['0.25s', 250],
    ['2m', 120_000],
    ['12h', 43_200_000],
    ['25d', 2_160_000_000],
    ['007s', 7_000],
  ])('%j is %d ms', (text, ms) => {
    expect(duration(text)).toBe(ms);
  });

  test('is the number times its unit', () => {
    const number = fc.oneof(
      fc.nat(),
      fc.integer({ min: 0, max: 1e9 }).map((n) => n / 1000),
    );
    const unit = fc.constantFrom(...(Object.keys(UNITS) as (keyof typeof UNITS)[]));
    fc.assert(fc.property(number, unit, (n, u) => duration(`${n}${u}`) === n * UNITS[u]));
  });

  test.each([
    ['no unit', ['5', '1.5', '0', 'Infinity']],
    ['nothing', ['', ' ', 's', 'ms', '.s']],
    ['a space', ['2 s', ' 2s', '2s ', '2s\n', '\t2s', '2\u00a0s', '1 000ms']],
    ['a sign', ['-1s', '+1s', '-0s', '\u22121s']],
    ['an exponent', ['1e3ms', '1E3ms', '1e-3s']],
    ['another base', ['0x10s', '0b1s', '0o7s', 'ffs']],
    ['half a fraction', ['.5s', '5.s', '1..5s', '1.5.5s', '1,5s']],
    ['digits that are not 0 to 9', ['\u0661s', '\uff11s', '\u00bds', '1_000ms', '\u00b2s']],
    ['another unit', ['2S', '2MS', '2sec', '2us', '2w', '2y', '2M', '2\u017f']],
    ['more than one', ['1h30m', '1m 30s', '2ss', '1s2', '2s;', '2sms']],
    ['no number', ['NaNms', 'Infinitys', 'undefined', 'null', '[object Object]']],
  ])('with %s is refused: %j', (_, texts) => {
    expect(texts.filter((text) => !(refusal(text) instanceof TypeError))).toEqual([]);
    for (const text of texts) expect(refusal(text)).toMatchObject({ code: 'BAD_OPTION', given: text });
  });

  test('that is too large for a number is refused, not taken for Infinity', () => {
    const huge = `${'9'.repeat(400)}ms`;
    expect(refusal(huge)).toMatchObject({ code: 'BAD_OPTION', given: huge });
    expect(refusal(`${'9'.repeat(304)}d`)).toMatchObject({ code: 'BAD_OPTION' });
  });

  test.each([
    ['zeros before it', (n: number) => `${'0'.repeat(n)}1ms`],
    ['digits and no unit', (n: number) => '1'.repeat(n)],
    ['a fraction and no unit', (n: number) => `1.${'1'.repeat(n)}`],
    ['digits and a point', (n: number) => `${'1'.repeat(n)}.`],
    ['points', (n: number) => `${'1.'.repeat(n / 2)}s`],
  ])('is read in time linear in its length: a million of %s', (_, text) => {
    // Ten times the length takes ten times as long; were it quadratic, a hundred times.
    expect(bestTime(text(1_000_000)) / bestTime(text(100_000))).toBeLessThan(40);
  });
});

test.each([undefined, null, true, 5n, Symbol('2s'), {}, [], ['2s'], new String('2s'), new Number(2), () => '2s'])(
  'anything else is refused with a TypeError: case %#',
  (value) => {
    expect(refusal(value)).toBeInstanceOf(TypeError);
    expect(refusal(value)).toMatchObject({ code: 'BAD_OPTION', given: value });
  },
);

test('the error names the option, shows the value and says what is accepted', () => {
  expect(() => durationOption('timeout', '2 s')).toThrow(
    `timeout: expected milliseconds from 0, or a text such as '250ms', '1.5s', '2m', '12h', '25d'; got "2 s"`,
  );
  expect(() => duration(NaN)).toThrow(/^duration: .*; got NaN$/);
});

/** The shortest of a few runs: what else the machine does makes them longer only. */
function bestTime(text: string): number {
  let best = Infinity;
  for (let run = 0; run < 7; run++) {
    const start = performance.now();
    refusal(text);
    best = Math.min(best, performance.now() - start);
  }
  return best;
}
