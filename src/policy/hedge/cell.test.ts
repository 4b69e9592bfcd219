/** The live percentile's cell (P11.8). Long random runs against a sorted list are in test/cells. */
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../foundation/index.ts';
import { LatencyCell, MAX_PERCENTILE } from './cell.ts';

/** A cell that has seen these. */
function cellOf(percentile: number, latencies: Iterable<number>): LatencyCell {
  const cell = new LatencyCell(percentile);
  for (const latencyMs of latencies) cell.record(latencyMs);
  return cell;
}

const times = (count: number, latencyMs: number): number[] => Array.from({ length: count }, () => latencyMs);

/** Within the 2 % that it promises. */
function expectAbout(said: number | undefined, exact: number): void {
  expect(said).toBeGreaterThanOrEqual(exact * 0.98 - 1e-9);
  expect(said).toBeLessThanOrEqual(exact * 1.02 + 1e-9);
}

const bad = (option: string, given: unknown, expected: string): unknown =>
  expect.objectContaining({ code: 'BAD_OPTION', option, given, expected });

describe('P11.8 how many it wants to see', () => {
  test.each([
    [1, 6],
    [50, 10],
    [90, 50],
    [95, 100],
    [99, 500],
    [99.2, 625],
    [99.5, 1000],
  ])('for p%d: %d, about five of which lie above', (percentile, enough) => {
    const cell = cellOf(percentile, times(enough - 1, 10));
    expect(cell.enough).toBe(enough);
    expect(cell.valueMs()).toBeUndefined();
    cell.record(10);
    expectAbout(cell.valueMs(), 10);
  });

  test('the highest percentile is the one for which a full window is enough', () => {
    expect(MAX_PERCENTILE).toBe(99.5);
  });
});

describe('P11.8 the percentile', () => {
  test('has its share of the latencies above it', () => {
    const latencies = Array.from({ length: 1000 }, (_, i) => i + 1);
    expectAbout(cellOf(95, latencies).valueMs(), 950);
    expectAbout(cellOf(50, latencies).valueMs(), 500);
    expectAbout(cellOf(99.5, latencies).valueMs(), 995);
    expectAbout(cellOf(86.2, latencies).valueMs(), 862);
  });

  test('of 100 latencies p95 is the sixth slowest', () => {
    expectAbout(cellOf(95, [...times(94, 1), 100, ...times(5, 1000)]).valueMs(), 100);
    expectAbout(cellOf(95, [...times(94, 1), ...times(6, 1000)]).valueMs(), 1000);
    expectAbout(cellOf(95, [...times(95, 1), ...times(5, 1000)]).valueMs(), 1);
  });

  test('is within 2 % of every latency from 0.1 ms to an hour', () => {
    for (let ms = 0.1; ms <= 3_600_000; ms *= 1.007) expectAbout(cellOf(95, times(100, ms)).valueMs(), ms);
    expectAbout(cellOf(95, times(100, 3_600_000)).valueMs(), 3_600_000);
  });

  test.each([0, 0.001, 0.1])('takes what is shorter for 0.1 ms: %d', (ms) => {
    expect(cellOf(95, times(100, ms)).valueMs()).toBe(0.1);
  });

  test.each([3_600_001, 1e12, Infinity])('takes what is longer for an hour: %d', (ms) => {
    expectAbout(cellOf(95, times(100, ms)).valueMs(), 3_600_000);
  });

  test('a latency that no clock can have measured is left out', () => {
    const cell = cellOf(95, times(99, 10));
    cell.record(-1);
    cell.record(NaN);
    expect(cell.valueMs()).toBeUndefined();
  });
});

