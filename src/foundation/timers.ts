/**
 * Many timers on few platform timers.
 *
 * A service has thousands of timeouts pending that nearly all end before they fire, and of sleeps that nearly all fire.
 * A platform timer for each costs 80 to 330 ns and about a kilobyte. Here a duration has one list and one platform timer:
 * timers of one duration fall due in the order in which they began, so the list needs no heap, and to start or stop a timer
 * is to link or unlink it. Durations are rounded up to a step below 1/32, at most 8 ms, so that jittered delays share lists too.
 *
 * Contract: never early (times are read from the clock, and a platform timer that fires early is armed again); late by
 * at most 1/32 of the duration, not less than 2 ms nor more than 10 ms, plus what a busy event loop adds.
 * The process is held open while a timer is pending, and only then: when a list empties, its platform timer is released
 * (`unref`), not cleared, because the next call would have to make it again (243 ns against 27). It goes when it fires.
 *
 * Why neither a timing wheel nor a heap: docs/decisions/0005-timers.md. Where timers must not be shared: docs/decisions/0037-every-runtime.md.
 */
import { Link, List } from './list.ts';
import { clearTimer, now, setTimer, type TimerHandle } from './system.ts';

/** Something that happens once, later. `leave` stops it. */
export abstract class Timer extends Link {
  /** On the monotonic clock; `null` until it has begun, and for a moment after, if it began without a look at the clock. */
  startedMs: number | null = null;

  /** What happens. Must not throw. A method, not a function given: of the objects that wait there may be a million, and a closure is 64 bytes. */
  abstract fire(): void;
}

/** Released platform timers that may be left behind, one a list; beyond that an empty list clears its own at once. */
const MAX_IDLE = 64;

/** How many are. Those of `FixedTimers` count too: there may be as many as layers, and a program may make a layer for each call. */
let idle = 0;

const lists = /* @__PURE__ */ new Map<number, TimerList>();

/** All pending timers of one duration. */
class TimerList extends List {
  /** It is among `unread`. */
  isUnread = false;
  private handle: TimerHandle | undefined;
  /** It is released: `idle` counts it. */
  private isIdle = false;
  private readonly durationMs: number;

  constructor(durationMs: number) {
    super();
    this.durationMs = durationMs;
  }

  override add(timer: Timer): void {
    super.add(timer);
    if (this.handle === undefined) this.arm(this.durationMs);
    // Released while the list was empty, and to be held again: for the first only.
    else if (this.first === timer && typeof this.handle === 'object') {
      this.busy();
      this.handle.ref();
    }
  }

  override remove(timer: Timer): void {
    super.remove(timer);
    if (this.first !== null) return;
    if (typeof this.handle !== 'object' || idle >= MAX_IDLE) return this.drop();
    this.handle.unref();
    this.isIdle = true;
    idle++;
  }

  private busy(): void {
    if (this.isIdle) idle--;
    this.isIdle = false;
  }

  /** Those that began without a look at the clock have begun now: later than in truth, so that none fires early. */
  stamp(nowMs: number): void {
    for (let timer = this.last as Timer | null; timer !== null && timer.startedMs === null;) {
      timer.startedMs = nowMs;
      timer = timer.previous as Timer | null;
    }
  }

  private arm(delayMs: number): void {
    this.handle = setTimer(() => this.fireDue(), delayMs);
  }

  private drop(): void {
    this.busy();
    clearTimer(this.handle);
    this.handle = undefined;
    // While this list fires, another one may have taken its place.
    if (lists.get(this.durationMs) === this) lists.delete(this.durationMs);
  }

  private fireDue(): void {
    // The clock is read for each: what a timer does may take long, and the next one may have fallen due meanwhile.
    // What was started since waits for the platform: of no duration and started again by what it does, it would fire for ever.
    const beganMs = now();
    for (let timer = this.first as Timer | null; timer !== null; timer = this.first as Timer | null) {
      if (timer.startedMs === null) this.stamp(beganMs);
      const startedMs = timer.startedMs as unknown as number;
      const leftMs = startedMs + this.durationMs - now();
      if (leftMs > 0 || startedMs >= beganMs) return this.arm(Math.max(leftMs, 0));
      super.remove(timer);
      timer.fire();
    }
    this.drop();
  }
}

