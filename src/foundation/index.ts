/**
 * The ground: what everything else stands on, and what itself depends on nothing.
 *
 *   system           the one door to the platform's time, timers, randomness and optional built-ins
 *   list             doubly linked lists through the members' own fields
 *   timers           many timers on few platform timers
 *   clock            what the rest of the library sees of time and chance; the test kit swaps it for virtual time
 *   random           seeded streams, for tests and simulations
 *   duration         '250ms' and friends
 *   option           errors for bad options: which one, what was given, what is expected
 *   error            base of the library's own errors: a stable code, and a brand that survives two copies
 *   suppressed       the errors that came second, kept beside the first without touching it
 *   outcome          what became of a piece of work
 *   event            typed events that cost nothing while nobody listens
 */
export { clock, systemClock, useClock, type Clock } from './clock.ts';
export { duration, durationOption, durationText, type Duration } from './duration.ts';
export { HoldfastError, LeanError, TimeoutError } from './error.ts';
export { EVERY_EVENT, EventType, subscribe, type HoldfastEvent } from './event.ts';
export { Link, List } from './list.ts';
export {
  badOption,
  checkFunction,
  checkOption,
  checkOptions,
  optionsAndBody,
  rangeOf,
  type BadOption,
} from './option.ts';
export type { Exit, Outcome } from './outcome.ts';
export { seededRandom } from './random.ts';
export { addSuppressed, suppressedErrors } from './suppressed.ts';
export {
  captureContext,
  clearTimer,
  MAX_DELAY_MS,
  nextTurn,
  setTimer,
  type CapturedContext,
  type TimerHandle,
} from './system.ts';
export { FixedTimers, Timer } from './timers.ts';
