/**
 * The circuit breaker (P6), as a machine that is told of calls and results.
 *
 *               failures in a row, share of failures or of slow calls
 *        closed ──────────────────────────────────────▶ open ◀─┐
 *          ▲                                             │      │ a probe fails
 *          │ `probes` probes succeed     admit, cooldown over   │
 *          └────────────────────────── half-open ◀───────┘──────┘
 *
 *   isolate(): from every state to isolated.  reset(): from every state to closed.
 *
 * Time alone changes nothing: `state` is 'open' until the first `admit` after the cooldown, which makes it 'half-open' and is the first probe.
 *
 * A call is let in with a ticket, from one counter. In the closed state all calls have the ticket of the period, which is new each time that it
 * closes; each probe has one of its own and a lease on its place. A result counts if its ticket is the period's, or that of a probe that still
 * has its place (P6.5). Invariants:
 *
 *   closed      no leases, opens = 0
 *   open        no leases, nothing is let in
 *   half-open   at most `probes` leases; successes < `probes`
 *   isolated    no leases, nothing is let in
 *
 * The shares are taken of a window, of time or of the last calls. A window of time is 10 buckets: a result counts for at least 9/10 of it, and no longer than the
 * whole. They are looked at after each result, a success too: it may be the one that makes the calls enough.
 *
 * When time goes back, another clock was put in force. What the other one had measured (cooldown, leases, window) is then over.
 *
 * Sources: the states are those of Michael Nygard, "Release It!"; a share of a sliding window, and slow calls, as in resilience4j.
 */
import { checkOption, rangeOf } from '../../foundation/index.ts';

export type BreakerState = 'closed' | 'open' | 'half-open' | 'isolated';

/** What a result says of the health of what is called (P6.6). */
export type Effect = 'success' | 'failure' | 'neither';

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

/** Results of a window: of calls, how many failed, how many were slow. */
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
  /** The last calls, oldest first, 1 for a failed one plus 2 for a slow one; or buckets of time, newest first. */
  readonly window: readonly number[] | WindowSnapshot | null;
}

interface WindowSnapshot {
  readonly windowMs: number;
  readonly ageMs: number;
  readonly buckets: readonly Tally[];
}

interface Lease {
  readonly ticket: number;
  readonly sinceMs: number;
}

interface Window {
  readonly calls: number;
  readonly failed: number;
  readonly slow: number;
  add(now: () => number, failed: boolean, slow: boolean): void;
  clear(): void;
  snapshot(nowMs: number): BreakerSnapshot['window'];
  restore(snapshot: unknown, nowMs: number): void;
}

export class BreakerCell {
  /** For reading. */
  state: BreakerState = 'closed';

  private readonly settings: BreakerSettings;
  private readonly window: Window | null;
  /** The last ticket given out. */
  private serial = 1;
  /** The ticket of the closed period. */
  private period = 1;
  private row = 0;
  private opens = 0;
  private openedMs = 0;
  private cooldownMs = 0;
  private successes = 0;
  private leases: Lease[] = [];

  constructor(settings: BreakerSettings) {
    this.settings = settings;
    this.window =
      settings.lastCalls !== null
        ? new LastCalls(settings.lastCalls)
        : settings.windowMs !== null
          ? new TimeWindow(settings.windowMs)
          : null;
  }

  /**
   * A ticket to hand to `settle`, a whole number from 1; or 0: refused. The layer that wants to tell of transitions compares `state` before and after.
   * `now` is called when open or half-open only.
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
   * The result of a call. `durationMs` is looked at if slow calls are counted. `now` is called for a window of time, for a probe, and when it opens.
   * @returns whether the state changed
   */
  settle(ticket: number, effect: Effect, now: () => number, durationMs: number): boolean {
    if (this.state === 'closed') return ticket === this.period && this.count(effect, now, durationMs);
    return this.state === 'half-open' && this.settleProbe(ticket, effect, now);
  }

  /** In how many milliseconds it is worth trying again. */
  retryAfterMs(nowMs: number): number {
    if (this.state === 'closed') return 0;
    if (this.state === 'isolated') return Infinity;
    if (this.state === 'open') return remaining(nowMs - this.openedMs, this.cooldownMs);
    const { leases, settings } = this;
    if (leases.length < settings.probes) return 0;
    return Math.min(...leases.map((lease) => remaining(nowMs - lease.sinceMs, settings.probeLeaseMs)));
  }

