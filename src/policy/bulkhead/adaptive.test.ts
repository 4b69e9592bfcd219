/** What moves the limit of an adaptive bulkhead, and how: P7.7 to P7.11 of docs/reference/policies.md, as a cell. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { seed } from '../../../test/seed.ts';
import { AdaptiveCell, type AdaptiveSettings, type AdaptiveSnapshot } from './adaptive.ts';

const SECOND = 1000;
const SETTINGS: AdaptiveSettings = {
  algorithm: 'aimd',
  initial: 20,
  min: 1,
  max: 1000,
  windowMs: SECOND,
  overMs: 5000,
};

const bad = (option: string, given: unknown, expected: string): unknown =>
  expect.objectContaining({ code: 'BAD_OPTION', option, given, expected });

/** A cell, the time, and calls that end in it. */
class Bench {
  readonly cell: AdaptiveCell;
  nowMs = 0;
  /** What the next random number is. */
  drawn = 0;

  constructor(settings: Partial<AdaptiveSettings> = {}) {
    this.cell = new AdaptiveCell({ ...SETTINGS, ...settings });
  }

  get limit(): number {
    return this.cell.limit;
  }

  end(latencyMs: number, dropped = false, inFlight = this.limit): boolean {
    return this.cell.ended(latencyMs, dropped, inFlight, this.nowMs, () => this.drawn);
  }

  /** So many calls end, evenly, so that the window is over with the last. Gives the limit. */
  window(latencyMs: number, { calls = 10_000, dropped = 0, inFlight = this.limit } = {}): number {
    const { nowMs } = this;
    const spanMs = Math.max(SECOND, 2 * latencyMs);
    for (let i = 1; i <= calls; i++) {
      this.nowMs = nowMs + (spanMs * i) / calls;
      this.end(latencyMs, i <= dropped, inFlight);
    }
    this.nowMs = nowMs + spanMs;
    return this.limit;
  }
}

const aimd = (settings: Partial<AdaptiveSettings> = {}): Bench => begun(new Bench(settings));
const vegas = (settings: Partial<AdaptiveSettings> = {}): Bench =>
  begun(new Bench({ algorithm: 'vegas', ...settings }));

/** The first window begins with the first end. */
function begun(bench: Bench): Bench {
  bench.end(-1);
  return bench;
}

/** A cell of Vegas that knows what a call takes: 10 ms, asked for at this limit. */
function based(limit: number, rest: Partial<AdaptiveSnapshot['base']> = {}, settings = {}): Bench {
  const bench = new Bench({ algorithm: 'vegas', ...settings });
  bench.cell.restore({ limit, base: { ms: 10, limit, windows: 100, ...rest } });
  return begun(bench);
}

