/** Time that stands still until the test says otherwise. */
import {
  checkOption,
  clock,
  duration,
  List,
  nextTurn,
  optionsAndBody,
  rangeOf,
  seededRandom,
  systemClock,
  useClock,
} from '../foundation/index.ts';
import type { Clock, Duration, FixedTimers, Timer } from '../foundation/index.ts';
import { Heap } from './heap.ts';

/** What `virtualTime` hands to its body. */
export interface VirtualTime {
  /** Milliseconds since virtual time began. */
  now(): number;
  /**
   * Lets time pass: fires every timer that falls due, in order, each exactly when due, and after each one lets promises run until they are quiet.
   * What already runs is given its turn first. One call at a time.
   */
  advance(time: Duration): Promise<void>;
  /**
   * Lets time pass until no timer is left that will ever fall due.
   * @throws after a million timers: then something starts timers for ever
   */
  runAll(): Promise<void>;
  /** How many timers are pending. */
  readonly pending: number;
}

/** Options of `virtualTime`. */
export interface VirtualTimeOptions {
  /** For the library's random numbers, jitter above all [1]. The same seed gives the same run. */
  readonly seed?: number | string | undefined;
  /** What the wall clock shows at the start [2030-01-01T00:00:00Z]: a `Date`, text that `Date` reads, or milliseconds since 1970. */
  readonly date?: Date | string | number | undefined;
}

/** A timer's place in the order of things: by due time, then by age. */
interface Entry {
  readonly timer: Timer;
  readonly dueMs: number;
  readonly age: number;
}

/** The list that pending timers are in: only its `remove` is called, by a timer that leaves. */
class Pending extends List {
  private readonly clock: VirtualClock;

  constructor(virtual: VirtualClock) {
    super();
    this.clock = virtual;
  }

  override remove(timer: Timer): void {
    this.clock.stop(timer);
  }
}

class VirtualClock implements Clock {
  timeMs = 0;
  readonly random: () => number;
  private readonly startedAtMs: number;
  private readonly list = new Pending(this);
  /** Invariant: the live entry of every pending timer, and no other. */
  private readonly entries = new Map<Timer, Entry>();
  /** Those, and entries of timers that were stopped since. */
  private readonly queue = new Heap<Entry>((a, b) => a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.age < b.age));
  private ages = 0;

  constructor(random: () => number, startedAtMs: number) {
    this.random = random;
    this.startedAtMs = startedAtMs;
  }

  now(): number {
    return this.timeMs;
  }

  wallNow(): number {
    return this.startedAtMs + this.timeMs;
  }

  startFixed(timer: Timer, { durationMs }: FixedTimers): void {
    this.start(timer, durationMs);
  }

  start(timer: Timer, durationMs: number): void {
    timer.list = this.list;
    timer.startedMs = this.timeMs;
    const entry = { timer, dueMs: this.timeMs + durationMs, age: this.ages++ };
    this.entries.set(timer, entry);
    this.queue.push(entry);
  }

  stop(timer: Timer): void {
    timer.list = null;
    this.entries.delete(timer);
    if (this.queue.size > 64 + 2 * this.entries.size) this.queue.replace(this.entries.values());
  }

  get pending(): number {
    return this.entries.size;
  }

  /** Sets the time to that of the next timer due by then and fires it. False if there is none. */
  fireNext(byMs: number): boolean {
    let next = this.queue.top;
    while (next !== undefined && this.entries.get(next.timer) !== next) {
      this.queue.pop();
      next = this.queue.top;
    }
    if (next === undefined || next.dueMs > byMs || next.dueMs === Infinity) return false;
    this.timeMs = next.dueMs;
    this.stop(next.timer);
    next.timer.fire();
    return true;
  }

  /** When the timers that are left fall due, for a message. */
  describePending(): string {
    const dues = [...this.entries.values()].map((entry) => entry.dueMs).sort((a, b) => a - b);
    return `${dues.length} timer${dues.length === 1 ? '' : 's'}, due at ${dues.slice(0, 5).join(', ')}${dues.length > 5 ? ', …' : ''} ms`;
  }
}

/** More than a test means to fire; a repeating timer reaches it in about a second. */
const MAX_TIMERS = 1_000_000;

class Control implements VirtualTime {
  private readonly clock: VirtualClock;
  private busy = false;

  constructor(virtual: VirtualClock) {
    this.clock = virtual;
  }

