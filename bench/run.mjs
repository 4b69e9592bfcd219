// `npm run bench [-- --case retry,pipeline] [--procs 5] [--only holdfast,cockatiel]`: what Holdfast costs, beside its peers and
// the code that one writes by hand. Each case runs in processes of its own; figures are medians over them, and ratios are
// taken inside a process. What it prints is Markdown.
//
// `npm run bench -- claims`: what it does, beside its peers (claims.mjs).
//
// Another case: a file in cases/ that hands its tables to `report` (case.mjs).
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Failure, command } from '../scripts/lib/say.mjs';
import { main as compareClaims } from './claims.mjs';
import { median } from './compare.mjs';
import { flags as countingFlags } from './counts.mjs';
import { about, setUpPeers } from './set-up.mjs';

const folder = fileURLToPath(new URL('./cases/', import.meta.url));
const names = readdirSync(folder).map((file) => file.replace('.mjs', ''));
const ordinaryFlags = ['--expose-gc', '--no-warnings'];

await command(async () => {
  const [first, ...rest] = process.argv.slice(2);
  await setUpPeers();
  if (first === 'claims') await compareClaims(rest);
  else compareCosts(process.argv.slice(2));
});

/** @param {string[]} args */
function compareCosts(args) {
  const { values } = parseArgs({
    args,
    options: {
      case: { type: 'string', default: names.join(',') },
      procs: { type: 'string', default: '5' },
      only: { type: 'string', default: '' },
    },
  });
  const processes = Number(values.procs);
  if (!(Number.isInteger(processes) && processes >= 1)) {
    throw new Failure(`--procs: expected a whole number from 1; got ${values.procs}`, { code: 2 });
  }
  const wanted = values.case.split(',');
  for (const name of wanted) {
    if (!names.includes(name)) {
      throw new Failure(`--case: expected some of ${names.join(', ')}; got ${name}`, { code: 2 });
    }
  }
  console.log(`${about()} Medians of ${processes} processes; ± is half the range of the ratio.`);
  for (const name of wanted) {
    const runs = Array.from({ length: processes }, (_, i) => {
      if (process.stderr.isTTY) process.stderr.write(`${name} ${i + 1}/${processes}\x1b[K\r`);
      return measure(name, values.only);
    });
    console.log(`\n### ${name}\n`);
    for (const [g, group] of runs[0].entries()) {
      const groups = runs.map((run) => run[g]);
      print(group, groups);
    }
  }
}

/** @param {string} name @param {string} only @returns {import('./case.mjs').Group[]} */
function measure(name, only) {
  const flags = name === 'counts' ? countingFlags : ordinaryFlags;
  const child = spawnSync(process.execPath, [...flags, `${folder}${name}.mjs`, only], {
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
