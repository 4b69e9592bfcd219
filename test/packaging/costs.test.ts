/** What a call costs, counted: the figures that do not depend on the machine. `npm run bench` measures the others. */
import { expect, test } from 'vitest';
import { at, runNode } from '../../scripts/lib/project.mjs';

interface Group {
  title: string;
  columns: string[];
  rows: { name: string; values: number[] }[];
}

/** The flags are the benchmark's own; it is no part of what is type-checked. */
const { flags } = (await import(at('bench', 'counts.mjs'))) as { flags: string[] };
async function measure(): Promise<Group[]> {
  const { code, output } = await runNode([...flags, at('bench', 'cases', 'counts.mjs'), 'holdfast']);
  if (code !== 0) throw new Error(`the case ended with ${code}:\n${output}`);
  return JSON.parse(output) as Group[];
}
const groups = await measure();

/** What one call makes under these layers, its operation and the `await` of its caller included. */
function costs(title: string, found: Group[] = groups): Record<string, number> {
  const group = found.find((one) => one.title === title);
  const row = group?.rows.find(({ name }) => name === 'holdfast');
  if (!group || !row) throw new Error(`no row of holdfast in the table '${title}'`);
  return Object.fromEntries(group.columns.map((column, i) => [column, row.values[i] ?? Number.NaN]));
}

test('a call under a retry makes three promises: the operation’s, its own and one for the await', () => {
  expect(costs('retry')).toMatchObject({ promises: 3, timers: 0, 'listeners left': 0 });
});

test('a call under timeout, retry, breaker and bulkhead makes four promises and no timer, and leaves no listener', () => {
  expect(costs('timeout, retry, breaker, bulkhead')).toMatchObject({ promises: 4, timers: 0, 'listeners left': 0 });
});

test('it allocates at most 1,200 bytes', async (t) => {
  const layers = 'timeout, retry, breaker, bulkhead';
  let { bytes } = costs(layers);
  // On a busy machine the compiler may have got less far, which only adds to it: the least of several processes is what a call costs.
  for (let more = 4; bytes! > 1_200 && more > 0; more--) {
    bytes = Math.min(bytes!, costs(layers, await measure())['bytes']!);
  }
  await t.annotate(`bytes of a call under timeout, retry, breaker and bulkhead: ${Math.round(bytes!)}`, 'measured');
  expect(bytes).toBeLessThanOrEqual(1_200);
});
