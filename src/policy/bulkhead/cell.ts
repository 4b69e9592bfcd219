/**
 * The bulkhead (P7): counts of permits and of waiters. The queue itself is the layer's.
 *
 *              enter                    enter                     enter
 *   free permit ───▶ entered   no permit ───▶ queued   no place ───▶ full
 *
 *   leave, nobody waits   a permit is free again
 *   leave, someone waits  the permit goes to them: `inFlight` stays, `waiting` − 1
 *   abandonPlace          `waiting` − 1
 *   resize, larger        the new permits go to who waits: `admitWaiter` for each
 *   resize, smaller       what is in flight goes on; permits that come back then are no more until `inFlight` = limit
 *
 * Invariants: 0 ≤ inFlight, and ≤ limit but for what was in flight when that became smaller; 0 ≤ waiting ≤ queue; and waiting > 0 only while
 * inFlight ≥ limit: so nobody can overtake a waiter.
 *
 * What a place costs. While somebody waits every permit is taken, and the queue moves one place at each departure. By Little's law
 * the mean time between departures is then service time ÷ limit, whatever the distribution of service times; so a waiter at place p waits
 * p × service time ÷ limit. The cell averages those intervals, which needs no stamp per call. It keeps interval × limit, the service
 * time, because that is still right when a snapshot is restored under another limit.
 *
 * An interval counts if somebody waited all the time between the two departures; with a free permit in between it would be no measure
 * of the service. Those that began with an empty queue and ended with a waiter are left out too: somebody is more likely to join during
 * a long interval than during a short one, so the average would be too high. So are those in which the limit changed, or a permit came back that
 * is no more. The price: a queue that never holds two learns nothing, and refuses nobody for it.
 */
import { checkOption, rangeOf } from '../../foundation/index.ts';
import type { AdaptiveSnapshot } from './adaptive.ts';

export interface BulkheadSettings {
  /** From 1. */
  readonly limit: number;
  /** From 0. */
  readonly queue: number;
}

/** What was learned. Not the counts: permits belong to work, and waiters to callers, of a process that is gone. */
export interface BulkheadSnapshot {
  readonly version: 1;
  /** Of an adaptive one. */
  readonly adaptive?: AdaptiveSnapshot;
  readonly serviceMs: number;
  /** Of how many intervals that is the average. */
  readonly intervals: number;
  /** How many departures in a row taught nothing since. */
  readonly departures: number;
}

export class BulkheadCell {
  /** Permits that are taken. */
  inFlight = 0;
  /** Places that are taken. */
  waiting = 0;

  /** The moving average. */
  private serviceMs = 0;
  /** How many intervals it has seen, counted up to `remembered`. */
  private intervals = 0;
  /** In a row that taught nothing. */
  private departures = 0;
  /** When the last departure was; `NaN` when the queue has been empty since. */
  private departedMs = NaN;

  /** `resize` changes it. */
  limit: number;
  private readonly queue: number;
  /**
   * How many intervals the moving average looks back over: its factor is 1 ÷ this. When `limit` calls begin at once they end at once
   * too, and the intervals are `limit` − 1 zeros and a whole service time: two such rounds, and it swings by a quarter with each, where
   * one would let it swing by half. At least 16: with intervals as irregular as chance makes them (exponential), the standard error
   * is then √(1/31) = 18 %.
   */
  private remembered: number;

  /** The settings are taken as checked. */
  constructor(settings: BulkheadSettings) {
    this.limit = settings.limit;
    this.queue = settings.queue;
    this.remembered = Math.max(16, 2 * settings.limit);
  }

  /** Then `admitWaiter` is to be called until it answers false. */
  resize(limit: number): void {
    this.limit = limit;
    this.remembered = Math.max(16, 2 * limit);
    this.departedMs = NaN;
  }

  /** True: there is a permit for the first waiter. */
  admitWaiter(): boolean {
    if (this.waiting === 0 || this.inFlight >= this.limit) return false;
    this.inFlight++;
    this.abandonPlace();
    return true;
  }

  enter(): 'entered' | 'queued' | 'full' {
    if (this.inFlight < this.limit) {
      this.inFlight++;
      return 'entered';
    }
    if (this.waiting >= this.queue) return 'full';
    this.waiting++;
    return 'queued';
  }

  /** Work has ended. True: its permit goes to the first waiter. `now` is called only then. */
  leave(now: () => number): boolean {
    if (this.waiting === 0 || this.inFlight > this.limit) {
      this.inFlight--;
      this.departures++;
      if (this.waiting > 0) this.departedMs = NaN; // the permit is no more
      return false;
    }
    this.handOver(now());
    return true;
  }

  /** A waiter left the queue without a permit. */
  abandonPlace(): void {
    this.waiting--;
    if (this.waiting === 0) this.departedMs = NaN;
  }

  /** What a waiter that joins now at `place` (from 1) would wait. 0 while that is unknown. */
  expectedWaitMs(place: number): number {
    // A round of permits has `limit` intervals; fewer may be nothing but its longest.
    if (this.intervals < this.limit || this.stale()) return 0;
    return (this.serviceMs * place) / this.limit;
  }

  snapshot(): BulkheadSnapshot {
    return { version: 1, serviceMs: this.serviceMs, intervals: this.intervals, departures: this.departures };
  }

  /**
   * Takes over what another cell had learned. What is in flight, and who waits, stays.
   * @throws {TypeError | RangeError} code `BAD_OPTION`
   */
  restore(snapshot: unknown): void {
    const { version, serviceMs, intervals, departures } = Object(snapshot) as Partial<BulkheadSnapshot>;
    checkOption(version === 1, 'restore', snapshot, 'a snapshot of a bulkhead, version 1');
    checkOption(
      typeof serviceMs === 'number' && serviceMs >= 0 && serviceMs < Infinity,
      'restore.serviceMs',
      serviceMs,
      'a finite number from 0',
      rangeOf(serviceMs),
    );
    checkCount('restore.intervals', intervals);
    checkCount('restore.departures', departures);
    this.serviceMs = serviceMs;
    this.intervals = Math.min(intervals, this.remembered);
    this.departures = departures;
  }

  private handOver(nowMs: number): void {
    const intervalMs = nowMs - this.departedMs;
    // Not so if there is none, or if another clock was put in force.
    if (intervalMs >= 0) this.learn(intervalMs * this.limit);
    else this.departures++;
    this.departedMs = nowMs;
    this.abandonPlace();
  }

  /** A plain mean until there is enough to remember, so that the first one has no more weight than the others. */
  private learn(serviceMs: number): void {
    if (this.stale()) this.intervals = 0;
    this.departures = 0;
    this.intervals = Math.min(this.intervals + 1, this.remembered);
    this.serviceMs += (serviceMs - this.serviceMs) / this.intervals;
  }

  /**
   * Nothing was learned for so long that what was is no longer believed. Otherwise a slow minute could close the queue for ever: every
   * waiter would be refused at once, and without waiters nothing is learned. Four times what is remembered lets the pause between two
   * bursts pass, and is over after at most 8 service times of a full bulkhead (of one with a limit below 8: after 64 departures).
   */
  private stale(): boolean {
    return this.departures > 4 * this.remembered;
  }
}

function checkCount(option: string, given: unknown): asserts given is number {
  checkOption(
    Number.isSafeInteger(given) && (given as number) >= 0,
    option,
    given,
    'a whole number from 0',
    rangeOf(given),
  );
}
