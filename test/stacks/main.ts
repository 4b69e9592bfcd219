/**
 * Compares the policies with the reference on random stacks. Exit code 1 on a difference.
 *
 *   --programs N     how many scripts [2000]
 *   --seed TEXT      any text, a commit hash say [random, printed]
 *   --from INDEX     begins there, to resume a long run
 *   --only INDEX     one script, with both traces
 *   --workers N      processes beside each other [1]
 *   --progress       a line every second
 *   --orders N       not random ones, but every order of N layers under every fault (`orders.ts`), from --from
 *   --mutant NAME    changes the source before (`mutants.ts`): there must be a difference, which is not shrunk
 */
import { fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { mutants, mutate } from './mutants.ts';

const { values } = parseArgs({
  options: {
    programs: { type: 'string', default: '2000' },
    seed: { type: 'string', default: randomBytes(4).toString('hex') },
    from: { type: 'string', default: '0' },
    only: { type: 'string' },
    workers: { type: 'string', default: '1' },
    progress: { type: 'boolean', default: false },
    orders: { type: 'string' },
    mutant: { type: 'string' },
  },
});

if (values.mutant !== undefined) {
  const mutant = mutants.find(({ name }) => name === values.mutant);
  if (!mutant)
    refuse(`no mutant is called '${values.mutant}'. There are: ${mutants.map(({ name }) => name).join(', ')}`);
  mutate(mutant);
}
// After that: what they import may be changed.
const { check } = await import('./check.ts');
const { generate } = await import('./generate.ts');
const { orders } = await import('./orders.ts');
const { compare, report } = await import('./stacks.ts');
const { both } = await import('./trace.ts');

const seed = values.seed;
const from = count('from', values.from, 0);
const programs = count('programs', values.programs, 1);
const workers = count('workers', values.workers, 1);

if (values.mutant !== undefined) await findMutant();
else if (values.orders !== undefined) await allOrders(count('orders', values.orders, 1));
else if (values.only !== undefined) await only(count('only', values.only, 0));
else if (workers > 1) await manage();
else await work();

/** A number of the command line, or a refusal that names it. */
function count(name: string, text: string, least: number): number {
  const number = Number(text);
  if (Number.isInteger(number) && number >= least) return number;
  return refuse(`--${name} must be a whole number from ${least}; it is '${text}'`);
}

function refuse(message: string): never {
  console.error(message);
  process.exit(2);
}

/** Prints after how many scripts it is found; exit code 1 if it is not. */
async function findMutant(): Promise<void> {
  for (let index = from; index < from + programs; index++) {
    if (!('differs' in (await check(generate(seed, index))))) continue;
    return console.log(`found after ${index - from + 1} scripts`);
  }
  console.log(`not found in ${programs} scripts`);
  process.exitCode = 1;
}

async function allOrders(length: number): Promise<void> {
  let compared = 0;
  let index = -1;
  for (const { title, script } of orders(length)) {
    index++;
    if (index < from) continue;
    if (index >= from + programs) break;
    const verdict = await check(script);
    if ('same' in verdict) compared++;
    if (!('differs' in verdict)) continue;
    const { what, expected, actual } = verdict.differs;
    console.log(`Difference (${what}): ${title}\n${both(expected, actual, ['rules  ', 'policy '])}`);
    process.exitCode = 1;
    return;
  }
  console.log(`${compared} scripts compared. No difference.`);
}

async function only(index: number): Promise<void> {
  const script = generate(seed, index);
  console.log(JSON.stringify(script));
  const verdict = await check(script);
  if ('skipped' in verdict) return console.log(`not compared: ${verdict.skipped}`);
  if ('same' in verdict) return console.log('the same');
  const { expected, actual } = verdict.differs;
  console.log(both(expected, actual, ['rules  ', 'policy ']));
  const { finding } = await compare(seed, index, index + 1);
  if (finding) console.log(`\n${report(seed, finding)}`);
  process.exitCode = 1;
}

async function work(): Promise<void> {
  const startedAt = performance.now();
  let toldAt = startedAt;
  const { compared, skipped, reordered, finding } = await compare(seed, from, from + programs, (index) => {
    const now = performance.now();
    if (!values.progress || now - toldAt < 1000) return;
    toldAt = now;
    const rate = Math.round(((index - from) / (now - startedAt)) * 1000);
    console.error(`${index - from} of ${programs} scripts, ${rate}/s (go on: --seed ${seed} --from ${index})`);
  });
  const ms = performance.now() - startedAt;
  const left = [...skipped].map(([reason, n]) => `\n  not compared: ${n}, ${reason}`).join('');
  console.log(
    `Seed ${seed}: ${compared} scripts compared in ${(ms / 1000).toFixed(1)} s (${Math.round((compared / ms) * 1000)}/s), ${reordered} of them in another order within an instant${left}`,
  );
  console.log(finding ? report(seed, finding) : 'No difference.');
  if (finding) process.exitCode = 1;
}

/** Each worker takes a range of its own; the first difference ends them all. */
async function manage(): Promise<void> {
  const share = Math.ceil(programs / workers);
  const children = Array.from({ length: workers }, (_, i) => {
    const mine = Math.max(1, Math.min(share, programs - i * share));
    const range = ['--seed', seed, '--from', String(from + i * share), '--programs', String(mine)];
    return fork(import.meta.filename, [...range, ...(values.progress ? ['--progress'] : [])]);
  });
  const codes = await Promise.all(
    children.map(
      (child) =>
        new Promise<number>((resolve) => {
          child.on('exit', (code) => {
            if (code) for (const other of children) other.kill();
            resolve(code ?? 1);
          });
        }),
    ),
  );
  process.exitCode = Math.max(...codes);
}
