/** The event of rate limits. */
import { EventType, type HoldfastEvent } from '../../foundation/index.ts';

/** A rate limit refused a call, or would have, in a dry run. */
export interface RateLimitRefusedEvent extends HoldfastEvent {
  readonly event: 'rate-limit:refused';
  readonly retryAfterMs: number;
  readonly dryRun: boolean;
}

export interface RateLimitEvents {
  'rate-limit:refused': RateLimitRefusedEvent;
}

export const rateLimitRefused: EventType<RateLimitRefusedEvent> = /* @__PURE__ */ new EventType('rate-limit:refused');
