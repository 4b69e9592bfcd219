// `npm test`: static checks, then every test, then one summary. `npm test -- ARGS` hands ARGS to vitest and leaves out the
// static checks and the coverage: for one file while it is being written.
//
// HOLDFAST_REQUIRE_ALL=1 asks for everything: the wider matrices run, and a test that is skipped is a failure.
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { runChecks } from './lib/checks.mjs';
import { at, cacheFolder, readJson, root, runNode } from './lib/project.mjs';
import { Failure, command, line, seconds } from './lib/say.mjs';

const vitest = at('node_modules', 'vitest', 'vitest.mjs');
const requireAll = process.env['HOLDFAST_REQUIRE_ALL'] === '1';

await command(async () => {
  const args = process.argv.slice(2);
  if (args.length > 0) return (await runNode([vitest, 'run', ...args], { echo: true })).code;

  const start = performance.now();
  const folder = join(cacheFolder, `test-${process.pid}`);
  mkdirSync(folder, { recursive: true });
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  const checks = await runChecks();
  const tests = await runTests(folder);
  if (!existsSync(tests.summaryFile))
    throw new Failure('the tests did not run to their end', { why: 'vitest says above why.' });
  /** @type {import('./lib/vitest-summary.mjs').Summary} */
  const summary = readJson(tests.summaryFile);
  const problems = [
    ...checks.failed.map((name) => `static check: ${name}`),
    ...(summary.failed > 0 ? [`${summary.failed} tests, named above`] : []),
    ...(summary.failed === 0 && tests.code !== 0 ? ['vitest: coverage or an error outside a test, see above'] : []),
    ...(requireAll && summary.skipped > 0
      ? [`${summary.skipped} tests skipped, and HOLDFAST_REQUIRE_ALL=1 allows none`]
      : []),
  ];
  const ran = Object.entries(summary.ran).map(([project, count]) => `${project} ${count}`);
  tell('checks', [`${checks.passed.length} passed, ${checks.failed.length} failed`]);
  tell('tests', [ran.join(', ') || 'none']);
  tell('skipped', skips(summary.skips));
  tell('measured', summary.measured);
  tell('coverage', coverage(folder));
  tell('failed', problems);
  tell('time', [seconds(performance.now() - start)]);
  process.stdout.write(`\n${summary.passed} passed, ${summary.failed} failed, ${summary.skipped} skipped\n`);
  return problems.length === 0 ? 0 : 1;
});

/** @param {string} folder */
async function runTests(folder) {
  const summaryFile = join(folder, 'summary.json');
  const reporters = ['--reporter=default', `--reporter=${at('scripts', 'lib', 'vitest-summary.mjs')}`];
  const coverageArgs = ['--coverage', `--coverage.reportsDirectory=${join(folder, 'coverage')}`];
  const env = { ...process.env, HOLDFAST_TEST_SUMMARY: summaryFile };
  const { code, ms } = await runNode([vitest, 'run', ...reporters, ...coverageArgs], { echo: true, env });
  line(code === 0 ? 'ok' : 'failed', 'tests', 'vitest, with coverage', ms);
  return { code, summaryFile };
}

/**
 * Many tests are skipped for one reason; the reason is what a person needs.
 * @param {{ name: string, reason: string }[]} list
 */
function skips(list) {
  /** @type {Map<string, string[]>} */
  const byReason = new Map();
  for (const { name, reason } of list) byReason.set(reason, [...(byReason.get(reason) ?? []), name]);
  return [...byReason].map(
    ([reason, names]) => `${names.length} × ${reason}${names.length === 1 ? ` (${names[0]})` : ''}`,
  );
}

/**
 * @param {string} folder
 */
function coverage(folder) {
  const report = join(folder, 'coverage', 'coverage-summary.json');
  if (!existsSync(report)) return [];
  /** @type {Map<string, { lines: { covered: number, total: number }, branches: { covered: number, total: number } }>} */
  const byFolder = new Map();
  for (const [path, file] of Object.entries(JSON.parse(readFileSync(report, 'utf8')))) {
    if (path === 'total') continue;
    const name = relative(root, path).split(/[\\/]/).slice(0, 2).join('/');
    const sum = byFolder.get(name) ?? { lines: { covered: 0, total: 0 }, branches: { covered: 0, total: 0 } };
    for (const kind of /** @type {const} */ (['lines', 'branches'])) {
      sum[kind].covered += file[kind].covered;
      sum[kind].total += file[kind].total;
    }
    byFolder.set(name, sum);
  }
  rmSync(at('coverage'), { recursive: true, force: true });
  renameSync(join(folder, 'coverage'), at('coverage'));
  /** @param {{ covered: number, total: number }} sum */
  const percent = ({ covered, total }) => `${total === 0 ? 100 : Math.floor((1000 * covered) / total) / 10} %`;
  return [...byFolder]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, sum]) => `${name}: ${percent(sum.lines)} of lines, ${percent(sum.branches)} of branches`);
}

/**
 * @param {string} title
 * @param {string[]} lines
 */
function tell(title, lines) {
  if (lines.length === 0) return;
  process.stdout.write(`${title.padEnd(10)}${lines.join(`\n${' '.repeat(10)}`)}\n`);
}