  isolate(): void {
    this.enter('isolated');
  }

  reset(): void {
    this.enter('closed');
  }

  snapshot(nowMs: number): BreakerSnapshot {
    const { state, opens, row, successes, window } = this;
    const remainingMs = state === 'open' ? remaining(nowMs - this.openedMs, this.cooldownMs) : 0;
    return {
      version: 1,
      state,
      opens,
      failures: row,
      successes,
      remainingMs: remainingMs === Infinity ? null : remainingMs,
      window: window && window.snapshot(nowMs),
    };
  }

  /**
   * Goes on where another cell was, perhaps in another process and with other settings: a window of another kind or length begins empty.
   * Calls that are in flight belong to an earlier period.
   * @throws {TypeError | RangeError} code `BAD_OPTION`
   */
  restore(snapshot: unknown, nowMs: number): void {
    const given = Object(snapshot) as Partial<BreakerSnapshot>;
    checkOption(given.version === 1, 'restore', snapshot, 'a snapshot of a breaker, version 1');
    const { state, opens, failures, successes, remainingMs } = given;
    checkOption(
      state === 'closed' || state === 'open' || state === 'half-open' || state === 'isolated',
      'restore.state',
      state,
      "'closed', 'open', 'half-open' or 'isolated'",
    );
    checkCount('restore.opens', opens);
    checkCount('restore.failures', failures);
    checkCount('restore.successes', successes);
    if (remainingMs !== null) checkSpan('restore.remainingMs', remainingMs);
    this.enter(state);
    this.window?.restore(given.window, nowMs);
    this.row = failures;
    this.opens = opens;
    this.successes = successes;
    this.openedMs = nowMs;
    this.cooldownMs = remainingMs ?? Infinity;
  }

  /** The new state begins with nothing of the old one: whoever changes it adds what it has. */
  private enter(state: BreakerState): void {
    this.state = state;
    this.leases = [];
    this.successes = 0;
    this.row = 0;
    this.window?.clear();
    if (state === 'closed') {
      this.period = ++this.serial;
      this.opens = 0;
    }
  }

  private open(nowMs: number): boolean {
    // First: it is the user's, and may throw. Then nothing has changed, and the next result asks again.
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
    this.row = failed ? this.row + 1 : 0;
    const { slow } = this.settings;
    this.window?.add(now, failed, slow !== null && durationMs > slow.overMs);
    return this.mustOpen() && this.open(now());
  }

