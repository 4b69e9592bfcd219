// `npm run bench [-- --case retry,pipeline] [--procs 5] [--only holdfast,cockatiel]`: what Holdfast costs, beside its peers and
// the code that one writes by hand. Each case runs in processes of its own; figures are medians over them, and ratios are
// taken inside a process. What it prints is Markdown.
//
// Another case: a file in cases/ that hands its tables to `report` (case.mjs).
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { median } from './compare.mjs';
import { flags as countingFlags } from './counts.mjs';
import { about, setUpPeers } from './set-up.mjs';

const folder = fileURLToPath(new URL('./cases/', import.meta.url));
const names = readdirSync(folder).map((file) => file.replace('.mjs', ''));
const ordinaryFlags = ['--expose-gc', '--no-warnings'];

const { values } = parseArgs({
  options: {
    case: { type: 'string', default: names.join(',') },
    procs: { type: 'string', default: '5' },
    only: { type: 'string' },
  },
});
const processes = Number(values.procs);
if (!(processes >= 1)) throw new RangeError(`--procs: expected a whole number from 1; got ${values.procs}`);
const wanted = values.case.split(',');
for (const name of wanted) {
  if (!names.includes(name)) throw new RangeError(`--case: expected some of ${names.join(', ')}; got ${name}`);
}

await setUpPeers();
console.log(`${about()} Medians of ${processes} processes; ± is half the range of the ratio.`);
for (const name of wanted) {
  /** @type {import('./case.mjs').Group[][]} */
  const runs = [];
  for (let i = 0; i < processes; i++) {
    process.stderr.write(`${name} ${i + 1}/${processes}\r\x1b[K`);
    runs.push(measure(name));
  }
  console.log(`\n### ${name}\n`);
  for (const [g, group] of (runs[0] ?? []).entries())
    print(
      group,
      runs.map((run) => run[g]),
    );
}

/** @param {string} name @returns {import('./case.mjs').Group[]} */
function measure(name) {
  const args = [...(name === 'counts' ? countingFlags : ordinaryFlags), `${folder}${name}.mjs`];
  const child = spawnSync(process.execPath, [...args, ...(values.only ? [values.only] : [])], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (child.status !== 0) throw new Error(`case ${name} ended with ${child.status}`);
  return JSON.parse(child.stdout);
}

/**
 * @param {import('./case.mjs').Group} group
 * @param {import('./case.mjs').Group[]} runs the same group, as each process found it
 */
function print({ title, columns, rows }, runs) {
  const compared = columns.length === 1;
  console.log(`| ${[title, ...columns, ...(compared ? ['ratio', '±'] : [])].join(' | ')} |`);
  console.log(`|---|${'--:|'.repeat(compared ? 3 : columns.length)}`);
  for (const [r, row] of rows.entries()) {
    const cells = columns.map((_, c) => figure(median(runs.map((run) => run.rows[r].values[c]))));
    if (compared) {
      const ratios = runs.map((run) => run.rows[r].values[0] / run.rows[0].values[0]);
      cells.push(`${figure(median(ratios))}×`, figure((Math.max(...ratios) - Math.min(...ratios)) / 2));
    }
    console.log(`| ${[row.name, ...cells].join(' | ')} |`);
  }
  console.log();
}

/** Three digits that tell something. @param {number} value */
function figure(value) {
  if (!Number.isFinite(value)) return '–';
  if (value >= 1000) return Math.round(value).toLocaleString('en-US');
  return value.toFixed(value >= 100 ? 0 : value >= 10 ? 1 : 2);
}