describe('P7.7 a window', () => {
  test('moves the limit once, when it is over', () => {
    const bench = aimd();
    for (let ms = 1; ms < SECOND; ms++) {
      bench.nowMs = ms;
      expect(bench.end(1)).toBe(false);
    }
    expect(bench.limit).toBe(20);
    bench.nowMs = SECOND;
    expect([bench.end(1), bench.end(1)]).toEqual([true, false]);
    expect(bench.limit).toBe(21);
  });

  test('begins with what ends first', () => {
    const bench = new Bench();
    bench.nowMs = 5000;
    for (let i = 0; i < 20; i++) expect(bench.end(1)).toBe(false);
    bench.nowMs = 5999;
    expect(bench.end(1)).toBe(false);
    bench.nowMs = 6000;
    expect(bench.end(1)).toBe(true);
  });

  test('has ten ends at least', () => {
    const bench = aimd();
    bench.nowMs = 60 * SECOND;
    for (let i = 1; i < 10; i++) expect(bench.end(1)).toBe(false);
    expect(bench.end(1)).toBe(true);
  });

  test('lasts twice as long as what ended in it took, on the average, drops included', () => {
    const bench = new Bench();
    for (let i = 0; i < 5; i++) bench.end(1000);
    for (let i = 0; i < 5; i++) bench.end(3000, true);
    bench.nowMs = 4000;
    expect(bench.end(2000)).toBe(true);

    const other = new Bench();
    for (let i = 0; i < 5; i++) other.end(1000);
    for (let i = 0; i < 5; i++) other.end(3000, true);
    other.nowMs = 3999;
    expect(other.end(2000)).toBe(false);
  });

  test('knows nothing of the one before', () => {
    const bench = aimd();
    expect(bench.window(1, { dropped: 9999 })).toBe(18);
    expect(bench.window(1)).toBe(19);
  });

  test('begins anew when time goes back: another clock was put in force', () => {
    const bench = aimd();
    bench.nowMs = 1e6;
    for (let i = 0; i < 8; i++) bench.end(1, true);
    bench.nowMs = 0;
    expect(bench.end(-5)).toBe(false);
    expect(bench.window(1)).toBe(21);
  });

  test('leaves out what took a negative time, or an unknown one', () => {
    const bench = aimd();
    bench.nowMs = SECOND;
    for (const ms of [-1, NaN]) for (let i = 0; i < 20; i++) expect(bench.end(ms)).toBe(false);
    expect(bench.limit).toBe(20);
  });

  test('of Vegas goes on until chance moves q by no more than s, however long that is', () => {
    // Half of them 5 ms, half 15 ms: the mean of n is off by 0.5 ⁄ √n of it, and so q by 50 × 0.5 ⁄ √n.
    const over = (limit: number, given: (i: number) => number): number => {
      const bench = based(limit);
      bench.nowMs = 10 * SECOND;
      let count = 1;
      for (; !bench.end(given(count)) && bench.cell.snapshot().base!.windows === 100; count++);
      return count;
    };
    const either = (i: number): number => (i % 2 === 0 ? 5 : 15);
    expect(over(50, either)).toBe(625);
    // From 100 on s is 2.
    expect(over(120, either)).toBe(899); // of 899 the mean is a little above 10
    expect(over(120, () => 10)).toBe(10);
    expect(over(120, () => 0)).toBe(10);
  });

  test('of Vegas does not wait for that when too many are dropped', () => {
    const bench = based(50);
    bench.nowMs = SECOND;
    for (let i = 1; i < 10; i++) bench.end(10 * i);
    expect([bench.end(10, true), bench.limit]).toEqual([true, 49]);
  });
});

describe('P7.9 aimd', () => {
  test('takes a step up for each window in which at least half of it was used', () => {
    const bench = aimd();
    expect(bench.window(1, { inFlight: 10 })).toBe(21);
    expect(bench.window(1, { inFlight: 11 })).toBe(22);
    expect(bench.window(1, { inFlight: 10 })).toBe(22);
  });

  test('takes a tenth off, rounded down, when a tenth of the calls were dropped', () => {
    const bench = aimd();
    expect(bench.window(1, { calls: 100, dropped: 10 })).toBe(18);
    expect(bench.window(1, { calls: 100, dropped: 10 })).toBe(16);
    expect(bench.window(1, { calls: 100, dropped: 9 })).toBe(17);
  });

  test('does so when they take too long, on the average, drops left out', () => {
    const bench = aimd({ overMs: 60 });
    expect(bench.window(60)).toBe(21);
    expect(bench.window(60.1)).toBe(18);
    const dropped = aimd({ overMs: 60 });
    for (let i = 0; i < 18; i++) dropped.end(60);
    dropped.end(1e4, true);
    dropped.nowMs = 2 * SECOND;
    expect([dropped.end(60), dropped.limit]).toEqual([true, 21]);
  });

  test('falls also when nothing uses it, to `min`, and rises to `max`', () => {
    const bench = aimd({ min: 15, max: 16, initial: 16 });
    expect(bench.window(1, { calls: 10, dropped: 10, inFlight: 1 })).toBe(15);
    expect(bench.window(1, { calls: 10, dropped: 10 })).toBe(15);
    expect(bench.window(1)).toBe(16);
    expect(bench.window(1)).toBe(16);
  });

  test.each([
    [10, 9],
    [70, 63],
    [110, 99],
    [1, 1],
  ])('to nine tenths, where these are whole: from %d to %d', (initial, expected) => {
    expect(aimd({ initial }).window(1, { calls: 10, dropped: 10 })).toBe(expected);
  });
});

