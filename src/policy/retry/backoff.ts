/**
 * How long to wait before the next attempt: pure functions of the attempt, the delay before it, and a random number.
 *
 *   constant       d, d, d, …
 *   linear         s, 2s, 3s, …               up to cap
 *   exponential    b, b·f, b·f², …            up to cap
 *   sequence       as listed, the last one repeats
 *   decorrelated   min(cap, U(b, 3·previous)), previous = b at first
 *
 * Jitter is a factor drawn evenly from a range, and the cap holds after it:
 *
 *   'none' [1, 1]   'full' [0, 1)   'equal' [½, 1)   a ratio r [1−r, 1+r)
 *
 * In every case: a delay is a finite number in [0, cap], whatever the attempt, if random is in [0, 1).
 *
 * Sources: full, equal and decorrelated jitter are Marc Brooker's, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015; a
 * ratio around the delay is that of gRPC's "Connection Backoff Protocol" (0.2). Full jitter is the default of `exponential` because
 * clients that failed together must not come back together: it spreads them over the whole span, and needed the fewest calls in
 * Brooker's simulations.
 */
import { checkOption, checkOptions, durationOption, rangeOf, type Duration } from '../../foundation/index.ts';

/**
 * The delay, in milliseconds, after attempt number `attempt` (from 1) has failed. `previousMs` is the delay before that attempt, 0 for
 * the first. `random` is in [0, 1). One of your own is any such function; `String(policy)` shows its `toString`.
 */
export type Backoff = (attempt: number, previousMs: number, random: number) => number;

/** How a delay is spread: see the head of the file. A number is a ratio in (0, 1]. */
export type Jitter = 'none' | 'full' | 'equal' | number;

/** 285,000 years. Up to here a delay times 2 is exact, and nothing can overflow. */
const LONGEST_MS = Number.MAX_SAFE_INTEGER;

const DEFAULT_CAP = '10s';

/**
 * The same delay each time.
 *
 * @param delay finite, from 0; with 0 the next attempt starts at once
 * @param options `jitter` ['none']
 * @throws {TypeError | RangeError} code `BAD_OPTION`
 *
 * @example
 * constant('50ms')(3, 50, 0.7);   // 50
 */
export function constant(delay: Duration, options: { jitter?: Jitter | undefined } = {}): Backoff {
  checkOptions('constant', ['jitter'], options);
  const { jitter = 'none' } = options;
  const delayMs = finite('delay', delay);
  return jittered(() => delayMs, LONGEST_MS, jitter, text(delayMs));
}

/**
 * A step more each time: `step`, 2 × `step`, 3 × `step` …
 *
 * @param step finite, from 0
 * @param options `cap` ['10s'], from `step`; `jitter` ['none']
 * @throws {TypeError | RangeError} code `BAD_OPTION`
 *
 * @example
 * linear('100ms')(3, 200, 0.7);   // 300
 */
export function linear(
  step: Duration,
  options: { cap?: Duration | undefined; jitter?: Jitter | undefined } = {},
): Backoff {
  checkOptions('linear', ['cap', 'jitter'], options);
  const { cap = DEFAULT_CAP, jitter = 'none' } = options;
  const stepMs = finite('step', step);
  const capMs = capOption(cap, 'step', stepMs);
  return jittered((attempt) => stepMs * attempt, capMs, jitter, `${text(stepMs)}‥${text(capMs)} +${text(stepMs)}`);
}

/**
 * A multiple each time: `base`, `base` × `factor`, `base` × `factor`² … With the default jitter the first delay is at most `base`.
 *
 * @param base finite, from 0
 * @param options `factor` [2], finite, from 1; `cap` ['10s'], from `base`; `jitter` ['full']
 * @throws {TypeError | RangeError} code `BAD_OPTION`
 *
 * @example
 * exponential('100ms')(3, 130, 0.5);                     // 200, half of 400
 * exponential('100ms', { jitter: 'none' })(3, 200, 0.5); // 400
 */