describe('P11.8 the window', () => {
  test('is of the last 1000: what came before is forgotten, the oldest first', () => {
    const cell = cellOf(95, times(5000, 1));
    for (let i = 0; i < 50; i++) cell.record(1000);
    expectAbout(cell.valueMs(), 1); // 5 % are above
    cell.record(1000);
    expectAbout(cell.valueMs(), 1000);
    for (let i = 0; i < 949; i++) cell.record(1);
    expectAbout(cell.valueMs(), 1000); // 51 of 1000 still
    cell.record(1);
    expectAbout(cell.valueMs(), 1);
  });

  test('asked after every latency it says what a cell says that is asked once', () => {
    const random = seededRandom(1);
    const cell = new LatencyCell(90);
    const latencies: number[] = [];
    for (let i = 0; i < 3000; i++) {
      latencies.push((i % 300 < 150 ? 1 : 100) * (1 + random()));
      cell.record(latencies.at(-1)!);
      const said = cell.valueMs();
      if (i % 17 === 0) expect(said).toBe(cellOf(90, latencies.slice(-1000)).valueMs());
    }
  });

  test('a snapshot never holds more', () => {
    const cell = cellOf(95, times(12_345, 1));
    expect(cell.snapshot().latenciesMs).toHaveLength(1000);
  });
});

describe('P11.8 a snapshot', () => {
  test('is JSON: the latencies, the oldest first, within 2 %', () => {
    const { version, latenciesMs } = JSON.parse(JSON.stringify(cellOf(95, [0, 5, 250, 12_345.678]).snapshot()));
    expect(version).toBe(1);
    expect(latenciesMs).toHaveLength(4);
    expect(latenciesMs[0]).toBe(0.1);
    [5, 250, 12_345.678].forEach((exact, i) => expectAbout(latenciesMs[i + 1], exact * (1 + 5e-4)));
  });

  test('taken and restored again and again says the same: nothing drifts', () => {
    const random = seededRandom(1);
    let cell = cellOf(
      95,
      Array.from({ length: 2500 }, () => 10 ** (8 * random() - 2)),
    );
    const [said, saved] = [cell.valueMs(), cell.snapshot()];
    for (let i = 0; i < 10; i++) {
      const next = new LatencyCell(95);
      next.restore(JSON.parse(JSON.stringify(cell.snapshot())));
      cell = next;
    }
    expect(cell.valueMs()).toBe(said);
    expect(cell.snapshot()).toEqual(saved);
  });

  test('takes the place of what was seen, and goes on from there', () => {
    const cell = cellOf(95, times(700, 1000));
    cell.restore({ version: 1, latenciesMs: times(99, 10) });
    expect(cell.valueMs()).toBeUndefined();
    cell.record(10);
    expectAbout(cell.valueMs(), 10);
    for (let i = 0; i < 10; i++) cell.record(2000);
    expectAbout(cell.valueMs(), 2000);
  });

  test('may hold a latency of 0', () => {
    const cell = new LatencyCell(95);
    cell.restore({ version: 1, latenciesMs: times(100, 0) });
    expect(cell.valueMs()).toBe(0.1);
  });

  test('of a wider window: the newest are taken', () => {
    const cell = new LatencyCell(95);
    cell.restore({ version: 1, latenciesMs: [...times(500, 1000), ...times(1000, 10)] });
    expectAbout(cell.valueMs(), 10);
    expect(cell.snapshot().latenciesMs).toHaveLength(1000);
  });

  test.each([
    ['restore', undefined, undefined],
    ['restore', null, null],
    ['restore', { version: 2, latenciesMs: [] }, { version: 2, latenciesMs: [] }],
    ['restore', { version: 1 }, { version: 1 }],
    ['restore', { version: 1, latenciesMs: 5 }, { version: 1, latenciesMs: 5 }],
    ['restore.latenciesMs', { version: 1, latenciesMs: [1, -1] }, -1],
    ['restore.latenciesMs', { version: 1, latenciesMs: [NaN] }, NaN],
    ['restore.latenciesMs', { version: 1, latenciesMs: [Infinity] }, Infinity],
    ['restore.latenciesMs', { version: 1, latenciesMs: ['1'] }, '1'],
    ['restore.latenciesMs', { version: 1, latenciesMs: [null] }, null],
  ])('another one is refused, and changes nothing (%s: %j)', (option, snapshot, given) => {
    const cell = cellOf(95, times(100, 10));
    const expected = option === 'restore' ? 'a snapshot of a hedge, version 1' : 'finite numbers from 0';
    expect(() => cell.restore(snapshot)).toThrow(bad(option, given, expected));
    expect(() => cell.restore(snapshot)).toThrow(typeof given === 'number' ? RangeError : TypeError);
    expectAbout(cell.valueMs(), 10);
  });
});
