/**
 * A limit that follows how the calls fare (P7.6 and on): AIMD by whether they are in time, Vegas by how long they take.
 *
 * What has ended is collected in windows. A window is over when it is long enough and says enough; then it moves the limit L once:
 *
 *   AIMD    dropped, or the mean latency is above `over`     L ← ⌊0.9 L⌋
 *           else, if used                                    L ← L + 1
 *
 *   Vegas   q = ⌈L (1 − base ⁄ latency)⌉, about how many of L wait at the server; s = ⌊log₁₀ L⌋, at least 1
 *           dropped, or used and 6s < q                      L ← L − s
 *           used and q ≤ s                                   L ← L + 6s
 *           used and s < q < 3s                              L ← L + s
 *
 * *Dropped*: at least a tenth of the calls were; a few of thousands may be anything. *Used*: at least half of the limit was in flight at some time; what
 * nothing has tried must not grow. *Base*: the latency of calls that find no queue. It is the least mean of a window, and it is asked for anew at first,
 * when the limit has doubled or halved since, and every 15 L to 30 L windows, because servers become slower:
 *
 *             the limit was not reached: base ← latency
 *           ┌────────────────────────────────────────┐                    calls at ⌈L ⁄ 2⌉ take much less,
 *           ▼                                        │                    so as many are served: L stays halved
 *   moving the limit ── base is asked for ──▶ ───────┴─▶ a window at ⌈L ⁄ 2⌉ ◀──────────────────┐
 *           ▲                                                    │      └───────────────────────┘
 *           └────────────────────────────────────────────────────┘
 *             base ← latency, and L as it was; or too many were dropped: L − s
 *
 * The moves are those of Netflix's concurrency-limits (`AIMDLimit`, `VegasLimit`, `WindowedLimit`), after L. Brakmo and L. Peterson, "TCP Vegas: end to end
 * congestion avoidance on a global Internet", IEEE JSAC 13(8), 1995. What is different here, and what that changes: docs/decisions/0033-adaptive-bulkheads.md.
 */
import { checkOption, rangeOf } from '../../foundation/index.ts';

/** By how long calls take (`'vegas'`), or by whether they are in time (`'aimd'`). */
export type AdaptiveAlgorithm = 'vegas' | 'aimd';

export interface AdaptiveSettings {
  readonly algorithm: AdaptiveAlgorithm;
  /** From `min` to `max`. */
  readonly initial: number;
  /** From 1. */
  readonly min: number;
  /** From `min`; `Infinity` is allowed. */
  readonly max: number;
  readonly windowMs: number;
  /** Of AIMD. */
  readonly overMs: number;
}

/** What was learned. A window that is not over, and an answer that is not there yet, are left out. */
export interface AdaptiveSnapshot {
  readonly limit: number;
  /** What a call takes that finds no queue; `null` while unknown, and of AIMD. */
  readonly base: {
    readonly ms: number;
    /** What the limit was when it was asked for. */
    readonly limit: number;
    /** How many windows ago that was. */
    readonly windows: number;
    /** It is asked for again after so many windows for each permit. */
    readonly windowsPerPermit: number;
  } | null;
}

type Base = NonNullable<AdaptiveSnapshot['base']>;

/** A mean of fewer says nothing. */
const MIN_OUTCOMES = 10;

/** One in so many dropped is too many. */
const DROPPED = 10;

/** A window is at least as many latencies long: half of the calls that end in it then began in it, under the limit that it moves. */
const LATENCIES = 2;

/** Base is asked for after between half as many windows for each permit and as many. By chance, or many clients of one server would ask together. */
const WINDOWS_PER_PERMIT = 30;

/** Calls that find no queue take as long at half of the limit, and in a queue of our own half as long. The middle, so that chance decides neither. */
const MUCH_LESS = 1.5;

export class AdaptiveCell {
  /** Invariant: a whole number from `min` to `max`. */
  limit: number;

  private readonly settings: AdaptiveSettings;
  /** When the window began; `NaN` before the first. */
  private sinceMs = NaN;
  private outcomes = 0;
  private drops = 0;
  /** Of all outcomes together, and of the drops. */
  private totalMs = 0;
  private droppedMs = 0;
  /** The most that were in flight. */
  private peak = 0;
  private base: Base | null = null;
  /** While base is asked for: what there was in the window before. */
  private before: { readonly limit: number; readonly latencyMs: number } | null = null;

  /** The settings are taken as checked. */
  constructor(settings: AdaptiveSettings) {
    this.settings = settings;
    this.limit = settings.initial;
  }

  /**
   * A call has ended. Who tells leaves out what says nothing of the server's load.
   *
   * @param dropped the server had no time for it
   * @param inFlight how many there were, this one included
   * @returns whether the limit was moved
   */
  ended(latencyMs: number, dropped: boolean, inFlight: number, nowMs: number, random: () => number): boolean {
    if (!(nowMs >= this.sinceMs)) this.beginWindow(nowMs); // the first one; or another clock was put in force
    if (!(latencyMs >= 0)) return false; // the same
    this.outcomes++;
    this.totalMs += latencyMs;
    if (dropped) {
      this.drops++;
      this.droppedMs += latencyMs;
    }
    if (inFlight > this.peak) this.peak = inFlight;
    if (!this.isOver(nowMs)) return false;
    const { limit } = this;
    this.move(random);
    this.beginWindow(nowMs);
    return this.limit !== limit;
  }

