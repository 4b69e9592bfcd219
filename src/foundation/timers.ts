/**
 * Many timers on few platform timers.
 *
 * A service has thousands of timeouts pending that nearly all end before they fire, and of sleeps that nearly all fire.
 * A platform timer for each costs 80 to 330 ns and about a kilobyte, and one listener or heap node more. So:
 *
 * - **Timeouts** of one duration fall due in the order in which they began. They need no heap: each duration has one
 *   first-in-first-out list and one platform timer, armed for the head of the list. To start or stop one is to link or
 *   unlink a node. At most `MAX_LISTS` durations have a list; a program with more of them (computed remainders, say) has
 *   the surplus on the wheel, so that the number of durations never grows a structure.
 * - **Sleeps** go to a wheel: slots of up to 8 ms, found by a map, ordered by a binary heap of the slots' times. There is
 *   no hierarchy to cascade through, and a delay of 25 days is a slot like any other.
 *
 * Contract: never early (due times are read from the clock, and a platform timer that fires early is armed again); late by
 * at most 1/32 of the duration, not less than 2 ms nor more than 10 ms, plus what a busy event loop adds.
 * The process is held open while a timer is pending, and only then: when a list empties, its platform timer is released
 * (`unref`), not cleared, because the next call would have to make it again (243 ns against 27).
 *
 * The idea of hashed timing wheels: G. Varghese, T. Lauck, "Hashed and Hierarchical Timing Wheels", SOSP 1987.
 */
import { Heap } from './heap.ts';
import { MAX_TIMER_MS, system, type TimerHandle } from './system.ts';

/** Where a pending timer is kept, so that it can be taken out without a search. */
export interface TimerHome {
  remove(timer: Timer): void;
}

/** Something that falls due. A subclass says what happens then; it must not throw. */
export abstract class Timer {
  home: TimerHome | null = null;
  before: Timer | null = null;
  after: Timer | null = null;
  /** On the monotonic clock. */
  dueMs = 0;

  abstract fire(): void;

  /** Takes the timer out, if it is pending. O(1). */
  stop(): void {
    this.home?.remove(this);
  }
}

/** A doubly linked list of timers through their own fields. Invariant: every member's `home` is this list. */
class TimerList implements TimerHome {
  head: Timer | null = null;
  private tail: Timer | null = null;

  append(timer: Timer): void {
    timer.home = this;
    timer.before = this.tail;
    if (this.tail === null) this.head = timer;
    else this.tail.after = timer;
    this.tail = timer;
  }

  remove(timer: Timer): void {
    const { before, after } = timer;
    if (before === null) this.head = after;
    else before.after = after;
    if (after === null) this.tail = before;
    else after.before = before;
    timer.home = timer.before = timer.after = null;
  }
}

/** All pending timeouts of one duration. */
class TimeoutList extends TimerList {
  private handle: TimerHandle | undefined;
  private firing = false;
  private readonly lists: Map<number, TimeoutList>;
  private readonly durationMs: number;

  constructor(lists: Map<number, TimeoutList>, durationMs: number) {
    super();
    this.lists = lists;
    this.durationMs = durationMs;
  }

  override append(timer: Timer): void {
    timer.dueMs = system.now() + this.durationMs;
    const wasEmpty = this.head === null;
    super.append(timer);
    if (!wasEmpty || this.firing) return;
    if (this.handle === undefined) this.arm(this.durationMs);
    else hold(this.handle);
  }

  override remove(timer: Timer): void {
    super.remove(timer);
    if (this.head === null && this.handle !== undefined && !release(this.handle)) this.drop();
  }

  /** Forgets this duration. Only for an empty list. */
  drop(): void {
    if (this.handle !== undefined) system.clearTimer(this.handle);
    this.handle = undefined;
    this.lists.delete(this.durationMs);
  }

  private arm(delayMs: number): void {
    this.handle = system.setTimer(() => this.fireDue(), delayMs);
  }

  private fireDue(): void {
    this.handle = undefined;
    this.firing = true;
    const now = system.now();
    for (let head = this.head; head !== null && head.dueMs <= now; head = this.head) {
      this.remove(head);
      head.fire();
    }
    this.firing = false;
    if (this.head === null) this.drop();
    else this.arm(this.head.dueMs - system.now());
  }
}

/** One moment of the wheel, and the sleeps that end at it. */
class Slot extends TimerList {
  readonly wheel: SleepWheel;
  readonly timeMs: number;

