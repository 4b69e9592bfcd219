/**
 * `npm run fuzz`: compares the scope with the reference on generated programs. Exit code 1 on a difference.
 *
 *   --programs N     how many [20000]
 *   --seed TEXT      any text, a commit hash say [random, printed]
 *   --from INDEX     begins there, to resume a long run
 *   --only INDEX     one program, with both traces
 *   --mutant NAME    compares with a reference that breaks one rule (`mutants.ts`): this must find a difference
 *   --workers N      processes beside each other [1]
 *   --progress       a line every second
 */
import { fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { check } from './check.ts';
import { fuzz, report, type FuzzResult } from './fuzz.ts';
import { generate } from './generate.ts';
import { mutants, type Mutant } from './mutants.ts';
import { withRunner } from './run.ts';
import { sideBySide } from './trace.ts';

const { values } = parseArgs({
  options: {
    programs: { type: 'string', default: '20000' },
    seed: { type: 'string', default: randomBytes(4).toString('hex') },
    from: { type: 'string', default: '0' },
    only: { type: 'string' },
    mutant: { type: 'string' },
    workers: { type: 'string', default: '1' },
    progress: { type: 'boolean', default: false },
  },
});

const seed = values.seed;
const mutant = mutantNamed(values.mutant);
const from = count('from', values.from, 0);
const programs = count('programs', values.programs, 1);
const workers = count('workers', values.workers, 1);

if (values.only !== undefined) await only(count('only', values.only, 0));
else if (workers > 1) await manage();
else await work();

/** A number of the command line, or a refusal that names it. */
function count(name: string, text: string, least: number): number {
  const number = Number(text);
  if (Number.isInteger(number) && number >= least) return number;
  return refuse(`--${name} must be a whole number from ${least}; it is '${text}'`);
}

function mutantNamed(name: string | undefined): Mutant | undefined {
  if (name === undefined) return undefined;
  return (
    mutants.find((mutant) => mutant.name === name)?.name ??
    refuse(
      `no mutant is called '${name}'. There are:\n${mutants.map((m) => `  ${m.name.padEnd(38)} ${m.rule.padEnd(4)} ${m.changes}`).join('\n')}`,
    )
  );
}

function refuse(message: string): never {
  console.error(message);
  process.exit(2);
}

async function only(index: number): Promise<void> {
  const program = generate(seed, index);
  console.log(JSON.stringify(program));
  const verdict = await withRunner((run) => check(program, run, mutant));
  if ('differs' in verdict) {
    const { finding } = await fuzz({ seed, from: index, to: index + 1, mutant });
    console.log(sideBySide(verdict.differs.expected, verdict.differs.actual, ['the rules', 'the scope']));
    if (finding) console.log(`\n${report(seed, finding, mutant)}`);
    process.exitCode = 1;
  } else
    console.log(
      'skipped' in verdict ? `not compared: ${verdict.skipped}` : `the same, in the ${verdict.schedules}. order tried`,
    );
}

async function work(): Promise<void> {
  const startedAt = performance.now();
  let toldAt = startedAt;
  const result = await fuzz({
    seed,
    from,
    to: from + programs,
    mutant,
    onProgress: (index) => {
      const now = performance.now();
      if (!values.progress || now - toldAt < 1000) return;
      toldAt = now;
      console.error(
        `${index - from} of ${programs} programs, ${Math.round(((index - from) / (now - startedAt)) * 1000)}/s (go on: --seed ${seed} --from ${index})`,
      );
    },
  });
  tell(result, performance.now() - startedAt);
  if (result.finding) process.exitCode = 1;
}

function tell({ compared, skipped, maxSchedules, finding }: FuzzResult, ms: number): void {
  const notCompared = [...skipped].map(([reason, n]) => `\n  not compared: ${n}, ${reason}`).join('');
  console.log(
    `Seed ${seed}: ${compared} programs compared in ${(ms / 1000).toFixed(1)} s (${Math.round((compared / ms) * 1000)}/s), at most ${maxSchedules} orders tried${notCompared}`,
  );
  console.log(finding ? report(seed, finding, mutant) : 'No difference.');
}

/** Each worker takes a range of its own; the first difference ends them all. */
async function manage(): Promise<void> {
  const share = Math.ceil(programs / workers);
  const children = Array.from({ length: workers }, (_, i) => {
    const args = [
      '--seed',
      seed,
      '--from',
      String(from + i * share),
      '--programs',
      String(Math.max(1, Math.min(share, programs - i * share))),
    ];
    return fork(import.meta.filename, [
      ...args,
      ...(mutant ? ['--mutant', mutant] : []),
      ...(values.progress ? ['--progress'] : []),
    ]);
  });
  const codes = await Promise.all(
    children.map(
      (child) =>
        new Promise<number>((resolve) => {
          child.on('exit', (code) => {
            if (code) for (const other of children) other.kill();
            resolve(code ?? 0);
          });
        }),
    ),
  );
  process.exitCode = Math.max(...codes);
}
