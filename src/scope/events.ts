/** The events of scopes. */
import { EventType, type HoldfastEvent } from '../foundation/index.ts';

/** A cleanup threw or rejected. Its error is the failure, or in `suppressedErrors` of it; here it is told in any case. */
export interface CleanupFailedEvent extends HoldfastEvent {
  readonly event: 'scope:cleanup-failed';
  readonly error: unknown;
  /** The scope had gone on without this cleanup: it had overrun `cleanupTimeout`, or was registered after the scope's end. */
  readonly late: boolean;
}

/** A cleanup took longer than `cleanupTimeout`. The scope went on without it. */
export interface CleanupOverranEvent extends HoldfastEvent {
  readonly event: 'scope:cleanup-overran';
  readonly timeoutMs: number;
}

/**
 * An error that nothing else keeps: of a contender whose `race` another one won, or one that came second to a thrown
 * primitive, or that a primitive replaced.
 */
export interface DiscardedEvent extends HoldfastEvent {
  readonly event: 'scope:discarded';
  readonly error: unknown;
}

export interface ScopeEvents {
  'scope:cleanup-failed': CleanupFailedEvent;
  'scope:cleanup-overran': CleanupOverranEvent;
  'scope:discarded': DiscardedEvent;
}

export const cleanupFailed: EventType<CleanupFailedEvent> = /* @__PURE__ */ new EventType('scope:cleanup-failed');
export const cleanupOverran: EventType<CleanupOverranEvent> = /* @__PURE__ */ new EventType('scope:cleanup-overran');
export const discarded: EventType<DiscardedEvent> = /* @__PURE__ */ new EventType('scope:discarded');
