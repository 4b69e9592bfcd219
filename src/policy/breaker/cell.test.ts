import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { seed } from '../../../test/seed.ts';
import { BreakerCell, type BreakerSettings, type BreakerSnapshot, type Effect } from './cell.ts';

const DEFAULTS: BreakerSettings = {
  failures: null,
  ratio: null,
  windowMs: null,
  lastCalls: null,
  minCalls: 1,
  slow: null,
  cooldownMs: () => 10_000,
  probes: 1,
  probeLeaseMs: 30_000,
};

const never = (): number => {
  throw new Error('the clock was read');
};

/** A cell with a clock of its own, and calls that are let in and settle in one go. */
class Bench {
  readonly cell: BreakerCell;
  ms = 0;
  readonly now = (): number => this.ms;

  constructor(settings: Partial<BreakerSettings> = {}) {
    this.cell = new BreakerCell({ ...DEFAULTS, ...settings });
  }

  get state(): string {
    return this.cell.state;
  }

  admit(): number {
    return this.cell.admit(this.now);
  }

  settle(ticket: number, effect: Effect, durationMs = 0): boolean {
    return this.cell.settle(ticket, effect, this.now, durationMs);
  }

  /** Calls that begin and end now: `+` a success, `-` a failure, `0` neither; in capitals S and F, slow ones. Whether each changed the state. */
  calls(results: string): boolean[] {
    return Array.from(results, (result) => {
      const ticket = this.admit();
      if (ticket === 0) throw new Error(`refused at ${this.ms} ms`);
      const effect = result === '0' ? 'neither' : '+S'.includes(result) ? 'success' : 'failure';
      return this.settle(ticket, effect, 'SF'.includes(result) ? 101 : 100);
    });
  }

  snapshot(): BreakerSnapshot {
    return this.cell.snapshot(this.ms);
  }
}

/** Open for the first time, at 0. */
function opened(settings: Partial<BreakerSettings> = {}): Bench {
  const bench = new Bench({ failures: 1, ...settings });
  bench.calls('-');
  expect(bench.state).toBe('open');
  return bench;
}

/** Half-open, its first probe let in at 10,000. */
function halfOpen(settings: Partial<BreakerSettings> = {}): [Bench, number] {
  const bench = opened(settings);
  bench.ms = 10_000;
  const ticket = bench.admit();
  expect(bench.state).toBe('half-open');
  return [bench, ticket];
}

/** Empty buckets. */
const zeros = (count: number): number[][] => Array.from({ length: count }, () => [0, 0, 0]);

const bad = (option: string, given: unknown, expected: string): unknown =>
  expect.objectContaining({ code: 'BAD_OPTION', option, given, expected });

describe('P6.1: closed', () => {
  test('it is at first, and calls pass, without a look at the clock', () => {
    const { cell } = new Bench({ failures: 5 });
    expect(cell.state).toBe('closed');
    for (let i = 0; i < 100; i++) {
      const ticket = cell.admit(never);
      expect(ticket).toBeGreaterThan(0);
      expect(cell.settle(ticket, 'success', never, 0)).toBe(false);
    }
    expect(cell.retryAfterMs(0)).toBe(0);
  });

  test('it opens after `failures` failures in a row', () => {
    const bench = new Bench({ failures: 3 });
    expect(bench.calls('--+--+---')).toEqual([...Array.from({ length: 8 }, () => false), true]);
    expect(bench.state).toBe('open');
  });

  test('P6.6: a neither changes nothing, not the row of failures either', () => {
    const bench = new Bench({ failures: 2 });
    expect(bench.calls('0-00')).toEqual([false, false, false, false]);
    expect(bench.state).toBe('closed');
    expect(bench.calls('-')).toEqual([true]);
  });

  test('P6.6: a neither is not among the calls of a window', () => {
    const bench = new Bench({ ratio: 0.5, lastCalls: 4, minCalls: 2 });
    bench.calls('-000');
    expect(bench.state).toBe('closed');
    expect(bench.calls('+')).toEqual([true]);
  });

  test('the clock is read for failures and last calls only when it opens', () => {
    const { cell } = new Bench({ failures: 2, ratio: 0.5, lastCalls: 10, minCalls: 10 });
    expect(cell.settle(cell.admit(never), 'failure', never, 0)).toBe(false);
    expect(() => cell.settle(cell.admit(never), 'failure', never, 0)).toThrow('the clock was read');
  });

  test('either reason is enough', () => {
    const settings = { failures: 3, ratio: 0.5, lastCalls: 100, minCalls: 8 };
    expect(new Bench(settings).calls('---')).toEqual([false, false, true]);
    expect(new Bench(settings).calls('+-+-+-+-').at(-1)).toBe(true);
  });

  test('a failure that was let in before another one opened it is of no account', () => {
    const bench = new Bench({ failures: 1 });
    const [one, two] = [bench.admit(), bench.admit()];
    expect(bench.settle(one, 'failure')).toBe(true);
    bench.ms = 5000;
    expect(bench.settle(two, 'failure')).toBe(false);
    expect(bench.cell.retryAfterMs(5000)).toBe(5000);
  });
});

