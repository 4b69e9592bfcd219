/**
 * The cells of the policies under random events, or under all there are. Exit code 1 if one is not as its rules say.
 *
 *   --seed TEXT     any text, a commit hash say [random, printed]
 *   --events N      how many random events [10000000]
 *   --from N        begins there, to do a long run in steps; a multiple of 4000 repeats no event
 *   --trace         prints each event
 *   --enumerate     instead: every state that can be reached in so many events
 *   --depth N       how many [16]
 */
import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { enumerate, SUBJECTS } from './enumerate.ts';
import { fuzz, replay } from './fuzz.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: randomBytes(4).toString('hex') },
    events: { type: 'string', default: '10000000' },
    from: { type: 'string', default: '0' },
    trace: { type: 'boolean', default: false },
    enumerate: { type: 'boolean', default: false },
    depth: { type: 'string', default: '16' },
  },
});

if (values.enumerate) enumerateAll(count('depth', values.depth, 1));
else fuzzAll(values.seed, count('from', values.from, 0), count('events', values.events, 1));

function count(name: string, text: string, least: number): number {
  const number = Number(text);
  if (Number.isSafeInteger(number) && number >= least) return number;
  console.error(`--${name} must be a whole number from ${least}; it is '${text}'`);
  process.exit(2);
}

function seconds(sinceMs: number): string {
  return ((performance.now() - sinceMs) / 1000).toFixed(1);
}

function fuzzAll(seed: string, from: number, events: number): void {
  const startedMs = performance.now();
  const finding = fuzz({ seed, from, events, tell: values.trace ? console.log : undefined });
  if (finding) {
    console.log(`Seed ${seed}, event ${finding.event}: ${finding.message}\n${replay(seed, finding)}`);
    process.exitCode = 1;
    return;
  }
  const perSecond = Math.round((1000 * events) / (performance.now() - startedMs));
  console.log(
    `Seed ${seed}: ${events} events from ${from} in ${seconds(startedMs)} s (${perSecond}/s). No difference.`,
  );
}

function enumerateAll(depth: number): void {
  for (const [name, make] of Object.entries(SUBJECTS)) {
    const startedMs = performance.now();
    const { states, events } = enumerate(make, depth);
    console.log(`${name}: ${states} states, ${events} events, depth ${depth}, ${seconds(startedMs)} s`);
  }
}
