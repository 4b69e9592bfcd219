/**
 * The circuit breaker (P6), as a machine that is told of calls and of results.
 *
 *            enough failures, or slow calls
 *   closed ──────────────────────────────────▶ open ◀──────────────┐
 *      ▲                                         │ admit, when the │ a probe fails
 *      │       `probes` probes succeed           ▼ cooldown is over│
 *      └──────────────────────────────────── half-open ────────────┘
 *
 *   isolate(): to isolated, from every state      reset(): to closed, from every state
 *
 * Time alone changes nothing: `state` is 'open' until the first `admit` after the cooldown, which makes it 'half-open' and is the first
 * probe.
 *
 * A call is let in with a ticket, a number from one counter. In the closed state all calls have the ticket of the period, a new one each
 * time that it closes; each probe has its own, and a lease of its place. A result counts if its ticket is that of the period, or of
 * a probe that has its place still (P6.5). What holds:
 *
 *   closed      no leases; opens = 0
 *   open        no leases; nothing is let in
 *   half-open   at most `probes` leases; less than `probes` successes
 *   isolated    no leases; nothing is let in
 *
 * The shares are those of a window: of the last calls, or of time, which is ten buckets: a result counts for at least nine tenths of
 * the window, and never longer than the whole. They are looked at after each result, a success too: it may be the one that makes the calls
 * enough, or the one before which a better time has left the window.
 *
 * When time goes back, another clock was put in force: then what the one before had measured (cooldown, leases, window) is over.
 *
 * Sources: the states are Michael Nygard's, "Release It!" (2007); shares of a sliding window, and of slow calls, as in Resilience4j.
 */
import { checkOption, rangeOf } from '../../foundation/index.ts';
import type { Effect } from '../run/effect.ts';

export type { Effect };

export type BreakerState = 'closed' | 'open' | 'half-open' | 'isolated';

const STATES: readonly BreakerState[] = ['closed', 'open', 'half-open', 'isolated'];

/** Taken as checked. `ratio` and `slow` need a window: either `windowMs` or `lastCalls`. */
export interface BreakerSettings {
  /** Failures in a row. */
  readonly failures: number | null;
  /** Share of failures, in (0, 1]. */
  readonly ratio: number | null;
  readonly windowMs: number | null;
  readonly lastCalls: number | null;
  readonly minCalls: number;
  /** `ratio` is the share of calls that took longer than `overMs`, failures included. */
  readonly slow: { readonly overMs: number; readonly ratio: number } | null;
  /** @param opens how many times it has opened since it was last closed, from 1 */
  readonly cooldownMs: (opens: number) => number;
  readonly probes: number;
  readonly probeLeaseMs: number;
}

/** How many calls, and how many of them failed, and were slow. */
type Tally = readonly [calls: number, failed: number, slow: number];

/** All times are spans: the clocks of two processes have nothing in common, and the time between them is not counted. */
export interface BreakerSnapshot {
  readonly version: 1;
  readonly state: BreakerState;
  readonly opens: number;
  /** Failures in a row. */
  readonly failures: number;
  /** Of the probes, when half-open. */
  readonly successes: number;
  /** Of the cooldown, when open; `null` for one that has no end. */
  readonly remainingMs: number | null;
  /** The last calls, oldest first: 0, plus 1 for one that failed, plus 2 for one that was slow. Or buckets of time. */
  readonly window: readonly number[] | BucketsSnapshot | null;
}

interface BucketsSnapshot {
  readonly windowMs: number;
  /** How long ago the newest one began. */
  readonly ageMs: number;
  /** Newest first. */
  readonly buckets: readonly Tally[];
}

/** A probe's place. */
interface Lease {
  readonly ticket: number;
  readonly sinceMs: number;
}

export class BreakerCell {
  /** For reading. */
  state: BreakerState = 'closed';

  private readonly settings: BreakerSettings;
  private window: Window | null;
  /** The last ticket that was given out. None is given out twice. */
  private serial = 1;
  /** The ticket of the closed period. */
  private period = 1;
  private failuresInRow = 0;
  /** Since it was last closed. */
  private opens = 0;
  private openedMs = 0;
  private cooldownMs = 0;
  /** Of the probes. */
  private successes = 0;
  private leases: Lease[] = [];

  constructor(settings: BreakerSettings) {
    this.settings = settings;
    this.window = windowOf(settings);
  }

