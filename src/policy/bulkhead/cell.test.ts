import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { seed } from '../../../test/seed.ts';
import { BulkheadCell, type BulkheadSettings } from './cell.ts';

const bulkhead = (settings: Partial<BulkheadSettings> = {}): BulkheadCell =>
  new BulkheadCell({ limit: 2, queue: 2, ...settings });

const never = (): number => {
  throw new Error('the clock was read');
};

const bad = (option: string, given: unknown, expected: string): unknown =>
  expect.objectContaining({ code: 'BAD_OPTION', option, given, expected });

/** With every permit and `waiting` places taken. */
function full(settings: BulkheadSettings, waiting = settings.queue): BulkheadCell {
  const cell = bulkhead(settings);
  for (let i = 0; i < settings.limit + waiting; i++) cell.enter();
  return cell;
}

/** Somebody leaves at each of these times, and somebody joins again, so that the queue stays as long. */
function departures(cell: BulkheadCell, times: readonly number[]): void {
  for (const ms of times) {
    expect(cell.leave(() => ms)).toBe(true);
    expect(cell.enter()).toBe('queued');
  }
}

const every = (stepMs: number, count: number, fromMs = 0): number[] =>
  Array.from({ length: count }, (_, i) => fromMs + i * stepMs);

describe('a bulkhead lets in', () => {
  test('P7.1: at most `limit` at once; further ones wait in `queue` places; then it is full', () => {
    const cell = bulkhead();
    expect(Array.from({ length: 6 }, () => cell.enter())).toEqual([
      'entered',
      'entered',
      'queued',
      'queued',
      'full',
      'full',
    ]);
    expect([cell.inFlight, cell.waiting]).toEqual([2, 2]);
  });

  test('P7.1: without a queue nobody waits', () => {
    const cell = bulkhead({ limit: 1, queue: 0 });
    expect([cell.enter(), cell.enter()]).toEqual(['entered', 'full']);
    expect(cell.leave(never)).toBe(false);
    expect([cell.inFlight, cell.waiting]).toEqual([0, 0]);
    expect(cell.enter()).toBe('entered');
  });

  test('P7.3: a permit that is given back goes straight to the next waiter, and nobody overtakes', () => {
    const cell = full({ limit: 2, queue: 2 });
    expect(cell.leave(() => 0)).toBe(true);
    expect([cell.inFlight, cell.waiting]).toEqual([2, 1]);
    expect(cell.enter()).toBe('queued');
  });

  test('P7.3: the clock is read only while somebody waits', () => {
    const cell = full({ limit: 2, queue: 1 });
    let reads = 0;
    const now = (): number => reads++;
    expect([cell.leave(now), cell.leave(now), cell.leave(now)]).toEqual([true, false, false]);
    expect(reads).toBe(1);
    expect([cell.inFlight, cell.waiting]).toEqual([0, 0]);
  });

  test('P7.4: a waiter that leaves gives up its place, and no permit', () => {
    const cell = full({ limit: 2, queue: 2 });
    cell.abandonPlace();
    expect([cell.inFlight, cell.waiting]).toEqual([2, 1]);
    expect([cell.enter(), cell.enter()]).toEqual(['queued', 'full']);
  });
});

