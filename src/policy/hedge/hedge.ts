/** The layer `hedge`: its options and contract. What runs is in `hedged-call`, the live percentile in `cell`. */
import {
  checkOption,
  checkOptions,
  durationOption,
  durationText,
  rangeOf,
  type Duration,
} from '../../foundation/index.ts';
import { Budget, budget as newBudget, type BudgetOptions } from '../../budget/index.ts';
import type { Multiplier } from '../run/layer.ts';
import { NotIdempotentWarning } from '../run/not-idempotent.ts';
import { Policy } from '../run/policy.ts';
import type { Stage } from '../run/stage.ts';
import { LatencyCell, MAX_PERCENTILE, type HedgeSnapshot } from './cell.ts';
import { HedgeStage, type Hedging } from './hedged-call.ts';

/** As long as so many percent of the calls take. */
export interface HedgePercentile {
  /** From 1 to 99.5: with 95, one call in 20 is hedged while latencies stay as they are. */
  readonly percentile: number;
  /** Not sooner than this [0]. */
  readonly min?: Duration | undefined;
  /** Not later than this [no limit]. From `min`. */
  readonly max?: Duration | undefined;
}

/** Options of `hedge`. */
export interface HedgeOptions {
  /** How long an attempt may take before another one is started beside it; or a percentile of what calls have taken lately. */
  readonly after: Duration | HedgePercentile;
  /** How many may be started besides the first one [1]. From 1. */
  readonly extra?: number | undefined;
  /** Whether the operation may run twice [unknown]. `run` may say otherwise for a call. Nothing extra is started unless it is true. */
  readonly idempotent?: boolean | undefined;
  /** What bounds the extra attempts of all calls together [one of its own, with the defaults of `budget`]; one that several layers share; `false` for none. */
  readonly budget?: BudgetOptions | Budget | false | undefined;
  /** What `toJSON` gave: how long calls take [unknown]. Beside a `percentile` only. */
  readonly restore?: unknown;
}

const OPTIONS = ['after', 'extra', 'idempotent', 'budget', 'restore'] as const;

/** A layer that starts another attempt beside a slow one. Made by `hedge`. */
export class Hedge extends Policy {
  private readonly hedging: Hedging;

  /** @internal */
  constructor(hedging: Hedging, layer: Multiplier) {
    super([layer]);
    this.hedging = hedging;
  }

  /** How long an attempt may take now before another one is started. `undefined` while too few calls were seen to know the percentile. */
  get afterMs(): number | undefined {
    return this.hedging.afterMs();
  }

  /** What it has learned, to save; `JSON.stringify` calls it. Goes into the option `restore`. */
  toJSON(): HedgeSnapshot {
    return this.hedging.latencies?.snapshot() ?? { version: 1, latenciesMs: [] };
  }
}

/**
 * Starts a second attempt when the first one has not settled after `after`, or has failed. The first success wins; the others are cancelled, and what
 * they still return is disposed of. It takes the tail off latencies that come from one slow server of many, a pause, a lost packet, for a few more requests.
 *
 * Nothing extra is started unless the operation is declared `idempotent`, on `hedge` or on `run`. All hedges of a layer draw on its `budget`.
 *
 * When all fail, the first attempt's error comes out, with the others in its `suppressedErrors`. A failure that a `retry` would not repeat ends it at once.
 *
 * With `{ percentile }`, `after` follows the latencies of the last 1000 calls; until it knows enough, 100 calls for the 95th, nothing extra is started.
 *
 * Waits for: the first success, or all failures; never for attempts that have lost. Those are counted in `abandoned()` until they have ended, and
 * the cleanups of the scopes above wait for them. On abort: all attempts are aborted, and none is started.
 *
 * @throws {TypeError | RangeError} code `BAD_OPTION`, when the layer is made
 * @example
 * const reads = hedge({ after: '50ms', idempotent: true });
 * await reads.run(async (s) => 'a row'); // 'a row'
 * @example
 * String(hedge({ after: { percentile: 95, min: '10ms', max: '1s' }, extra: 2 })); // 'hedge +2 (after p95, 10ms‥1s, budget)'
 */
export function hedge(options: HedgeOptions): Hedge {
  checkOptions('hedge', OPTIONS, options);
  const { after, extra = 1, idempotent, budget = {}, restore } = options;
  const isCount = Number.isSafeInteger(extra) && extra >= 1;
  checkOption(isCount, 'extra', extra, 'a whole number from 1', rangeOf(extra));
  checkOption(idempotent === undefined || typeof idempotent === 'boolean', 'idempotent', idempotent, 'true or false');
  const delay = isPercentile(after) ? livePercentile(after) : fixedDelay(after);
  const hedging: Hedging = {
    extra,
    idempotent,
    budget: budget === false ? null : budget instanceof Budget ? budget : newBudget(budget),
    latencies: delay.latencies,
    afterMs: delay.afterMs,
  };
  checkOption(restore === undefined || delay.latencies !== null, 'restore', restore, 'a percentile beside it');
  if (restore !== undefined) delay.latencies!.restore(restore);
  const warning = new NotIdempotentWarning(); // of the layer, in whatever policies it stands
  const text = `hedge +${extra} (after ${[delay.text, ...(budget === false ? [] : ['budget'])].join(', ')})`;
  return new Hedge(hedging, {
    kind: 'multiplier',
    around: (inner: Stage) => new HedgeStage(hedging, inner, warning),
    toString: () => text,
  });
}

interface Delay extends Pick<Hedging, 'latencies' | 'afterMs'> {
  readonly text: string;
}

function isPercentile(after: HedgeOptions['after']): after is HedgePercentile {
  return typeof after === 'object' && after !== null;
}

function fixedDelay(after: Duration): Delay {
  const ms = durationOption('after', after);
  return { latencies: null, afterMs: () => ms, text: ms === Infinity ? 'a failure' : durationText(ms) };
}

function livePercentile(after: HedgePercentile): Delay {
  checkOptions('after', ['percentile', 'min', 'max'], after);
  const { percentile, min = 0, max = Infinity } = after;
  const isKnown = typeof percentile === 'number' && percentile >= 1 && percentile <= MAX_PERCENTILE;
  checkOption(isKnown, 'percentile', percentile, `a number from 1 to ${MAX_PERCENTILE}`, rangeOf(percentile));
  const minMs = durationOption('min', min);
  const maxMs = durationOption('max', max);
  checkOption(maxMs >= minMs, 'max', max, 'a duration from min', RangeError);
  const latencies = new LatencyCell(percentile);
  const afterMs = (): number | undefined => {
    const ms = latencies.valueMs();
    return ms === undefined ? undefined : Math.min(Math.max(ms, minMs), maxMs);
  };
  return { latencies, afterMs, text: `p${percentile}${rangeText(minMs, maxMs)}` };
}

function rangeText(minMs: number, maxMs: number): string {
  if (maxMs === Infinity) return minMs === 0 ? '' : `, from ${durationText(minMs)}`;
  return minMs === 0 ? `, to ${durationText(maxMs)}` : `, ${durationText(minMs)}‥${durationText(maxMs)}`;
}