describe('P6.1: the share of failures', () => {
  test('opens it when it reaches `ratio` of the last calls', () => {
    const bench = new Bench({ ratio: 0.5, lastCalls: 4, minCalls: 4 });
    expect(bench.calls('+++-+-').at(-1)).toBe(true);
  });

  test('is not looked at before there are `minCalls`', () => {
    const bench = new Bench({ ratio: 0.5, lastCalls: 10, minCalls: 4 });
    expect(bench.calls('---')).toEqual([false, false, false]);
    expect(bench.calls('-')).toEqual([true]);
  });

  test('may be reached by a success: the one that makes the calls enough', () => {
    expect(new Bench({ ratio: 0.5, lastCalls: 4, minCalls: 4 }).calls('---+').at(-1)).toBe(true);
  });

  test('forgets what is older than the last calls, time and again', () => {
    const bench = new Bench({ ratio: 0.75, lastCalls: 4, minCalls: 4 });
    for (let i = 0; i < 5; i++) bench.calls('--++');
    expect(bench.state).toBe('closed');
    expect(bench.snapshot().window).toEqual([1, 1, 0, 0]);
    bench.calls('-');
    expect(bench.snapshot().window).toEqual([1, 0, 0, 1]);
    bench.calls('-');
    expect(bench.calls('-')).toEqual([true]);
  });

  test('is exact for decimal fractions: 7 of 100 are 0.07', () => {
    const bench = new Bench({ ratio: 0.07, lastCalls: 100, minCalls: 100 });
    expect(bench.calls(`${'-'.repeat(7)}${'+'.repeat(93)}`).at(-1)).toBe(true);
  });

  test('of 1 needs them all to fail', () => {
    const bench = new Bench({ ratio: 1, lastCalls: 3, minCalls: 3 });
    bench.calls('-+--');
    expect(bench.state).toBe('closed');
    expect(bench.calls('-')).toEqual([true]);
  });

  test('begins anew when it has closed again', () => {
    const [bench, probe] = halfOpen({ failures: null, ratio: 0.5, lastCalls: 2, minCalls: 1 });
    bench.settle(probe, 'success');
    expect(bench.state).toBe('closed');
    expect(bench.snapshot().window).toEqual([]);
    // In a ring that had kept its place or its bits this would be another share.
    expect(bench.calls('+')).toEqual([false]);
    expect(bench.snapshot().window).toEqual([0]);
  });
});

