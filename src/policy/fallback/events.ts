/** The event of fallbacks. */
import { EventType, type HoldfastEvent } from '../../foundation/index.ts';

/** A fallback gave a result in place of `error`, or tried to. */
export interface FallbackUsedEvent extends HoldfastEvent {
  readonly event: 'fallback:used';
  readonly error: unknown;
}

export interface FallbackEvents {
  'fallback:used': FallbackUsedEvent;
}

export const fallbackUsed: EventType<FallbackUsedEvent> = /* @__PURE__ */ new EventType('fallback:used');
