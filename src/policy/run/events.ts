/** The events of calls, attempts and timeouts. Those of one layer are in its folder. */
import { EventType, type HoldfastEvent } from '../../foundation/index.ts';
import type { StoppedBy } from './history.ts';

/** A call began. */
export interface CallStartEvent extends HoldfastEvent {
  readonly event: 'call:start';
}

/** A call ended that somebody listened to when it began. */
export interface CallEndEvent extends HoldfastEvent {
  readonly event: 'call:end';
  readonly ok: boolean;
  /** What came out, unless `ok`. */
  readonly error: unknown;
  /** Why there was no further attempt, unless `ok`. */
  readonly stoppedBy: StoppedBy | undefined;
  /** How many there were. */
  readonly attempts: number;
  readonly durationMs: number;
}

/** An attempt was let in, and begins. */
export interface AttemptStartEvent extends HoldfastEvent {
  readonly event: 'attempt:start';
  readonly number: number;
}

/** What an attempt came to is known; its work may go on, if it was abandoned. */
export interface AttemptEndEvent extends HoldfastEvent {
  readonly event: 'attempt:end';
  readonly number: number;
  readonly ok: boolean;
  readonly error: unknown;
  readonly durationMs: number | null;
}

/** A timeout has passed: the work is aborted, and has its grace. */
export interface TimeoutFiredEvent extends HoldfastEvent {
  readonly event: 'timeout:fired';
  readonly timeoutMs: number;
  /** What did not end in time. */
  readonly of: string;
}

/** The grace has passed too: the caller is let go with `error`, the work goes on. */
export interface TimeoutAbandonedEvent extends HoldfastEvent {
  readonly event: 'timeout:abandoned';
  readonly error: unknown;
  /** No scope above waits for it: the layer said `detach`, or there is none. */
  readonly detached: boolean;
}

/** Abandoned work has ended. */
export interface TimeoutLateEvent extends HoldfastEvent {
  readonly event: 'timeout:late';
  /** Of the attempt. */
  readonly number: number;
  readonly ok: boolean;
  readonly value: unknown;
  readonly error: unknown;
}

/** A result that nobody gets could not be disposed of. */
export interface DisposalFailedEvent extends HoldfastEvent {
  readonly event: 'call:disposal-failed';
  readonly error: unknown;
}

/**
 * What a `policy:warning` is about:
 *
 *   not-idempotent          a failure that leaves open whether it happened was not retried, or a call was not hedged, because nobody has said whether the
 *                           operation may run twice
 *   timeout-not-retried     that will be so whenever an attempt times out
 *   breaker-outside-retry   it counts calls, and not attempts
 *   timeout-never-fires     a shorter one stands outside it
 */
export type PolicyWarning = 'not-idempotent' | 'timeout-not-retried' | 'breaker-outside-retry' | 'timeout-never-fires';

/** Something that its user should declare, or do in another order. Once for each layer, or policy. */
export interface PolicyWarningEvent extends HoldfastEvent {
  readonly event: 'policy:warning';
  readonly warning: PolicyWarning;
  /** What is wrong, and what to do. */
  readonly message: string;
  /** Of `'not-idempotent'` by a retry: the failure. */
  readonly error: unknown;
}

export interface RunEvents {
  'call:start': CallStartEvent;
  'call:end': CallEndEvent;
  'call:disposal-failed': DisposalFailedEvent;
  'attempt:start': AttemptStartEvent;
  'attempt:end': AttemptEndEvent;
  'timeout:fired': TimeoutFiredEvent;
  'timeout:abandoned': TimeoutAbandonedEvent;
  'timeout:late': TimeoutLateEvent;
  'policy:warning': PolicyWarningEvent;
}

export const callStart: EventType<CallStartEvent> = /* @__PURE__ */ new EventType('call:start');
export const callEnd: EventType<CallEndEvent> = /* @__PURE__ */ new EventType('call:end');
export const disposalFailed: EventType<DisposalFailedEvent> = /* @__PURE__ */ new EventType('call:disposal-failed');
export const attemptStart: EventType<AttemptStartEvent> = /* @__PURE__ */ new EventType('attempt:start');
export const attemptEnd: EventType<AttemptEndEvent> = /* @__PURE__ */ new EventType('attempt:end');
export const timeoutFired: EventType<TimeoutFiredEvent> = /* @__PURE__ */ new EventType('timeout:fired');
export const timeoutAbandoned: EventType<TimeoutAbandonedEvent> = /* @__PURE__ */ new EventType('timeout:abandoned');
export const timeoutLate: EventType<TimeoutLateEvent> = /* @__PURE__ */ new EventType('timeout:late');
export const policyWarning: EventType<PolicyWarningEvent> = /* @__PURE__ */ new EventType('policy:warning');