  /**
   * A ticket to hand to `settle`, a whole number from 1; or 0: refused. May change the state from open to half-open. `now` is called
   * only when open or half-open.
   */
  admit(now: () => number): number {
    if (this.state === 'closed') return this.period;
    if (this.state === 'isolated') return 0;
    const nowMs = now();
    if (this.state === 'open') {
      if (within(nowMs - this.openedMs, this.cooldownMs)) return 0;
      this.enter('half-open');
    }
    return this.probe(nowMs);
  }

  /**
   * The result of a call. `durationMs` is looked at only if there is `slow`. `now` is called for a window of time, for a probe, and to
   * open. What the user's `cooldownMs` throws comes out; the state has not changed then, and the next failure asks again.
   * @returns whether the state changed
   */
  settle(ticket: number, effect: Effect, now: () => number, durationMs: number): boolean {
    if (this.state === 'closed') return ticket === this.period && this.count(effect, now, durationMs);
    return this.settleProbe(ticket, effect, now);
  }

  /** In how many milliseconds it is worth trying again: 0 when closed, as there are no leases; never when isolated. */
  retryAfterMs(nowMs: number): number {
    if (this.state === 'isolated') return Infinity;
    if (this.state === 'open') return remaining(nowMs - this.openedMs, this.cooldownMs);
    const { leases, settings } = this;
    if (leases.length < settings.probes) return 0;
    // Not a spread: there may be more leases than a call takes arguments.
    return leases.reduce(
      (least, lease) => Math.min(least, remaining(nowMs - lease.sinceMs, settings.probeLeaseMs)),
      Infinity,
    );
  }

  /** It refuses nobody, and waits for no probe. */
  isAtRest(now: () => number): boolean {
    if (this.state === 'open') return !within(now() - this.openedMs, this.cooldownMs);
    return this.state === 'closed' || (this.state === 'half-open' && this.leases.length === 0);
  }

  isolate(): void {
    this.enter('isolated');
  }

  reset(): void {
    this.enter('closed');
  }

  /** Changes nothing. Probes in flight are not in it: they end with their process. */
  snapshot(nowMs: number): BreakerSnapshot {
    const { state, opens, failuresInRow, successes, window } = this;
    const remainingMs = state === 'open' ? remaining(nowMs - this.openedMs, this.cooldownMs) : 0;
    return {
      version: 1,
      state,
      opens,
      failures: failuresInRow,
      successes,
      remainingMs: remainingMs === Infinity ? null : remainingMs,
      window: window && window.snapshot(nowMs),
    };
  }

  /**
   * Goes on where another cell was, perhaps in another process and with other settings: a window of another kind, or of another
   * time, begins empty. Calls that are in flight in this one belong to a period that has ended.
   * @throws {TypeError | RangeError} code `BAD_OPTION`; then nothing has changed
   */
  restore(snapshot: unknown, nowMs: number): void {
    const given = Object(snapshot) as Partial<BreakerSnapshot>;
    checkOption(given.version === 1, 'restore', snapshot, 'a snapshot of a breaker, version 1');
    const { state, opens, failures, successes, remainingMs } = given;
    checkOption(STATES.includes(state as BreakerState), 'restore.state', state, `one of ${STATES.join(', ')}`);
    checkCount('restore.opens', opens);
    checkCount('restore.failures', failures);
    checkCount('restore.successes', successes);
    if (remainingMs !== null) checkSpan('restore.remainingMs', remainingMs);
    const window = windowOf(this.settings);
    window?.restore(given.window, nowMs);
    this.enter(state as BreakerState);
    this.window = window;
    this.failuresInRow = failures;
    this.opens = opens;
    this.successes = successes;
    this.openedMs = nowMs;
    this.cooldownMs = remainingMs ?? Infinity;
  }

  /** A state begins with nothing of the one before. */
  private enter(state: BreakerState): void {
    this.state = state;
    this.leases = [];
    this.successes = 0;
    this.failuresInRow = 0;
    this.window?.clear();
    if (state !== 'closed') return;
    this.period = ++this.serial;
    this.opens = 0;
  }

  private open(nowMs: number): boolean {
    // First: it is the user's, and may throw.
    const cooldownMs = this.settings.cooldownMs(this.opens + 1);
    this.enter('open');
    this.opens++;
    this.openedMs = nowMs;
    this.cooldownMs = cooldownMs;
    return true;
  }

