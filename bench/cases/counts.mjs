// Promises, timers and bytes of one call that succeeds at once, and the listeners that it leaves on the caller's signal.
// test/packaging/costs.test.ts holds Holdfast to limits of these.
import { calling, contenders, report } from '../case.mjs';
import { allocated, left, made } from '../counts.mjs';
import { pipeline } from '../pipeline.mjs';

const stacks = {
  retry: { retry: pipeline.retry },
  timeout: { timeout: pipeline.timeout },
  'timeout, retry, breaker, bulkhead': pipeline,
};

const found = [];
for (const [title, stack] of Object.entries(stacks)) {
  for (const contender of await contenders(stack)) {
    const run = calling(contender.call);
    found.push({ ...contender, title, stack, run, bytes: await allocated(run) });
  }
}

/** @type {Map<string, { name: string, values: number[] }[]>} */
const tables = new Map(Object.keys(stacks).map((title) => [title, []]));
for (const { name, title, stack, peer, call, run, bytes } of found) {
  const { promises, timers } = await made(run);
  const obeys = Object.keys(stack).every((layer) => peer.cancellable?.includes(layer));
  const listeners = obeys ? await left((signal) => call(async () => 42, signal)) : NaN;
  tables.get(title).push({ name, values: [promises, timers, bytes, listeners] });
}
const columns = ['promises', 'timers', 'bytes', 'listeners left'];
report([...tables].map(([title, rows]) => ({ title, columns, rows })));
