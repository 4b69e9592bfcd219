/** `standard`: the usual layers in the usual order. The one place that knows the layers by name. */
import { checkOption, checkOptions, durationOption, type Duration } from '../../foundation/index.ts';
import type { Scope } from '../../scope/index.ts';
import { breaker, type BreakerOptions } from '../breaker/breaker.ts';
import { bulkhead, type BulkheadOptions } from '../bulkhead/bulkhead.ts';
import { fallback } from '../fallback/fallback.ts';
import { rateLimit, type RateLimitOptions } from '../rate-limit/rate-limit.ts';
import { retry, type RetryOptions } from '../retry/retry.ts';
import { Policy } from '../run/policy.ts';
import { timeout, type TimeoutOptions } from '../timeout/timeout.ts';

/** How long, and the options of `timeout` besides. */
export interface StandardTimeout extends TimeoutOptions {
  readonly after: Duration;
}

/** The slots of `standard`, outermost first. Each takes the options of its layer; `false` is no such layer. */
export interface StandardOptions<F = unknown> {
  /** What stands in for a failure: a value, or a function of the error [none]. `false` is none; a function may give it. */
  readonly fallback?: F | ((error: unknown, s: Scope) => unknown) | false | undefined;
  /** How long the whole call may take [30 s]. */
  readonly timeout?: Duration | StandardTimeout | false | undefined;
  /** [3 attempts] */
  readonly retry?: RetryOptions | false | undefined;
  /** [opens after 5 failures in a row] */
  readonly breaker?: BreakerOptions | false | undefined;
  /** [none: nobody but you knows the limit] */
  readonly rateLimit?: RateLimitOptions | false | undefined;
  /** [none: nobody but you knows the limit] */
  readonly bulkhead?: BulkheadOptions | false | undefined;
  /** How long each attempt may take [10 s]. */
  readonly attemptTimeout?: Duration | StandardTimeout | false | undefined;
}

const SLOTS = ['fallback', 'timeout', 'retry', 'breaker', 'rateLimit', 'bulkhead', 'attemptTimeout'] as const;

/** What the slot `fallback` gives in place of a result. */
export type StandardFallback<F> = F extends false | undefined
  ? never
  : F extends (...args: any[]) => infer R
    ? Awaited<R>
    : F;

/**
 * The usual layers in the usual order: fallback → timeout 30 s → retry, 3 attempts → breaker → rateLimit → bulkhead → timeout 10 s for each attempt. In
 * force are those that have a number of their own, timeouts, retry and breaker; the others when they are given.
 *
 * Each call of `standard` makes its own layers: nothing is shared. A breaker or bulkhead that you want to look at, or to share, goes into a `policy(…)`.
 *
 * An attempt that timed out is not retried unless the operation is declared idempotent: `standard({ retry: { idempotent: true } })`, or of a call.
 *
 * @param options a slot takes the options of its layer, a timeout a duration, and `false` is no such layer
 * @throws {TypeError | RangeError} code `BAD_OPTION`, for a slot that does not exist, and for bad options of a layer
 * @example
 * const inventory = standard({ timeout: '5s', retry: { idempotent: true }, breaker: false, attemptTimeout: '1s' });
 * String(inventory); // 'timeout 5s → retry ×3 (100ms‥10s, full jitter, budget) → timeout 1s'
 * await inventory.run(() => 17); // 17
 */
export function standard<const F = never>(options: StandardOptions<F> = {}): Policy<StandardFallback<F>> {
  checkOptions('standard', SLOTS, options);
  const { attemptTimeout = 10_000, timeout = 30_000 } = options;
  const { fallback: given = false, retry: again = {}, breaker: open = {} } = options;
  const { rateLimit: rate = false, bulkhead: limit = false } = options;
  const layers: readonly (Policy<unknown> | false)[] = [
    given !== false && fallback(given),
    timeoutOf('timeout', timeout),
    again !== false && retry(again),
    open !== false && breaker(open),
    rate !== false && rateLimit(rate),
    limit !== false && bulkhead(limit),
    timeoutOf('attemptTimeout', attemptTimeout),
  ];
  return new Policy(layers.flatMap((layer) => (layer === false ? [] : layer.layers)));
}

function timeoutOf(slot: string, given: Duration | StandardTimeout | false): Policy | false {
  if (given === false) return false;
  if (typeof given !== 'object') return timeout(durationOption(slot, given));
  checkOption(given !== null && 'after' in given, slot, given, 'a duration, { after: duration } or false');
  const { after, ...options } = given;
  return timeout(durationOption(`${slot}.after`, after), options);
}
