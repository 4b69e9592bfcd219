import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { at, runNode } from '../../scripts/lib/project.mjs';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-imports-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Lints a tree of sources with the project's own rules and returns what is said about it. */
async function lint(name: string, files: Record<string, string>): Promise<string> {
  const project = join(folder, name);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(project, path)), { recursive: true });
    writeFileSync(join(project, path), text);
  }
  // The rules of the project, without those that need types.
  writeFileSync(
    join(project, 'oxlint.config.ts'),
    `import config from ${JSON.stringify(pathToFileURL(at('oxlint.config.ts')).href)};
     export default { ...config, options: {} };`,
  );
  const { code, output } = await runNode([at('node_modules', 'oxlint', 'bin', 'oxlint'), '-f', 'unix'], {
    cwd: project,
  });
  expect(code === 0).toBe(!output.includes('[Error/'));
  return output;
}

const value = 'export const value = 1;\n';
const uses = (path: string): string => `export { value } from '${path}';\n`;

test('imports of what stands before are let through', async () => {
  const said = await lint('right', {
    'src/foundation/clock.ts': value,
    'src/scope/scope.ts': uses('../foundation/clock.ts'),
    'src/policy/run/run.ts': uses('../../scope/scope.ts'),
    'src/policy/retry/retry.ts': uses('../run/run.ts'),
    'src/policy/breaker/breaker.ts': uses('../run/run.ts'),
    'src/policy/standard/standard.ts': uses('../retry/retry.ts'),
    'src/policy/index.ts': `export * from './retry/retry.ts';\n`,
    'src/node/run-main.ts': `import process from 'node:process';\nprocess.exitCode = 0;\n${uses('../scope/scope.ts')}`,
    'src/events.ts': uses('./scope/scope.ts'),
    'src/testing/record.ts': uses('../events.ts'),
    'src/scope/scope.test.ts': uses('../testing/record.ts'),
    'src/index.ts': `export * from './scope/scope.ts';\nexport * as events from './events.ts';\n`,
  });
  expect(said).not.toContain('Error/');
});

test.each([
  ['a folder that stands later', 'src/scope/scope.ts', '../policy/index.ts'],
  ['a folder that stands later, from deeper', 'src/policy/retry/retry.ts', '../../http/fetch.ts'],
  ['a type counts too', 'src/foundation/clock.ts', '../scope/scope.ts'],
  ['the events of all folders', 'src/scope/scope.ts', '../events.ts'],
  ['the front door, from inside', 'src/testing/kit.ts', '../index.ts'],
  ['a subpath, from the front door', 'src/index.ts', './testing/kit.ts'],
  ['another policy', 'src/policy/retry/retry.ts', '../breaker/breaker.ts'],
  [
    'what stands later, from where the layers are put together',
    'src/policy/standard/standard.ts',
    '../../testing/kit.ts',
  ],
  ['where they are put together, from a layer', 'src/policy/retry/retry.ts', '../standard/standard.ts'],
  ['a module of Node, in the core', 'src/foundation/clock.ts', 'node:timers'],
  ['the package by its name', 'src/node/run-main.ts', 'holdfast'],
  ['a test', 'src/scope/scope.ts', './scope.test.ts'],
  ['something outside the sources', 'src/scope/scope.ts', '../../test/fuzz/world.ts'],
])('refused: %s', async (what, path, imported) => {
  const said = await lint(`wrong-${what.replace(/\W+/g, '-')}`, {
    'src/policy/breaker/breaker.ts': value,
    'src/policy/standard/standard.ts': value,
    [path]: what.startsWith('a type') ? `export type { Scope } from '${imported}';\n` : uses(imported),
  });
  expect(said).toContain('no-restricted-imports');
});

test('refused: a cycle', async () => {
  const said = await lint('cycle', {
    'src/scope/a.ts': `import { b } from './b.ts';\nexport const a = (): number => b;\n`,
    'src/scope/b.ts': `import { a } from './a.ts';\nexport const b = a();\n`,
  });
  expect(said).toContain('no-cycle');
});
