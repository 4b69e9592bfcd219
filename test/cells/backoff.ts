/** The back-offs, and what each promises. */
import {
  constant,
  decorrelated,
  exponential,
  linear,
  sequence,
  type Backoff,
  type Jitter,
} from '../../src/policy/retry/backoff.ts';
import type { Random } from '../fuzz/random.ts';
import { broken } from './world.ts';

/** What the delay is drawn from, before the cap. */
type Range = readonly [leastMs: number, mostMs: number];

/** A back-off, the cap that holds for it, and its rule once more, with a loop instead of a formula. */
export interface BackoffCase {
  readonly name: string;
  readonly backoff: Backoff;
  readonly capMs: number;
  readonly range: (attempt: number, previousMs: number) => Range;
}

const JITTERS: readonly Jitter[] = ['none', 'full', 'equal', 0.1, 0.5, 1];

function spread(jitter: Jitter, delayMs: number): Range {
  if (typeof jitter === 'number') return [delayMs * (1 - jitter), delayMs * (1 + jitter)];
  return [{ none: delayMs, full: 0, equal: delayMs / 2 }[jitter], delayMs];
}

/** The delay of an attempt, one step at a time; no more steps than it takes to come to the cap. */
function steps(first: number, capMs: number, next: (delayMs: number) => number, attempt: number): number {
  let delayMs = first;
  for (let i = 1; i < attempt && delayMs < capMs && next(delayMs) > delayMs; i++) delayMs = next(delayMs);
  return Math.min(delayMs, capMs);
}

/** One at random, of any kind. */
export function someBackoff(random: Random): BackoffCase {
  const baseMs = random.chance(0.1) ? 0 : random.chance(0.2) ? random.next() * 1e9 : random.below(1000);
  const capMs = baseMs + random.below(3) * random.below(100_000);
  const jitter = random.pick(JITTERS);
  const factor = random.pick([1, 1.1, 2, 3, 1e6]);
  const options = { cap: capMs, jitter };
  const cases: (() => BackoffCase)[] = [
    () => ({
      name: `constant(${baseMs}, ${jitter})`,
      backoff: constant(baseMs, { jitter }),
      capMs: 2 * baseMs,
      range: () => spread(jitter, baseMs),
    }),
    () => ({
      name: `linear(${baseMs}, ${capMs}, ${jitter})`,
      backoff: linear(baseMs, options),
      capMs,
      range: (attempt) =>
        spread(
          jitter,
          steps(baseMs, capMs, (delayMs) => delayMs + baseMs, attempt),
        ),
    }),
    () => ({
      name: `exponential(${baseMs}, ${capMs}, ${jitter}, ${factor})`,
      backoff: exponential(baseMs, { ...options, factor }),
      capMs,
      range: (attempt) =>
        spread(
          jitter,
          steps(baseMs, capMs, (delayMs) => delayMs * factor, attempt),
        ),
    }),
    () => ({
      name: `decorrelated(${baseMs}, ${capMs})`,
      backoff: decorrelated(baseMs, { cap: capMs }),
      capMs,
      range: (_attempt, previousMs) => [baseMs, 3 * Math.max(baseMs, previousMs)],
    }),
    () => {
      const list = [baseMs, random.below(5000), random.below(5000)].slice(0, 1 + random.below(3));
      return {
        name: `sequence(${list.join()})`,
        backoff: sequence(list),
        capMs: Math.max(...list),
        range: (attempt) => [
          list[attempt - 1] ?? (list.at(-1) as number),
          list[attempt - 1] ?? (list.at(-1) as number),
        ],
      };
    },
  ];
  return random.pick(cases)();
}

export class BackoffWorld {
  tell?: (event: string) => void;
  private readonly case: BackoffCase;
  private previousMs = 0;
  private attempt = 0;

  constructor(random: Random, make: (random: Random) => BackoffCase = someBackoff) {
    this.case = make(random);
  }

  /** An attempt fails, perhaps many later at once. */
  fail(later: number, random: number): void {
    const { name, backoff, capMs, range } = this.case;
    this.attempt += 1 + later;
    this.tell?.(`${name} after attempt ${this.attempt}, previous ${this.previousMs}, random ${random}`);
    const delayMs = backoff(this.attempt, this.previousMs, random);
    const [leastMs, mostMs] = range(this.attempt, this.previousMs);
    const expectedMs = Math.min(capMs, leastMs + random * (mostMs - leastMs));
    if (!(delayMs >= 0 && delayMs <= capMs)) broken(`${name}: ${delayMs} is not in [0, ${capMs}]`);
    if (Math.abs(delayMs - expectedMs) > 1e-9 * capMs)
      broken(`${name}: ${delayMs} after attempt ${this.attempt}, instead of ${expectedMs}`);
    this.previousMs = delayMs;
  }

  /** The next call. */
  succeed(): void {
    this.tell?.('succeed');
    this.attempt = 0;
    this.previousMs = 0;
  }
}