describe('P7.6: when its limit', () => {
  test('grows, there is a permit for as many waiters as it grew by', () => {
    const cell = full({ limit: 2, queue: 5 });
    cell.resize(4);
    expect([cell.admitWaiter(), cell.admitWaiter(), cell.admitWaiter()]).toEqual([true, true, false]);
    expect([cell.limit, cell.inFlight, cell.waiting]).toEqual([4, 4, 3]);
    expect(cell.enter()).toBe('queued');
  });

  test('grows by more than wait, the rest is free', () => {
    const cell = full({ limit: 2, queue: 1 });
    cell.resize(9);
    expect([cell.admitWaiter(), cell.admitWaiter()]).toEqual([true, false]);
    expect([cell.inFlight, cell.waiting, cell.enter()]).toEqual([3, 0, 'entered']);
  });

  test('falls, permits that come back are no more until as many are in flight, and nobody is let in', () => {
    const cell = full({ limit: 4, queue: 2 });
    cell.resize(2);
    expect([cell.admitWaiter(), cell.enter()]).toEqual([false, 'full']);
    expect([cell.leave(never), cell.leave(never)]).toEqual([false, false]);
    expect([cell.inFlight, cell.waiting]).toEqual([2, 2]);
    expect(cell.leave(() => 0)).toBe(true);
    expect([cell.inFlight, cell.waiting]).toEqual([2, 1]);
  });

  test('moves, the interval in which it did is not counted, nor one in which a permit was no more', () => {
    const cell = full({ limit: 2, queue: 9 });
    departures(cell, [0, 50, 100]);
    cell.resize(1);
    expect(cell.leave(never)).toBe(false); // at 700, say
    departures(cell, [900, 1000]);
    expect(cell.snapshot()).toMatchObject({ serviceMs: 100, intervals: 3 });
    cell.resize(2);
    expect(cell.admitWaiter()).toBe(true);
    departures(cell, [5000, 5050]);
    expect(cell.snapshot()).toMatchObject({ serviceMs: 100, intervals: 4 });
  });

  test('moves, what a place takes is reckoned by the new one, once a round of it was seen', () => {
    const cell = full({ limit: 2, queue: 9 });
    departures(cell, [0, 50, 100]);
    expect(cell.expectedWaitMs(4)).toBe(200);
    cell.resize(1);
    expect(cell.expectedWaitMs(4)).toBe(400);
    cell.resize(3);
    expect(cell.expectedWaitMs(4)).toBe(0);
  });

  test('moves, it remembers two rounds of the new one', () => {
    const cell = bulkhead({ limit: 2 });
    cell.resize(50);
    cell.restore({ version: 1, serviceMs: 100, intervals: 1000, departures: 0 });
    expect(cell.snapshot().intervals).toBe(100);
  });
});

