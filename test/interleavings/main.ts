/**
 * Random interleavings of calls of one policy. Exit code 1 if one breaks a rule.
 *
 *   --seed TEXT    any text, a commit hash say [random, printed]
 *   --from INDEX   begins there, to do a long run in steps [0]
 *   --count N      how many programs [100000]
 *   --only INDEX   one program, with its policy and each step
 */
import { randomBytes } from 'node:crypto';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { interleave, replay } from './interleave.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: randomBytes(4).toString('hex') },
    from: { type: 'string', default: '0' },
    count: { type: 'string', default: '100000' },
    only: { type: 'string' },
  },
});

const { seed, only } = values;
const from = number('from', values.from, 0);
const count = number('count', values.count, 1);

const startedMs = performance.now();
const finding = await (only === undefined
  ? interleave({ seed, from, count })
  : interleave({ seed, from: number('only', only, 0), count: 1, tell: console.log }));
const ms = performance.now() - startedMs;
if (finding) {
  console.log(`Seed ${seed}, program ${finding.index}: ${finding.rule}\n${replay(seed, finding)}`);
  process.exitCode = 1;
} else if (only === undefined) {
  const rate = Math.round((1000 * count) / ms);
  console.log(
    `Seed ${seed}: ${count} programs from ${from} in ${(ms / 1000).toFixed(1)} s (${rate}/s). No rule is broken.`,
  );
} else console.log('No rule is broken.');

function number(name: string, text: string, least: number): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= least) return value;
  console.error(`--${name} must be a whole number from ${least}; it is '${text}'`);
  process.exit(2);
}