describe('P6.1: a window of time', () => {
  const settings = { ratio: 0.5, windowMs: 1000, minCalls: 2 };

  test('opens it when the share of the calls in it reaches `ratio`', () => {
    const bench = new Bench(settings);
    bench.calls('+');
    bench.ms = 899;
    expect(bench.calls('-')).toEqual([true]);
  });

  test('has calls for nine tenths of it at least', () => {
    const bench = new Bench({ ...settings, ratio: 0.1, minCalls: 11 });
    for (bench.ms = 0; bench.ms < 1000; bench.ms += 100) bench.calls(bench.ms === 0 ? '-' : '+');
    expect(bench.state).toBe('closed');
    bench.ms = 999;
    expect(bench.calls('-')).toEqual([true]);
  });

  test('has no call for longer than the whole', () => {
    const bench = new Bench(settings);
    bench.ms = 5;
    bench.calls('-');
    bench.ms = 500;
    bench.calls('0');
    bench.ms = 1005;
    expect(bench.calls('+')).toEqual([false]);
    expect(bench.calls('+-')).toEqual([false, false]);
  });

  test('may open at a success: the one before which a better time has left the window', () => {
    const bench = new Bench(settings);
    bench.calls('+++');
    bench.ms = 500;
    bench.calls('--');
    bench.ms = 1000;
    expect(bench.calls('+')).toEqual([true]);
  });

  test('forgets bucket by bucket', () => {
    const bench = new Bench({ ratio: 1, windowMs: 1000, minCalls: 1000 });
    const sums = (): unknown[] => {
      const { window } = JSON.parse(JSON.stringify(bench.snapshot())) as { window: { buckets: number[][] } };
      return window.buckets.map(([calls]) => calls);
    };
    for (bench.ms = 0; bench.ms < 1000; bench.ms += 100) bench.calls('+'.repeat(1 + bench.ms / 100));
    expect(sums()).toEqual([10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
    bench.ms = 1199;
    bench.calls('+');
    expect(sums()).toEqual([1, 0, 10, 9, 8, 7, 6, 5, 4, 3]);
    bench.ms = 1200;
    bench.calls('+');
    expect(sums()).toEqual([1, 1, 0, 10, 9, 8, 7, 6, 5, 4]);
  });

  test('counts what is in it, not what has been: failures that were forgotten are not missed later', () => {
    const bench = new Bench({ ratio: 0.6, windowMs: 100, minCalls: 4 });
    for (bench.ms = 0; bench.ms < 1000; bench.ms += 25) bench.calls(bench.ms % 75 === 0 ? '-' : '+');
    expect(bench.state).toBe('closed');
    bench.ms = 1060;
    expect(bench.calls('++--').at(-1)).toBe(true);
  });

  test('begins anew after a pause as long as it is', () => {
    const bench = new Bench(settings);
    bench.calls('-');
    bench.ms = 1030;
    bench.calls('+');
    expect(bench.snapshot().window).toMatchObject({ ageMs: 0, buckets: [[1, 0, 0], ...zeros(9)] });
    bench.ms = 1030 + 999;
    expect(bench.calls('-')).toEqual([true]);
  });

  test('begins anew when time goes back: another clock was put in force', () => {
    const bench = new Bench(settings);
    bench.ms = 5000;
    bench.calls('-');
    bench.ms = 4999;
    expect(bench.calls('++')).toEqual([false, false]);
  });

  test('keeps its calls when a bucket begins by a rounding error after the time that is read', () => {
    const bench = new Bench({ ratio: 1, windowMs: 30_000, minCalls: 1000 });
    bench.ms = 4260.72122019403;
    bench.calls('+');
    // 4 buckets of 3 s later to the last bit, as divided; a bit more, as added.
    bench.ms = 16260.72122019403;
    bench.calls('+');
    bench.calls('+');
    expect(bench.snapshot().window).toMatchObject({ buckets: { 0: [2, 0, 0], 4: [1, 0, 0] } });
  });

  test('reads the clock once for a result', () => {
    const { cell } = new Bench({ ...settings, ratio: 1, minCalls: 100 });
    let reads = 0;
    cell.settle(cell.admit(never), 'success', () => reads++, 0);
    expect(reads).toBe(1);
    cell.settle(cell.admit(never), 'neither', never, 0);
  });
});

describe('P6.1: slow calls', () => {
  const settings = { slow: { overMs: 100, ratio: 0.5 }, lastCalls: 4, minCalls: 4 };

  test('open it when their share reaches `slow.ratio`, successes and failures alike', () => {
    expect(new Bench(settings).calls('S+S+').at(-1)).toBe(true);
    expect(new Bench(settings).calls('F+S+').at(-1)).toBe(true);
    expect(new Bench(settings).calls('S+++').at(-1)).toBe(false);
  });

  test('are those that took longer than `over`', () => {
    const bench = new Bench({ ...settings, lastCalls: 1, minCalls: 1 });
    expect(bench.settle(bench.admit(), 'success', 100)).toBe(false);
    expect(bench.settle(bench.admit(), 'success', 100.5)).toBe(true);
  });

  test('are forgotten with the others', () => {
    const bench = new Bench(settings);
    bench.calls('S++++S');
    expect(bench.state).toBe('closed');
    expect(bench.snapshot().window).toEqual([0, 0, 0, 2]);
    expect(bench.calls('F')).toEqual([true]);
  });

  test('have a share beside that of failures', () => {
    const both = { ...settings, ratio: 0.75 };
    expect(new Bench(both).calls('-+--').at(-1)).toBe(true);
    expect(new Bench(both).calls('S+S-').at(-1)).toBe(true);
    expect(new Bench(both).calls('S+--').at(-1)).toBe(false);
    const bench = new Bench(both);
    bench.calls('F+-+');
    expect(bench.snapshot().window).toEqual([3, 0, 1, 0]);
  });

  test('are counted in a window of time too', () => {
    const bench = new Bench({ slow: { overMs: 100, ratio: 0.5 }, windowMs: 1000, minCalls: 2 });
    bench.calls('+');
    bench.ms = 999;
    expect(bench.calls('S')).toEqual([true]);
  });

  test('are forgotten bucket by bucket', () => {
    const bench = new Bench({ slow: { overMs: 100, ratio: 0.5 }, windowMs: 1000, minCalls: 3 });
    bench.calls('S');
    bench.ms = 500;
    bench.calls('+');
    bench.ms = 1000;
    expect(bench.calls('++')).toEqual([false, false]);
    expect(bench.calls('SSS').at(-1)).toBe(true);
  });

  test('are nothing without `slow`', () => {
    const bench = new Bench({ ratio: 1, lastCalls: 4, minCalls: 1 });
    bench.calls('SS');
    expect(bench.snapshot().window).toEqual([0, 0]);
  });
});

describe('P6.2: open', () => {
  test('it refuses, and says in how many milliseconds it is worth trying again', () => {
    const bench = opened();
    bench.ms = 1;
    expect(bench.admit()).toBe(0);
    expect(bench.cell.retryAfterMs(1)).toBe(9999);
    bench.ms = 9999.5;
    expect(bench.admit()).toBe(0);
    expect(bench.cell.retryAfterMs(9999.5)).toBe(0.5);
    expect(bench.state).toBe('open');
  });

  test('it says so also when very many probes are under way', () => {
    const [bench] = halfOpen({ probes: 200_000 });
    bench.ms = 10_500;
    for (let i = 1; i < 200_000; i++) bench.admit();
    expect(bench.admit()).toBe(0);
    expect(bench.cell.retryAfterMs(11_000)).toBe(29_000);
  });

  test('it is half-open with the first call after the cooldown, which is the first probe', () => {
    const bench = opened();
    bench.ms = 10_000;
    expect(bench.state).toBe('open');
    expect(bench.cell.retryAfterMs(10_000)).toBe(0);
    expect(bench.cell.retryAfterMs(50_000)).toBe(0);
    expect(bench.admit()).toBeGreaterThan(0);
    expect(bench.state).toBe('half-open');
  });

  test('its cooldown may depend on how many times it has opened since it was last closed', () => {
    const asked: number[] = [];
    const cooldownMs = (opens: number): number => {
      asked.push(opens);
      return 1000 * opens;
    };
    const bench = new Bench({ failures: 1, cooldownMs });
    for (const waitMs of [1000, 2000, 3000]) {
      bench.calls('-');
      expect(bench.cell.retryAfterMs(bench.ms)).toBe(waitMs);
      bench.ms += waitMs;
    }
    bench.calls('+');
    expect(bench.state).toBe('closed');
    bench.calls('-');
    expect(asked).toEqual([1, 2, 3, 1]);
  });

  test('its cooldown may have no end, and be none', () => {
    const forEver = opened({ cooldownMs: () => Infinity });
    forEver.ms = 1e15;
    expect(forEver.admit()).toBe(0);
    expect(forEver.cell.retryAfterMs(1e15)).toBe(Infinity);
    const none = opened({ cooldownMs: () => 0 });
    expect(none.admit()).toBeGreaterThan(0);
  });

  test('its cooldown is over when time goes back: another clock was put in force', () => {
    const bench = new Bench({ failures: 1 });
    bench.ms = 5000;
    bench.calls('-');
    bench.ms = 4000;
    expect(bench.cell.retryAfterMs(4000)).toBe(0);
    expect(bench.admit()).toBeGreaterThan(0);
  });

  test('a cooldown that throws leaves the state as it was, and the next failure asks again', () => {
    let broken = true;
    const cooldownMs = (): number => {
      if (broken) throw new Error('no cooldown');
      return 1000;
    };
    const bench = new Bench({ failures: 2, cooldownMs });
    bench.calls('-');
    expect(() => bench.calls('-')).toThrow('no cooldown');
    expect(bench.state).toBe('closed');
    broken = false;
    expect(bench.calls('-')).toEqual([true]);
    bench.ms = 1000;
    broken = true;
    expect(() => bench.calls('-')).toThrow('no cooldown');
    expect(bench.state).toBe('half-open');
    broken = false;
    expect(bench.calls('-')).toEqual([true]);
  });

  test('what was let in before is of no account when it settles', () => {
    const bench = new Bench({ failures: 1 });
    const early = bench.admit();
    bench.calls('-');
    for (const effect of ['success', 'failure', 'neither'] as const)
      expect(bench.cell.settle(early, effect, never, 0)).toBe(false);
    expect(bench.state).toBe('open');
  });
});

describe('P6.3: half-open', () => {
  test('it refuses further calls while `probes` are under way', () => {
    const [bench] = halfOpen({ probes: 2 });
    expect(bench.cell.retryAfterMs(10_000)).toBe(0);
    expect(bench.admit()).toBeGreaterThan(0);
    expect(bench.admit()).toBe(0);
    expect(bench.cell.retryAfterMs(10_000)).toBe(30_000);
  });

  test('it closes when `probes` of them have succeeded, one after the other or at once', () => {
    const [bench, one] = halfOpen({ probes: 3 });
    expect(bench.settle(one, 'success')).toBe(false);
    const [two, three] = [bench.admit(), bench.admit()];
    expect(bench.settle(three, 'success')).toBe(false);
    expect(bench.settle(two, 'success')).toBe(true);
    expect(bench.state).toBe('closed');
  });

  test('a place is free again when its probe has settled', () => {
    const [bench, one] = halfOpen({ probes: 2 });
    bench.settle(one, 'success');
    expect([bench.admit() > 0, bench.admit() > 0, bench.admit() > 0]).toEqual([true, true, false]);
  });

  test('one failure opens it again', () => {
    const [bench, one] = halfOpen({ probes: 3 });
    const two = bench.admit();
    bench.settle(one, 'success');
    bench.ms = 11_000;
    expect(bench.settle(two, 'failure')).toBe(true);
    expect(bench.state).toBe('open');
    expect(bench.cell.retryAfterMs(11_000)).toBe(10_000);
  });

  test('the successes before it opened again are forgotten', () => {
    const [bench, one] = halfOpen({ probes: 2 });
    bench.settle(one, 'success');
    bench.calls('-');
    bench.ms = 20_000;
    expect(bench.calls('+')).toEqual([false]);
    expect(bench.calls('+')).toEqual([true]);
  });

  test('P6.6: a neither gives its place back, and changes nothing else', () => {
    const [bench, one] = halfOpen();
    expect(bench.admit()).toBe(0);
    expect(bench.cell.settle(one, 'neither', never, 0)).toBe(false);
    expect(bench.state).toBe('half-open');
    expect(bench.snapshot().successes).toBe(0);
    expect(bench.admit()).toBeGreaterThan(0);
  });

  test('a probe that has not settled within `probeLease` loses its place', () => {
    const [bench] = halfOpen({ probeLeaseMs: 500 });
    bench.ms = 10_499;
    expect(bench.admit()).toBe(0);
    expect(bench.cell.retryAfterMs(10_499)).toBe(1);
    bench.ms = 10_500;
    expect(bench.cell.retryAfterMs(10_500)).toBe(0);
    expect(bench.admit()).toBeGreaterThan(0);
    expect(bench.admit()).toBe(0);
  });

  test.each(['success', 'failure'] as const)(
    'its %s no longer counts, whether its place was taken or not',
    (effect) => {
      for (const taken of [false, true]) {
        const [bench, late] = halfOpen({ probeLeaseMs: 500 });
        bench.ms = 10_500;
        const next = taken ? bench.admit() : 0;
        expect(bench.settle(late, effect)).toBe(false);
        expect(bench.state).toBe('half-open');
        expect(bench.admit() > 0).toBe(!taken);
        if (taken) expect(bench.settle(next, 'success')).toBe(true);
      }
    },
  );

  test('a result counts up to the end of its lease', () => {
    const [bench, probe] = halfOpen({ probeLeaseMs: 500 });
    bench.ms = 10_499.9;
    expect(bench.settle(probe, 'success')).toBe(true);
  });

  test('the first place that is lost is found, whichever it is', () => {
    const [bench, one] = halfOpen({ probes: 3, probeLeaseMs: 500 });
    bench.ms = 10_100;
    const two = bench.admit();
    bench.ms = 10_200;
    const three = bench.admit();
    expect(bench.cell.retryAfterMs(10_200)).toBe(300);
    bench.ms = 10_550;
    const four = bench.admit();
    expect(bench.cell.retryAfterMs(10_550)).toBe(50);
    expect(bench.admit()).toBe(0);
    expect(bench.settle(one, 'failure')).toBe(false);
    for (const ticket of [two, three]) expect(bench.settle(ticket, 'success')).toBe(false);
    expect(bench.settle(four, 'success')).toBe(true);
  });

  test('a lease may have no end', () => {
    const [bench, probe] = halfOpen({ probeLeaseMs: Infinity });
    bench.ms = 1e15;
    expect(bench.cell.retryAfterMs(1e15)).toBe(Infinity);
    expect(bench.settle(probe, 'success')).toBe(true);
  });

  test('a lease is over when time goes back: another clock was put in force', () => {
    const [bench, probe] = halfOpen();
    bench.ms = 9999;
    expect(bench.cell.retryAfterMs(9999)).toBe(0);
    expect(bench.admit()).toBeGreaterThan(0);
    expect(bench.settle(probe, 'failure')).toBe(false);
    expect(bench.state).toBe('half-open');
  });

  test('P6.5: a result counts in the very period in which its call was let in', () => {
    const bench = new Bench({ failures: 1, probes: 2 });
    const closed = bench.admit();
    bench.calls('-');
    bench.ms = 10_000;
    const [early, other] = [bench.admit(), bench.admit()];
    expect(bench.settle(closed, 'failure')).toBe(false);
    expect(bench.settle(other, 'failure')).toBe(true);
    bench.ms = 20_000;
    bench.admit();
    expect(bench.settle(early, 'failure')).toBe(false);
    expect(bench.state).toBe('half-open');
    bench.cell.reset();
    for (const ticket of [closed, early, other]) expect(bench.settle(ticket, 'failure')).toBe(false);
    expect(bench.state).toBe('closed');
  });

  test('P6.5: a probe settles once', () => {
    const [bench, probe] = halfOpen({ probes: 2 });
    bench.settle(probe, 'success');
    expect(bench.settle(probe, 'success')).toBe(false);
    expect(bench.settle(probe, 'failure')).toBe(false);
    expect(bench.state).toBe('half-open');
  });

  test('a refusal, settled as if it had been let in, is of no account', () => {
    const [bench] = halfOpen({ probes: 2 });
    expect(bench.settle(0, 'failure')).toBe(false);
    bench.cell.reset();
    expect(bench.settle(0, 'failure')).toBe(false);
    expect(bench.state).toBe('closed');
  });
});

describe('P6.4: isolated', () => {
  test('it refuses everything, without a look at the clock, until it is reset', () => {
    const { cell } = new Bench({ failures: 1 });
    cell.isolate();
    expect(cell.state).toBe('isolated');
    expect(cell.admit(never)).toBe(0);
    expect(cell.retryAfterMs(1e15)).toBe(Infinity);
    cell.reset();
    expect(cell.state).toBe('closed');
    expect(cell.admit(never)).toBeGreaterThan(0);
  });

  test('is reached from every state, and left for closed from every state', () => {
    for (const bench of [new Bench(), opened(), halfOpen()[0]]) {
      bench.cell.isolate();
      bench.cell.isolate();
      expect(bench.state).toBe('isolated');
    }
    for (const bench of [new Bench(), opened(), halfOpen()[0]]) {
      bench.cell.reset();
      expect(bench.state).toBe('closed');
      expect(bench.admit()).toBeGreaterThan(0);
    }
  });

  test.each(['success', 'failure', 'neither'] as const)(
    'P6.5: a %s of a call from before is of no account',
    (effect) => {
      const bench = new Bench({ failures: 1 });
      const early = bench.admit();
      bench.cell.isolate();
      expect(bench.settle(early, effect)).toBe(false);
      expect(bench.state).toBe('isolated');
      bench.cell.reset();
      expect(bench.settle(early, effect)).toBe(false);
      expect(bench.state).toBe('closed');
      const [half, probe] = halfOpen();
      half.cell.isolate();
      expect(half.settle(probe, effect)).toBe(false);
      expect(half.state).toBe('isolated');
    },
  );

  test('a reset closes with nothing counted: failures, shares, how many times it has opened', () => {
    const asked: number[] = [];
    const bench = new Bench({
      failures: 3,
      ratio: 1,
      lastCalls: 3,
      minCalls: 3,
      cooldownMs: (opens) => asked.push(opens),
    });
    bench.calls('--');
    bench.cell.reset();
    expect(bench.calls('--')).toEqual([false, false]);
    bench.calls('-');
    bench.cell.reset();
    bench.calls('---');
    expect(asked).toEqual([1, 1]);
  });
});

describe('a snapshot of a breaker', () => {
  test('of one that is closed has what was counted', () => {
    const bench = new Bench({ failures: 5, ratio: 1, lastCalls: 3, minCalls: 3, slow: { overMs: 100, ratio: 1 } });
    bench.calls('+F-S');
    expect(bench.snapshot()).toEqual({
      version: 1,
      state: 'closed',
      opens: 0,
      failures: 0,
      successes: 0,
      remainingMs: 0,
      window: [3, 1, 2],
    });
  });

  test('of one without a window has none', () => {
    expect(new Bench({ failures: 5 }).snapshot().window).toBeNull();
    expect(new Bench({ ratio: 1, windowMs: 100 }).snapshot().window).toBeNull();
  });

  test('of one that is open has what is left of the cooldown; null if it has no end, as in JSON', () => {
    const bench = new Bench({ failures: 1 });
    bench.ms = 1000;
    bench.calls('-');
    bench.ms = 5000;
    expect(bench.snapshot()).toMatchObject({ state: 'open', opens: 1, remainingMs: 6000 });
    bench.ms = 41_000;
    expect(bench.snapshot()).toMatchObject({ state: 'open', opens: 1, remainingMs: 0 });
    expect(opened({ cooldownMs: () => Infinity }).snapshot().remainingMs).toBeNull();
  });

  test('of one that is not open has nothing of an earlier cooldown', () => {
    const bench = opened();
    bench.cell.reset();
    expect(bench.snapshot().remainingMs).toBe(0);
  });

  test('of one that is half-open has its successes, and no probes under way', () => {
    const [bench, one] = halfOpen({ probes: 3 });
    bench.settle(one, 'success');
    bench.admit();
    expect(bench.snapshot()).toMatchObject({ state: 'half-open', opens: 1, successes: 1, remainingMs: 0 });
  });

  test('changes nothing', () => {
    const bench = new Bench({ ratio: 1, windowMs: 1000, minCalls: 100 });
    bench.calls('+');
    bench.ms = 950;
    const before = bench.snapshot();
    bench.ms = 1_000_000;
    bench.snapshot();
    bench.ms = 950;
    expect(bench.snapshot()).toEqual(before);
  });

  test('has no window when time went back', () => {
    const bench = new Bench({ ratio: 1, windowMs: 1000, minCalls: 100 });
    bench.ms = 500;
    bench.calls('+');
    bench.ms = 499;
    expect(bench.snapshot().window).toBeNull();
  });
});

describe('a breaker that is restored', () => {
  /** Another one, that goes on from there, with a clock that shows something else. */
  function restored(bench: Bench, settings: Partial<BreakerSettings>, offsetMs = 7_000_000): Bench {
    const other = new Bench(settings);
    other.ms = bench.ms + offsetMs;
    other.cell.restore(JSON.parse(JSON.stringify(bench.snapshot())), other.ms);
    return other;
  }

  test('is open for what is left of the cooldown: the time between is not counted', () => {
    const bench = opened();
    bench.ms = 4000;
    const other = restored(bench, { failures: 1 });
    expect(other.state).toBe('open');
    expect(other.cell.retryAfterMs(other.ms)).toBe(6000);
    expect(other.admit()).toBe(0);
    other.ms += 6000;
    expect(other.admit()).toBeGreaterThan(0);
  });

  test('is open without end if it was', () => {
    const other = restored(opened({ cooldownMs: () => Infinity }), { failures: 1 });
    other.ms = 1e15;
    expect(other.admit()).toBe(0);
    expect(other.cell.retryAfterMs(1e15)).toBe(Infinity);
  });

  test('counts on how many times it has opened', () => {
    const other = restored(opened(), { failures: 1, cooldownMs: (opens) => 100 * opens });
    other.ms += 10_000;
    other.calls('-');
    expect(other.cell.retryAfterMs(other.ms)).toBe(200);
  });

  test('is half-open with all places free, and the successes it had', () => {
    const [bench, one] = halfOpen({ probes: 2 });
    bench.settle(one, 'success');
    bench.admit();
    const other = restored(bench, { failures: 1, probes: 2 });
    expect(other.state).toBe('half-open');
    const [probe] = [other.admit(), other.admit()];
    expect(other.admit()).toBe(0);
    expect(other.settle(probe, 'success')).toBe(true);
  });

  test('stays isolated: somebody wanted it so', () => {
    const bench = new Bench();
    bench.cell.isolate();
    expect(restored(bench, {}).admit()).toBe(0);
  });

  test('goes on with the row of failures', () => {
    const bench = new Bench({ failures: 3 });
    bench.calls('--');
    expect(restored(bench, { failures: 3 }).calls('-')).toEqual([true]);
  });

  test('goes on with the last calls, with as many of them as it looks at', () => {
    const bench = new Bench({ ratio: 1, lastCalls: 5, minCalls: 5 });
    bench.calls('---+-');
    expect(restored(bench, { ratio: 1, lastCalls: 5, minCalls: 5 }).snapshot().window).toEqual([1, 1, 1, 0, 1]);
    const fewer = restored(bench, { ratio: 1, lastCalls: 2, minCalls: 2 });
    expect(fewer.snapshot().window).toEqual([0, 1]);
    expect(fewer.calls('-')).toEqual([true]);
    const more = restored(bench, { ratio: 0.8, lastCalls: 10, minCalls: 6 });
    expect(more.calls('-')).toEqual([true]);
  });

  test('goes on with its window of time, bucket by bucket', () => {
    const settings = { ratio: 0.5, windowMs: 1000, minCalls: 100, slow: { overMs: 100, ratio: 1 } };
    const bench = new Bench(settings);
    for (const [ms, results] of [
      [30, 'S'],
      [450, '-+F'],
      [1010, '+'],
    ] as const) {
      bench.ms = ms;
      bench.calls(results);
    }
    bench.ms = 1070;
    const other = restored(bench, settings);
    expect(other.snapshot()).toEqual(bench.snapshot());
    expect(other.snapshot().window).toEqual({
      windowMs: 1000,
      ageMs: 140,
      buckets: [[1, 0, 0], ...zeros(4), [3, 2, 1], ...zeros(3), [1, 0, 1]],
    });
  });

  test('begins with an empty window if it has another kind, or another length', () => {
    const time = new Bench({ ratio: 1, windowMs: 1000, minCalls: 100 });
    time.calls('-');
    const calls = new Bench({ ratio: 1, lastCalls: 9, minCalls: 9 });
    calls.calls('-');
    expect(restored(time, { ratio: 1, windowMs: 2000 }).snapshot().window).toBeNull();
    expect(restored(time, { ratio: 1, lastCalls: 9 }).snapshot().window).toEqual([]);
    expect(restored(calls, { ratio: 1, windowMs: 1000 }).snapshot().window).toBeNull();
    expect(restored(calls, { failures: 1 }).snapshot().window).toBeNull();
  });

  test('has what it is given, and nothing of what it had', () => {
    const bench = new Bench({ failures: 3, ratio: 1, lastCalls: 3, minCalls: 3 });
    bench.calls('--');
    bench.cell.restore(new Bench({ ratio: 1, lastCalls: 3 }).snapshot(), 0);
    expect(bench.snapshot()).toMatchObject({ failures: 0, window: [] });
    expect(bench.calls('--')).toEqual([false, false]);
  });

  test('P6.5: takes no account of calls that were let in before', () => {
    const bench = new Bench({ failures: 1 });
    const early = bench.admit();
    bench.cell.restore(bench.snapshot(), 0);
    expect(bench.settle(early, 'failure')).toBe(false);
    const [half, probe] = halfOpen();
    half.cell.restore(half.snapshot(), half.ms);
    expect(half.settle(probe, 'failure')).toBe(false);
    expect(half.calls('+')).toEqual([true]);
  });

  test('decides as the original would', () => {
    const event = fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom('+', '-', '0', 'S', 'F') },
      { weight: 2, arbitrary: fc.nat(40) },
      { weight: 1, arbitrary: fc.constantFrom('admit', 'isolate', 'reset') },
    );
    const events = fc.array(event, { maxLength: 80 });
    const kind = fc.constantFrom<Partial<BreakerSettings>>(
      { failures: 2 },
      { ratio: 0.5, lastCalls: 5, minCalls: 3 },
      { ratio: 0.5, windowMs: 100, minCalls: 3, slow: { overMs: 100, ratio: 0.5 } },
    );
    fc.assert(
      fc.property(
        kind,
        fc.integer({ min: 1, max: 2 }),
        events,
        events,
        fc.nat(1e6),
        (kind, probes, before, after, offsetMs) => {
          const settings = { ...kind, probes, probeLeaseMs: 50, cooldownMs: (opens: number) => 20 * opens };
          const bench = new Bench(settings);
          const play = (benches: Bench[], events: (string | number)[]): void => {
            for (const event of events) {
              const said = benches.map((bench) => {
                if (typeof event === 'number') bench.ms += event;
                else if (event === 'isolate' || event === 'reset') bench.cell[event]();
                else {
                  const ticket = bench.admit();
                  if (event === 'admit' || ticket === 0) return ticket > 0;
                  const effect = event === '0' ? 'neither' : '+S'.includes(event) ? 'success' : 'failure';
                  return [bench.settle(ticket, effect, 'SF'.includes(event) ? 101 : 100), bench.state];
                }
                return [bench.state, bench.cell.retryAfterMs(bench.ms)];
              });
              expect(said.at(-1)).toEqual(said[0]);
            }
          };
          play([bench], before);
          // Probes under way end with their process.
          bench.ms += 50;
          play([bench, restored(bench, settings, offsetMs)], after);
        },
      ),
      { seed },
    );
  });

  test.each([undefined, null, 5, 'text', [], {}, { version: 2, state: 'closed' }])(
    'refuses what is no snapshot of version 1: %j',
    (snapshot) => {
      const expected = 'a snapshot of a breaker, version 1';
      expect(() => new Bench().cell.restore(snapshot, 0)).toThrow(bad('restore', snapshot, expected));
    },
  );

  const COUNT = 'a whole number from 0 to 1e12';
  const SPAN = 'a finite number of milliseconds from 0';
  const TALLIES = 'a list of 10 times calls, failed, slow';
  const counts = [-1, 0.5, NaN, Infinity, 1e12 + 1, '5', null, undefined];

  test.each([
    ['state', 'one of closed, open, half-open, isolated', ['ajar', '', null, undefined]],
    ['opens', COUNT, counts],
    ['failures', COUNT, counts],
    ['successes', COUNT, counts],
    ['remainingMs', SPAN, [-1, NaN, Infinity, '5', undefined]],
  ])('refuses a snapshot whose %s is not %s, and stays as it is', (field, expected, values) => {
    for (const given of values) {
      const [bench] = halfOpen({ probes: 2 });
      const before = bench.snapshot();
      const restore = (): void => bench.cell.restore({ ...before, state: 'open', [field]: given }, bench.ms);
      expect(restore).toThrow(bad(`restore.${field}`, given, expected));
      expect(restore).toThrow(typeof given === 'number' ? RangeError : TypeError);
      expect(bench.snapshot()).toEqual(before);
    }
  });

  test.each([4, -1, 0.5, '1', null, undefined, [0]])(
    'refuses last calls with %j among them, and stays as it is',
    (bits) => {
      const bench = new Bench({ ratio: 1, lastCalls: 5, minCalls: 5 });
      bench.calls('-+');
      const before = bench.snapshot();
      const restore = (): void => bench.cell.restore({ ...before, window: [0, 1, 2, 3, bits] }, 0);
      expect(restore).toThrow(bad('restore.window', bits, '0, 1, 2 or 3 for each call'));
      expect(restore).toThrow(typeof bits === 'number' ? RangeError : TypeError);
      expect(bench.snapshot()).toEqual(before);
    },
  );

  describe('refuses a window of time, and stays as it is,', () => {
    const refused = (part: object, option: string, expected: string): void => {
      const bench = new Bench({ ratio: 1, windowMs: 1000, minCalls: 5 });
      bench.calls('-+');
      const before = bench.snapshot();
      const window = { windowMs: 1000, ageMs: 0, buckets: zeros(10), ...part };
      expect(() => bench.cell.restore({ ...before, window }, 0)).toThrow(
        expect.objectContaining({ code: 'BAD_OPTION', option, expected }),
      );
      expect(bench.snapshot()).toEqual(before);
    };

    test.each([undefined, -1, Infinity, NaN, '5'])('whose age is %j', (ageMs) => {
      refused({ ageMs }, 'restore.window.ageMs', SPAN);
    });

    test.each([undefined, 'ten', { length: 10 }, [], zeros(9), zeros(11)])('whose buckets are %j', (buckets) => {
      refused({ buckets }, 'restore.window.buckets', TALLIES);
    });

    test.each([
      [[]],
      [[0, 0]],
      [[0, 0, 0, 0]],
      [[1, 2, 0]],
      [[1, 0, 2]],
      [[-1, -1, -1]],
      [[1.5, 0, 0]],
      [[1e12 + 1, 0, 0]],
      [[2, '1', 0]],
      [[NaN, 0, 0]],
      [{ 0: 1, 1: 0, 2: 0, length: 3 }],
      [null],
      [undefined],
    ])('with the bucket %j', (tally) => {
      refused({ buckets: [...zeros(9), tally] }, 'restore.window.buckets[9]', TALLIES);
    });

    test('with a hole', () => {
      const buckets: unknown[] = [];
      for (let age = 1; age < 10; age++) buckets[age] = [0, 0, 0];
      refused({ buckets }, 'restore.window.buckets[0]', TALLIES);
    });
  });

  test('takes the largest numbers that are allowed, and sums them exactly', () => {
    const bench = new Bench({ ratio: 1, windowMs: 1000, minCalls: 1e13 + 1 });
    const buckets = Array.from({ length: 10 }, () => [1e12, 1e12, 0]);
    const counts = { opens: 1e12, failures: 1e12, successes: 1e12, remainingMs: Number.MAX_VALUE };
    bench.cell.restore({ version: 1, state: 'closed', ...counts, window: { windowMs: 1000, ageMs: 0, buckets } }, 0);
    expect(bench.calls('-')).toEqual([true]);
  });

  test('takes a window that is no object as none', () => {
    const bench = new Bench({ ratio: 1, windowMs: 1000, minCalls: 5 });
    for (const window of [null, undefined, 5, 'text', []]) {
      bench.cell.restore({ ...new Bench().snapshot(), window }, 0);
      expect(bench.snapshot().window).toBeNull();
    }
  });
});
