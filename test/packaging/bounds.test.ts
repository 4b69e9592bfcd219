/** What docs/reference/bounds.md says: nothing grows with what is new in each call. In full: `npm run test:full -- --part soak-names`. */
import { expect, test } from 'vitest';
import { at, runNode } from '../../scripts/lib/project.mjs';

test('a twentieth of a million of each leaves the heap as it was', async (t) => {
  const { code, output } = await runNode(['--expose-gc', at('test', 'soak', 'names.ts'), '--scale', '0.05']);
  expect(code, output).toBe(0);
  const figures = /subjects=(\d+) each=50000 largestGrowthKb=(-?\d+)/.exec(output);
  expect(Number(figures?.[1])).toBeGreaterThan(20);
  await t.annotate(output.trim().split('\n').at(-1)!, 'measured');
});
