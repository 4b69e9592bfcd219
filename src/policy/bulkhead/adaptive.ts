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
 * nothing has tried must not grow. *Base*: the latency of calls that find no queue. It is asked for at first; when the limit has grown by half since, or
 * fallen by a third, for an error of it weighs more the larger that is, and something may have changed; when calls become faster; and every 100 to 200 windows, for they may become slower, or
 * chance may have given a wrong answer:
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
    /** After so many more windows it is asked for again. */
    readonly windows: number;
  } | null;
}

type Base = NonNullable<AdaptiveSnapshot['base']>;

/** A mean of fewer says nothing. */
const MIN_OUTCOMES = 10;

/** One in so many dropped is too many. */
const DROPPED = 10;

/** A window is at least as many latencies long: half of the calls that end in it then began in it, under the limit that it moves. */
const LATENCIES = 2;

/** Base is asked for after between half as many windows and as many. By chance, or many clients of one server would ask together. */
const WINDOWS = 200;

/** So many standard errors. Not the least mean of all windows, as in the original: that of many is below the truth, and the limit would stay too low. */
const BEYOND_CHANCE = 3;

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
  /** Of all outcomes together; and of the latencies, of their squares too. */
  private totalMs = 0;
  private latencySumMs = 0;
  private squareSum = 0;
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
    if (dropped) this.drops++;
    else {
      this.latencySumMs += latencyMs;
      this.squareSum += latencyMs ** 2;
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
    this.outcomes = this.drops = this.totalMs = this.latencySumMs = this.squareSum = this.peak = 0;
  }

  private isOver(nowMs: number): boolean {
    const { outcomes } = this;
    const leastMs = Math.max(this.settings.windowMs, (LATENCIES * this.totalMs) / outcomes);
    if (outcomes < MIN_OUTCOMES || nowMs - this.sinceMs < leastMs) return false;
    return this.settings.algorithm === 'aimd' || this.isDropped || this.isSure;
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
    return this.latencySumMs / this.latencies;
  }

  /** Of the mean latency: its standard error, as a share of it. */
  private get error(): number {
    const { latencies, latencyMs } = this;
    if (latencyMs === 0) return 0; // nothing took any time
    return Math.sqrt(Math.max(0, this.squareSum / latencies / latencyMs ** 2 - 1) / latencies);
  }

  /**
   * Whether the mean is good enough to decide by: by chance L (1 − base ⁄ latency) is off by s at most. An answer is in force for long, and has to be twice as
   * good: of twice as many.
   */
  private get isSure(): boolean {
    const { limit, error, before } = this;
    const off = before === null ? limit * error : Math.SQRT2 * before.limit * error;
    return off <= stepOf(before?.limit ?? limit);
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
    if (base !== null) this.base = { ...base, windows: Math.max(0, base.windows - 1) };
    if (this.isDropped) return (before?.limit ?? limit) - stepOf(limit);
    if (before !== null) {
      if (latencyMs * MUCH_LESS < before.latencyMs) return this.ask();
      return this.answer(before.limit, random);
    }
    const isFaster = base !== null && latencyMs < base.ms * (1 - BEYOND_CHANCE * this.error);
    if (base === null || isFaster || isOld(base, limit))
      return this.peak < limit ? this.answer(limit, random) : this.ask();
    return this.isUsed ? limit + vegasMove(limit, base.ms / latencyMs) : limit;
  }

  private ask(): number {
    const { limit, latencyMs } = this;
    this.before = { limit, latencyMs };
    return Math.ceil(limit / 2);
  }

  private answer(limit: number, random: () => number): number {
    this.base = { ms: this.latencyMs, limit, windows: Math.ceil((WINDOWS * (1 + random())) / 2) };
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

function isOld({ limit, windows }: Base, now: number): boolean {
  return windows <= 1 || 2 * now >= 3 * limit || 3 * now <= 2 * limit;
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
  const { ms, limit, windows } = Object(base) as Partial<Base>;
  checkNumber('base.ms', ms, 0);
  checkNumber('base.limit', limit, 1, WHOLE);
  checkNumber('base.windows', windows, 0, WHOLE);
  return { ms, limit, windows };
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