describe('P7.10 vegas', () => {
  test.each([
    // q = ⌈L (1 − 10 ⁄ latency)⌉, s = 1
    [50, 10, 56, 'no queue: six steps'],
    [50, 10.2, 56, 'q = 1'],
    [50, 10.21, 51, 'q = 2: one step'],
    [50, 10.41, 51, 'q = 2.0: still two'],
    [50, 10.42, 50, 'q = 3: it stays'],
    [50, 11.36, 50, 'q = 6: it stays'],
    [50, 11.37, 49, 'q = 7: a step down'],
    [50, 1000, 49, 'never more than a step down'],
    // s = 2
    [200, 10, 212, 'no queue: six steps of two'],
    [200, 10.25, 202, 'q = 5'],
    [200, 10.31, 200, 'q = 6 or 7'],
    [200, 10.64, 198, 'q = 13'],
    // s = 3
    [1000, 10, 1018, 'from 1000 on the step is 3'],
    [999, 10, 1011, 'and before it is 2'],
    [9, 10, 15, 'it is never less than 1'],
  ])('at %d, where calls take %d ms in place of 10: %d (%s)', (limit, latencyMs, expected) => {
    expect(based(limit, {}, { max: 5000 }).window(latencyMs, { calls: 300_000 })).toBe(expected);
  });

  test('stays when less than half of it was in flight, whatever the latency', () => {
    for (const ms of [10, 10.3, 1000]) {
      expect(based(50).window(ms, { inFlight: 24 })).toBe(50);
      expect(based(50).window(ms, { inFlight: 25 })).not.toBe(50);
    }
  });

  test('takes a step down when a tenth was dropped', () => {
    expect(based(50).window(10, { dropped: 1000 })).toBe(49);
    expect(based(200).window(10, { dropped: 10_000 })).toBe(198);
    expect(based(50).window(10, { dropped: 999 })).toBe(56);
  });

  test('stays within `min` and `max`', () => {
    expect(based(50, {}, { max: 53 }).window(10)).toBe(53);
    expect(based(50, {}, { min: 50 }).window(1000)).toBe(50);
  });

  describe('asks for base', () => {
    test('at first: from the latency there is, if the limit was not reached', () => {
      const bench = vegas();
      expect(bench.window(30, { inFlight: 19 })).toBe(20);
      expect(bench.cell.snapshot()).toEqual({
        limit: 20,
        base: { ms: expect.closeTo(30, 1), limit: 20, windows: 100 },
      });
    });

    test('else in a window at half of the limit, which then is as it was', () => {
      const bench = vegas({ initial: 41 });
      expect(bench.window(30)).toBe(21);
      expect(bench.cell.snapshot()).toEqual({ limit: 41, base: null });
      expect(bench.window(25)).toBe(41);
      expect(bench.cell.snapshot().base).toMatchObject({ ms: 25, limit: 41 });
    });

    test('until that is as sure as at the full limit, and twice as good', () => {
      const bench = vegas({ initial: 40 });
      bench.window(30);
      expect(bench.limit).toBe(20);
      bench.nowMs += 10 * SECOND;
      let count = 1;
      for (; !bench.end(count % 2 === 0 ? 15 : 45); count++);
      expect([count, bench.limit]).toEqual([799, 40]); // with 799 the mean is a little above 30
    });

    test('when calls take less by more than three standard errors', () => {
      // 10,000 of them, half 5 ms less and half 5 ms more: 0.05 ms.
      const after = (mean: number): number => {
        const bench = based(50);
        let i = 0;
        const { nowMs } = bench;
        for (; i < 10_000; i++) {
          bench.nowMs = nowMs + (SECOND * i) / 10_000;
          bench.end(mean + (i % 2 === 0 ? 5 : -5));
        }
        bench.nowMs = nowMs + SECOND;
        bench.end(mean);
        return bench.limit;
      };
      expect([9.86, 9.84].map(after)).toEqual([56, 25]);
    });

    test('and stays at the half if calls take much less there: the rest was its own queue; so down to where they do not', () => {
      const bench = vegas({ initial: 40 });
      const limits = [400, 200, 100, 60, 50].map((ms) => bench.window(ms));
      expect(limits).toEqual([20, 10, 5, 3, 5]);
      expect(bench.cell.snapshot().base).toMatchObject({ ms: 50, limit: 5 });
    });

    test('much less is less than two thirds', () => {
      const half = (ms: number): number => {
        const bench = vegas({ initial: 40 });
        bench.window(30, { calls: 20_000 });
        return bench.window(ms);
      };
      expect([half(19.9), half(20)]).toEqual([10, 40]);
    });

    test('again and takes a step down when a tenth was dropped meanwhile', () => {
      const bench = vegas({ initial: 40 });
      expect(bench.window(30)).toBe(20);
      expect(bench.window(30, { dropped: 2000 })).toBe(39);
      expect(bench.window(30)).toBe(20);
      expect(bench.window(30)).toBe(39);
    });

    test('not when too many are dropped', () => {
      const bench = vegas();
      expect(bench.window(30, { dropped: 10_000 })).toBe(19);
      expect(bench.window(30, { dropped: 10_000 })).toBe(18);
    });

    test('not below `min`', () => {
      const bench = vegas({ initial: 40, min: 30 });
      expect(bench.window(30)).toBe(30);
      expect(bench.window(30)).toBe(40);
    });

    test('after 100 to 200 windows, as chance has it', () => {
      for (const [drawn, windows] of [
        [0, 100],
        [0.5, 150],
        [0.999, 200],
      ] as const) {
        const bench = vegas();
        bench.drawn = drawn;
        bench.window(10, { inFlight: 1 });
        expect(bench.cell.snapshot().base).toMatchObject({ windows });
      }
      const bench = based(4, { windows: 7 }, { max: 4 });
      const limits = Array.from({ length: 7 }, () => bench.window(10, { calls: 100 }));
      expect(limits).toEqual([4, 4, 4, 4, 4, 4, 2]);
    });

    test('the windows count in which nothing moved, and a count that has run out stays at 0', () => {
      const bench = based(50, { windows: 3 });
      bench.window(10.5, { inFlight: 1 });
      bench.window(9, { dropped: 10_000 });
      expect(bench.cell.snapshot().base).toMatchObject({ windows: 1 });
      for (let i = 0; i < 2; i++) bench.window(9, { dropped: 10_000 });
      expect(bench.cell.snapshot().base).toMatchObject({ windows: 0 });
      expect(bench.window(10)).toBe(24);
    });

    test('when the limit has grown by half since, or fallen by a third', () => {
      const asksAt = (limit: number): boolean => {
        const bench = based(limit, { limit: 40 });
        return bench.window(10.42, { calls: 20_000 }) === Math.ceil(limit / 2);
      };
      expect([26, 27, 59, 60].map(asksAt)).toEqual([true, false, false, true]);
    });
  });
});

