import { describe, expect, it } from 'vitest';
import { arrivals, outageOf } from './arrivals.ts';
import { DEFAULT_ORDERS } from './options.ts';
import { readOrders } from './orders.ts';

describe('arrivals', () => {
  const orders = readOrders(DEFAULT_ORDERS);
  const times = (rate: number, seed: number) => arrivals(orders, rate, seed).map(({ atMs }) => atMs);

  it('are the same ones for the same seed, and others for another', () => {
    expect(times(120, 7)).toEqual(times(120, 7));
    expect(times(120, 8)).not.toEqual(times(120, 7));
  });

  it('come one after the other, at the rate that was asked for, some of them close together', () => {
    const atMs = times(120, 7);
    const pauses = atMs.map((ms, index) => ms - (atMs[index - 1] ?? 0));
    expect(Math.min(...pauses)).toBeGreaterThanOrEqual(0);
    expect(Math.abs(atMs.at(-1)! / 1_000 - orders.length / 120)).toBeLessThan(1);
    // Of an exponential distribution 1 − 1/e lies below its mean.
    expect(pauses.filter((ms) => ms < 1_000 / 120).length / pauses.length).toBeCloseTo(0.632, 1);
  });

  it('have the outage among them', () => {
    expect(outageOf(2_000, 120, 3)).toEqual({ fromMs: 5_000, toMs: 8_000 });
    expect(outageOf(2_000, 120, 0)).toEqual({ fromMs: 5_000, toMs: 5_000 });
  });
});
