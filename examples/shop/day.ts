/** The day's book: how every order ended, as the program saw it. The table counts it; the audit believes none of it. */
import type { Order } from './orders.ts';
import type { Ending } from './place-order.ts';

export class Day {
  readonly orders: readonly Order[];
  readonly endings = new Map<string, Ending>();

  constructor(orders: readonly Order[]) {
    this.orders = orders;
  }

  ended(order: Order, ending: Ending): void {
    this.endings.set(order.id, ending);
  }

  count<K extends Ending['kind']>(
    kind: K,
    also: (ending: Extract<Ending, { kind: K }>) => boolean = () => true,
  ): number {
    let count = 0;
    for (const ending of this.endings.values()) {
      if (ending.kind === kind && also(ending as Extract<Ending, { kind: K }>)) count++;
    }
    return count;
  }
}
