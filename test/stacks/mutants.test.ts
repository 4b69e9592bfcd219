/** Each mutant of the source (`mutants.ts`) is noticed by the comparison of random stacks, in a process of its own. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import process from 'node:process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { mutants } from './mutants.ts';

const SEED = process.env['HOLDFAST_SEED'] ?? 'holdfast';
const SCRIPTS = 2_000;

const main = fileURLToPath(new URL('main.ts', import.meta.url));

test.concurrent.each(mutants)('$rule: $name', { timeout: 120_000 }, async ({ name }) => {
  const args = [main, '--seed', SEED, '--programs', String(SCRIPTS), '--mutant', name];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  expect(stdout).toMatch(/^found after \d+ scripts/);
});