  now(): number {
    return this.clock.timeMs;
  }

  get pending(): number {
    return this.clock.pending;
  }

  advance(time: Duration): Promise<void> {
    const ms = duration(time);
    checkOption(
      ms < Infinity,
      'advance',
      time,
      'a duration that ends (runAll goes on until no timer is left)',
      rangeOf(time),
    );
    return this.advanceTo(this.clock.timeMs + ms);
  }

  private async advanceTo(untilMs: number): Promise<void> {
    await this.run(untilMs);
    this.clock.timeMs = untilMs;
  }

  runAll(): Promise<void> {
    return this.run(Infinity);
  }

  private async run(untilMs: number): Promise<void> {
    if (this.busy)
      throw new Error('virtualTime: time is already passing; await the earlier advance() or runAll() first');
    if (clock !== this.clock) throw new Error('virtualTime: it has ended; time can only be advanced inside its body');
    this.busy = true;
    try {
      await nextTurn();
      let fired = 0;
      for (let at = this.now(); this.clock.fireNext(untilMs); at = this.now()) {
        // Until a given time there may be as many timers as there are, but not within one instant.
        if (untilMs < Infinity && at < this.now()) fired = 0;
        if (++fired > MAX_TIMERS)
          throw new Error(
            `virtualTime: ${MAX_TIMERS} timers have fired and there are more: something starts timers for ever`,
          );
        await nextTurn();
      }
    } finally {
      this.busy = false;
    }
  }
}

/**
 * Runs `body` on virtual time: inside, the clock, timers and randomness of every scope and policy in this process are the test's. Hours pass in
 * microseconds, timers fire exactly when due, and the same seed gives the same run. Works under every test runner; real timers of the platform are untouched.
 *
 * Waits for: the body. Time passes only by `advance` and `runAll`; both let promise chains of any depth run until they are quiet, but
 * do not wait for real I/O, which has its own time.
 * Work that was started before keeps its real timers. One at a time in a process: a second one, or one inside another, is refused.
 *
 * @returns what the body returned
 * @throws if timers are still pending when the body has returned: they would never fire
 * @example
 * await virtualTime(async (time) => {
 *   const call = scope({ timeout: '2s' }, (s) => s.sleep('1h')).catch((error) => error.code);
 *   await time.advance('2s');
 *   await call; // 'TIMEOUT', at once
 * });
 */
export function virtualTime<T>(body: (time: VirtualTime) => T | PromiseLike<T>): Promise<T>;
export function virtualTime<T>(
  options: VirtualTimeOptions,
  body: (time: VirtualTime) => T | PromiseLike<T>,
): Promise<T>;
export function virtualTime<T>(
  first: VirtualTimeOptions | ((time: VirtualTime) => T | PromiseLike<T>),
  second?: (time: VirtualTime) => T | PromiseLike<T>,
): Promise<T> {
  const [options, body] = optionsAndBody<VirtualTimeOptions, (time: VirtualTime) => T | PromiseLike<T>>(
    'virtualTime',
    ['seed', 'date'],
    first,
    second,
  );
  const virtual = new VirtualClock(...settings(options));
  if (clock !== systemClock)
    throw new Error('virtualTime: already on virtual time; there is one clock, so one at a time');

  return run(virtual, body);
}

async function run<T>(virtual: VirtualClock, body: (time: VirtualTime) => T | PromiseLike<T>): Promise<T> {
  useClock(virtual);
  try {
    const result = await body(new Control(virtual));
    await nextTurn(); // what has just been settled may still end its timers
    if (virtual.pending > 0)
      throw new Error(
        `virtualTime: the body has returned, but ${virtual.describePending()}: they would never fire; await what started them, or runAll()`,
      );
    return result;
  } finally {
    useClock(systemClock);
  }
}

function settings({
  seed = 1,
  date = '2030-01-01T00:00:00Z',
}: VirtualTimeOptions): [random: () => number, startedAtMs: number] {
  checkOption(typeof seed === 'string' || Number.isFinite(seed), 'seed', seed, 'a number or a text', rangeOf(seed));
  const isDate = typeof date === 'string' || typeof date === 'number' || date instanceof Date;
  const startedAtMs = isDate ? new Date(date).getTime() : NaN;
  checkOption(!Number.isNaN(startedAtMs), 'date', date, 'a date', rangeOf(date));
  return [seededRandom(seed), startedAtMs];
}
