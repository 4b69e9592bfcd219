/** The business code: what an order is, and nothing of what may go wrong on the way. Each policy is a line above a method. */
import { resilient } from 'holdfast';
import { charges, reads } from './policies.ts';
import type { Server } from './server.ts';

export interface Order {
  readonly id: number;
  readonly sku: string;
  readonly cents: number;
}

export class Orders {
  readonly #server: Server;

  constructor(server: Server) {
    this.#server = server;
  }

  /** Pieces in stock; `null` when nobody can say. */
  @resilient(reads, { signal: (_sku, signal) => signal })
  async stock(sku: string, signal?: AbortSignal): Promise<number | null> {
    return (await this.#server.get<{ pieces: number }>(`/stock/${sku}`, signal)).pieces;
  }

  async place(order: Order): Promise<string> {
    if ((await this.stock(order.sku)) === 0) return `order ${order.id}: nothing left of ${order.sku}`;
    const receipt = await this.#charge(order);
    return `order ${order.id}: ${order.cents} cents, receipt ${receipt}`;
  }

  @resilient(charges)
  async #charge({ id, cents }: Order): Promise<number> {
    return (await this.#server.post<{ receipt: number }>('/charges', { id, cents })).receipt;
  }
}
