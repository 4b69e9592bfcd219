// The parts of `npm run test:full`: everything at full figures. A part is done in steps, so that it can be stopped and go on
// later; a step tells what it found, and `result` makes one sentence of all of it for docs/evidence.md.
//
// Another part: an entry here. Keep a step under a minute or two: only whole steps are remembered.
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { at, readJson, runNode, tail } from './lib/project.mjs';

/**
 * @typedef {object} Part
 * @property {string} name
 * @property {string} what for `--list` and the table
 * @property {string} unit what is counted
 * @property {string[]} inputs folders whose change begins the part anew
 * @property {(scale: number) => number} total
 * @property {number} stepSize how many units a step does
 * @property {(from: number, count: number, seed: string) => Promise<Step>} step
 * @property {(found: Record<string, number>) => string} result
 *
 * @typedef {object} Step
 * @property {string} [failed] what went wrong, with what is needed to see it again
 * @property {Record<string, number>} [found] numbers that are added up over the steps
 */

const vitest = at('node_modules', 'vitest', 'vitest.mjs');

/** @param {number} scale @param {number} full */
const scaled = (scale, full) => Math.max(1, Math.round(scale * full));

/** @param {number} number */
export const grouped = (number) => number.toLocaleString('en-US');

const fuzzParts = 4;
const fuzzPrograms = 10_000_000;

/** @type {Part[]} */
const fuzz = Array.from({ length: fuzzParts }, (_, index) => {
  const share = fuzzPrograms / fuzzParts;
  return {
    name: `fuzz-${index + 1}`,
    what: `generated programs against the reference, quarter ${index + 1} of ${grouped(fuzzPrograms)}`,
    unit: 'programs',
    inputs: ['src', 'test/fuzz', 'package-lock.json'],
    total: (scale) => scaled(scale, share),
    stepSize: 50_000,
    step: async (from, count, seed) => {
      const range = ['--seed', seed, '--from', String(index * share + from), '--programs', String(count)];
      const ended = await runNode([at('test', 'fuzz', 'main.ts'), ...range, '--workers', '2']);
      return ended.code === 0 ? {} : { failed: `npm run fuzz -- ${range.join(' ')}\n${tail(ended.output, 60)}` };
    },
    result: () => 'no difference',
  };
});

/**
 * @param {string} folder of src/
 * @returns {Part}
 */
function mutation(folder) {
  const files = sourceFiles(folder);
  return {
    name: `mutate-${folder}`,
    what: `every mutant of src/${folder}/ against its tests`,
    unit: 'files',
    inputs: ['src', 'package-lock.json'],
    total: (scale) => scaled(scale, files.length),
    stepSize: 1,
    step: async (from) => {
      const file = files[from];
      const ended = await runNode([at('scripts', 'mutate.mjs'), folder, '-m', `src/${folder}/${file}`]);
      if (ended.code !== 0)
        return { failed: `npm run mutate -- ${folder} -m src/${folder}/${file}\n${tail(ended.output)}` };
      /** @type {{ files: Record<string, { mutants: Mutant[] }> }} */
      const report = readJson(at('.cache', 'mutation', 'mutation.json'));
      /** @type {Record<string, number>} */
      const found = { mutants: 0 };
      for (const { mutants } of Object.values(report.files)) {
        for (const { status } of mutants) {
          found[status] = (found[status] ?? 0) + 1;
          if (['Killed', 'Timeout', 'Survived', 'NoCoverage'].includes(status))
            found['mutants'] = (found['mutants'] ?? 0) + 1;
        }
      }
      listSurvivors(
        `src/${folder}/${file}`,
        Object.values(report.files).flatMap(({ mutants }) => mutants),
      );
      return { found };
    },
    result: (found) => {
      const mutants = found['mutants'] ?? 0;
      const noticed = (found['Killed'] ?? 0) + (found['Timeout'] ?? 0);
      const score = mutants === 0 ? 100 : Math.floor((1000 * noticed) / mutants) / 10;
      return `${score} % of ${grouped(mutants)} mutants noticed; ${found['Survived'] ?? 0} survived, ${found['NoCoverage'] ?? 0} not reached (listed in .evidence/survived/)`;
    },
  };
}

/** @typedef {{ status: string, mutatorName: string, replacement?: string, location: { start: { line: number } } }} Mutant */

/**
 * Writes down for people what no test noticed.
 * @param {string} file
 * @param {Mutant[]} mutants
 */
