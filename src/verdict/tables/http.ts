/**
 * HTTP answers, by status (RFC 9110). The status is looked for on the object and on its `response`, so that a `Response`, Node's
 * `IncomingMessage` and the errors of most clients are told, without knowing them.
 */
import { clock } from '../../foundation/index.ts';
import { delayOf, isObject, type Classification } from '../classification.ts';
import { lookUp, type Row } from './row.ts';

/** Over the status, with a `+` behind it if the server said when to come again. */
const rows: readonly Row[] = [
  // Refused before it was worked on: the request came too slowly, to the wrong server, too early, too often.
  [/408|421|425|429/, 'transient', 'up'],
  [/^4/, 'permanent', 'up'],
  // A server that knows when to come again has refused on purpose. A bare 503 may come from a proxy that lost the connection.
  [/503\+/, 'transient', 'down'],
  // What the server does not do, it will not do the next time: method, version, negotiation, loop, extension.
  [/50[1568]|510/, 'permanent', 'up'],
  // A network that wants a login has answered, not the server.
  [/511/, 'permanent', 'none'],
  [/^5/, 'ambiguous', 'down'],
];

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
  if (!isFailure(status)) return;
  const retryAfterMs = isObject(answer.headers) ? delayOf(retryAfter(answer.headers)) : undefined;
  const code = String(status);
  return lookUp(rows, retryAfterMs === undefined ? code : `${code}+`, `HTTP ${code}`, code, retryAfterMs);
}

/** Other numbers are no failure, or not HTTP's: the exit status of a process, a status of gRPC. */
function isFailure(status: unknown): boolean {
  return Number.isInteger(status) && (status as number) >= 400 && (status as number) < 600;
}

/** `Retry-After` in milliseconds; NaN for garbage and for none. */
function retryAfter(headers: object): number {
  const { get } = headers as Headers;
  const text = String(typeof get === 'function' ? get.call(headers, 'retry-after') : headerOf(headers));
  if (/^\d+$/.test(text)) return Number(text) * 1_000;
  // RFC 9110, 5.6.7, has three forms, two of them with GMT at their end. `Date.parse` alone finds a date in '-5' too.
  if (!/^[A-Z]\w+,? .*:\d\d:/.test(text)) return NaN;
  return Math.max(0, Date.parse(text.replace(/( GMT)?$/, ' GMT')) - clock.wallNow());
}

function headerOf(headers: object): unknown {
  return Object.entries(headers).find(([name]) => name.toLowerCase() === 'retry-after')?.[1];
}
