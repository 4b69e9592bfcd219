import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { seed } from '../../test/seed.ts';
import { BudgetCell, type BudgetSettings } from './cell.ts';

const budget = (settings: Partial<BudgetSettings> = {}): BudgetCell =>
  new BudgetCell({ ratio: 0.2, initial: 100, cap: 100, trickle: 1, ...settings });

/** How many retries it allows at one time. */
function drain(cell: BudgetCell, nowMs: number): number {
  let count = 0;
  while (cell.withdraw(nowMs)) count++;
  return count;
}

function deposits(cell: BudgetCell, count: number): void {
  for (let i = 0; i < count; i++) cell.deposit();
}

const bad = (option: string, given: unknown, expected: string): unknown =>
  expect.objectContaining({ code: 'BAD_OPTION', option, given, expected });

describe('P4: a budget', () => {
  test('has `initial` tokens at first, and a retry costs one', () => {
    expect(drain(budget(), 0)).toBe(100);
    expect(drain(budget({ initial: 3 }), 0)).toBe(3);
    expect(drain(budget({ initial: 0 }), 0)).toBe(0);
  });

  test('refuses a part of a token, and keeps it', () => {
    const cell = budget({ initial: 1.75 });
    expect(drain(cell, 0)).toBe(1);
    expect(cell.tokensAt(0)).toBe(0.75);
  });

  test('gets `ratio` for a call that succeeds at its first attempt', () => {
    const cell = budget({ initial: 0, ratio: 0.25 });
    deposits(cell, 3);
    expect(cell.withdraw(0)).toBe(false);
    cell.deposit();
    expect(cell.withdraw(0)).toBe(true);
    expect(cell.tokensAt(0)).toBe(0);
  });

  test.each([
    [0.1, 10],
    [0.2, 5],
    [0.3, 10],
    [0.01, 100],
    [0.7, 10],
    [1 / 3, 3],
  ])('with ratio %d pays for whole retries after %d successes: sums of such numbers are not exact', (ratio, count) => {
    const cell = budget({ initial: 0, ratio });
    deposits(cell, count);
    expect(drain(cell, 0)).toBe(Math.round(ratio * count));
    expect(cell.tokensAt(0)).toBeGreaterThanOrEqual(0);
    expect(cell.tokensAt(0)).toBeCloseTo(0, 12);
  });

  test('overlooks what a rounding error can make of a token, a thousand-millionth, and no more', () => {
    expect(budget({ initial: 1 - 1e-9 }).withdraw(0)).toBe(true);
    expect(budget({ initial: 1 - 2e-9 }).withdraw(0)).toBe(false);
  });

  test('gets `trickle` for each second, added when a retry asks', () => {
    const cell = budget({ initial: 0, trickle: 2 });
    expect(cell.withdraw(1000)).toBe(false);
    expect(cell.withdraw(1499)).toBe(false);
    expect(cell.withdraw(1500)).toBe(true);
    expect(drain(cell, 4000)).toBe(5);
  });

  test('gets nothing for the time before it is first asked', () => {
    expect(drain(budget({ initial: 0, trickle: 1000 }), 1e6)).toBe(0);
  });

  test('counts the time from the question how many there are', () => {
    const cell = budget({ initial: 0 });
    expect(cell.tokensAt(5000)).toBe(0);
    expect(cell.tokensAt(5500)).toBe(0.5);
    expect(cell.withdraw(6000)).toBe(true);
  });

  test('gets nothing when time goes back, because another clock was put in force, and counts on from there', () => {
    const cell = budget({ initial: 0 });
    cell.tokensAt(100_000);
    expect(cell.tokensAt(0)).toBe(0);
    expect(cell.tokensAt(3000)).toBe(3);
  });

  test('never holds more than `cap`, whatever fills it', () => {
    const cell = budget({ initial: 9.5, cap: 10 });
    deposits(cell, 10);
    expect(cell.tokensAt(0)).toBe(10);
    cell.giveBack();
    expect(cell.tokensAt(0)).toBe(10);
    expect(cell.tokensAt(60_000)).toBe(10);
    expect(drain(cell, 60_000)).toBe(10);
  });

  test('gets the token back of a retry that did not run', () => {
    const cell = budget({ initial: 1 });
    expect(cell.withdraw(0)).toBe(true);
    cell.giveBack();
    expect(cell.withdraw(0)).toBe(true);
    expect(cell.withdraw(0)).toBe(false);
  });

  test('may be without a trickle, and without deposits', () => {
    const cell = budget({ initial: 1, ratio: 0, trickle: 0 });
    deposits(cell, 1000);
    expect(drain(cell, 0)).toBe(1);
    expect(drain(cell, 1e9)).toBe(0);
  });

  test('allows in all no more than initial + ratio × successes + trickle × time', () => {
    const event = fc.oneof(fc.constantFrom('deposit' as const, 'withdraw' as const), fc.nat(3000));
    const settings = fc.record({
      ratio: fc.constantFrom(0, 0.1, 0.2, 0.5),
      initial: fc.nat(5),
      cap: fc.integer({ min: 5, max: 10 }),
      trickle: fc.constantFrom(0, 0.5, 1),
    });
    fc.assert(
      fc.property(settings, fc.array(event, { maxLength: 200 }), (settings, events) => {
        const cell = budget(settings);
        let [nowMs, most, taken] = [0, settings.initial, 0];
        cell.tokensAt(0);
        for (const event of events) {
          if (event === 'deposit') {
            cell.deposit();
            most += settings.ratio;
          } else if (event === 'withdraw') taken += cell.withdraw(nowMs) ? 1 : 0;
          else {
            nowMs += event;
            most += (event / 1000) * settings.trickle;
          }
          expect(taken).toBeLessThanOrEqual(most + 1e-6);
          expect(cell.tokensAt(nowMs)).toBeLessThanOrEqual(settings.cap);
        }
      }),
      { seed },
    );
  });
});

