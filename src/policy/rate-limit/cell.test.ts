/** The cell of rate limits: P10.1, beside the generic cell rate algorithm as its standard words it. The layer is in rate-limit.test. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { seed } from '../../../test/seed.ts';
import { RateLimitCell, type RateLimitSettings } from './cell.ts';

const bad = (option: string, given: unknown, expected: string): unknown =>
  expect.objectContaining({ code: 'BAD_OPTION', option, given, expected });

/** Ten tokens a second, three at once: T = 100 ms, τ = 200 ms. */
const TEN: RateLimitSettings = { limit: 10, perMs: 1000, burst: 3 };

const cell = (settings: Partial<RateLimitSettings> = {}): RateLimitCell => new RateLimitCell({ ...TEN, ...settings });

/**
 * The virtual scheduling algorithm of ITU-T I.371, annex A.1: GCRA(T, τ). What weighs more than one cell is so many that arrive together, and
 * conform only all of them.
 */
class VirtualSchedule {
  private tat = 0;
  private readonly t: number;
  private readonly tau: number;

  constructor({ limit, perMs, burst }: RateLimitSettings) {
    this.t = perMs / limit;
    this.tau = (burst - 1) * this.t;
  }

  conforms(cells: number, atMs: number): boolean {
    let { tat } = this;
    for (let i = 0; i < cells; i++) {
      if (tat > atMs + this.tau) return false;
      tat = Math.max(tat, atMs) + this.t;
    }
    return true;
  }

  arrive(cells: number, atMs: number): boolean {
    if (!this.conforms(cells, atMs)) return false;
    for (let i = 0; i < cells; i++) this.tat = Math.max(this.tat, atMs) + this.t;
    return true;
  }
}

interface Arrival {
  readonly afterMs: number;
  readonly weight: number;
}

/** T is a whole number of milliseconds, so that the schedule rounds nothing. */
const scripts = fc.record({
  settings: fc
    .record({
      limit: fc.integer({ min: 1, max: 20 }),
      t: fc.integer({ min: 1, max: 50 }),
      burst: fc.integer({ min: 1, max: 8 }),
    })
    .map(({ limit, t, burst }) => ({ limit, perMs: limit * t, burst })),
  arrivals: fc.array(
    fc.record({ afterMs: fc.oneof(fc.constant(0), fc.nat(30), fc.nat(400)), weight: fc.integer({ min: 1, max: 8 }) }),
    { minLength: 1, maxLength: 60 },
  ),
});

const fitting = (settings: RateLimitSettings, arrivals: readonly Arrival[]): readonly Arrival[] =>
  arrivals.map(({ afterMs, weight }) => ({ afterMs, weight: Math.min(weight, settings.burst) }));