/** Starts a timer. */
export function startTimer(timer: Timer, durationMs: number): void {
  timer.startedMs = now();
  // Powers of two. With the millisecond that the platform rounds up to, each is 1/32 of the shortest duration it is used for.
  const step = durationMs < 96 ? 1 : durationMs < 160 ? 2 : durationMs < 288 ? 4 : 8;
  const roundedMs = Math.ceil(durationMs / step) * step;
  let list = lists.get(roundedMs);
  if (list === undefined) lists.set(roundedMs, (list = new TimerList(roundedMs)));
  list.add(timer);
}

/** The one timer that a platform timer was made for. */
class OwnList extends List {
  private handle: TimerHandle | undefined;
  private readonly durationMs: number;

  constructor(durationMs: number) {
    super();
    this.durationMs = durationMs;
  }

  override add(timer: Timer): void {
    super.add(timer);
    this.arm(timer, this.durationMs);
  }

  override remove(timer: Timer): void {
    super.remove(timer);
    clearTimer(this.handle);
  }

  private arm(timer: Timer, delayMs: number): void {
    this.handle = setTimer(() => {
      // Gone already: a timer of another request cannot be cleared.
      if (timer.list !== this) return;
      const leftMs = (timer.startedMs as number) + this.durationMs - now();
      if (leftMs > 0) return this.arm(timer, leftMs);
      this.remove(timer);
      timer.fire();
    }, delayMs);
  }
}

/** Starts a timer that shares nothing, where `timersBelongToRequests`. */
export function startOwnTimer(timer: Timer, durationMs: number): void {
  timer.startedMs = now();
  new OwnList(durationMs).add(timer);
}

/** How long timers may go on without the clock having been read for them. With the platform's milliseconds it is well below the 10 ms of the contract. */
const UNREAD_MS = 4;

/** Shorter ones must be more exact than that. */
const MIN_UNREAD_MS = 320;

/** The lists in which timers may have begun since the clock was last read for all of them. */
let unread: TimerList[] = [];

/** So many lists may be unread: a program that makes a layer for each call, and does not let the event loop turn, would collect them without end. */
const MAX_UNREAD = 64;

/** A platform timer is under way that reads the clock for them. */
let isReading = false;

function readClock(): void {
  const nowMs = now();
  const lists = unread;
  unread = [];
  for (const list of lists) {
    list.isUnread = false;
    list.stamp(nowMs);
  }
}

function readUnread(): void {
  isReading = false;
  readClock();
}

/**
 * Timers of one duration that many calls start, and nearly all stop. To read the clock costs more than everything else that a timer does, so it is
 * read for all of them together, every few milliseconds: one that is stopped before has cost no look at it.
 */
export class FixedTimers {
  readonly durationMs: number;
  private readonly list: TimerList;
  private readonly exact: boolean;

  /** @param exact reads the clock for each */
  constructor(durationMs: number, exact: boolean) {
    this.durationMs = durationMs;
    this.list = new TimerList(durationMs);
    this.exact = exact || durationMs < MIN_UNREAD_MS;
  }

  /** Reads the clock for those that have begun without. */
  read(): void {
    this.list.stamp(now());
  }

  start(timer: Timer): void {
    const { list } = this;
    timer.startedMs = this.exact ? now() : null;
    list.add(timer);
    if (this.exact || list.isUnread) return;
    list.isUnread = true;
    if (unread.push(list) >= MAX_UNREAD) readClock();
    if (isReading) return;
    isReading = true;
    const handle = setTimer(readUnread, UNREAD_MS);
    if (typeof handle === 'object') handle.unref();
  }
}
