/**
 * Getting an answer out of a server that does not always give one: attempts, and questions when the attempts ran out.
 *
 * Written by hand with scopes: an attempt is a frame of its own, with its own deadline, and what it opened is closed before
 * the next one begins.
 */
import { scope, TimeoutError, type Scope } from 'holdfast';
import type { Order } from './orders.ts';
import type { Money, PaymentClient } from './payment-client.ts';

/** Four, the first included. Of a hundred orders in fair weather, fewer than one in a thousand needs more. */
const ATTEMPTS = 4;
/** The slowest answer that is no fault takes 80 ms. */
const ATTEMPT_TIMEOUT = '400ms';
/** Before the second attempt; doubled before each one after that. */
const BACKOFF_MS = 20;
const QUESTIONS = 4;

/**
 * Sends the charge until there is an answer. Every attempt carries the same key, which is what makes sending again safe.
 *
 * One attempt without an answer makes the whole unknown: that a later one never left this machine does not take it back.
 */
export async function charge(
  key: string,
  order: Order,
  cents: number,
  payments: PaymentClient,
  s: Scope,
): Promise<Money> {
  let known: Money = { is: 'untouched' };
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    if (attempt > 1) await s.sleep(BACKOFF_MS * 2 ** (attempt - 2));
    const answer = await scope(
      { name: `charge ${order.id}, attempt ${attempt}`, signal: s, timeout: ATTEMPT_TIMEOUT, recover: noAnswer },
      (a) => payments.charge(key, order.id, cents, a),
    );
    if (answer.is !== 'unknown' && answer.is !== 'untouched') return answer;
    if (answer.is === 'unknown') known = answer;
  }
  return known;
}

/**
 * Asks what became of a charge, and closes its key so that the answer cannot change afterwards: a request that is still on its
 * way finds the key closed. `unknown` if nobody answers.
 */
export async function findOut(key: string, payments: PaymentClient, s: Scope): Promise<Money> {
  for (let question = 1; question <= QUESTIONS; question++) {
    if (question > 1) await s.sleep(BACKOFF_MS * 2 ** (question - 2));
    const answer = await scope(
      { name: `question ${question} about ${key}`, signal: s, timeout: ATTEMPT_TIMEOUT, recover: noAnswer },
      (a) => payments.close(key, a),
    );
    if (answer.is === 'charged' || answer.is === 'closed') return answer;
  }
  return { is: 'unknown', because: `${QUESTIONS} questions about it were not answered` };
}

/** An attempt's own deadline is no accident, but an answer of a kind. A cancellation never comes here. */
function noAnswer(error: unknown): Money {
  if (error instanceof TimeoutError) return { is: 'unknown', because: `no answer within ${ATTEMPT_TIMEOUT}` };
  throw error;
}