function listSurvivors(file, mutants) {
  const list = at('.evidence', 'survived', `${file}.txt`);
  const lines = mutants
    .filter(({ status }) => status === 'Survived' || status === 'NoCoverage')
    .map(
      (mutant) =>
        `${file}:${mutant.location.start.line} ${mutant.mutatorName} → ${mutant.replacement} (${mutant.status})\n`,
    );
  mkdirSync(dirname(list), { recursive: true });
  writeFileSync(list, lines.join(''));
}

/** @param {string} folder */
function sourceFiles(folder) {
  if (!existsSync(at('src', folder))) return [];
  return readdirSync(at('src', folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && !/\.(test|test-d|bench)\.ts$|(^|\/)index\.ts$/.test(path))
    .sort();
}

/** @type {Part} */
const repeats = {
  name: 'repeats',
  what: 'the unit tests of src/ again and again, each time in another order (the fuzzer has parts of its own)',
  unit: 'runs',
  inputs: ['src', 'test', 'package-lock.json'],
  total: (scale) => scaled(scale, 200),
  stepSize: 1,
  step: async (from) => {
    // One more than the cores of a small machine: some tests wait for processes.
    const order = ['--maxWorkers=3', '--sequence.shuffle', `--sequence.seed=${from + 1}`];
    const ended = await runNode([vitest, 'run', 'src/', '--project', 'unit', '--reporter=dot', ...order]);
    return ended.code === 0
      ? {}
      : { failed: `npm test -- src/ --project unit ${order.join(' ')}\n${tail(ended.output, 60)}` };
  },
  result: () => 'all passed',
};

/** @type {Part} */
const matrices = {
  name: 'matrices',
  what: 'the packed package on the oldest Node it allows and on the lines in use',
  unit: 'run',
  inputs: ['src', 'test/packaging', 'package-lock.json'],
  total: () => 1,
  stepSize: 1,
  step: async () => {
    const env = { ...process.env, HOLDFAST_REQUIRE_ALL: '1' };
    const ended = await runNode([vitest, 'run', '--project', 'packaging', '--reporter=dot'], { env });
    return ended.code === 0
      ? {}
      : { failed: `HOLDFAST_REQUIRE_ALL=1 npm test -- --project packaging\n${tail(ended.output, 60)}` };
  },
  result: () => 'all passed',
};

/** @type {Part} */
const runtimes = {
  name: 'runtimes',
  what: 'the built core on every runtime, from one list of tests',
  unit: 'run',
  inputs: [
    'src',
    ...['suite', 'hosts', 'run', 'runtimes.ts', 'programs/package-lock.json'].map((path) => `test/runtimes/${path}`),
  ],
  total: () => 1,
  stepSize: 1,
  step: async () => {
    const ended = await runNode([at('test', 'runtimes', 'main.ts')]);
    if (ended.code !== 0) return { failed: `npm run runtimes\n${tail(ended.output, 60)}` };
    const passed = [...ended.output.matchAll(/^\| .* \| (\d+) of \d+ \| /gm)].map(([, tests]) => Number(tests));
    return { found: { runtimes: passed.length, tests: passed.reduce((sum, tests) => sum + tests, 0) } };
  },
  result: ({ runtimes: count = 0, tests = 0 }) => `${count} runtimes, ${grouped(tests)} tests in all: all passed`,
};

const soaks = existsSync(at('test', 'soak'))
  ? readdirSync(at('test', 'soak'))
      .filter((name) => name.endsWith('.ts'))
      .sort()
  : [];

/**
 * Soaks that are too long for one step: how many runs, in processes of their own, make the whole.
 * @type {Record<string, number>}
 */
const soakRuns = { 'calls.ts': 5 };

/**
 * Each file of test/soak/ is a program: it takes `--scale X`, prints its figures as the last line, and ends with exit code 0 or 1.
 * Figures of several runs are added up.
 * @type {Part[]}
 */
const soak = soaks.map((file) => ({
  name: `soak-${file.replace(/\.ts$/, '')}`,
  what: `test/soak/${file}`,
  unit: soakRuns[file] === undefined ? 'run' : 'runs',
  inputs: ['src', 'test/soak', 'package-lock.json'],
  total: () => soakRuns[file] ?? 1,
  stepSize: 1,
  step: async () => {
    const args = ['--expose-gc', at('test', 'soak', file), '--scale', process.env['HOLDFAST_SCALE'] ?? '1'];
    const ended = await runNode(args, { echo: true });
    if (ended.code !== 0) return { failed: `node --expose-gc test/soak/${file}\n${tail(ended.output, 60)}` };
    // Its last line has the figures: name=value name=value.
    const figures = (ended.output.trim().split('\n').at(-1) ?? '').split(' ').map((pair) => pair.split('='));
    return { found: Object.fromEntries(figures.map(([name, value]) => [name, Number(value)])) };
  },
  result: (found) =>
    Object.entries(found)
      .map(([name, value]) => `${name} ${grouped(value)}`)
      .join(', '),
}));

/**
 * A program that takes `--seed`, `--from` and a count of what it does, prints what it found, and ends with exit code 0 or 1.
 * @param {Pick<Part, 'name' | 'what' | 'unit' | 'inputs' | 'stepSize'> & { full: number, file: string[], args: string[], count: string }} options
 * @returns {Part}
 */
function random({ full, file, args, count: option, ...part }) {
  return {
    ...part,
    total: (scale) => scaled(scale, full),
    step: async (from, count, seed) => {
      const range = ['--seed', seed, '--from', String(from), `--${option}`, String(count)];
      const ended = await runNode([at(...file), ...range, ...args]);
      return ended.code === 0 ? {} : { failed: `node ${file.join('/')} ${range.join(' ')}\n${tail(ended.output, 60)}` };
    },
    result: () => 'no difference',
  };
}

const stacks = random({
  name: 'stacks',
  what: 'random stacks of layers against the reference of their rules',
  unit: 'scripts',
  inputs: ['src', 'test/stacks', 'test/fuzz/random.ts', 'package-lock.json'],
  full: 100_000,
  stepSize: 5_000,
  file: ['test', 'stacks', 'main.ts'],
  args: ['--workers', '2'],
  count: 'programs',
});

const orders = random({
  name: 'stacks-orders',
  what: 'every order of four layers, under every fault, against the reference of their rules',
  unit: 'scripts',
  inputs: ['src', 'test/stacks', 'package-lock.json'],
  full: 36_288,
  stepSize: 6_048,
  file: ['test', 'stacks', 'main.ts'],
  args: ['--orders', '4'],
  count: 'programs',
});

const interleavings = random({
  name: 'interleavings',
  what: 'random interleavings of up to five calls of one policy against its rules',
  unit: 'programs',
  inputs: ['src', 'test/interleavings', 'test/fuzz/random.ts', 'package-lock.json'],
  full: 1_000_000,
  stepSize: 50_000,
  file: ['test', 'interleavings', 'main.ts'],
  args: [],
  count: 'count',
});

const cells = ['src/foundation', 'src/budget', 'src/policy', 'test/cells', 'test/fuzz/random.ts', 'package-lock.json'];

const cellsFuzz = random({
  name: 'cells-fuzz',
  what: 'random events through the cells of the policies, each beside its model',
  unit: 'events',
  inputs: cells,
  full: 100_000_000,
  // Whole episodes of 4000.
  stepSize: 20_000_000,
  file: ['test', 'cells', 'main.ts'],
  args: [],
  count: 'events',
});

const depth = 12;

/** @type {Part} */
const cellsEnumerate = {
  name: 'cells-enumerate',
  what: `every state that the cells come to in ${depth} events of three clients`,
  unit: 'run',
  inputs: cells,
  total: () => 1,
  stepSize: 1,
  step: async () => {
    const args = ['--enumerate', '--depth', String(depth)];
    const ended = await runNode([at('test', 'cells', 'main.ts'), ...args]);
    if (ended.code !== 0) return { failed: `node test/cells/main.ts ${args.join(' ')}\n${tail(ended.output, 60)}` };
    /** @type {Record<string, number>} */
    const found = { subjects: 0, states: 0, events: 0 };
    for (const [, states, events] of ended.output.matchAll(/: (\d+) states, (\d+) events/g)) {
      found['subjects'] = (found['subjects'] ?? 0) + 1;
      found['states'] = (found['states'] ?? 0) + Number(states);
      found['events'] = (found['events'] ?? 0) + Number(events);
    }
    return { found };
  },
  result: ({ subjects = 0, states = 0, events = 0 }) =>
    `${subjects} cells and settings, ${grouped(states)} states, ${grouped(events)} events: no rule is broken`,
};

/** @type {Part[]} */
export const parts = [
  ...fuzz,
  stacks,
  orders,
  interleavings,
  cellsFuzz,
  cellsEnumerate,
  ...['foundation', 'scope', 'verdict', 'budget', 'policy'].map(mutation),
  repeats,
  matrices,
  runtimes,
  ...soak,
];
