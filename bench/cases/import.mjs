// The time of the first `import` in a process: each one a process of its own.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { median } from '../compare.mjs';

const RUNS = 11;
const cwd = fileURLToPath(new URL('../..', import.meta.url));

function importMs(specifier) {
  const source = `const start = performance.now(); await import('${specifier}'); console.log(performance.now() - start)`;
  const times = Array.from({ length: RUNS }, () =>
    Number(spawnSync(process.execPath, ['--input-type=module', '--eval', source], { cwd, encoding: 'utf8' }).stdout),
  );
  return median(times);
}

const specifiers = ['node:path', 'holdfast', 'holdfast/testing', 'holdfast/node'];
console.log(
  JSON.stringify([
    { group: 'cold import', unit: 'ms', rows: specifiers.map((name) => ({ name, value: importMs(name) })) },
  ]),
);