  private beginWindow(nowMs: number): void {
    this.sinceMs = nowMs;
    this.outcomes = this.drops = this.totalMs = this.droppedMs = this.peak = 0;
  }

  private isOver(nowMs: number): boolean {
    const { outcomes } = this;
    const leastMs = Math.max(this.settings.windowMs, (LATENCIES * this.totalMs) / outcomes);
    if (outcomes < MIN_OUTCOMES || nowMs - this.sinceMs < leastMs) return false;
    return this.isDropped || this.latencies >= this.enough;
  }

  private get isDropped(): boolean {
    return this.drops * DROPPED >= this.outcomes;
  }

  private get isUsed(): boolean {
    return 2 * this.peak >= this.limit;
  }

  /** Of how many it has a mean. */
  private get latencies(): number {
    return this.outcomes - this.drops;
  }

  private get latencyMs(): number {
    return (this.totalMs - this.droppedMs) / this.latencies;
  }

  /**
   * Of how many latencies the mean is good enough to decide by. That of n latencies which are as irregular as chance makes them (exponential) is off by
   * 1 ⁄ √n of itself, and so L (1 − base ⁄ latency) by L ⁄ √n. That is to be no more than s.
   */
  private get enough(): number {
    if (this.settings.algorithm === 'aimd') return 0;
    const limit = this.before?.limit ?? this.limit; // what base is asked for
    return (limit / stepOf(limit)) ** 2;
  }

  private move(random: () => number): void {
    const { algorithm, min, max } = this.settings;
    const limit = algorithm === 'vegas' ? this.vegas(random) : this.aimd();
    this.limit = Math.min(Math.max(limit, min), max);
  }

  private aimd(): number {
    const { limit } = this;
    if (this.isDropped || this.latencyMs > this.settings.overMs) return Math.floor((9 * limit) / 10);
    return this.isUsed ? limit + 1 : limit;
  }

  private vegas(random: () => number): number {
    const { limit, latencyMs, before, base } = this;
    this.before = null;
    if (base !== null) this.base = { ...base, windows: base.windows + 1 };
    if (this.isDropped) return (before?.limit ?? limit) - stepOf(limit);
    if (before !== null) {
      if (latencyMs * MUCH_LESS <= before.latencyMs) return this.ask();
      return this.answer(before.limit, random);
    }
    if (base === null || isOld(base, limit)) return this.peak < limit ? this.answer(limit, random) : this.ask();
    // By more than chance, or the least of many windows would be below the truth, and the limit stay too low.
    if (latencyMs < base.ms * (1 - 2 / Math.sqrt(this.latencies))) {
      this.base = { ...base, ms: latencyMs, windows: base.windows + 1 };
      return limit;
    }
    return this.isUsed ? limit + vegasMove(limit, base.ms / latencyMs) : limit;
  }

  private ask(): number {
    const { limit, latencyMs } = this;
    this.before = { limit, latencyMs };
    return Math.ceil(limit / 2);
  }

  private answer(limit: number, random: () => number): number {
    this.base = { ms: this.latencyMs, limit, windows: 0, windowsPerPermit: WINDOWS_PER_PERMIT * (0.5 + random() / 2) };
    return limit;
  }

  snapshot(): AdaptiveSnapshot {
    return { limit: this.before?.limit ?? this.limit, base: this.base };
  }

  /**
   * Takes over what another cell had learned.
   * @throws {TypeError | RangeError} code `BAD_OPTION`
   */
  restore(snapshot: unknown): void {
    const { limit, base } = Object(snapshot) as Partial<AdaptiveSnapshot>;
    const { min, max } = this.settings;
    checkNumber('limit', limit, 1, WHOLE);
    this.base = base === null ? null : checkedBase(base);
    this.limit = Math.min(Math.max(limit, min), max);
    this.before = null;
    this.beginWindow(NaN);
  }
}

/** ⌊log₁₀ limit⌋, at least 1. By its digits: `Math.log10` may be off by a bit. */
function stepOf(limit: number): number {
  return Math.max(1, String(limit).length - 1);
}

function isOld({ limit, windows, windowsPerPermit }: Base, now: number): boolean {
  return windows + 1 >= windowsPerPermit * now || now >= 2 * limit || 2 * now <= limit;
}

/** @param share base ⁄ latency */
function vegasMove(limit: number, share: number): number {
  const step = stepOf(limit);
  const queue = Math.ceil(limit * (1 - share));
  if (queue <= step) return 6 * step;
  if (queue < 3 * step) return step;
  return queue > 6 * step ? -step : 0;
}

const WHOLE = 'a whole number';

function checkedBase(base: unknown): Base {
  const { ms, limit, windows, windowsPerPermit } = Object(base) as Partial<Base>;
  checkNumber('base.ms', ms, 0);
  checkNumber('base.limit', limit, 1, WHOLE);
  checkNumber('base.windows', windows, 0, WHOLE);
  checkNumber('base.windowsPerPermit', windowsPerPermit, 0);
  return { ms, limit, windows, windowsPerPermit };
}

function checkNumber(
  field: string,
  given: unknown,
  from: number,
  kind: string = 'a finite number',
): asserts given is number {
  const ok = kind === WHOLE ? Number.isSafeInteger(given) : Number.isFinite(given);
  checkOption(
    ok && (given as number) >= from,
    `restore.adaptive.${field}`,
    given,
    `${kind} from ${from}`,
    rangeOf(given),
  );
}
