/**
 * When customers come: when they please, not when the shop has time for them.
 *
 * That is what makes a storm possible. In a loop that takes the next order when one is done, a slow server slows its own load
 * down, and every client looks well-behaved.
 */
import { chance } from './chance.ts';
import type { Order } from './orders.ts';
import type { Outage } from './payment-process.ts';

export interface Arrival {
  readonly order: Order;
  /** From the opening of the shop on. */
  readonly atMs: number;
}

/** At `rate` orders a second on average, each independent of the others: the pauses between them are exponentially distributed. */
export function arrivals(orders: readonly Order[], rate: number, seed: number): Arrival[] {
  let atMs = 0;
  return orders.map((order) => {
    atMs += (-Math.log(1 - chance(seed, order.id, 'arrival')) * 1_000) / rate;
    return { order, atMs };
  });
}

/** In the middle of the day, a bit before half of it, so that one sees what comes after it. */
export function outageOf(orders: number, rate: number, seconds: number): Outage {
  const fromMs = Math.round((0.3 * orders * 1_000) / rate);
  return { fromMs, toMs: fromMs + seconds * 1_000 };
}