  private count(effect: Effect, now: () => number, durationMs: number): boolean {
    if (effect === 'neither') return false;
    const failed = effect === 'failure';
    this.failuresInRow = failed ? this.failuresInRow + 1 : 0;
    const { slow } = this.settings;
    this.window?.add(now, failed, slow !== null && durationMs > slow.overMs);
    return this.mustOpen() && this.open(now());
  }

  private mustOpen(): boolean {
    const { failures, ratio, slow, minCalls } = this.settings;
    if (failures !== null && this.failuresInRow >= failures) return true;
    const { window } = this;
    if (window === null || window.calls < minCalls) return false;
    // Not `failed >= ratio * calls`: 7 / 100 is 0.07 to the last bit, but 0.07 * 100 is more than 7.
    if (ratio !== null && window.failed / window.calls >= ratio) return true;
    return slow !== null && window.slow / window.calls >= slow.ratio;
  }

  private probe(nowMs: number): number {
    const { leases, settings } = this;
    if (leases.length >= settings.probes) {
      const lost = leases.findIndex((lease) => !within(nowMs - lease.sinceMs, settings.probeLeaseMs));
      if (lost < 0) return 0;
      leases.splice(lost, 1);
    }
    leases.push({ ticket: ++this.serial, sinceMs: nowMs });
    return this.serial;
  }

  private settleProbe(ticket: number, effect: Effect, now: () => number): boolean {
    const at = this.leases.findIndex((lease) => lease.ticket === ticket);
    if (at < 0) return false;
    const [lease] = this.leases.splice(at, 1) as [Lease];
    if (effect === 'neither') return false;
    const nowMs = now();
    if (!within(nowMs - lease.sinceMs, this.settings.probeLeaseMs)) return false;
    if (effect === 'failure') return this.open(nowMs);
    this.successes++;
    if (this.successes < this.settings.probes) return false;
    this.enter('closed');
    return true;
  }
}

/** Whether a span has not passed yet. One that began in the future was measured by another clock. */
function within(sinceMs: number, spanMs: number): boolean {
  return sinceMs >= 0 && sinceMs < spanMs;
}

function remaining(sinceMs: number, spanMs: number): number {
  return within(sinceMs, spanMs) ? spanMs - sinceMs : 0;
}

/** The results that shares are taken of. */
interface Window {
  readonly calls: number;
  readonly failed: number;
  readonly slow: number;
  add(now: () => number, failed: boolean, slow: boolean): void;
  clear(): void;
  snapshot(nowMs: number): BreakerSnapshot['window'];
  /** Of an empty one. */
  restore(snapshot: unknown, nowMs: number): void;
}

function windowOf({ lastCalls, windowMs }: BreakerSettings): Window | null {
  if (lastCalls !== null) return new LastCalls(lastCalls);
  return windowMs === null ? null : new Buckets(windowMs);
}

const FAILED = 1;
const SLOW = 2;

/** The last so many calls: a ring with two bits for each. */
class LastCalls implements Window {
  calls = 0;
  failed = 0;
  slow = 0;
  private readonly ring: Uint8Array;
  /** Where the next one goes. What stands there is the oldest; 0 as long as the ring is not full. */
  private next = 0;

  constructor(size: number) {
    this.ring = new Uint8Array(size);
  }

  add(_now: () => number, failed: boolean, slow: boolean): void {
    this.push((failed ? FAILED : 0) | (slow ? SLOW : 0));
  }

  clear(): void {
    this.ring.fill(0);
    this.calls = this.failed = this.slow = this.next = 0;
  }

  snapshot(): readonly number[] {
    const { ring, next, calls } = this;
    return [...ring.subarray(next), ...ring.subarray(0, next)].slice(ring.length - calls);
  }

  restore(snapshot: unknown): void {
    if (!Array.isArray(snapshot)) return;
    for (const bits of snapshot as unknown[]) {
      checkOption(isBits(bits), 'restore.window', bits, '0, 1, 2 or 3 for each call', rangeOf(bits));
      this.push(bits);
    }
  }

  private push(bits: number): void {
    const { ring, next } = this;
    const gone = ring[next] as number;
    ring[next] = bits;
    this.next = next + 1 < ring.length ? next + 1 : 0;
    if (this.calls < ring.length) this.calls++;
    this.failed += (bits & FAILED) - (gone & FAILED);
    this.slow += ((bits & SLOW) - (gone & SLOW)) / SLOW;
  }
}

function isBits(value: unknown): value is number {
  return value === 0 || value === FAILED || value === SLOW || value === (FAILED | SLOW);
}

