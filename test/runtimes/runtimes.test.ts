/** The built core on every runtime: all of them where everything is asked for, else those that cost the least. */
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { at, readJson } from '../../scripts/lib/project.mjs';
import { Failure } from '../../scripts/lib/say.mjs';
import { setUp } from '../../scripts/lib/set-up.mjs';
import { build, type Place } from './build.ts';
import { problemsOf, runOn, runtimes } from './runtimes.ts';
import { runTests, type Group, type Here } from './suite/harness.ts';

const requireAll = process.env['HOLDFAST_REQUIRE_ALL'] === '1';

let place: Place;
beforeAll(async () => {
  await setUp();
  place = await build();
  return () => place[Symbol.dispose]();
});

test.for(runtimes)('the core on $name', async (runtime, t) => {
  if (!requireAll && runtime.always !== true)
    t.skip(`${runtime.name}: runs with HOLDFAST_REQUIRE_ALL=1, as in .ci/run, and with npm run runtimes`);
  let program;
  try {
    program = await runtime.program();
  } catch (error) {
    if (requireAll || !(error instanceof Failure)) throw error;
    return t.skip(`${runtime.name}: ${error.message}`);
  }
  const { version, report, problems } = await runOn(runtime, program, place.folder);
  expect(problems.join('\n\n')).toBe('');
  await t.annotate(`${runtime.name} ${version}: ${report.passed.length} tests of the core passed`, 'measured');
});

test('the table in the README has each runtime, and what was found of it has passed', async (t) => {
  const text = readFileSync(at('README.md'), 'utf8').split('<!-- runtimes: ')[1]?.split('<!-- end of runtimes -->')[0];
  const rows = [...(text ?? '').matchAll(/^\| (.+?) \| [^|]+ \| (\d+) of (\d+) \|/gm)];
  expect(rows.map(([, name]) => name)).toEqual(runtimes.map(({ name }) => name));
  for (const [row, , passed, total] of rows) expect(passed, row).toBe(total);
  if (!requireAll) return;
  const { groups } = await import('./suite/index.ts');
  const counts = runtimes.map(({ lacks }) =>
    groups
      .filter(({ needs }) => needs === undefined || !lacks.includes(needs))
      .reduce((sum, { tests }) => sum + Object.keys(tests).length, 0),
  );
  expect(rows.map(([, , , total]) => Number(total))).toEqual(counts);
  await t.annotate(`${runtimes.length} runtimes in the README`, 'measured');
});

test('the lock file of the programs names no registry, and exact versions', () => {
  const folder = at('test', 'runtimes', 'programs');
  const { dependencies } = readJson(`${folder}/package.json`) as { dependencies: Record<string, string> };
  const { packages } = readJson(`${folder}/package-lock.json`) as {
    packages: Record<string, { version?: string; resolved?: string }>;
  };
  expect(Object.values(packages).filter(({ resolved }) => resolved !== undefined)).toEqual([]);
  for (const [name, version] of Object.entries(dependencies))
    expect(packages[`node_modules/${name}`]?.version).toBe(version);
});

describe('the harness tells', () => {
  const here: Here = { unreachable: '', request: () => Promise.reject(new Error('no requests here')) };
  const run = (tests: Group['tests'], more: Partial<Group> = {}) =>
    runTests([{ about: 'group', ...more, tests }], here, 50);

  test('of a test that throws, rejects, or does not end', async () => {
    const { passed, failed } = await run({
      throws: () => {
        throw new Error('thrown');
      },
      rejects: () => Promise.reject(new Error('rejected')),
      hangs: () => new Promise(() => {}),
      passes: () => {},
    });
    expect(passed).toEqual(['group: passes']);
    expect(failed.map(({ title, error }) => `${title}: ${error.split('\n')[0]}`)).toEqual([
      'group: throws: Error: thrown',
      'group: rejects: Error: rejected',
      'group: hangs: Error: has not ended after 50 ms',
    ]);
  });

  test('of two tests with one title', async () => {
    const group: Group = { about: 'group', tests: { same: () => {} } };
    await expect(runTests([group, group], here)).rejects.toThrow("two tests are called 'group: same'");
  });

  test('which tests did not apply, and why', async () => {
    const { DisposableStack } = globalThis;
    Reflect.deleteProperty(globalThis, 'DisposableStack');
    try {
      const { passed, lacks } = await run({ 'uses one': () => {} }, { needs: 'DisposableStack' });
      expect({ passed, lacks }).toEqual({ passed: [], lacks: { DisposableStack: ['group: uses one'] } });
    } finally {
      globalThis.DisposableStack = DisposableStack;
    }
  });
});

describe('a runtime is not as it should be', () => {
  const report = { userAgent: 'Node.js/24', passed: ['a'], failed: [], lacks: {} };

  test('if a test failed', () => {
    const failed = [{ title: 'b', error: 'Error: thrown' }];
    expect(problemsOf({ userAgent: 'Node.js/24', lacks: [] }, { ...report, failed })).toEqual(['b\nError: thrown']);
  });

  test('if it is another one', () => {
    expect(problemsOf({ userAgent: 'Node.js/22', lacks: [] }, report)).toEqual([
      'it ran on Node.js/24, not on Node.js/22',
    ]);
  });

  test('if it lacks what it was known to have, or has what it was known to lack', () => {
    const lacks = { 'async context': ['c'] };
    expect(problemsOf({ userAgent: 'Node.js/24', lacks: [] }, { ...report, lacks })).toHaveLength(1);
    expect(problemsOf({ userAgent: 'Node.js/24', lacks: ['async context'] }, report)).toHaveLength(1);
    expect(problemsOf({ userAgent: 'Node.js/24', lacks: ['async context'] }, { ...report, lacks })).toEqual([]);
  });
});
