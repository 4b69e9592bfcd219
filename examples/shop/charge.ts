/**
 * Charging with a policy. Everything that is done about a payment server in trouble stands in this file.
 *
 * The other form, the loop that most programs have, is in charge-by-hand.ts.
 */
import { breaker, bulkhead, exponential, policy, retry, timeout, type Scope } from 'holdfast';
import type { Money, PaymentClient, Wish } from './payment-client.ts';

/**
 * One for both policies below: what the charges learn of the server, the questions need not find out again. While it tries the
 * server with a single call, others are told to come again after another cooldown. A call that hangs is given up hardly later than an attempt.
 */
const server = breaker({ name: 'payments', ratio: 0.5, window: '1s', cooldown: '300ms', probeLease: '1100ms' });

/** Waits as long as the breaker says, and a bit more, each one differently. Nothing was sent, so it costs no budget. */
const waitWhileOpen = retry({
  attempts: Infinity,
  retryOn: ['CIRCUIT_OPEN'],
  backoff: exponential('100ms', { cap: '1s' }),
  budget: false,
});

/** From outside to inside: each layer bounds what is below it. */
const charging = policy(
  // The customer's patience, whatever happens below: waits, attempts and back-off together.
  timeout('4s'),
  waitWhileOpen,
  // One request in twelve fails here on a good day, and the next one mostly does not. Sending again is safe since each charge
  // has a key; and it stays cheap on a bad day, since retries are paid from a budget that only orders without any trouble fill.
  retry({ attempts: 4, backoff: exponential('100ms', { cap: '1s' }), idempotent: true, budget: { cap: 50 } }),
  // When half of the requests of a second fail, others would too: none is sent for a while, then one, to see.
  server,
  // On a good day some ten are under way at once. Three times as many are no help to a server that is slow; the others wait
  // here, if they can make it in time.
  bulkhead({ name: 'payments', limit: 32, queue: 300 }),
  // A good answer takes some 50 ms. After that time the request is aborted, which the server sees: it works for nobody in vain.
  timeout('1s'),
);

/** Questions are few, and somebody has to have an answer: they take no end of attempts, and more time. */
const asking = policy(
  timeout('7s'),
  waitWhileOpen,
  retry({ attempts: Infinity, backoff: exponential('100ms', { cap: '1s' }), idempotent: true, budget: false }),
  server,
  timeout('1s'),
);

/** Sends the charge until there is an answer, or the policy ends it. */
export async function charge(wish: Wish, payments: PaymentClient, s: Scope): Promise<Money> {
  let sent = false;
  const outcome = await charging.settle(
    (attempt) => {
      sent = true;
      return payments.charge(wish, attempt);
    },
    { signal: s, name: `charge ${wish.order}` },
  );
  if (outcome.ok) return outcome.value;
  return sent ? { is: 'unknown', because: String(outcome.error) } : { is: 'untouched' };
}

/**
 * Asks what became of a charge, and closes its key so that the answer cannot change afterwards: a request that is still on its
 * way finds the key closed. `unknown` if nobody answers.
 */
export async function findOut(key: string, payments: PaymentClient, s: Scope): Promise<Money> {
  const outcome = await asking.settle((a) => payments.close(key, a), { signal: s, name: `question about ${key}` });
  return outcome.ok ? outcome.value : { is: 'unknown', because: String(outcome.error) };
}
