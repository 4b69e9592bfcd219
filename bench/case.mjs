// What the cases share: whom to measure, and how results are handed to run.mjs, which starts each case as a process.
import { fresh } from './compare.mjs';
import { callOf, peers } from './peers/index.mjs';

/**
 * A table. With one column it also shows the ratio to the first row. `values` belong to the columns.
 * @typedef {{ title: string, columns: string[], rows: { name: string, values: number[] }[] }} Group
 */

const only = process.argv[2] ? process.argv[2].split(',') : undefined;

/** What the others are compared with is always wanted. @param {string} name */
export const wanted = (name) => !only || name === 'bare' || only.some((part) => name.startsWith(part));

/** The peers that have all layers of `stack`. @param {import('./peers/index.mjs').Stack} stack */
export async function contenders(stack) {
  const found = [];
  for (const [name, load] of Object.entries(peers).filter(([name]) => wanted(name))) {
    const { peer } = await load();
    const call = callOf(peer, stack);
    if (call) found.push({ name, peer, call });
  }
  return found;
}

/**
 * One call of an operation that succeeds at once, with its own copy of both.
 * @param {import('./peers/index.mjs').Call} call
 * @param {string} [operation] source
 * @returns {() => Promise<unknown>}
 */
export const calling = (call, operation = 'async () => 42') =>
  fresh('(call, operation) => () => call(operation)')(call, fresh(operation));

/** Ends the process: some peers leave timers behind that would hold it. @param {Group[]} groups */
export function report(groups) {
  process.stdout.write(JSON.stringify(groups), () => process.exit());
}

/**
 * @param {string} title
 * @param {{ name: string, ns: number }[]} rows
 * @returns {Group}
 */
export const times = (title, rows) => ({
  title,
  columns: ['ns'],
  rows: rows.map(({ name, ns }) => ({ name, values: [ns] })),
});
