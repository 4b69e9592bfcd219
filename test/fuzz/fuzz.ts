/**
 * The fuzzer's loop: programs `from` to `to` of a seed, until one differs. Used by the command (`main.ts`) and the tests.
 */
import { check, type Difference } from './check.ts';
import { generate } from './generate.ts';
import type { Mutant } from './mutants.ts';
import type { Program } from './program.ts';
import { withRunner, type Runner } from './run.ts';
import { shrink } from './shrink.ts';
import { sideBySide } from './trace.ts';

export interface FuzzOptions {
  readonly seed: string;
  readonly from?: number;
  /** Exclusive. */
  readonly to: number;
  readonly mutant?: Mutant | undefined;
  readonly onProgress?: (index: number) => void;
}

export interface Finding extends Difference {
  readonly index: number;
  readonly minimal: Program;
}

export interface FuzzResult {
  /** Compared programs. */
  readonly compared: number;
  /** Not compared, by reason. */
  readonly skipped: ReadonlyMap<string, number>;
  /** The most orders within an instant that a program needed. */
  readonly maxSchedules: number;
  readonly finding: Finding | undefined;
}

/** Programs in one virtual time: few enough that a leak is met soon, many enough that opening one costs nothing. */
const BATCH = 500;

export async function fuzz(options: FuzzOptions): Promise<FuzzResult> {
  const skipped = new Map<string, number>();
  const total = { compared: 0, maxSchedules: 0 };
  let finding: Finding | undefined;
  for (let from = options.from ?? 0; from < options.to && !finding; from += BATCH) {
    finding = await withRunner((run) => batch(run, from, Math.min(options.to, from + BATCH), options, skipped, total));
    options.onProgress?.(Math.min(options.to, from + BATCH));
  }
  return { ...total, skipped, finding };
}

async function batch(
  run: Runner,
  from: number,
  to: number,
  { seed, mutant }: FuzzOptions,
  skipped: Map<string, number>,
  total: { compared: number; maxSchedules: number },
): Promise<Finding | undefined> {
  for (let index = from; index < to; index++) {
    const verdict = await check(generate(seed, index), run, mutant);
    if ('skipped' in verdict) skipped.set(verdict.skipped, (skipped.get(verdict.skipped) ?? 0) + 1);
    else total.compared++;
    if ('same' in verdict) total.maxSchedules = Math.max(total.maxSchedules, verdict.schedules);
    if ('differs' in verdict) return minimize(run, index, generate(seed, index), verdict.differs, mutant);
  }
  return undefined;
}

/** Small programs have few orders, and thousands of them are tried. */
const SCHEDULES_TO_SHRINK = 300;

async function minimize(
  run: Runner,
  index: number,
  program: Program,
  found: Difference,
  mutant: Mutant | undefined,
): Promise<Finding> {
  let difference = found;
  const minimal = await shrink(program, async (candidate) => {
    const verdict = await check(candidate, run, mutant, SCHEDULES_TO_SHRINK);
    if (!('differs' in verdict)) return false;
    difference = verdict.differs;
    return true;
  });
  return { ...difference, index, minimal };
}

/** How many programs it takes to find a mutant, without shrinking; `undefined` if it is not found. */
export async function findsMutant(seed: string, mutant: Mutant, programs: number): Promise<number | undefined> {
  for (let from = 0; from < programs; from += BATCH) {
    const found = await withRunner(async (run) => {
      for (let index = from; index < from + BATCH; index++) {
        if ('differs' in (await check(generate(seed, index), run, mutant, SCHEDULES_TO_SHRINK))) return index + 1;
      }
      return undefined;
    });
    if (found !== undefined) return found;
  }
  return undefined;
}

/** What a person needs to know of a finding. */
export function report(seed: string, { index, minimal, what, expected, actual }: Finding, mutant?: Mutant): string {
  return [
    `Difference (${what}) in program ${index} of seed ${seed}${mutant ? `, mutant ${mutant}` : ''}. Smallest program:`,
    JSON.stringify(minimal, undefined, 1).replaceAll(/\n\s*/g, ' '),
    sideBySide(expected, actual, [mutant ? `mutant ${mutant}` : 'the rules', 'the scope']),
    `Again: npm run fuzz -- --seed ${seed} --only ${index}${mutant ? ` --mutant ${mutant}` : ''}`,
  ].join('\n');
}