  private mustOpen(): boolean {
    const { failures, ratio, slow, minCalls } = this.settings;
    if (failures !== null && this.row >= failures) return true;
    const { window } = this;
    if (window === null || window.calls < minCalls) return false;
    // Divided, not multiplied: 3 / 30 is 0.1 to the last bit, 0.1 × 3 is not 0.3.
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
    const nowMs = now();
    if (effect === 'neither' || !within(nowMs - lease.sinceMs, this.settings.probeLeaseMs)) return false;
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

const FAILED = 1;
const SLOW = 2;

/** The last so many calls: a ring with two bits for each. */
class LastCalls implements Window {
  calls = 0;
  failed = 0;
  slow = 0;
  private readonly ring: Uint8Array;
  /** Where the next one goes; when the ring is full, the oldest. */
  private next = 0;

  constructor(size: number) {
    this.ring = new Uint8Array(size);
  }

  add(_now: () => number, failed: boolean, slow: boolean): void {
    this.push((failed ? FAILED : 0) | (slow ? SLOW : 0));
  }

  clear(): void {
    this.ring.fill(0);
    this.next = this.calls = this.failed = this.slow = 0;
  }

  snapshot(): readonly number[] {
    const { ring, calls, next } = this;
    return Array.from({ length: calls }, (_, i) => ring[(next - calls + i + ring.length) % ring.length] as number);
  }

  restore(snapshot: unknown): void {
    if (!Array.isArray(snapshot)) return;
    for (const bits of snapshot as unknown[]) {
      checkOption(
        bits === 0 || bits === 1 || bits === 2 || bits === 3,
        'restore.window',
        bits,
        '0, 1, 2 or 3',
        rangeOf(bits),
      );
      this.push(bits);
    }
  }

  private push(bits: number): void {
    const { ring, next } = this;
    // 0 until the ring is full.
    const gone = ring[next] as number;
    ring[next] = bits;
    this.next = next + 1 === ring.length ? 0 : next + 1;
    if (this.calls < ring.length) this.calls++;
    this.failed += (bits & FAILED) - (gone & FAILED);
    this.slow += ((bits & SLOW) - (gone & SLOW)) / SLOW;
  }
}

const BUCKETS = 10;

/** The calls of the last so many milliseconds: a ring of buckets. */
class TimeWindow implements Window {
  calls = 0;
  failed = 0;
  slow = 0;
  private readonly windowMs: number;
  /** `BUCKETS` times calls, failed, slow. */
  private readonly ring = new Float64Array(3 * BUCKETS);
  /** The bucket of now, and when it began; `NaN` before the first call. */
  private newest = 0;
  private beganMs = NaN;

  constructor(windowMs: number) {
    this.windowMs = windowMs;
  }

  add(now: () => number, failed: boolean, slow: boolean): void {
    this.turnTo(now());
    this.put(this.newest, 1, failed ? 1 : 0, slow ? 1 : 0);
  }

  clear(): void {
    this.ring.fill(0);
    this.beganMs = NaN;
    this.calls = this.failed = this.slow = 0;
  }

  snapshot(nowMs: number): WindowSnapshot {
    this.turnTo(nowMs);
    const { ring, newest, windowMs, beganMs } = this;
    const buckets = Array.from({ length: BUCKETS }, (_, age): Tally => {
      const at = 3 * ((newest - age + BUCKETS) % BUCKETS);
      return [ring[at] as number, ring[at + 1] as number, ring[at + 2] as number];
    });
    return { windowMs, ageMs: nowMs - beganMs, buckets };
  }

  restore(snapshot: unknown, nowMs: number): void {
    const { windowMs, ageMs, buckets } = Object(snapshot) as Partial<WindowSnapshot>;
    if (windowMs !== this.windowMs) return;
    checkSpan('restore.window.ageMs', ageMs);
    checkOption(
      Array.isArray(buckets) && buckets.length === BUCKETS,
      'restore.window.buckets',
      buckets,
      `a list of ${BUCKETS}`,
    );
    buckets.forEach((tally: unknown, age) => {
      const [calls, failed, slow] = Array.isArray(tally) ? (tally as unknown[]) : [];
      const option = `restore.window.buckets[${age}]`;
      checkCount(option, calls);
      checkCount(option, failed);
      checkCount(option, slow);
      this.put((this.newest - age + BUCKETS) % BUCKETS, calls, failed, slow);
    });
    this.beganMs = nowMs - ageMs;
  }

  /** Forgets what is too old. */
  private turnTo(nowMs: number): void {
    const bucketMs = this.windowMs / BUCKETS;
    const steps = Math.floor((nowMs - this.beganMs) / bucketMs);
    if (!(steps >= 0 && steps < BUCKETS)) {
      this.clear();
      this.beganMs = nowMs;
      return;
    }
    for (let i = 0; i < steps; i++) {
      this.newest = (this.newest + 1) % BUCKETS;
      const at = 3 * this.newest;
      this.put(this.newest, -this.ring[at]!, -this.ring[at + 1]!, -this.ring[at + 2]!);
    }
    this.beganMs += steps * bucketMs;
  }

  private put(bucket: number, calls: number, failed: number, slow: number): void {
    const { ring } = this;
    ring[3 * bucket]! += calls;
    ring[3 * bucket + 1]! += failed;
    ring[3 * bucket + 2]! += slow;
    this.calls += calls;
    this.failed += failed;
    this.slow += slow;
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

function checkSpan(option: string, given: unknown): asserts given is number {
  checkOption(
    typeof given === 'number' && given >= 0 && given < Infinity,
    option,
    given,
    'a finite number of milliseconds from 0',
    rangeOf(given),
  );
}
