/**
 * The live percentile of a hedge (P11.8): a histogram over the last 1000 latencies, with buckets that grow by a factor.
 *
 *   record    the newest latency comes in, the oldest one goes out: a ring of bucket numbers, and a count for each bucket
 *   valueMs   the bucket of the percentile, found from where it was when it was last asked for: so it costs what the percentile has moved
 *
 * Bucket i holds the latencies in (least × γ^(i−1), least × γ^i] and stands for 2 least γ^i ⁄ (γ + 1), which is off by at most α of each of them, where
 * γ = (1 + α) ⁄ (1 − α). So the answer is within α = 2 % of the exact percentile of the latencies in the window, for those from 0.1 ms to an hour; lower
 * ones count as 0.1 ms, higher ones as an hour. (The buckets of DDSketch: C. Masson, J. E. Rim, H. K. Lee, "DDSketch: A fast and fully-mergeable
 * quantile sketch with relative-error guarantees", PVLDB 12(12), 2019, sections 2.1 and 2.2; with a window in place of all that ever was.)
 *
 * The share of future calls that are slower than the answer differs from what was asked for by chance alone: its standard error is √(q (1 − q) ⁄ n) for
 * the q-quantile of n latencies, 0.7 % for the 95th percentile of a full window.
 *
 * Memory: 2 bytes for each of the 1000 latencies and of 436 buckets, whatever comes.
 */
import { checkOption, rangeOf } from '../../foundation/index.ts';

/** How many latencies it looks back. Enough for the 99.5th percentile to have five above it. */
const WINDOW = 1000;

/** It says nothing before about so many of the latencies are above the percentile: the answer would be the slowest of a few calls. */
const ABOVE = 5;

/** The relative error. A timer of the platform is off by more. */
const ALPHA = 0.02;
const GAMMA = (1 + ALPHA) / (1 - ALPHA);
const LEAST_MS = 0.1;
const MOST_MS = 3_600_000;
const BUCKETS = bucketOf(MOST_MS) + 1;

/** 100 − 86.2 is not 13.8 in doubles: a rounding error must not cost a rank. */
const TOLERANCE = 1e-9;

/** The highest percentile that the window can tell. */
export const MAX_PERCENTILE: number = 100 * (1 - ABOVE / WINDOW);

/** Has no time in it: what a latency was in another process is as good as here. */
export interface HedgeSnapshot {
  readonly version: 1;
  /** What has been seen, the oldest one first, each within 2 %. At most 1000. */
  readonly latenciesMs: readonly number[];
}

export class LatencyCell {
  /** Of the latency that came n-th, at n modulo its length, the bucket. */
  private readonly ring = new Uint16Array(WINDOW);
  /** Invariant: how many of the `size` newest in `ring` are in each bucket. */
  private readonly counts = new Uint16Array(BUCKETS);
  /** Where the percentile was when it was last asked for. Invariant: `above` of the latencies are in higher buckets. */
  private bucket = 0;
  private above = 0;
  /** How many came, and how many of them are remembered. */
  private came = 0;
  private size = 0;
  private readonly percentile: number;

  /** @param percentile above 0, to `MAX_PERCENTILE`; taken as checked */
  constructor(percentile: number) {
    this.percentile = percentile;
  }

  /** How many latencies it wants to see before it says anything. */
  get enough(): number {
    return Math.ceil((100 * ABOVE) / (100 - this.percentile) - TOLERANCE);
  }

  record(latencyMs: number): void {
    if (!(latencyMs >= 0)) return; // another clock was put in force
    const place = this.came++ % WINDOW;
    if (this.size < WINDOW) this.size++;
    else this.count(this.ring[place]!, -1);
    const bucket = Math.min(bucketOf(latencyMs), BUCKETS - 1);
    this.ring[place] = bucket;
    this.count(bucket, 1);
  }

  /** The percentile, within 2 %. `undefined` while it has seen too little. */
  valueMs(): number | undefined {
    const { counts, size, percentile } = this;
    if (size < this.enough) return undefined;
    const most = Math.floor(((100 - percentile) * size) / 100 + TOLERANCE);
    while (this.above > most) this.above -= counts[++this.bucket]!;
    while (this.above + counts[this.bucket]! <= most) this.above += counts[this.bucket--]!;
    return middleOf(this.bucket);
  }

  private count(bucket: number, change: 1 | -1): void {
    this.counts[bucket]! += change;
    if (bucket > this.bucket) this.above += change;
  }

  snapshot(): HedgeSnapshot {
    const first = this.came - this.size;
    // Rounded for the eye; the bucket stays the same.
    const latenciesMs = Array.from({ length: this.size }, (_, i) =>
      Number(middleOf(this.ring[(first + i) % WINDOW]!).toPrecision(4)),
    );
    return { version: 1, latenciesMs };
  }

  /**
   * Takes the place of what was seen so far.
   * @throws {TypeError | RangeError} code `BAD_OPTION`
   */
  restore(snapshot: unknown): void {
    const { version, latenciesMs } = Object(snapshot) as Partial<HedgeSnapshot>;
    checkOption(version === 1 && Array.isArray(latenciesMs), 'restore', snapshot, 'a snapshot of a hedge, version 1');
    for (const latencyMs of latenciesMs)
      checkOption(
        typeof latencyMs === 'number' && latencyMs >= 0 && latencyMs < Infinity,
        'restore.latenciesMs',
        latencyMs,
        'finite numbers from 0',
        rangeOf(latencyMs),
      );
    this.counts.fill(0);
    this.came = this.size = this.bucket = this.above = 0;
    for (const latencyMs of latenciesMs) this.record(latencyMs);
  }
}

function bucketOf(latencyMs: number): number {
  return Math.max(0, Math.ceil(Math.log(latencyMs / LEAST_MS) / Math.log(GAMMA)));
}

function middleOf(bucket: number): number {
  return bucket === 0 ? LEAST_MS : (2 * LEAST_MS * GAMMA ** bucket) / (GAMMA + 1);
}