/** Steps in which a window of time moves on. With ten it is never wrong by more than a tenth, and fits into four cache lines. */
const BUCKETS = 10;

/** The calls of a span of time, counted in a ring of buckets. The first result begins the first bucket. */
class Buckets implements Window {
  calls = 0;
  failed = 0;
  slow = 0;
  private readonly bucketMs: number;
  /** Calls, failed and slow of a bucket stand beside each other. */
  private readonly ring = new Float64Array(3 * BUCKETS);
  private newest = 0;
  /** When the newest began; `NaN` before the first result. */
  private beganMs = NaN;
  private readonly windowMs: number;

  constructor(windowMs: number) {
    this.windowMs = windowMs;
    this.bucketMs = windowMs / BUCKETS;
  }

  add(now: () => number, failed: boolean, slow: boolean): void {
    const nowMs = now();
    const ageMs = nowMs - this.beganMs;
    if (!within(ageMs, this.bucketMs)) this.turn(nowMs, Math.floor(ageMs / this.bucketMs));
    this.put(this.newest, 1, failed ? 1 : 0, slow ? 1 : 0);
  }

  clear(): void {
    this.ring.fill(0);
    this.calls = this.failed = this.slow = 0;
    this.beganMs = NaN;
  }

  snapshot(nowMs: number): BucketsSnapshot | null {
    const { ring, newest, windowMs, beganMs } = this;
    const ageMs = nowMs - beganMs;
    if (!(ageMs >= 0)) return null;
    const tally = (age: number): Tally => {
      const [calls, failed, slow] = ring.subarray(3 * back(newest, age)) as unknown as Tally;
      return [calls, failed, slow];
    };
    return { windowMs, ageMs, buckets: Array.from({ length: BUCKETS }, (_, age) => tally(age)) };
  }

  restore(snapshot: unknown, nowMs: number): void {
    const { windowMs, ageMs, buckets } = Object(snapshot) as Partial<BucketsSnapshot>;
    if (windowMs !== this.windowMs) return;
    checkSpan('restore.window.ageMs', ageMs);
    const shape = `a list of ${BUCKETS} times calls, failed, slow`;
    checkOption(Array.isArray(buckets) && buckets.length === BUCKETS, 'restore.window.buckets', buckets, shape);
    for (let age = 0; age < BUCKETS; age++) {
      const tally: unknown = buckets[age];
      checkOption(isTally(tally), `restore.window.buckets[${age}]`, tally, shape);
      this.put(back(this.newest, age), ...tally);
    }
    this.beganMs = nowMs - ageMs;
  }

  /** Makes the bucket of `nowMs`, `steps` on, the newest, and so forgets as many. */
  private turn(nowMs: number, steps: number): void {
    if (!(steps > 0 && steps < BUCKETS)) {
      this.clear();
      this.beganMs = nowMs;
      return;
    }
    const { ring } = this;
    for (let i = 0; i < steps; i++) {
      this.newest = (this.newest + 1) % BUCKETS;
      const at = 3 * this.newest;
      this.put(this.newest, -ring[at]!, -ring[at + 1]!, -ring[at + 2]!);
    }
    // A quotient that was rounded up must not leave the beginning in the future: the next result would forget everything.
    this.beganMs = Math.min(nowMs, this.beganMs + steps * this.bucketMs);
  }

  private put(bucket: number, calls: number, failed: number, slow: number): void {
    const { ring } = this;
    const at = 3 * bucket;
    ring[at]! += calls;
    ring[at + 1]! += failed;
    ring[at + 2]! += slow;
    this.calls += calls;
    this.failed += failed;
    this.slow += slow;
  }
}

function back(newest: number, age: number): number {
  return (newest - age + BUCKETS) % BUCKETS;
}

function isTally(value: unknown): value is Tally {
  if (!Array.isArray(value) || value.length !== 3 || !value.every(isCount)) return false;
  const [calls, failed, slow] = value as unknown as Tally;
  return failed <= calls && slow <= calls;
}

/** A million million calls are more than a process makes in a year, and a window's sum of them is exact. */
function isCount(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 1e12;
}

function checkCount(option: string, given: unknown): asserts given is number {
  checkOption(isCount(given), option, given, 'a whole number from 0 to 1e12', rangeOf(given));
}

function checkSpan(option: string, given: unknown): asserts given is number {
  checkOption(
    typeof given === 'number' && given >= 0 && given < Infinity,
    option,
    given,
    'a finite number of milliseconds from 0',
    rangeOf(given),
  );
}
