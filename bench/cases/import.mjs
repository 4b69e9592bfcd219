// The time of the first `import` in a process: each one a process of its own.
import { spawnSync } from 'node:child_process';
import { report, wanted } from '../case.mjs';
import { median } from '../compare.mjs';
import { versions } from '../set-up.mjs';

const RUNS = 11;

function importMs(url) {
  const source = `const start = performance.now(); await import('${url}'); console.log(performance.now() - start)`;
  const times = Array.from({ length: RUNS }, () =>
    Number(spawnSync(process.execPath, ['--input-type=module', '--eval', source], { encoding: 'utf8' }).stdout),
  );
  return median(times);
}

const own = (file) => new URL(`../../dist/${file}.js`, import.meta.url).href;
const modules = {
  'node:path': 'node:path',
  holdfast: own('index'),
  'holdfast/testing': own('testing'),
  'holdfast/node': own('node'),
  ...Object.fromEntries(Object.keys(versions()).map((name) => [name, import.meta.resolve(name)])),
};
const rows = Object.entries(modules)
  .filter(([name]) => name === 'node:path' || wanted(name))
  .map(([name, url]) => ({ name, values: [importMs(url)] }));
report([{ title: 'cold import', columns: ['ms'], rows }]);