describe('P10.1 the generic cell rate algorithm', () => {
  test('lets in what conforms by its virtual schedule, and nothing else', () => {
    fc.assert(
      fc.property(scripts, ({ settings, arrivals }) => {
        const subject = cell(settings);
        const schedule = new VirtualSchedule(settings);
        let nowMs = 0;
        for (const { afterMs, weight } of fitting(settings, arrivals)) {
          nowMs += afterMs;
          expect(subject.enter(weight, nowMs) === 0).toBe(schedule.arrive(weight, nowMs));
        }
      }),
      { seed, numRuns: 1000 },
    );
  });

  test('tells the first whole millisecond at which it would conform', () => {
    fc.assert(
      fc.property(scripts, ({ settings, arrivals }) => {
        const subject = cell(settings);
        const schedule = new VirtualSchedule(settings);
        let nowMs = 0;
        for (const { afterMs, weight } of fitting(settings, arrivals)) {
          nowMs += afterMs;
          let waitMs = 0;
          while (!schedule.conforms(weight, nowMs + waitMs)) waitMs++;
          expect(subject.enter(weight, nowMs)).toBe(waitMs);
          schedule.arrive(weight, nowMs);
        }
      }),
      { seed, numRuns: 300 },
    );
  });

  test('lets in no more than burst + limit × t ÷ per in any span, at times that are no whole milliseconds', () => {
    const any = fc.record({
      settings: fc.record({
        limit: fc.integer({ min: 1, max: 1000 }),
        perMs: fc.oneof(fc.integer({ min: 1, max: 1000 }), fc.double({ min: 0.1, max: 1000, noNaN: true })),
        burst: fc.integer({ min: 1, max: 20 }),
      }),
      beginMs: fc.double({ min: 0, max: 1e9, noNaN: true }),
      arrivals: fc.array(
        fc.record({
          afterMs: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 50, noNaN: true })),
          share: fc.double({ min: 0, max: 1, noNaN: true }),
        }),
        { minLength: 1, maxLength: 60 },
      ),
    });
    fc.assert(
      fc.property(any, ({ settings, beginMs, arrivals }) => {
        const { limit, perMs, burst } = settings;
        const subject = cell(settings);
        const letIn: { readonly ms: number; readonly weight: number }[] = [];
        let nowMs = beginMs;
        for (const { afterMs, share } of arrivals) {
          nowMs += afterMs;
          const weight = share * burst;
          if (subject.enter(weight, nowMs) === 0) letIn.push({ ms: nowMs, weight });
        }
        for (const [from, first] of letIn.entries()) {
          let sum = 0;
          for (const { ms, weight } of letIn.slice(from)) {
            sum += weight;
            // The clock itself has but so many digits.
            const most = burst + (limit * (ms - first.ms + 1e-6)) / perMs;
            expect(sum).toBeLessThanOrEqual(most + 1e-6);
          }
        }
      }),
      { seed, numRuns: 500 },
    );
  });

  test('a steady stream at the limit is let in in full, though every product of it is rounded', () => {
    // T = 333.33… ms and 1/7 ms.
    for (const settings of [
      { limit: 3, perMs: 1000, burst: 1 },
      { limit: 7, perMs: 1, burst: 1 },
    ]) {
      const subject = cell(settings);
      for (let i = 0; i < 10_000; i++) expect(subject.enter(1, (i * settings.perMs) / settings.limit)).toBe(0);
    }
  });

  test('an attempt that comes when it was told to is let in, whatever the clock shows', () => {
    for (const nowMs of [0, 0.1 + 0.2, 1 / 3, 123_456_789.123, 9_007_199_254.7]) {
      for (const limit of [1, 3, 7, 999]) {
        const subject = cell({ limit, burst: 1 });
        let at = nowMs;
        for (let i = 0; i < 100; i++) {
          expect(subject.enter(1, at)).toBe(0);
          const waitMs = subject.enter(1, at);
          expect(waitMs).toBe(Math.ceil(1000 / limit));
          expect(subject.enter(1, at + waitMs - 1)).toBeGreaterThan(0);
          at += waitMs;
        }
      }
    }
  });

  test('what is refused changes nothing', () => {
    const subject = cell();
    subject.enter(2, 0);
    for (let i = 0; i < 100; i++) expect(subject.enter(2, 0)).toBe(100);
    expect(subject.tokensAt(0)).toBe(1);
    expect(subject.enter(2, 100)).toBe(0);
  });

  test('more than a burst is never kept, however long the pause', () => {
    const subject = cell();
    subject.enter(3, 0);
    expect(subject.tokensAt(1e12)).toBe(3);
    expect([1, 1, 1, 1].map((weight) => subject.enter(weight, 1e12))).toEqual([0, 0, 0, 100]);
  });

  test('weights may be fractions, and sum up', () => {
    const subject = cell({ burst: 1 });
    for (let i = 0; i < 10; i++) expect(subject.enter(0.1, 0)).toBe(0);
    expect(subject.enter(0.1, 0)).toBe(10);
    expect(subject.enter(0.1, 10)).toBe(0);
  });

  test('goes on when the time goes back: nothing is given for what cannot be known', () => {
    const subject = cell();
    subject.enter(3, 1_000_000);
    expect(subject.enter(1, 500)).toBe(100); // another clock
    expect(subject.enter(1, 599)).toBe(1);
    expect(subject.enter(1, 600)).toBe(0);
    expect(subject.tokensAt(650)).toBe(0.5);
  });
});

describe('P10.4 who waits', () => {
  test('waits until what was let in, what was promised before, and its own weight fit', () => {
    const subject = cell();
    subject.enter(3, 0);
    expect(subject.enter(1, 0)).toBe(100);
    subject.join(1);
    expect(subject.enter(2, 0)).toBe(300);
    subject.join(2);
    expect(subject.enter(1, 0)).toBe(400);
    expect(subject.waiting).toBe(2);
    expect(subject.advance(1, 99)).toBe(1);
    expect(subject.advance(1, 100)).toBe(0);
    expect(subject.waiting).toBe(1);
    expect(subject.advance(2, 100)).toBe(200);
    expect(subject.advance(2, 300)).toBe(0);
    expect([subject.waiting, subject.tokensAt(300)]).toEqual([0, 0]);
  });

  test('nobody overtakes: what would fit beside a heavy one waits behind it', () => {
    const subject = cell();
    subject.enter(1, 0);
    expect(subject.enter(3, 0)).toBe(100);
    subject.join(3);
    expect(subject.enter(1, 0)).toBe(200);
  });

  test('who leaves takes nothing, and those behind it move up', () => {
    const subject = cell();
    subject.enter(3, 0);
    subject.join(3);
    subject.join(1);
    subject.leave(3);
    expect([subject.waiting, subject.advance(1, 0)]).toEqual([1, 100]);
    expect(subject.enter(1, 0)).toBe(200);
  });

  test('sums of fractions leave nothing behind', () => {
    const subject = cell();
    subject.enter(3, 0);
    for (const weight of [0.1, 0.2, 0.3]) subject.join(weight);
    for (const weight of [0.1, 0.2, 0.3]) subject.leave(weight);
    // 0.1 + 0.2 + 0.3 − 0.1 − 0.2 − 0.3 is 2.8e-17: a thousand such rounds must not add up.
    for (let i = 0; i < 1000; i++) {
      subject.join(0.1);
      subject.join(0.7);
      subject.leave(0.1);
      subject.leave(0.7);
    }
    expect(subject.enter(3, 300)).toBe(0);
  });

  test('nor do those of large weights, where a rounding is more than what may be missing', () => {
    const burst = 1_000_000_000;
    const weights = [burst / 7, (2 * burst) / 7, burst / 3]; // the parts sum up to 0.00012, not to 0
    const subject = cell({ burst });
    for (const weight of weights) subject.join(weight);
    for (const weight of weights) subject.leave(weight);
    expect(subject.enter(burst, 0)).toBe(0);
  });
});

