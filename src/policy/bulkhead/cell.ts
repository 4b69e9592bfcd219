/**
 * The bulkhead (P7): counts of permits and of waiters. The queue itself is the layer's.
 *
 *              enter                    enter                     enter
 *   free permit ───▶ entered   no permit ───▶ queued   no place ───▶ full
 *
 *   leave, nobody waits   a permit is free again
 *   leave, someone waits  the permit goes to them: `inFlight` stays, `waiting` − 1
 *   abandonPlace          `waiting` − 1
 *
 * Invariants: 0 ≤ inFlight ≤ limit, 0 ≤ waiting ≤ queue, and waiting > 0 only while inFlight = limit: so nobody can overtake a waiter.
 *
 * What a place costs. While somebody waits every permit is taken, and the queue moves one place at each departure. By Little's law the mean time
 * between departures is then service time ÷ limit, whatever the distribution of service times; so a waiter at place p waits
 * p × service time ÷ limit. The cell averages those intervals, which needs no stamp per call, and keeps interval × limit, the service time,
 * because that is still right when a snapshot is restored under another limit.
 *
 * An interval counts if somebody waited all the time between the two departures. It would be no measure of the service if a permit had been
 * free meanwhile. To count as well those that began with an empty queue, if somebody had joined by their end, would not do: someone is more likely
 * to join a long interval than a short one, and the average would be too high.
 */
import { checkOption, rangeOf } from '../../foundation/index.ts';

export interface BulkheadSettings {
  /** From 1. */
  readonly limit: number;
  /** From 0. */
  readonly queue: number;
}

/**
 * What was learned. Not the counts: permits belong to work, and waiters to callers, of a process that is gone.
 */
export interface BulkheadSnapshot {
  readonly version: 1;
  readonly serviceMs: number;
  /** How many intervals it is the average of, at most as many as are remembered. */
  readonly intervals: number;
  /** How many departures in a row nobody had waited for. */
  readonly unawaited: number;
}

export class BulkheadCell {
  /** Permits that are taken. */
  inFlight = 0;
  /** Places that are taken. */
  waiting = 0;

  private serviceMs = 0;
  private intervals = 0;
  private unawaited = 0;
  /** The departure that an interval began with; `NaN` when the queue has been empty since. */
  private departedMs = NaN;

  private readonly limit: number;
  private readonly queue: number;
  /**
   * How many intervals the moving average looks back over: its factor is 1 ÷ this. When `limit` calls begin at once they end at once too, and
   * the intervals are `limit` − 1 zeros and a whole service time: two such rounds must fit into it, or the average would swing with each.
   * With 16 and intervals as irregular as they come at random (exponential) it is off by 18 %, less than one wait differs from the next.
   */
  private readonly remembered: number;

  /** The settings are taken as checked. */
  constructor(settings: BulkheadSettings) {
    this.limit = settings.limit;
    this.queue = settings.queue;
    this.remembered = Math.max(16, 2 * settings.limit);
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
    if (this.waiting === 0) {
      this.inFlight--;
      this.unawaited++;
      return false;
    }
    this.departed(now());
    this.giveUpPlace();
    return true;
  }

  /** A waiter left the queue without a permit. */
  abandonPlace(): void {
    this.giveUpPlace();
  }

  /** What a waiter that joins now at `place` (from 1) would wait. 0 while that is unknown. */
  expectedWaitMs(place: number): number {
    // Fewer than a round of permits may be the end of one service time, seen once.
    if (this.intervals < this.limit || this.stale()) return 0;
    return (this.serviceMs * place) / this.limit;
  }

  snapshot(): BulkheadSnapshot {
    const { serviceMs, intervals, unawaited } = this;
    return { version: 1, serviceMs, intervals, unawaited };
  }

  /**
   * Takes over what another cell had learned. What is in flight, and who waits, stays.
   * @throws {TypeError | RangeError} code `BAD_OPTION`
   */
  restore(snapshot: unknown): void {
    const { version, serviceMs, intervals, unawaited } = Object(snapshot) as Partial<BulkheadSnapshot>;
    checkOption(version === 1, 'restore', snapshot, 'a snapshot of a bulkhead, version 1');
    checkOption(
      typeof serviceMs === 'number' && serviceMs >= 0 && serviceMs < Infinity,
      'restore.serviceMs',
      serviceMs,
      'a finite number from 0',
      rangeOf(serviceMs),
    );
    checkCount('restore.intervals', intervals);
    checkCount('restore.unawaited', unawaited);
    this.serviceMs = serviceMs;
    this.intervals = Math.min(intervals, this.remembered);
    this.unawaited = unawaited;
  }

  private departed(nowMs: number): void {
    if (this.stale()) this.intervals = 0;
    this.unawaited = 0;
    const intervalMs = nowMs - this.departedMs;
    this.departedMs = nowMs;
    // Not so if there is none, or if another clock was put in force.
    if (intervalMs >= 0) this.learn(intervalMs * this.limit);
  }

  /** A plain mean until there is enough to remember, so that the first one has no more weight than the others. */
  private learn(serviceMs: number): void {
    this.intervals = Math.min(this.intervals + 1, this.remembered);
    this.serviceMs += (serviceMs - this.serviceMs) / this.intervals;
  }

  /**
   * Nobody has waited for so long that what was learned is no longer believed. Else a slow minute could close the queue for ever: every
   * waiter would be refused at once, and without waiters nothing new is learned. Four times what is remembered lets the gap between two bursts pass,
   * and is at most 8 service times of a bulkhead that is full.
   */
  private stale(): boolean {
    return this.unawaited > 4 * this.remembered;
  }

  private giveUpPlace(): void {
    this.waiting--;
    if (this.waiting === 0) this.departedMs = NaN;
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
