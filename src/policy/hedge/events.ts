/** The events of `hedge`. A launch is one run of what is inside the layer; the first one of a call is number 1. */
import { EventType, type HoldfastEvent } from '../../foundation/index.ts';

/** An extra launch begins. */
export interface HedgeLaunchedEvent extends HoldfastEvent {
  readonly event: 'hedge:launched';
  /** From 2. */
  readonly launch: number;
  /** The one before had not settled after `after`, or one had failed. */
  readonly reason: 'slow' | 'failed';
  /** Of `'failed'`: what that failed with. */
  readonly error: unknown;
}

/** Of several launches, one came out. */
export interface HedgeWonEvent extends HoldfastEvent {
  readonly event: 'hedge:won';
  readonly launch: number;
  /** How many there were. */
  readonly launches: number;
}

/** A launch that another one had been faster than came to an end of its own: it succeeded all the same, or failed with an error of its own. */
export interface HedgeLateEvent extends HoldfastEvent {
  readonly event: 'hedge:late';
  readonly launch: number;
  readonly ok: boolean;
  readonly value: unknown;
  readonly error: unknown;
}

export interface HedgeEvents {
  'hedge:launched': HedgeLaunchedEvent;
  'hedge:won': HedgeWonEvent;
  'hedge:late': HedgeLateEvent;
}

export const hedgeLaunched: EventType<HedgeLaunchedEvent> = /* @__PURE__ */ new EventType('hedge:launched');
export const hedgeWon: EventType<HedgeWonEvent> = /* @__PURE__ */ new EventType('hedge:won');
export const hedgeLate: EventType<HedgeLateEvent> = /* @__PURE__ */ new EventType('hedge:late');
