/**
 * The ground: what everything else stands on, and what itself depends on nothing.
 *
 *   system           the one door to the platform's time, timers, randomness and optional built-ins
 *   heap             a binary heap
 *   timers           many timers on few platform timers: a list per timeout duration, a wheel for sleeps
 *   clock            what the rest of the library sees of both; the test kit swaps it for virtual time
 *   random           seeded streams, for tests and simulations
 *   duration         '250ms' and friends
 *   option           errors for bad options: which one, what was given, what is expected
 *   error            base of the library's own errors: a stable code, and a brand that survives two copies
 *   suppressed       the errors that came second, kept beside the first without touching it
 *   outcome          what became of a piece of work
 *   event            typed events that cost nothing while nobody listens
 *   async-context    the caller's AsyncLocalStorage, carried over to where a timer wakes us
 *
 * Imports inside the folder go down this list only where they must: `timers` needs `system`, `clock` needs `timers`.
 */
export { captureContext, type RunInContext } from './async-context.ts';
export { clock, systemClock, useClock, type Clock } from './clock.ts';
export { duration, durationOption, type Duration } from './duration.ts';
export { HoldfastError, TimeoutError } from './error.ts';
export { EVERY_EVENT, EventType, subscribe, type HoldfastEvent, type Listener } from './event.ts';
export { Heap } from './heap.ts';
export { badOption, functionOption, knownOptions, type BadOption } from './option.ts';
export type { Exit, Outcome } from './outcome.ts';
export { seededRandom } from './random.ts';
export { addSuppressed, suppressedErrors } from './suppressed.ts';
export { nextTurn, system } from './system.ts';
export { Timer, type TimerHome } from './timers.ts';
