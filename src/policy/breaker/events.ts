/** The events of breakers. */
import { EventType, type HoldfastEvent } from '../../foundation/index.ts';
import type { BreakerState } from './cell.ts';

/** A breaker went from one state to another. */
export interface BreakerTransitionEvent extends HoldfastEvent {
  readonly event: 'breaker:transition';
  readonly from: BreakerState;
  readonly to: BreakerState;
}

/** A breaker refused a call, or would have, in a dry run. */
export interface BreakerRefusedEvent extends HoldfastEvent {
  readonly event: 'breaker:refused';
  readonly state: BreakerState;
  readonly retryAfterMs: number;
  readonly dryRun: boolean;
}

export interface BreakerEvents {
  'breaker:transition': BreakerTransitionEvent;
  'breaker:refused': BreakerRefusedEvent;
}

export const breakerTransition: EventType<BreakerTransitionEvent> = /* @__PURE__ */ new EventType('breaker:transition');
export const breakerRefused: EventType<BreakerRefusedEvent> = /* @__PURE__ */ new EventType('breaker:refused');
