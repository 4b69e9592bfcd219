/**
 * The budget of retries (P4): a bucket of tokens.
 *
 *   deposit    + ratio           a call succeeded at its first attempt
 *   trickle    + trickle × time  added when somebody asks
 *   withdraw   − 1               a retry
 *   giveBack   + 1               the retry did not run
 *
 * Invariant: 0 ≤ tokens ≤ cap, and so withdrawals − given back ≤ initial + ratio × deposits + trickle × time.
 *
 * The trickle may be added late, because min(cap, min(cap, x + a) + b) = min(cap, min(cap, x + b) + a) for a, b ≥ 0: only a
 * withdrawal must see it. That is why `deposit`, which runs for every call that succeeds, needs no clock.
 *
 * Time begins when the budget is first asked (`withdraw`, `tokensAt`, `restore`): it was made without a clock. If time goes back,
 * another clock was put in force; how long it was in between cannot be known, and nothing trickles in.
 *
 * Sources: a share of the calls and so many a second is Finagle's RetryBudget, which every call pays into; a bucket with a cap, that
 * each success fills by a fraction of a token, is gRPC's retry throttling (gRFC A6).
 */
import { checkOption, rangeOf } from '../foundation/index.ts';

/** All in tokens; `trickle` in tokens a second. */
export interface BudgetSettings {
  readonly ratio: number;
  readonly initial: number;
  readonly cap: number;
  readonly trickle: number;
}

/** Has no time in it: the clocks of two processes have nothing in common, and a process that is down makes no calls that could trickle. */
export interface BudgetSnapshot {
  readonly version: 1;
  readonly tokens: number;
}

/**
 * What may be missing from a whole token: ten deposits of 0.1 are 0.9999999999999999. A sum of a million doubles below 100 is off by less
 * than this; and a thousand million retries are needed to gain one by it.
 */
const TOLERANCE = 1e-9;

export class BudgetCell {
  /** In [0, cap]. Without what has trickled since `askedMs`. */
  private tokens: number;
  /** When the trickle was last added; `NaN` before. */
  private askedMs = NaN;
  private readonly ratio: number;
  private readonly cap: number;
  private readonly tricklePerMs: number;

  /** The settings are taken as checked: `initial` ≤ `cap`, all finite and not negative. */
  constructor(settings: BudgetSettings) {
    this.tokens = settings.initial;
    this.ratio = settings.ratio;
    this.cap = settings.cap;
    this.tricklePerMs = settings.trickle / 1000;
  }

  /** A call succeeded at its first attempt. */
  deposit(): void {
    this.add(this.ratio);
  }

  /** Takes a token for a retry, if there is one. */
  withdraw(nowMs: number): boolean {
    if (this.tokensAt(nowMs) < 1 - TOLERANCE) return false;
    this.tokens = Math.max(0, this.tokens - 1);
    return true;
  }

  /** The retry that was paid for did not run. */
  giveBack(): void {
    this.add(1);
  }

  tokensAt(nowMs: number): number {
    if (nowMs > this.askedMs) this.add((nowMs - this.askedMs) * this.tricklePerMs);
    this.askedMs = nowMs;
    return this.tokens;
  }

  snapshot(nowMs: number): BudgetSnapshot {
    return { version: 1, tokens: this.tokensAt(nowMs) };
  }

  /**
   * Goes on with what `snapshot` gave, perhaps in another process and with another cap.
   * @throws {TypeError | RangeError} code `BAD_OPTION`
   */
  restore(snapshot: unknown, nowMs: number): void {
    const { version, tokens } = Object(snapshot) as Partial<BudgetSnapshot>;
    checkOption(version === 1, 'restore', snapshot, 'a snapshot of a budget, version 1');
    checkOption(
      typeof tokens === 'number' && tokens >= 0 && tokens < Infinity,
      'restore.tokens',
      tokens,
      'a finite number from 0',
      rangeOf(tokens),
    );
    this.tokens = Math.min(this.cap, tokens);
    this.askedMs = nowMs;
  }

  private add(tokens: number): void {
    const sum = this.tokens + tokens;
    this.tokens = sum < this.cap ? sum : this.cap;
  }
}
