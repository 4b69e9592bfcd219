/** The day's book: when every order came, and how it ended, as the program saw it. The table counts it; the audit believes none of it. */
import type { Order } from './orders.ts';
import type { Ending } from './place-order.ts';

export interface Entry {
  /** From the opening of the shop on. */
  readonly arrivedMs: number;
  readonly tookMs: number;
  readonly ending: Ending;
}

export class Book {
  readonly orders: readonly Order[];
  readonly entries = new Map<string, Entry>();
  /** In milliseconds since 1970. */
  readonly openedAt: number = Date.now();
  readonly #openedMs = performance.now();
  readonly #arrivedMs = new Map<string, number>();

  constructor(orders: readonly Order[]) {
    this.orders = orders;
  }

  /** Since the opening. */
  get nowMs(): number {
    return performance.now() - this.#openedMs;
  }

  get underWay(): number {
    return this.#arrivedMs.size - this.entries.size;
  }

  arrived(order: Order): void {
    this.#arrivedMs.set(order.id, this.nowMs);
  }

  ended(order: Order, ending: Ending): void {
    const arrivedMs = this.#arrivedMs.get(order.id) ?? this.nowMs;
    this.entries.set(order.id, { arrivedMs, tookMs: this.nowMs - arrivedMs, ending });
  }

  get endings(): ReadonlyMap<string, Ending> {
    return new Map([...this.entries].map(([id, { ending }]) => [id, ending]));
  }

  count<K extends Ending['kind']>(
    kind: K,
    also: (ending: Extract<Ending, { kind: K }>) => boolean = () => true,
  ): number {
    let count = 0;
    for (const { ending } of this.entries.values()) {
      if (ending.kind === kind && also(ending as Extract<Ending, { kind: K }>)) count++;
    }
    return count;
  }
}
