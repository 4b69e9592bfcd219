/**
 * One program, both interpreters: does the real scope do what the rules say?
 *
 * The rules do not order strands that are ready within one instant, so the reference has many right answers for some programs. The first
 * schedule nearly always is the one; only when it differs and strands had raced are others tried. What remains is a difference. (So a
 * program counts as wrong only if none of `SCHEDULES` orders explains it; that a wrong one is excused by an unlikely order is possible.)
 */
import { broken } from './invariants.ts';
import type { Mutant } from './mutants.ts';
import type { Program } from './program.ts';
import { interpret } from './reference.ts';
import type { Runner } from './run.ts';
import { difference, type Trace } from './trace.ts';

/** Orders that are tried. Nearly all programs need one; the worst known needs 3,919. */
const SCHEDULES = 30_000;

/** For a mutant, which most orders contradict, fewer. */
const SCHEDULES_OF_A_MUTANT = 3_000;

export interface Difference {
  readonly what: string;
  readonly expected: Trace;
  readonly actual: Trace;
}

export type Verdict =
  | { readonly same: true; readonly schedules: number }
  | { readonly skipped: string }
  | { readonly differs: Difference };

export async function check(
  program: Program,
  run: Runner,
  mutant?: Mutant,
  schedules = mutant === undefined ? SCHEDULES : SCHEDULES_OF_A_MUTANT,
): Promise<Verdict> {
  const expected = interpret(program);
  if (expected.skip) return { skipped: expected.skip };
  const actual = await run(program);
  const verdict = compare(program, expected, actual, undefined, schedules);
  if (!('same' in verdict)) return verdict;
  const wrong = broken(actual);
  if (wrong.length > 0) return { differs: { what: wrong.join('; '), expected, actual } };
  if (!mutant) return verdict;
  return compare(program, interpret(program, { mutant }), actual, mutant, schedules);
}

function compare(
  program: Program,
  expected: Trace,
  actual: Trace,
  mutant: Mutant | undefined,
  schedules: number,
): Verdict {
  const what = difference(expected, actual);
  if (what === undefined) return { same: true, schedules: 1 };
  for (let schedule = 1; schedule <= schedules && expected.raced; schedule++) {
    const other = interpret(program, { schedule, mutant });
    if (other.skip && !mutant) return { skipped: other.skip };
    if (difference(other, actual) === undefined) return { same: true, schedules: schedule + 1 };
  }
  return { differs: { what, expected, actual } };
}