export function exponential(
  base: Duration,
  options: { factor?: number | undefined; cap?: Duration | undefined; jitter?: Jitter | undefined } = {},
): Backoff {
  checkOptions('exponential', ['factor', 'cap', 'jitter'], options);
  const { factor = 2, cap = DEFAULT_CAP, jitter = 'full' } = options;
  const baseMs = finite('base', base);
  const ok = typeof factor === 'number' && factor >= 1 && factor < Infinity;
  checkOption(ok, 'factor', factor, 'a finite number from 1', rangeOf(factor));
  const capMs = capOption(cap, 'base', baseMs);
  // 0 × Infinity is no number.
  const curve = (attempt: number): number => baseMs * Math.min(factor ** (attempt - 1), Number.MAX_VALUE);
  return jittered(curve, capMs, jitter, `${text(baseMs)}‥${text(capMs)}${factor === 2 ? '' : ` ×${factor}`}`);
}

/**
 * At random between `base` and three times the delay before: grows as `exponential` does, and forgets the number of the attempt.
 *
 * @param base finite, from 0
 * @param options `cap` ['10s'], from `base`
 * @throws {TypeError | RangeError} code `BAD_OPTION`
 *
 * @example
 * decorrelated('100ms')(1, 0, 0.5);     // 200, between 100 and 300
 * decorrelated('100ms')(2, 200, 0.5);   // 350, between 100 and 600
 */
export function decorrelated(base: Duration, options: { cap?: Duration | undefined } = {}): Backoff {
  checkOptions('decorrelated', ['cap'], options);
  const { cap = DEFAULT_CAP } = options;
  const baseMs = finite('base', base);
  const capMs = capOption(cap, 'base', baseMs);
  return named(
    // What was waited may have been longer than the cap, because a server had asked for it.
    (_attempt, previousMs, random) => {
      const previous = Math.min(capMs, Math.max(baseMs, previousMs));
      return Math.min(capMs, baseMs + random * (3 * previous - baseMs));
    },
    `${text(baseMs)}‥${text(capMs)}, decorrelated jitter`,
  );
}

/**
 * These delays, one after the other; the last one repeats.
 *
 * @param delays at least one, each finite, from 0
 * @throws {TypeError | RangeError} code `BAD_OPTION`
 *
 * @example
 * sequence(['100ms', '200ms', '1s'])(7, 1000, 0.5);   // 1000
 */
export function sequence(delays: readonly Duration[]): Backoff {
  checkOption(Array.isArray(delays) && delays.length > 0, 'delays', delays, 'a list of at least one delay');
  const list = Array.from(delays, (delay, i) => finite(`delays[${i}]`, delay));
  const last = list.length - 1;
  return named((attempt) => list[Math.min(attempt - 1, last)] as number, list.map(text).join(', '));
}

function jittered(curve: (attempt: number) => number, capMs: number, jitter: Jitter, shape: string): Backoff {
  const [least, most, name] = factors(jitter);
  const width = most - least;
  return named(
    (attempt, _previousMs, random) => Math.min(capMs, Math.min(capMs, curve(attempt)) * (least + width * random)),
    shape + name,
  );
}

/** The range that the factor of a jitter is drawn from, and how `toString` tells it. */
function factors(jitter: Jitter): [least: number, most: number, name: string] {
  if (jitter === 'none') return [1, 1, ''];
  if (jitter === 'full') return [0, 1, ', full jitter'];
  if (jitter === 'equal') return [0.5, 1, ', equal jitter'];
  checkOption(
    typeof jitter === 'number' && jitter > 0 && jitter <= 1,
    'jitter',
    jitter,
    "'none', 'full', 'equal', or a ratio above 0 and up to 1",
    rangeOf(jitter),
  );
  return [1 - jitter, 1 + jitter, `, ±${Number((100 * jitter).toFixed(2))}% jitter`];
}

/** What String(policy) shows. Not enumerable: a function with one method is no object with options. */
function named(backoff: Backoff, name: string): Backoff {
  return Object.defineProperty(backoff, 'toString', { value: () => name });
}

function finite(option: string, value: unknown): number {
  const ms = durationOption(option, value);
  checkOption(ms <= LONGEST_MS, option, value, 'a finite delay', rangeOf(value));
  return ms;
}

function capOption(cap: unknown, ofWhat: string, leastMs: number): number {
  const capMs = finite('cap', cap);
  checkOption(capMs >= leastMs, 'cap', cap, `at least the ${ofWhat}, ${text(leastMs)}`, rangeOf(cap));
  return capMs;
}

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
] as const;

/** In the largest unit that needs no more than one decimal. */
function text(ms: number): string {
  for (const [unit, unitMs] of UNITS) if (ms >= unitMs && (10 * ms) % unitMs === 0) return `${ms / unitMs}${unit}`;
  return `${ms}ms`;
}
