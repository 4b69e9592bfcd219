/** The loop: scripts `from` to `to` of a seed, until one differs. Used by the command (`main.ts`) and the tests. */
import { check, type Difference } from './check.ts';
import { generate } from './generate.ts';
import type { Script } from './script.ts';
import { shrink } from './shrink.ts';
import { both } from './trace.ts';

export interface Finding extends Difference {
  readonly index: number;
  readonly minimal: Script;
}

export interface Comparison {
  readonly compared: number;
  /** Not compared, by reason. */
  readonly skipped: ReadonlyMap<string, number>;
  /** Those that needed another order within an instant. */
  readonly reordered: number;
  readonly finding: Finding | undefined;
}

export async function compare(
  seed: string,
  from: number,
  to: number,
  onProgress: (index: number) => void = () => {},
): Promise<Comparison> {
  const skipped = new Map<string, number>();
  let compared = 0;
  let reordered = 0;
  for (let index = from; index < to; index++) {
    const script = generate(seed, index);
    const verdict = await check(script);
    if ('skipped' in verdict) skipped.set(verdict.skipped, (skipped.get(verdict.skipped) ?? 0) + 1);
    else compared++;
    if ('same' in verdict && verdict.schedules > 1) reordered++;
    if ('differs' in verdict)
      return { compared, skipped, reordered, finding: await minimize(index, script, verdict.differs) };
    onProgress(index + 1);
  }
  return { compared, skipped, reordered, finding: undefined };
}

async function minimize(index: number, script: Script, found: Difference): Promise<Finding> {
  let difference = found;
  const minimal = await shrink(script, async (candidate) => {
    const verdict = await check(candidate);
    if (!('differs' in verdict)) return false;
    difference = verdict.differs;
    return true;
  });
  return { ...difference, index, minimal };
}

/** What a person needs to know of a finding. */
export function report(seed: string, { index, minimal, what, expected, actual }: Finding): string {
  return [
    `Difference (${what}) in script ${index} of seed ${seed}. The smallest script:`,
    JSON.stringify(minimal, undefined, 1).replaceAll(/\n\s*/g, ' '),
    both(expected, actual, ['rules  ', 'policy ']),
    `Again: node test/stacks/main.ts --seed ${seed} --only ${index}`,
  ].join('\n');
}
