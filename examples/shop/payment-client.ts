/** Talks to the payment server. An answer is returned, whatever it says of the money; everything else is thrown. */
import { contextKey, type Scope } from 'holdfast';
import type { Charge, LedgerEntry, Traffic } from './ledger.ts';

/** One id follows an order through the program, the payment server and whatever is reported of it. */
export const traceId = contextKey<string>('trace_id');

/** What the payment server says of the money of one order, and keeps to. */
export type Answer =
  | { readonly is: 'charged'; readonly charge: Charge }
  | { readonly is: 'declined' }
  | { readonly is: 'closed' }; // not charged, and never will be

/** What is known of the money of one order. */
export type Money =
  | Answer
  | { readonly is: 'untouched' } // no request ever left this machine
  | { readonly is: 'unknown'; readonly because: string };

/** It answered, and it is no answer. The library reads `status` to see whether sending again may help. */
export class NoSense extends Error {
  override readonly name = 'NoSense';
  readonly status: number;

  constructor(status: number) {
    super(`the payment server answered ${status}`);
    this.status = status;
  }
}

export interface Wish {
  readonly order: string;
  readonly cents: number;
  /** The idempotency key: with it, sending twice is charging once. */
  readonly key?: string | undefined;
}

export class PaymentClient {
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  /** One request to charge. With a scope, it ends when that is aborted, and carries its trace id. */
  async charge({ order, cents, key }: Wish, s?: Scope): Promise<Answer> {
    const headers: Record<string, string> = { 'content-type': 'application/json' };
    if (key !== undefined) headers['idempotency-key'] = key;
    const { status, body } = await this.#ask('/charges', { headers, body: JSON.stringify({ order, cents }) }, s);
    if ((status === 200 || status === 201) && isCharge(body)) return { is: 'charged', charge: body };
    if (status === 402) return { is: 'declined' };
    if (status === 409) return { is: 'closed' };
    throw new NoSense(status);
  }

  /** Asks what became of a key and closes it in the same breath, so that the answer stays true. */
  async close(key: string, s: Scope): Promise<Answer> {
    const { status, body } = await this.#ask(`/charges/${encodeURIComponent(key)}/close`, { headers: {} }, s);
    const { charge, closed } = (body ?? {}) as { charge?: unknown; closed?: unknown };
    if (status === 200 && isCharge(charge)) return { is: 'charged', charge };
    if (status === 200 && closed === true) return { is: 'closed' };
    throw new NoSense(status);
  }

  /** What is known of a key at this moment. For people: who decides something by it wants `close`. */
  async look(key: string, s: Scope): Promise<{ charge: Charge | null; closed: boolean }> {
    return (await this.#get(`/charges/${encodeURIComponent(key)}`, s)) as { charge: Charge | null; closed: boolean };
  }

  /** Ends the server's day. */
  async ledger(s: Scope): Promise<LedgerEntry[]> {
    return (await this.#get('/ledger', s)) as LedgerEntry[];
  }

  async traffic(s: Scope): Promise<Traffic> {
    return (await this.#get('/traffic', s)) as Traffic;
  }

  async #ask(
    path: string,
    send: { headers: Record<string, string>; body?: string },
    s: Scope | undefined,
  ): Promise<{ status: number; body: unknown }> {
    const response = await fetch(this.#url + path, {
      method: 'POST',
      headers: { ...send.headers, 'trace-id': s?.get(traceId) ?? '' },
      body: send.body ?? null,
      signal: s?.signal ?? null,
    });
    return { status: response.status, body: await response.json() };
  }

  async #get(path: string, s: Scope): Promise<unknown> {
    const response = await fetch(this.#url + path, { signal: s.signal });
    if (!response.ok) throw new NoSense(response.status);
    return response.json();
  }
}

function isCharge(value: unknown): value is Charge {
  const charge = value as Partial<Charge> | null;
  return typeof charge?.id === 'string' && typeof charge.cents === 'number';
}
