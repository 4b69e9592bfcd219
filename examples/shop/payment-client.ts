/** Talks to the payment server, and translates what comes back into what it means for the money. */
import { contextKey, type Scope } from 'holdfast';
import type { Charge, LedgerEntry } from './ledger.ts';

/** One id follows an order through the program, the payment server and whatever is reported of it. */
export const traceId = contextKey<string>('trace_id');

/** What is known of the money of one order. */
export type Money =
  | { readonly is: 'untouched' } // no request ever left this machine
  | { readonly is: 'charged'; readonly charge: Charge }
  | { readonly is: 'declined' }
  | { readonly is: 'closed' } // not charged, and never will be
  | { readonly is: 'unknown'; readonly because: string };

export class PaymentClient {
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  /** One request to charge. Its deadline and its cancellation are the scope's; only these two are thrown, by their own reason. */
  async charge(key: string, order: string, cents: number, s: Scope): Promise<Money> {
    return this.#ask(s, 'POST', '/charges', { key, body: { order, cents } }, (status, body) => {
      if ((status === 200 || status === 201) && isCharge(body)) return { is: 'charged', charge: body };
      if (status === 402) return { is: 'declined' };
      if (status === 409) return { is: 'closed' };
      return undefined;
    });
  }

  /** Asks what became of a key and closes it in the same breath, so that the answer stays true. */
  async close(key: string, s: Scope): Promise<Money> {
    return this.#ask(s, 'POST', `/charges/${encodeURIComponent(key)}/close`, {}, (status, body) => {
      if (status !== 200) return undefined;
      const answer = body as { charge?: unknown; closed?: unknown } | null;
      if (isCharge(answer?.charge)) return { is: 'charged', charge: answer.charge };
      return answer?.closed === true ? { is: 'closed' } : undefined;
    });
  }

  /** What is known of a key at this moment. For people: who decides something by it wants `close`. */
  async look(key: string, s: Scope): Promise<{ charge: Charge | null; closed: boolean }> {
    const response = await fetch(`${this.#url}/charges/${encodeURIComponent(key)}`, { signal: s.signal });
    if (!response.ok) throw new Error(`GET /charges/${key}: ${response.status}`);
    return (await response.json()) as { charge: Charge | null; closed: boolean };
  }

  async ledger(s: Scope): Promise<LedgerEntry[]> {
    const response = await fetch(`${this.#url}/ledger`, { signal: s.signal });
    if (!response.ok) throw new Error(`GET /ledger: ${response.status}`);
    return (await response.json()) as LedgerEntry[];
  }

  /** Everything that `read` does not recognize is `unknown`: an answer that makes no sense is no answer. */
  async #ask(
    s: Scope,
    method: string,
    path: string,
    send: { key?: string; body?: object },
    read: (status: number, body: unknown) => Money | undefined,
  ): Promise<Money> {
    const headers: Record<string, string> = { 'trace-id': s.get(traceId) ?? '' };
    if (send.key) headers['idempotency-key'] = send.key;
    if (send.body) headers['content-type'] = 'application/json';
    let status: number;
    let body: unknown;
    try {
      const response = await fetch(this.#url + path, {
        method,
        headers,
        body: send.body ? JSON.stringify(send.body) : null,
        signal: s.signal,
      });
      status = response.status;
      body = await response.json();
    } catch (error) {
      s.throwIfAborted();
      return fromNetworkFailure(error);
    }
    return read(status, body) ?? { is: 'unknown', because: `it answered ${status}` };
  }
}

/** `fetch` reports every failure of the network as a TypeError; what happened is in its cause. */
function fromNetworkFailure(error: unknown): Money {
  const code = (error as { cause?: { code?: unknown } }).cause?.code;
  // Nobody listens: nothing was sent. This is the only failure of a connection that says anything about the money.
  if (code === 'ECONNREFUSED') return { is: 'untouched' };
  if (error instanceof SyntaxError) return { is: 'unknown', because: 'its answer made no sense' };
  return { is: 'unknown', because: 'the connection broke' };
}

function isCharge(value: unknown): value is Charge {
  const charge = value as Partial<Charge> | null;
  return typeof charge?.id === 'string' && typeof charge.cents === 'number';
}
