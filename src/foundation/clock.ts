/**
 * What the library knows of time and chance. In production that is the platform; `virtualTime` of the test kit puts its own
 * clock here, so that the same scopes and policies run in production, in a unit test and in a simulation.
 */
import { now, random, timersBelongToRequests, wallNow } from './system.ts';
import { startOwnTimer, startTimer, type FixedTimers, type Timer } from './timers.ts';

/** A source of time, timers and randomness. All times are in milliseconds. */
export interface Clock {
  /** Monotonic; its zero means nothing. */
  now(): number;
  /** Since 1970: for dates that come from outside, such as `Retry-After`. */
  wallNow(): number;
  /** In [0, 1). */
  random(): number;
  /** Starts a timer: sets its `startedMs`, and calls its `fire` once, unless it has left before. */
  start(timer: Timer, durationMs: number): void;
  /** The same for one of many of the same duration. `startedMs` may be `null` until the clock is next read for all of them. */
  startFixed(timer: Timer, timers: FixedTimers): void;
}

export const systemClock: Clock = {
  now,
  wallNow,
  random,
  start: timersBelongToRequests ? startOwnTimer : startTimer,
  startFixed: timersBelongToRequests
    ? (timer, { durationMs }) => startOwnTimer(timer, durationMs)
    : (timer, timers) => timers.start(timer),
};

/** The clock in force. A live binding: read it where it is used, never keep it. */
export let clock: Clock = systemClock;

/** Puts another clock in force. Timers that are pending stay with the clock that started them. */
export function useClock(next: Clock): void {
  clock = next;
}
