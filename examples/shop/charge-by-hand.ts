/**
 * Charging as most programs do it: a loop around the call, a timeout by `Promise.race`, and a longer pause after each failure.
 *
 * Nothing in here is silly. It has a limit, exponential back-off, even jitter; its numbers are those of the policy in charge.ts.
 * What it does not have is in the README: nobody tells the request that its time is over, nothing tells the server that it is the
 * same charge (with `--keys` something does), and each order decides alone that once more cannot hurt.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Money, PaymentClient, Wish } from './payment-client.ts';

const ATTEMPTS = 4;
const TIMEOUT_MS = 1_000;
const BACKOFF_MS = 100;

export async function chargeByHand(wish: Wish, payments: Pick<PaymentClient, 'charge'>): Promise<Money> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    try {
      return await withTimeout(payments.charge(wish), TIMEOUT_MS);
    } catch {
      if (attempt < ATTEMPTS) await sleep(BACKOFF_MS * 2 ** (attempt - 1) * Math.random());
    }
  }
  // It threw, so it did not happen: the conclusion that a `catch` block suggests.
  return { is: 'untouched' };
}

function withTimeout<T>(promise: Promise<T>, ms: number): Promise<T> {
  const timeout = new Promise<never>((_, reject) => {
    setTimeout(() => reject(new Error(`timed out after ${ms} ms`)), ms);
  });
  return Promise.race([promise, timeout]);
}