describe('P7.5: what a waiter would wait', () => {
  test('is unknown at first, as 0', () => {
    expect(bulkhead().expectedWaitMs(1)).toBe(0);
    expect(full({ limit: 1, queue: 9 }).expectedWaitMs(9)).toBe(0);
  });

  test('is place × the interval between departures while the queue was not empty', () => {
    const cell = full({ limit: 1, queue: 3 });
    departures(cell, [1000, 1100]);
    expect([1, 2, 3].map((place) => cell.expectedWaitMs(place))).toEqual([100, 200, 300]);
  });

  test('is place × service time ÷ limit by Little’s law', () => {
    // Four permits, each taken for 100 ms, begun 25 ms apart.
    const cell = full({ limit: 4, queue: 8 });
    departures(cell, every(25, 20));
    expect(cell.expectedWaitMs(1)).toBe(25);
    expect(cell.expectedWaitMs(8)).toBe(200);
    expect(cell.snapshot().serviceMs).toBe(100);
  });

  test('is unknown until a round of `limit` intervals was seen', () => {
    const cell = full({ limit: 4, queue: 8 });
    departures(cell, every(25, 4));
    expect(cell.expectedWaitMs(4)).toBe(0);
    departures(cell, [100]);
    expect(cell.expectedWaitMs(4)).toBe(100);
  });

  test('does not count an interval that spans a time when the queue was empty', () => {
    const cell = full({ limit: 1, queue: 4 }, 2);
    expect(cell.leave(() => 1000)).toBe(true);
    expect(cell.leave(() => 1100)).toBe(true);
    expect(cell.waiting).toBe(0);
    // Long after, two come again.
    for (let i = 0; i < 2; i++) cell.enter();
    expect(cell.leave(() => 9000)).toBe(true);
    expect(cell.expectedWaitMs(1)).toBe(100);
    cell.enter();
    expect(cell.leave(() => 9200)).toBe(true);
    expect(cell.expectedWaitMs(1)).toBe(150);
  });

  test('does not count one in which the last waiter gave up its place either', () => {
    const cell = full({ limit: 1, queue: 4 }, 2);
    cell.leave(() => 1000);
    cell.abandonPlace();
    for (let i = 0; i < 2; i++) cell.enter();
    cell.leave(() => 9000);
    expect(cell.expectedWaitMs(1)).toBe(0);
  });

  test('counts one in which a waiter gave up its place and another stayed', () => {
    const cell = full({ limit: 1, queue: 4 });
    cell.leave(() => 1000);
    cell.abandonPlace();
    cell.leave(() => 1100);
    expect(cell.expectedWaitMs(1)).toBe(100);
  });

  test('counts departures at one time as intervals of 0', () => {
    const cell = full({ limit: 2, queue: 2 });
    departures(cell, [1000, 1000, 1100, 1100, 1200]);
    expect(cell.expectedWaitMs(1)).toBe(50);
  });

  test('does not count an interval in which time went back: another clock was put in force', () => {
    const cell = full({ limit: 1, queue: 4 });
    departures(cell, [5000, 5100, 3, 103]);
    expect(cell.expectedWaitMs(1)).toBe(100);
    expect(cell.snapshot().intervals).toBe(2);
  });

  test('is a plain mean at first, so that the first interval weighs no more than the others', () => {
    const cell = full({ limit: 1, queue: 4 });
    departures(cell, [0, 400, 500, 600]);
    expect(cell.expectedWaitMs(1)).toBeCloseTo(200, 9);
  });

  test('forgets by a sixteenth with each interval, for small limits', () => {
    const cell = full({ limit: 8, queue: 4 });
    departures(cell, every(100, 101));
    expect(cell.expectedWaitMs(1)).toBeCloseTo(100, 9);
    departures(cell, [10_000 + 1700]);
    expect(cell.expectedWaitMs(1)).toBeCloseTo(200, 9);
    expect(cell.snapshot().intervals).toBe(16);
  });

  test('forgets over two rounds for larger limits, so that it does not swing when calls end together', () => {
    const cell = full({ limit: 50, queue: 10 });
    // 50 at once end at once, each 100 ms.
    const rounds = Array.from({ length: 50 * 20 }, (_, i) => 100 * Math.floor(i / 50));
    departures(cell, rounds);
    expect(cell.snapshot().intervals).toBe(100);
    expect(cell.expectedWaitMs(50)).toBeGreaterThan(75);
    departures(cell, [2000]);
    expect(cell.expectedWaitMs(50)).toBeLessThan(130);
  });

  test('comes to the new service time when that changes', () => {
    const cell = full({ limit: 1, queue: 4 });
    departures(cell, every(10, 50));
    departures(cell, every(1000, 100, 1490));
    expect(cell.expectedWaitMs(1)).toBeGreaterThan(990);
    expect(cell.expectedWaitMs(1)).toBeLessThanOrEqual(1000);
  });

  test('is unknown again when nothing was learned for four times as many departures as it remembers', () => {
    const cell = full({ limit: 1, queue: 4 }, 2);
    cell.leave(() => 1000);
    cell.leave(() => 1100);
    cell.leave(never);
    for (let i = 0; i < 63; i++) {
      cell.enter();
      cell.leave(never);
    }
    expect(cell.expectedWaitMs(1)).toBe(100);
    cell.enter();
    cell.leave(never);
    expect(cell.expectedWaitMs(1)).toBe(0);
  });

  test('is unknown again although somebody waits now and then, if never two do, and so nothing is learned', () => {
    const cell = full({ limit: 1, queue: 4 }, 2);
    for (const ms of [1000, 1100]) cell.leave(() => ms);
    const waitOnce = (): void => {
      expect([cell.enter(), cell.leave(() => 9000)]).toEqual(['queued', true]);
    };
    for (let i = 0; i < 64; i++) waitOnce();
    expect(cell.expectedWaitMs(1)).toBe(100);
    waitOnce();
    expect(cell.expectedWaitMs(1)).toBe(0);
  });

  test('is then learned anew, without what it was', () => {
    const cell = full({ limit: 1, queue: 9 });
    departures(cell, every(1000, 20));
    cell.restore({ ...cell.snapshot(), departures: 65 });
    expect(cell.expectedWaitMs(1)).toBe(0);
    departures(cell, [50_000, 50_010]);
    // Since the queue was never empty, the first interval counts too.
    expect(cell.snapshot()).toEqual({ version: 1, serviceMs: (31_000 + 10) / 2, intervals: 2, departures: 0 });
  });

  test('does not go stale with departures that teach', () => {
    const cell = full({ limit: 1, queue: 9 });
    departures(cell, every(10, 500));
    expect(cell.expectedWaitMs(1)).toBeCloseTo(10, 9);
    expect(cell.snapshot().departures).toBe(0);
  });
});