describe('P7.11 a snapshot', () => {
  const SNAPSHOT: AdaptiveSnapshot = { limit: 30, base: { ms: 10, limit: 25, windows: 7 } };

  test('has the limit, and of Vegas the base', () => {
    const bench = vegas();
    bench.cell.restore(SNAPSHOT);
    expect(bench.cell.snapshot()).toEqual(SNAPSHOT);
    expect(aimd().cell.snapshot()).toEqual({ limit: 20, base: null });
  });

  test('of another one fits into what is allowed here', () => {
    const bench = vegas({ max: 25 });
    bench.cell.restore(SNAPSHOT);
    expect(bench.limit).toBe(25);
    const larger = vegas({ min: 40, initial: 40 });
    larger.cell.restore(SNAPSHOT);
    expect(larger.limit).toBe(40);
  });

  test('takes the place of what there was, of the window too', () => {
    const bench = vegas({ initial: 40 });
    bench.window(30); // it asks
    for (let i = 0; i < 1000; i++) bench.end(1e4, true);
    bench.cell.restore(SNAPSHOT);
    expect(bench.cell.snapshot()).toEqual(SNAPSHOT);
    bench.end(10);
    expect(bench.window(10)).toBe(36);
  });

  test('decides as the original would', () => {
    const windows = fc.array(
      fc.record({
        ms: fc.integer({ min: 1, max: 50 }),
        dropped: fc.constantFrom(0, 0, 0, 1),
        inFlight: fc.integer({ min: 1, max: 60 }),
      }),
      { maxLength: 30 },
    );
    const play = (bench: Bench, list: { ms: number; dropped: number; inFlight: number }[]): number[] =>
      list.map(({ ms, dropped, inFlight }) => bench.window(ms, { calls: 100, dropped: 100 * dropped, inFlight }));
    const algorithms = fc.constantFrom('vegas' as const, 'aimd' as const);
    fc.assert(
      fc.property(algorithms, windows, windows, (algorithm, before, after) => {
        const original = new Bench({ algorithm, max: 10, initial: 10 });
        play(original, before);
        // What is not saved: an answer that is not there yet.
        while (original.cell.snapshot().limit !== original.limit) original.window(20, { calls: 100 });
        const restored = new Bench({ algorithm, max: 10, initial: 10 });
        restored.cell.restore(JSON.parse(JSON.stringify(original.cell.snapshot())));
        restored.nowMs = original.nowMs;
        const begin = (bench: Bench): void => {
          bench.cell.ended(0, false, 0, -1, () => 0);
          bench.nowMs = 0;
        };
        begin(original);
        begin(restored);
        expect(play(restored, after)).toEqual(play(original, after));
      }),
      { seed, numRuns: 200 },
    );
  });

  test.each<[field: string, snapshot: unknown, given: unknown, expected: string]>([
    ...[undefined, null, 5, 'text', []].map((it): [string, unknown, unknown, string] => [
      'limit',
      it,
      undefined,
      'a whole number from 1',
    ]),
    ...[0, -1, 1.5, NaN, Infinity, '5', null, 2 ** 53].map((it): [string, unknown, unknown, string] => [
      'limit',
      { ...SNAPSHOT, limit: it },
      it,
      'a whole number from 1',
    ]),
    ...[undefined, 5, 'text', []].map((it): [string, unknown, unknown, string] => [
      'base.ms',
      { limit: 5, base: it },
      undefined,
      'a finite number from 0',
    ]),
    ...(
      [
        ['ms', 'a finite number from 0', [-1, NaN, Infinity, '5', null]],
        ['limit', 'a whole number from 1', [0, 1.5, NaN, '5', null, 2 ** 53]],
        ['windows', 'a whole number from 0', [-1, 1.5, NaN, '5', null, 2 ** 53]],
      ] as const
    ).flatMap(([field, expected, values]) =>
      values.map((it): [string, unknown, unknown, string] => [
        `base.${field}`,
        { limit: 5, base: { ...SNAPSHOT.base, [field]: it } },
        it,
        expected,
      ]),
    ),
  ])('is refused if its %s is not as it should be: %j', (field, snapshot, given, expected) => {
    const bench = vegas();
    bench.cell.restore(SNAPSHOT);
    const restore = (): void => bench.cell.restore(snapshot);
    expect(restore).toThrow(bad(`restore.adaptive.${field}`, given, expected));
    expect(restore).toThrow(typeof given === 'number' ? RangeError : TypeError);
    expect(bench.cell.snapshot()).toEqual(SNAPSHOT);
  });
});
