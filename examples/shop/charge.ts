/**
 * Charging with a policy. Everything that is done about a payment server in trouble stands in this file.
 *
 * The other form, the loop that most programs have, is in charge-by-hand.ts.
 */
import {
  breaker,
  bulkhead,
  CircuitOpenError,
  exponential,
  policy,
  retry,
  timeout,
  type PolicyOutcome,
  type Scope,
} from 'holdfast';
import type { Money, PaymentClient, Wish } from './payment-client.ts';

/** One for both policies below: what the charges learn of the server, the questions need not find out again. */
const server = breaker({ name: 'payments', ratio: 0.5, window: '1s', cooldown: '1s', probeLease: '2s' });

/** From outside to inside: each layer bounds what is below it. */
const charging = policy(
  // The customer's patience, whatever happens below: queue, attempts and back-off together.
  timeout('4s'),
  // One request in twelve fails here on a good day, and the next one mostly does not. Sending again is safe since each charge
  // has a key; and it stays cheap on a bad day, since retries are paid from a budget that only orders without any trouble fill.
  retry({ attempts: 4, backoff: exponential('100ms', { cap: '1s' }), idempotent: true, budget: { cap: 50 } }),
  // When half of the requests of a second fail, others would too: none is sent for a second, then one, to see.
  server,
  // The server is good for some ten at once. Who is far beyond that need not know why it is slow to see that more is no help.
  bulkhead({ name: 'payments', limit: 32, queue: 64 }),
  // A good answer takes some 50 ms. After that time the request is aborted, which the server sees: it works for nobody in vain.
  timeout('1s'),
);

/** Questions are few, and somebody has to have an answer: they may take longer, and they wait while the breaker is open. */
const asking = policy(
  timeout('7s'),
  retry({
    attempts: Infinity,
    backoff: exponential('100ms', { cap: '1s' }),
    idempotent: true,
    budget: false,
    retryIf: (error) => (error instanceof CircuitOpenError ? true : undefined),
  }),
  server,
  timeout('1s'),
);

/** Sends the charge until there is an answer, or the policy ends it. */
export async function charge(wish: Wish, payments: PaymentClient, s: Scope): Promise<Money> {
  const outcome = await charging.settle((a) => payments.charge(wish, a), { signal: s, name: `charge ${wish.order}` });
  if (outcome.ok) return outcome.value;
  // Each attempt was refused here, before anything was sent.
  if (outcome.attempts.every(({ refused }) => refused)) return { is: 'untouched' };
  return { is: 'unknown', because: why(outcome) };
}

/**
 * Asks what became of a charge, and closes its key so that the answer cannot change afterwards: a request that is still on its
 * way finds the key closed. `unknown` if nobody answers.
 */
export async function findOut(key: string, payments: PaymentClient, s: Scope): Promise<Money> {
  const outcome = await asking.settle((a) => payments.close(key, a), { signal: s, name: `question about ${key}` });
  return outcome.ok ? outcome.value : { is: 'unknown', because: why(outcome) };
}

function why({ attempts, stoppedBy }: PolicyOutcome<unknown>): string {
  return `${attempts.length} attempts, the last one: ${String(attempts.at(-1)?.error)}; ended by: ${stoppedBy}`;
}
