/** The example is built as its README says, and prints what stands there. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { at, pinnedNode, run, runNode } from '../../scripts/lib/project.mjs';
import { setUp } from '../../scripts/lib/set-up.mjs';

test('it prints what its README says', async () => {
  await setUp();
  const built = await runNode([at('node_modules', 'typescript', 'bin', 'tsc'), '-p', at('examples', 'decorators')]);
  expect(built.output).toBe('');
  const { code, output } = await run(pinnedNode, [at('.cache', 'examples', 'decorators', 'main.js')]);
  expect(code).toBe(0);
  const readme = readFileSync(at('examples', 'decorators', 'README.md'), 'utf8');
  expect(output).toBe(/```text\n([^]*?)```/.exec(readme)?.[1]);
});
