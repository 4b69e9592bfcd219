/** One script, both interpreters: do the real policies do what the rules say? */
import { seededRandom } from '../../src/testing/index.ts';
import { interpret } from './reference.ts';
import { run } from './run.ts';
import type { Script } from './script.ts';
import { difference, type Trace } from './trace.ts';

export interface Difference {
  readonly what: string;
  readonly expected: Trace;
  readonly actual: Trace;
}

/** Orders within an instant that are tried. Nearly all scripts need one. */
const SCHEDULES = 200;

export type Verdict =
  | { readonly same: true; readonly schedules: number }
  | { readonly skipped: string }
  | { readonly differs: Difference };

export async function check(script: Script): Promise<Verdict> {
  const expected = interpret(script, seededRandom(script.seed));
  if (expected.skip !== undefined) return { skipped: expected.skip };
  const actual = await run(script);
  if (actual.skip !== undefined) return { skipped: actual.skip };
  const what = difference(expected, actual);
  if (what === undefined) return { same: true, schedules: 1 };
  for (let schedule = 1; schedule <= SCHEDULES && expected.raced; schedule++) {
    const other = interpret(script, seededRandom(script.seed), schedule);
    if (difference(other, actual) === undefined) return { same: true, schedules: schedule + 1 };
  }
  return { differs: { what, expected, actual } };
}
