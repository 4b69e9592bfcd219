/**
 * HTTP answers, by status (RFC 9110). The status is looked for on the object and on its `response`, so that a `Response`, Node's
 * `IncomingMessage` and the errors of most clients are told, without knowing them.
 */
import { clock } from '../../foundation/index.ts';
import { classification, isObject, type Classification, type Verdict } from '../classification.ts';

interface Answer {
  readonly status?: unknown;
  readonly statusCode?: unknown;
  readonly headers?: unknown;
}

export function httpAnswer(error: Answer & { readonly response?: unknown }): Classification | undefined {
  return ofAnswer(error) ?? (isObject(error.response) ? ofAnswer(error.response) : undefined);
}

function ofAnswer(answer: Answer): Classification | undefined {
  let { status } = answer;
  if (!isFailure(status)) status = answer.statusCode;
  return isFailure(status) ? ofStatus(status, answer.headers) : undefined;
}

/** Other numbers are no failure, or not HTTP's: the exit status of a process, a status of gRPC. */
function isFailure(status: unknown): status is number {
  return Number.isInteger(status) && (status as number) >= 400 && (status as number) < 600;
}

function ofStatus(status: number, headers: unknown): Classification {
  const retryAfterMs = isObject(headers) ? retryAfter(headers) : undefined;
  const [verdict, health] = meaning(status, retryAfterMs !== undefined);
  return classification(verdict, `HTTP ${status}`, health, String(status), retryAfterMs);
}

function meaning(status: number, says: boolean): readonly [Verdict, Classification['health']] {
  // Refused before it was worked on: the request came too slowly, to the wrong server, too early, too often.
  if ([408, 421, 425, 429].includes(status)) return ['transient', 'up'];
  if (status < 500) return ['permanent', 'up'];
  // A server that knows when to come again has refused on purpose. A bare 503 may come from a proxy that lost the connection.
  if (status === 503 && says) return ['transient', 'down'];
  // What the server does not do, it will not do the next time: method, version, negotiation, loop, extension.
  if ([501, 505, 506, 508, 510].includes(status)) return ['permanent', 'up'];
  // A network that wants a login has answered, not the server.
  if (status === 511) return ['permanent', 'none'];
  return ['ambiguous', 'down'];
}

/** The three forms of a date in RFC 9110, 5.6.7. Two of them have GMT at their end. */
const DATE = /^[A-Z][a-z]+,? [-\w :]+$/;

/** `Retry-After` in milliseconds. Garbage is no answer: `Date.parse` alone would find a date in `'-5'`. */
function retryAfter(headers: object): number | undefined {
  const text = String(headerOf(headers)).trim();
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1_000;
  const at = DATE.test(text) ? Date.parse(text.endsWith('GMT') ? text : `${text} GMT`) : NaN;
  return Number.isNaN(at) ? undefined : Math.max(0, at - clock.wallNow());
}

function headerOf(headers: object): unknown {
  if (typeof (headers as Headers).get === 'function') return (headers as Headers).get('retry-after');
  return Object.entries(headers).find(([name]) => name.toLowerCase() === 'retry-after')?.[1];
}
