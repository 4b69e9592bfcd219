/** What is compared: the figures of a day, all of them counted or measured. */
import type { Audit } from './audit.ts';
import type { Book, Entry } from './book.ts';
import type { Traffic } from './ledger.ts';
import type { Outage } from './payment-process.ts';

/** How often the policy let nothing run, by layer; the budget refuses retries, the others attempts. */
export interface Refusals {
  breaker: number;
  bulkhead: number;
  budget: number;
}

export interface Figures {
  readonly attempts: { readonly mean: number; readonly most: number };
  /** Requests at the payment server while it was out. */
  readonly requestsInOutage: number;
  readonly requests: number;
  /** From the end of the outage to the moment since when at least nine of ten orders were answered in a second; `undefined`: not in this day. */
  readonly recoveredMs: number | undefined;
  /** How long an order took that was placed; `undefined` if none was. */
  readonly p50Ms: number | undefined;
  readonly p99Ms: number | undefined;
}

/** Looked at in steps of this. */
const STEP_MS = 500;
const ANSWERED_MS = 1_000;

export function figuresOf(book: Book, audit: Audit, traffic: Traffic, outage: Outage): Figures {
  const sends = audit.lines.map((line) => line.sends).filter((times) => times > 0);
  const placedMs = [...book.entries.values()]
    .filter(({ ending }) => ending.kind === 'placed')
    .map(({ tookMs }) => tookMs)
    .toSorted((a, b) => a - b);
  return {
    attempts: { mean: sends.reduce((sum, n) => sum + n, 0) / (sends.length || 1), most: Math.max(0, ...sends) },
    requests: traffic.requestsMs.length,
    requestsInOutage: traffic.requestsMs.filter((ms) => ms >= outage.fromMs && ms < outage.toMs).length,
    // The outage is told by the server's clock, which begins with the first request.
    recoveredMs: recoveredMs(book, traffic.openedAt + outage.toMs - book.openedAt),
    p50Ms: percentile(placedMs, 0.5),
    p99Ms: percentile(placedMs, 0.99),
  };
}

/** The end of the last step in which more than one order in ten got no answer, or got it late. */
function recoveredMs({ entries }: Book, toMs: number): number | undefined {
  const steps = Map.groupBy(
    [...entries.values()].filter(({ arrivedMs }) => arrivedMs >= toMs),
    ({ arrivedMs }) => Math.floor((arrivedMs - toMs) / STEP_MS),
  );
  const bad = [...steps]
    .filter(([, orders]) => orders.filter(wasAnswered).length < orders.length * 0.9)
    .map(([step]) => step);
  const lastBad = Math.max(-1, ...bad);
  return lastBad >= Math.max(...steps.keys()) ? undefined : (lastBad + 1) * STEP_MS;
}

function wasAnswered({ tookMs, ending }: Entry): boolean {
  if (ending.kind === 'held' || (ending.kind === 'refused' && ending.why === 'no answer')) return false;
  return tookMs < ANSWERED_MS;
}

function percentile(sorted: readonly number[], share: number): number | undefined {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)];
}
