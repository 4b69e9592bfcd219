/**
 * The rate limit (P10): how much may begin, and who of those that wait is next. The queue itself is the layer's.
 *
 * GCRA, the generic cell rate algorithm of ATM networks, lets in at most `limit` in `per` on average, and `burst` at once. Its standard has
 * two forms that decide alike. The virtual schedule keeps the theoretical arrival time of the next cell:
 *
 *   T = per ÷ limit, τ = (burst − 1) × T
 *   at t:  let in unless TAT > t + τ;  then TAT = max(TAT, t) + T
 *
 * The continuous-state leaky bucket keeps how much of what was let in has not drained yet, which is (TAT − t) ÷ T:
 *
 *   level ──▶ max(0, level − time ÷ T)                    as time goes by
 *   enter     level + weight ≤ burst: let in, level + weight
 *
 * This is the second one: its numbers stay small, and it can be saved, as it has no time in it. So in any span of time t at most
 * burst + limit × t ÷ per is let in. What is refused changes nothing.
 *
 *            enter                       advance                     advance
 *   it fits ───────▶ let in   who waits ─────────▶ let in: it fits  ─────────▶ waits on: it does not
 *
 *   join    `waiting` + 1, `promised` + weight
 *   leave   the same − : who came later moves up
 *
 * Who waits has taken nothing. How long somebody will have to is still exact when they come: what was let in and what was promised before
 * must drain until their own weight fits. Who leaves only makes that shorter.
 *
 * Levels are in parts of a token: a token is `perMs` parts, of which `limit` drain in a millisecond. So nothing is rounded while times are
 * whole milliseconds and weights are whole.
 *
 * If time goes back, another clock was put in force; how long it was in between cannot be known, and nothing drains.
 *
 * Source: ITU-T Recommendation I.371, annex A.1 (both forms, and that they are equivalent); the weight of a cell is how many of the standard's
 * cells arrive together.
 */
import { checkOption, rangeOf } from '../../foundation/index.ts';

export interface RateLimitSettings {
  /** From 1. */
  readonly limit: number;
  /** Above 0, finite. */
  readonly perMs: number;
  /** From 1. */
  readonly burst: number;
}

/** Has no time in it: the clocks of two processes have nothing in common. Nor who waits: they are callers of a process that is gone. */
export interface RateLimitSnapshot {
  readonly version: 1;
  /** What was let in and has not drained yet. */
  readonly used: number;
}

/**
 * Of a token: what may be missing from what is needed. The clock has fractions of a millisecond, and their products are rounded. It gains nobody
 * anything: what is let in by it is counted in full.
 */
const TOLERANCE = 1e-9;

export class RateLimitCell {
  /** How many wait. */
  waiting = 0;

  /** What was let in and had not drained at `askedMs`. At most `capacity`, but in a dry run. */
  private level = 0;
  /** What those who wait weigh. */
  private promised = 0;
  /** `Infinity` before it was asked. */
  private askedMs = Infinity;

  /** Parts of a token. */
  private readonly token: number;
  private readonly capacity: number;
  private readonly drainPerMs: number;

  /** The settings are taken as checked. */
  constructor({ limit, perMs, burst }: RateLimitSettings) {
    this.token = perMs;
    this.capacity = burst * perMs;
    this.drainPerMs = limit;
  }

  /** Lets in who comes now, behind all who wait, and gives 0; or gives how long it has to wait, in whole milliseconds. */
  enter(weight: number, nowMs: number): number {
    const waitMs = this.untilFits(this.promised + weight * this.token, nowMs);
    if (waitMs === 0) this.take(weight);
    return waitMs;
  }

  /** Without asking whether it fits: `enter` was asked just now, and a dry run lets nothing wait. */
  take(weight: number): void {
    this.level += weight * this.token;
  }

  /** Somebody waits, behind those who do. */
  join(weight: number): void {
    this.waiting++;
    this.promised += weight * this.token;
  }

  /** Lets in the first who waits, and gives 0; or gives how long it still has to, in whole milliseconds. */
  advance(weight: number, nowMs: number): number {
    const waitMs = this.untilFits(weight * this.token, nowMs);
    if (waitMs === 0) {
      this.leave(weight);
      this.take(weight);
    }
    return waitMs;
  }

  /** Somebody waits no more. */
  leave(weight: number): void {
    this.waiting--;
    // Sums of fractions do not come back to 0 by themselves.
    this.promised = this.waiting === 0 ? 0 : this.promised - weight * this.token;
  }

  /** What could begin at once, if nobody waited. */
  tokensAt(nowMs: number): number {
    return Math.max(0, (this.capacity - this.levelAt(nowMs)) / this.token);
  }

  /** Nobody waits, and nothing is used. */
  isAtRest(nowMs: number): boolean {
    return this.waiting === 0 && this.levelAt(nowMs) === 0;
  }

  snapshot(nowMs: number): RateLimitSnapshot {
    return { version: 1, used: Math.min(this.levelAt(nowMs), this.capacity) / this.token };
  }

  /**
   * Goes on with what `snapshot` gave, perhaps in another process and under another limit. Who waits goes on waiting.
   * @throws {TypeError | RangeError} code `BAD_OPTION`
   */
  restore(snapshot: unknown, nowMs: number): void {
    const { version, used } = Object(snapshot) as Partial<RateLimitSnapshot>;
    checkOption(version === 1, 'restore', snapshot, 'a snapshot of a rate limit, version 1');
    checkOption(
      typeof used === 'number' && used >= 0 && used < Infinity,
      'restore.used',
      used,
      'a finite number from 0',
      rangeOf(used),
    );
    this.level = Math.min(used * this.token, this.capacity);
    this.askedMs = nowMs;
  }

  /** The least number of milliseconds after which so many parts more fit. Whole ones: no timer is finer, and by each of them something drains. */
  private untilFits(parts: number, nowMs: number): number {
    const over = this.levelAt(nowMs) + parts - this.capacity - TOLERANCE * this.token;
    return Math.max(0, Math.ceil(over / this.drainPerMs));
  }

  private levelAt(nowMs: number): number {
    const elapsedMs = Math.max(0, nowMs - this.askedMs);
    this.level = Math.max(0, this.level - elapsedMs * this.drainPerMs);
    this.askedMs = nowMs;
    return this.level;
  }
}
