/** All events of the library, and the way to listen to one. */
import { checkFunction, checkOption, subscribe } from './foundation/index.ts';
import type { BudgetEvents } from './budget/index.ts';
import type {
  BreakerEvents,
  BulkheadEvents,
  FallbackEvents,
  HedgeEvents,
  PerKeyEvents,
  RateLimitEvents,
  RetryEvents,
  RunEvents,
} from './policy/index.ts';
import type { ScopeEvents } from './scope/index.ts';

/** The name of every event, and what its listeners are given. */
export interface EventMap
  extends
    ScopeEvents,
    RunEvents,
    RetryEvents,
    BudgetEvents,
    BreakerEvents,
    BulkheadEvents,
    FallbackEvents,
    HedgeEvents,
    PerKeyEvents,
    RateLimitEvents {}

const NAMES: Record<keyof EventMap, true> = {
  'scope:cleanup-failed': true,
  'scope:cleanup-overran': true,
  'scope:discarded': true,
  'call:start': true,
  'call:end': true,
  'call:disposal-failed': true,
  'attempt:start': true,
  'attempt:end': true,
  'timeout:fired': true,
  'timeout:abandoned': true,
  'timeout:late': true,
  'retry:scheduled': true,
  'retry:gave-up': true,
  'retry:nested': true,
  'policy:warning': true,
  'budget:empty': true,
  'breaker:transition': true,
  'breaker:refused': true,
  'bulkhead:refused': true,
  'bulkhead:limit': true,
  'rate-limit:refused': true,
  'fallback:used': true,
  'hedge:launched': true,
  'hedge:won': true,
  'hedge:late': true,
  'per-key:full': true,
};

/**
 * Listens to one kind of event, in the whole process, until disposed of.
 *
 * Listeners are called at once, in the order they came, while the call that the event tells of stands still: be quick. One that throws disturbs
 * nobody; its error is an uncaught exception. Events are built only while somebody listens. On Node, Bun and Deno the same events are
 * published on the `diagnostics_channel` named `holdfast:` and the event's name.
 *
 * @throws {TypeError} code `BAD_OPTION` for an event that does not exist
 * @example
 * using _ = onEvent('scope:cleanup-failed', (e) => log.warn(e.error, `cleanup of ${e.name} failed`));
 */
export function onEvent<K extends keyof EventMap>(event: K, listener: (event: EventMap[K]) => void): Disposable {
  const isEvent = typeof event === 'string' && Object.hasOwn(NAMES, event);
  checkOption(isEvent, 'onEvent', event, `one of ${Object.keys(NAMES).join(', ')}`);
  checkFunction('onEvent', listener);
  return subscribe(event, listener);
}
