import { clock } from '../../foundation/index.ts';
import { classification, isObject, type Classification } from '../classification.ts';

interface Answer {
  readonly status?: unknown;
  readonly statusCode?: unknown;
  readonly headers?: unknown;
  readonly response?: unknown;
}

export function httpAnswer(it: Answer): Classification | undefined {
  const status = statusOf(it);
  if (status !== undefined) return ofStatus(status, it.headers);
  const { response } = it;
  if (!isObject(response)) return;
  const inner = statusOf(response);
  if (inner !== undefined) return ofStatus(inner, (response as Answer).headers);
}

function statusOf({ status, statusCode }: Answer): number | undefined {
  if (isFailure(status)) return status;
  if (isFailure(statusCode)) return statusCode;
}

const isFailure = (status: unknown): status is number =>
  typeof status === 'number' && status >= 400 && status < 600 && Number.isInteger(status);

function ofStatus(status: number, headers: unknown): Classification {
  const retryAfterMs = retryAfter(headers);
  const say = (verdict: Classification['verdict'], health: Classification['health']): Classification =>
    classification(verdict, `HTTP ${status}`, health, String(status), retryAfterMs);
  if ([408, 421, 425, 429].includes(status)) return say('transient', 'up');
  if (status < 500) return say('permanent', 'up');
  if (status === 503 && retryAfterMs !== undefined) return say('transient', 'down');
  if (status === 511) return say('permanent', 'none');
  return [501, 505, 506, 508, 510].includes(status) ? say('permanent', 'up') : say('ambiguous', 'down');
}

function retryAfter(headers: unknown): number | undefined {
  if (!isObject(headers)) return;
  const { get } = headers as { get?: unknown };
  let value: unknown;
  if (typeof get === 'function') value = (headers as Headers).get('retry-after');
  else
    for (const key in headers)
      if (key.toLowerCase() === 'retry-after') value = (headers as Record<string, unknown>)[key];
  const text = String(value).trim();
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1_000;
  if (!/^[A-Z][a-z]{2,8},? /.test(text)) return;
  const at = Date.parse(text.endsWith('GMT') ? text : `${text} GMT`);
  return Number.isNaN(at) ? undefined : Math.max(0, at - clock.wallNow());
}
