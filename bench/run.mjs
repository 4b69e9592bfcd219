// `npm run bench [-- --case scope,import] [--procs 5]`: what Holdfast costs, beside the code that one writes by hand.
// Each case runs in processes of its own; figures are medians over them, and ratios are taken inside a process.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { median } from './compare.mjs';

const folder = fileURLToPath(new URL('./cases/', import.meta.url));
const names = readdirSync(folder).map((file) => file.replace('.mjs', ''));
const { values } = parseArgs({
  options: { case: { type: 'string', default: names.join(',') }, procs: { type: 'string', default: '5' } },
});
const processes = Number(values.procs);
if (!(processes >= 1)) throw new RangeError(`--procs: expected a whole number from 1; got ${values.procs}`);

console.log(
  `Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model}, ${new Date().toISOString().slice(0, 10)}, medians of ${processes} processes`,
);
for (const name of values.case.split(',')) {
  if (!names.includes(name)) throw new RangeError(`--case: expected some of ${names.join(', ')}; got ${name}`);
  /** @type {{ group: string, rows: { name: string, value: number }[], unit: string }[][]} */
  const runs = [];
  for (let i = 0; i < processes; i++) {
    process.stderr.write(`${name} ${i + 1}/${processes}\r`);
    const child = spawnSync(process.execPath, ['--expose-gc', '--no-warnings', `${folder}${name}.mjs`], {
      encoding: 'utf8',
    });
    if (child.status !== 0) throw new Error(`case ${name} ended with ${child.status}:\n${child.stderr}`);
    runs.push(JSON.parse(child.stdout));
  }
  print(name, runs);
}

/** The first row of a group is what the others are compared with. */
function print(name, runs) {
  console.log(`\n### ${name}\n`);
  for (const [g, { group, rows, unit }] of runs[0].entries()) {
    console.log(`| ${group} | ${unit} | ratio | spread |\n|---|--:|--:|--:|`);
    for (const [r, row] of rows.entries()) {
      const all = runs.map((run) => run[g].rows[r].value);
      const ratios = runs.map((run) => run[g].rows[r].value / run[g].rows[0].value);
      const value = median(all);
      const spread = (Math.max(...ratios) - Math.min(...ratios)) / 2;
      console.log(
        `| ${row.name} | ${value < 100 ? value.toFixed(1) : value.toFixed(0)} | ${median(ratios).toFixed(2)}× | ±${spread.toFixed(2)} |`,
      );
    }
    console.log();
  }
}
