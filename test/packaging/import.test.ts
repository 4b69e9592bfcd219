import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, inject, test, type TestContext } from 'vitest';
import { run } from '../../scripts/lib/project.mjs';

const consumer = inject('consumer');
const subpaths = ['holdfast', 'holdfast/testing', 'holdfast/node'];

describe.each(inject('nodes'))('on Node $version', ({ version, program }) => {
  /** Runs a program of the consumer's and returns what it printed as JSON. */
  async function consume(t: TestContext, file: string, source: string): Promise<unknown> {
    if (!program) t.skip(`Node ${version}: runs with HOLDFAST_REQUIRE_ALL=1, as in .ci/run`);
    const path = join(consumer, file.replace('.', `-${version}.`));
    writeFileSync(path, source);
    // Node 22.12 warns that requiring an ES module is an experiment; later ones do not.
    const flags = ['--disable-warning=ExperimentalWarning'];
    const { code, output } = await run(program, [...flags, path], { cwd: consumer });
    if (code !== 0) throw new Error(`exit code ${code}:\n${output}`);
    return JSON.parse(output);
  }

  test('the program under test is that Node', async (t) => {
    expect(await consume(t, 'version.mjs', `console.log(JSON.stringify(process.versions.node));`)).toBe(version);
  });

  test('every subpath is imported by an ES module and required by a CommonJS module, with the same exports', async (t) => {
    const list = JSON.stringify(subpaths);
    const imported = await consume(
      t,
      'import.mjs',
      `const names = await Promise.all(${list}.map(async (path) => Object.keys(await import(path)).sort()));
       console.log(JSON.stringify(names));`,
    );
    const required = await consume(
      t,
      'require.cjs',
      `console.log(JSON.stringify(${list}.map((path) => Object.keys(require(path)).sort())));`,
    );
    expect(required).toEqual(imported);
    expect(imported).toEqual([
      expect.arrayContaining(['scope', 'scopeSync']),
      expect.arrayContaining(['virtualTime']),
      expect.arrayContaining(['runMain']),
    ]);
  });

  test('a module that is required is the one that is imported', async (t) => {
    const source = `
      const required = require('holdfast');
      import('holdfast').then((imported) => console.log(imported.scope === required.scope));`;
    expect(await consume(t, 'same.cjs', source)).toBe(true);
  });

  test('package.json can be read, everything inside dist/ and src/ is refused', async (t) => {
    const inside = [
      'holdfast/dist/index.js',
      'holdfast/src/index.ts',
      'holdfast/dist/types/index.d.ts',
      'holdfast/internal',
    ];
    const source = `
      const { createRequire } = require('node:module');
      const codes = ${JSON.stringify(inside)}.map((path) => {
        try { require(path); return 'let in'; } catch (error) { return error.code; }
      });
      console.log(JSON.stringify([require('holdfast/package.json').name, ...codes]));`;
    expect(await consume(t, 'inside.cjs', source)).toEqual([
      'holdfast',
      ...inside.map(() => 'ERR_PACKAGE_PATH_NOT_EXPORTED'),
    ]);
  });

  test('the subpaths share one clock: virtual time of holdfast/testing governs scopes of holdfast', async (t) => {
    const source = `
      import { scope } from 'holdfast';
      import { virtualTime } from 'holdfast/testing';
      const start = performance.now();
      await virtualTime({ seed: 1 }, async (time) => {
        const slept = scope((s) => s.sleep('1h'));
        await time.advance('1h');
        await slept;
      });
      console.log(performance.now() - start < 5_000);`;
    expect(await consume(t, 'clock.mjs', source)).toBe(true);
  });

  test('cleanups run last in first out, on the Node that has no using too', async (t) => {
    const source = `
      import { scope } from 'holdfast';
      const order = [];
      const failure = new Error('the body fails');
      const caught = await scope((s) => {
        s.defer(() => order.push('first registered'));
        s.use({ [Symbol.asyncDispose]: async () => { order.push('resource'); throw new Error('a cleanup fails'); } });
        s.defer(() => order.push('last registered'));
        throw failure;
      }).catch((error) => error);
      console.log(JSON.stringify({ order, same: caught === failure }));`;
    expect(await consume(t, 'cleanup.mjs', source)).toEqual({
      order: ['last registered', 'resource', 'first registered'],
      same: true,
    });
  });
});

test('importing the core takes a few milliseconds', async (t) => {
  const source = `const start = performance.now(); await import('holdfast'); console.log(performance.now() - start);`;
  const path = join(consumer, 'cold.mjs');
  writeFileSync(path, source);
  const [pinned] = inject('nodes');
  const times: number[] = [];
  for (let i = 0; i < 7; i++) times.push(Number((await run(pinned!.program!, [path], { cwd: consumer })).output));
  const best = Math.min(...times);
  expect(best).toBeGreaterThan(0);
  // Told, not held to a limit: the machine's load decides too much.
  await t.annotate(`cold import of the core: ${best.toFixed(1)} ms, best of ${times.length} (goal 3 ms)`, 'measured');
});