describe('a snapshot of a budget', () => {
  test('has its tokens, what trickled in too, and no time', () => {
    const cell = budget({ initial: 1.5 });
    cell.tokensAt(0);
    expect(cell.snapshot(2000)).toEqual({ version: 1, tokens: 3.5 });
  });

  test('goes on under another clock: the time between is not counted', () => {
    const cell = budget({ initial: 0 });
    cell.restore({ version: 1, tokens: 2.5 }, 1e6);
    expect(cell.tokensAt(1e6)).toBe(2.5);
    expect(cell.tokensAt(1e6 + 1000)).toBe(3.5);
  });

  test('holds no more than the cap of who restores it', () => {
    const cell = budget({ cap: 7 });
    cell.restore({ version: 1, tokens: 50 }, 0);
    expect(cell.tokensAt(0)).toBe(7);
  });

  test('decides as the original would', () => {
    const event = fc.oneof(fc.constantFrom('deposit' as const, 'withdraw' as const, 'giveBack' as const), fc.nat(3000));
    const events = fc.array(event, { maxLength: 60 });
    fc.assert(
      fc.property(events, events, fc.integer({ min: -1e6, max: 1e6 }), (before, after, offsetMs) => {
        const settings = { ratio: 0.1, initial: 2, cap: 4, trickle: 0.5 };
        const original = budget(settings);
        let nowMs = 0;
        const play = (cells: [BudgetCell, number][], events: (string | number)[]): void => {
          for (const event of events) {
            if (typeof event === 'number') nowMs += event;
            const said = cells.map(([cell, offsetMs]) => {
              if (event === 'withdraw') return cell.withdraw(nowMs + offsetMs);
              if (event === 'deposit') return cell.deposit();
              if (event === 'giveBack') return cell.giveBack();
              return undefined;
            });
            expect(said.at(-1)).toBe(said[0]);
          }
        };
        play([[original, 0]], before);
        const restored = budget(settings);
        restored.restore(JSON.parse(JSON.stringify(original.snapshot(nowMs))), nowMs + offsetMs);
        play(
          [
            [original, 0],
            [restored, offsetMs],
          ],
          after,
        );
        expect(restored.tokensAt(nowMs + offsetMs)).toBeCloseTo(original.tokensAt(nowMs), 9);
      }),
      { seed },
    );
  });

  test.each([undefined, null, 5, 'text', [], {}, { version: 2, tokens: 1 }, { tokens: 1 }])(
    'is refused if it is none of version 1: %j',
    (snapshot) => {
      const cell = budget();
      expect(() => cell.restore(snapshot, 0)).toThrow(bad('restore', snapshot, 'a snapshot of a budget, version 1'));
      expect(cell.tokensAt(0)).toBe(100);
    },
  );

  test.each([-1, NaN, Infinity, '5', null, undefined])('is refused with %j tokens', (tokens) => {
    const cell = budget();
    const snapshot = { version: 1, tokens };
    expect(() => cell.restore(snapshot, 0)).toThrow(bad('restore.tokens', tokens, 'a finite number from 0'));
    expect(() => cell.restore(snapshot, 0)).toThrow(typeof tokens === 'number' ? RangeError : TypeError);
    expect(cell.tokensAt(0)).toBe(100);
  });

  test('may have none left', () => {
    const cell = budget();
    cell.restore({ version: 1, tokens: 0 }, 0);
    expect(drain(cell, 0)).toBe(0);
  });
});
