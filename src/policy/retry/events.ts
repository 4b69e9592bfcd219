/** The events of `retry`. */
import { EventType, type HoldfastEvent } from '../../foundation/index.ts';
import type { StoppedBy } from '../run/history.ts';

/** Another attempt will be made. */
export interface RetryScheduledEvent extends HoldfastEvent {
  readonly event: 'retry:scheduled';
  readonly error: unknown;
  /** Number of the attempt that failed. */
  readonly attempt: number;
  readonly delayMs: number;
}

/** No other attempt will be made. */
export interface RetryGaveUpEvent extends HoldfastEvent {
  readonly event: 'retry:gave-up';
  readonly error: unknown;
  readonly attempts: number;
  readonly stoppedBy: StoppedBy;
}

/** A retry inside an attempt of another retry: together they make up to `product` attempts. */
export interface RetryNestedEvent extends HoldfastEvent {
  readonly event: 'retry:nested';
  readonly product: number;
}

export interface RetryEvents {
  'retry:scheduled': RetryScheduledEvent;
  'retry:gave-up': RetryGaveUpEvent;
  'retry:nested': RetryNestedEvent;
}

export const retryScheduled: EventType<RetryScheduledEvent> = /* @__PURE__ */ new EventType('retry:scheduled');
export const retryGaveUp: EventType<RetryGaveUpEvent> = /* @__PURE__ */ new EventType('retry:gave-up');
export const retryNested: EventType<RetryNestedEvent> = /* @__PURE__ */ new EventType('retry:nested');
