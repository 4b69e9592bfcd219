/** The events of bulkheads. */
import { EventType, type HoldfastEvent } from '../../foundation/index.ts';
import type { BulkheadRefusal } from './bulkhead-full-error.ts';

/** A bulkhead refused a call, or would have, in a dry run. */
export interface BulkheadRefusedEvent extends HoldfastEvent {
  readonly event: 'bulkhead:refused';
  readonly limit: number;
  readonly queue: number;
  readonly reason: BulkheadRefusal;
  readonly dryRun: boolean;
}

/** The limit of an adaptive bulkhead has moved. */
export interface BulkheadLimitEvent extends HoldfastEvent {
  readonly event: 'bulkhead:limit';
  readonly from: number;
  readonly to: number;
}

export interface BulkheadEvents {
  'bulkhead:limit': BulkheadLimitEvent;
  'bulkhead:refused': BulkheadRefusedEvent;
}

export const bulkheadRefused: EventType<BulkheadRefusedEvent> = /* @__PURE__ */ new EventType('bulkhead:refused');
export const bulkheadLimit: EventType<BulkheadLimitEvent> = /* @__PURE__ */ new EventType('bulkhead:limit');
