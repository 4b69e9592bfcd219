/**
 * Policies: what is put around an operation that may fail.
 *
 *   run/        what all layers share: `Policy`, the compiler of layers into stages, the flat run, attempts, their history
 *   retry/      again, after a back-off
 *   timeout/    not longer than
 *   breaker/    not while it is down
 *   bulkhead/   not more than so many at once
 *   rate-limit/ not more than so many in a time
 *   fail-when/  results that are failures
 *   fallback/   something else instead
 *   hedge/      another one beside a slow one
 *   layer/      one's own
 *   per-key/    one for each host or tenant
 *   resilient/  as a decorator
 *   standard/   the usual layers in the usual order
 *
 * Each layer's folder has its options and contract, its pure cell if it decides something, its events and its error. Layers do not know each other, and only `standard`
 * knows them; a policy knows them by the interface in `run/layer` alone, so a bundle carries only those that it uses.
 */
export { abandoned } from './run/abandoned.ts';
export { attemptsOf, explain, stoppedBy, type AttemptReport, type StoppedBy } from './run/history.ts';
export type { RunOptions } from './run/layer.ts';
export { policy, Policy, type BindOptions, type FallbackOf, type PolicyOutcome } from './run/policy.ts';
export type {
  AttemptEndEvent,
  AttemptStartEvent,
  CallEndEvent,
  CallStartEvent,
  DisposalFailedEvent,
  PolicyWarning,
  PolicyWarningEvent,
  RunEvents,
  TimeoutAbandonedEvent,
  TimeoutFiredEvent,
  TimeoutLateEvent,
} from './run/events.ts';
export { constant, decorrelated, exponential, linear, sequence, type Backoff, type Jitter } from './retry/backoff.ts';
export type { RetryEvents, RetryGaveUpEvent, RetryNestedEvent, RetryScheduledEvent } from './retry/events.ts';
export { retry, type RetryContext, type RetryMatch, type RetryOptions, type RetryScheduled } from './retry/retry.ts';
export { timeout, type TimeoutOptions } from './timeout/timeout.ts';
export { breaker, type Breaker, type BreakerOptions, type BreakerOutcome } from './breaker/breaker.ts';
export type { BreakerSnapshot, BreakerState, Effect } from './breaker/cell.ts';
export { CircuitOpenError } from './breaker/circuit-open-error.ts';
export type { BreakerEvents, BreakerRefusedEvent, BreakerTransitionEvent } from './breaker/events.ts';
export {
  bulkhead,
  type AdaptiveOptions,
  type Bulkhead,
  type BulkheadOptions,
  type Waiting,
} from './bulkhead/bulkhead.ts';
export { BulkheadFullError, type BulkheadRefusal } from './bulkhead/bulkhead-full-error.ts';
export type { AdaptiveAlgorithm, AdaptiveSnapshot } from './bulkhead/adaptive.ts';
export type { BulkheadSnapshot } from './bulkhead/cell.ts';
export type { BulkheadEvents, BulkheadLimitEvent, BulkheadRefusedEvent } from './bulkhead/events.ts';
export { rateLimit, type RateLimit, type RateLimitOptions, type Weighed } from './rate-limit/rate-limit.ts';
export { RateLimitedError } from './rate-limit/rate-limited-error.ts';
export type { RateLimitSnapshot } from './rate-limit/cell.ts';
export type { RateLimitEvents, RateLimitRefusedEvent } from './rate-limit/events.ts';
export { failWhen } from './fail-when/fail-when.ts';
export { fallback } from './fallback/fallback.ts';
export type { FallbackEvents, FallbackUsedEvent } from './fallback/events.ts';
export { hedge, type Hedge, type HedgeOptions, type HedgePercentile } from './hedge/hedge.ts';
export type { HedgeSnapshot } from './hedge/cell.ts';
export type { HedgeEvents, HedgeLateEvent, HedgeLaunchedEvent, HedgeWonEvent } from './hedge/events.ts';
export { layer, type LayerOptions } from './layer/layer.ts';
export { perKey, type PerKey, type PerKeyOptions } from './per-key/per-key.ts';
export type { PerKeyEvents, PerKeyFullEvent } from './per-key/events.ts';
export { standard, type StandardFallback, type StandardOptions, type StandardTimeout } from './standard/standard.ts';
export { resilient, type Resilient } from './resilient/resilient.ts';
