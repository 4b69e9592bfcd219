/** The events of `perKey`. */
import { EventType, type HoldfastEvent } from '../../foundation/index.ts';

/** It keeps more policies than its `max`: none of those that it looked at is at rest. */
export interface PerKeyFullEvent extends HoldfastEvent {
  readonly event: 'per-key:full';
  /** The new key. */
  readonly key: unknown;
  /** How many policies it keeps, the new one included. */
  readonly size: number;
  readonly max: number;
}

export interface PerKeyEvents {
  'per-key:full': PerKeyFullEvent;
}

export const perKeyFull: EventType<PerKeyFullEvent> = /* @__PURE__ */ new EventType('per-key:full');