  constructor(wheel: SleepWheel, timeMs: number) {
    super();
    this.wheel = wheel;
    this.timeMs = timeMs;
  }

  override remove(timer: Timer): void {
    super.remove(timer);
    if (this.head === null) this.wheel.forget(this);
  }
}

class SleepWheel {
  /** Invariant: only slots that hold a timer. */
  private readonly slots = new Map<number, Slot>();
  /** The time of every slot, and times of slots that have gone since. */
  private readonly times = new Heap<number>((a, b) => a < b);
  private handle: TimerHandle | undefined;
  private armedForMs = Infinity;

  add(timer: Timer, durationMs: number): void {
    timer.dueMs = system.now() + durationMs;
    const width = slotWidth(durationMs);
    const timeMs = Math.ceil(timer.dueMs / width) * width;
    let slot = this.slots.get(timeMs);
    if (slot === undefined) {
      this.slots.set(timeMs, (slot = new Slot(this, timeMs)));
      this.times.push(timeMs);
    }
    slot.append(timer);
    if (this.handle === undefined || timeMs < this.armedForMs) this.arm(timeMs);
  }

  forget(slot: Slot): void {
    // While a slot fires it is no longer the map's, and a new one may stand at its time.
    if (this.slots.get(slot.timeMs) !== slot) return;
    this.slots.delete(slot.timeMs);
    if (this.slots.size === 0) this.disarm();
    // Sleeps that were cancelled leave their times behind; a heap of mostly such times is made anew.
    else if (this.times.size > 64 + 2 * this.slots.size) this.times.replace(this.slots.keys());
  }

  private arm(timeMs: number): void {
    if (this.handle !== undefined) system.clearTimer(this.handle);
    this.armedForMs = timeMs;
    this.handle = system.setTimer(() => this.fireDue(), timeMs - system.now());
  }

  private disarm(): void {
    if (this.handle !== undefined) system.clearTimer(this.handle);
    this.handle = undefined;
    this.times.replace([]);
  }

  private fireDue(): void {
    this.armedForMs = -Infinity; // what is added meanwhile is armed for below
    const now = system.now();
    for (let time = this.times.top; time !== undefined && time <= now; time = this.times.top) {
      this.times.pop();
      const slot = this.slots.get(time);
      if (slot === undefined) continue;
      this.slots.delete(time);
      for (let head = slot.head; head !== null; head = slot.head) {
        slot.remove(head);
        head.fire();
      }
    }
    this.handle = undefined;
    if (this.slots.size > 0) this.arm(this.earliest());
    else this.disarm();
  }

  private earliest(): number {
    while (!this.slots.has(this.times.top as number)) this.times.pop();
    return this.times.top as number;
  }
}

/** The largest power of two up to 1/32 of the duration, from 1 to 8 ms: with the platform's own millisecond it keeps the contract's lateness. */
function slotWidth(durationMs: number): number {
  if (durationMs < 64) return 1;
  if (durationMs < 128) return 2;
  return durationMs < 256 ? 4 : 8;
}

/** Keeps the process open for this timer again. A platform without `ref` has no process to hold. */
function hold(handle: TimerHandle): void {
  if (typeof handle === 'object') handle.ref();
}

/** Lets the process end in spite of this timer. False where the platform cannot: then the timer has to go. */
function release(handle: TimerHandle): boolean {
  if (typeof handle !== 'object') return false;
  handle.unref();
  return true;
}

/** More durations than any program means to have; each idle list is a few hundred bytes and one released timer. */
const MAX_LISTS = 64;

const lists = new Map<number, TimeoutList>();
const wheel = new SleepWheel();

/** Starts a timer that most likely will be stopped before it is due. */
export function startTimeout(timer: Timer, durationMs: number): void {
  const list = lists.get(durationMs) ?? newList(durationMs);
  if (list === undefined) wheel.add(timer, durationMs);
  else list.append(timer);
}

/** Starts a timer that most likely will fire. */
export function startSleep(timer: Timer, durationMs: number): void {
  wheel.add(timer, durationMs);
}

function newList(durationMs: number): TimeoutList | undefined {
  // A list longer than a platform timer would have to be armed in pieces; the wheel does that anyway.
  if (durationMs > MAX_TIMER_MS) return undefined;
  if (lists.size >= MAX_LISTS) {
    const idle = [...lists.values()].find((list) => list.head === null);
    if (idle === undefined) return undefined;
    idle.drop();
  }
  const list = new TimeoutList(lists, durationMs);
  lists.set(durationMs, list);
  return list;
}