describe('a snapshot of a bulkhead', () => {
  test('has what was learned, and neither permits nor waiters', () => {
    const cell = full({ limit: 2, queue: 4 });
    departures(cell, [0, 50, 100]);
    expect(cell.snapshot()).toEqual({ version: 1, serviceMs: 100, intervals: 2, departures: 0 });
  });

  test('leaves who is in flight, and who waits, as they are', () => {
    const cell = full({ limit: 2, queue: 2 }, 1);
    cell.restore({ version: 1, serviceMs: 300, intervals: 2, departures: 0 });
    expect([cell.inFlight, cell.waiting]).toEqual([2, 1]);
    expect(cell.expectedWaitMs(2)).toBe(300);
  });

  test('holds the service time, so that it is right under another limit', () => {
    const cell = bulkhead({ limit: 10 });
    cell.restore({ version: 1, serviceMs: 100, intervals: 16, departures: 0 });
    expect(cell.expectedWaitMs(1)).toBe(10);
  });

  test('of more intervals than are remembered weighs no more than those', () => {
    const cell = full({ limit: 1, queue: 9 });
    cell.restore({ version: 1, serviceMs: 100, intervals: 1000, departures: 0 });
    expect(cell.snapshot().intervals).toBe(16);
    departures(cell, [0, 1700]);
    expect(cell.expectedWaitMs(1)).toBe(200);
  });

  test('decides as the original would', () => {
    const event = fc.oneof(fc.constantFrom('enter' as const, 'leave' as const, 'abandon' as const), fc.nat(50));
    const events = fc.array(event, { maxLength: 150 });
    const settings = fc.record({ limit: fc.integer({ min: 1, max: 3 }), queue: fc.nat(4) });
    fc.assert(
      fc.property(
        settings,
        events,
        events,
        fc.integer({ min: -1e6, max: 1e6 }),
        (settings, before, after, offsetMs) => {
          const original = bulkhead(settings);
          let nowMs = 0;
          const play = (cells: [BulkheadCell, number][], events: (string | number)[]): void => {
            for (const event of events) {
              if (typeof event === 'number') nowMs += event;
              const said = cells.map(([cell, offsetMs]) => {
                if (event === 'enter') return cell.enter();
                if (event === 'leave' && cell.inFlight > 0) return cell.leave(() => nowMs + offsetMs);
                if (event === 'abandon' && cell.waiting > 0) return cell.abandonPlace();
                return cell.expectedWaitMs(1);
              });
              expect(said.at(-1)).toBe(said[0]);
            }
          };
          play([[original, 0]], before);
          while (original.inFlight > 0) original.leave(() => nowMs);
          const restored = bulkhead(settings);
          restored.restore(JSON.parse(JSON.stringify(original.snapshot())));
          play(
            [
              [original, 0],
              [restored, offsetMs],
            ],
            after,
          );
          expect(restored.snapshot()).toEqual(original.snapshot());
        },
      ),
      { seed },
    );
  });

  test.each([undefined, null, 5, 'text', [], {}, { version: 2 }, { serviceMs: 1, intervals: 1, departures: 0 }])(
    'is refused if it is none of version 1: %j',
    (snapshot) => {
      expect(() => bulkhead().restore(snapshot)).toThrow(
        bad('restore', snapshot, 'a snapshot of a bulkhead, version 1'),
      );
    },
  );

  test.each([
    ['serviceMs', 'a finite number from 0', [-1, NaN, Infinity, '5', null, undefined]],
    ['intervals', 'a whole number from 0', [-1, NaN, Infinity, '5', null, undefined, 1.5, 2 ** 53]],
    ['departures', 'a whole number from 0', [-1, NaN, Infinity, '5', null, undefined, 1.5, 2 ** 53]],
  ])('is refused if its %s is not %s', (field, expected, values) => {
    for (const given of values) {
      const cell = bulkhead();
      const before = cell.snapshot();
      const restore = (): void =>
        cell.restore({ version: 1, serviceMs: 1, intervals: 1, departures: 1, [field]: given });
      expect(restore).toThrow(bad(`restore.${field}`, given, expected));
      expect(restore).toThrow(typeof given === 'number' ? RangeError : TypeError);
      expect(cell.snapshot()).toEqual(before);
    }
  });

  test('may be one of a cell that knows nothing yet', () => {
    const cell = bulkhead();
    cell.restore(bulkhead().snapshot());
    expect(cell.expectedWaitMs(1)).toBe(0);
  });
});