describe('tokens', () => {
  test('are what fits at once, from 0 to burst', () => {
    const subject = cell();
    expect(subject.tokensAt(0)).toBe(3);
    subject.enter(2.5, 0);
    expect(subject.tokensAt(0)).toBe(0.5);
    expect(subject.tokensAt(125)).toBe(1.75);
    subject.take(3); // a dry run
    expect(subject.tokensAt(125)).toBe(0);
    expect(subject.tokensAt(225)).toBe(0);
    expect(subject.tokensAt(300)).toBe(0.5);
  });

  test('promised ones count as there', () => {
    const subject = cell();
    subject.enter(1, 0);
    subject.join(3);
    expect(subject.tokensAt(0)).toBe(2);
  });
});

describe('it is at rest', () => {
  test('when nothing is used and nobody waits', () => {
    const subject = cell();
    expect(subject.isAtRest(0)).toBe(true);
    subject.enter(2, 0);
    expect([subject.isAtRest(199), subject.isAtRest(200)]).toEqual([false, true]);
    subject.join(1);
    expect(subject.isAtRest(200)).toBe(false);
  });

  test('exactly, though a token may be no whole number of parts', () => {
    const subject = cell({ perMs: 0.1, limit: 3, burst: 7 });
    subject.enter(0.3, 0);
    expect(subject.isAtRest(1)).toBe(true);
  });
});

describe('P10.7 a snapshot', () => {
  test('tells what is used, and no time', () => {
    const subject = cell();
    subject.enter(2, 5_000);
    subject.join(1);
    expect(subject.snapshot(5_050)).toEqual({ version: 1, used: 1.5 });
    expect(subject.snapshot(9_999)).toEqual({ version: 1, used: 0 });
  });

  test('goes on from there: as if no time had passed', () => {
    const subject = cell();
    subject.restore({ version: 1, used: 2.5 }, 1e9);
    expect(subject.enter(1, 1e9)).toBe(50);
    expect(subject.enter(1, 1e9 + 50)).toBe(0);
  });

  test('of a larger burst, or a dry run, is a burst at most', () => {
    const large = cell({ burst: 100 });
    large.enter(80, 0);
    const subject = cell();
    subject.restore(large.snapshot(0), 0);
    expect([subject.tokensAt(0), subject.enter(1, 0)]).toEqual([0, 100]);
    subject.take(5);
    expect(subject.snapshot(0)).toEqual({ version: 1, used: 3 });
  });

  test('may be restored while somebody waits', () => {
    const subject = cell();
    subject.enter(3, 0);
    subject.join(2);
    subject.restore({ version: 1, used: 0 }, 0);
    expect([subject.waiting, subject.advance(2, 0), subject.enter(1, 0), subject.enter(1, 0)]).toEqual([1, 0, 0, 100]);
  });

  test.each<[unknown, string, unknown, string]>([
    [undefined, 'restore', undefined, 'a snapshot of a rate limit, version 1'],
    [null, 'restore', null, 'a snapshot of a rate limit, version 1'],
    ['{}', 'restore', '{}', 'a snapshot of a rate limit, version 1'],
    [{ version: 2, used: 0 }, 'restore', { version: 2, used: 0 }, 'a snapshot of a rate limit, version 1'],
    [{ version: 1 }, 'restore.used', undefined, 'a finite number from 0'],
    [{ version: 1, used: -1 }, 'restore.used', -1, 'a finite number from 0'],
    [{ version: 1, used: NaN }, 'restore.used', NaN, 'a finite number from 0'],
    [{ version: 1, used: Infinity }, 'restore.used', Infinity, 'a finite number from 0'],
    [{ version: 1, used: '1' }, 'restore.used', '1', 'a finite number from 0'],
  ])('that is none is refused, and nothing changes: %j', (snapshot, option, given, expected) => {
    const subject = cell();
    subject.enter(1, 0);
    expect(() => subject.restore(snapshot, 0)).toThrow(bad(option, given, expected));
    expect(() => subject.restore(snapshot, 0)).toThrow(typeof given === 'number' ? RangeError : TypeError);
    expect(subject.tokensAt(0)).toBe(2);
  });

  test('of nothing used may be restored', () => {
    const subject = cell();
    subject.enter(3, 0);
    subject.restore({ version: 1, used: 0 }, 0);
    expect(subject.tokensAt(0)).toBe(3);
  });
});
