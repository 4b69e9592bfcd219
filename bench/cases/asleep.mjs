// Scopes that sleep under one AbortSignal: what each costs to begin, what it holds, and how long aborting all of them blocks.
// Beside it, the way it is written by hand: a timer and an abort listener each. That way is quadratic, so it is measured at 10,000.
import { scope } from 'holdfast';
import { setTimeout as delay } from 'node:timers/promises';

const turn = () => new Promise((resolve) => setImmediate(resolve));

async function measure(count, sleep) {
  const controller = new AbortController();
  let settled = 0;
  const done = () => void settled++;
  globalThis.gc();
  const heap = process.memoryUsage().heapUsed;
  const start = performance.now();
  for (let i = 0; i < count; i++) {
    sleep(controller.signal).then(done, done);
    if (i % 5_000 === 4_999) await turn();
  }
  const beginUs = ((performance.now() - start) * 1_000) / count;
  globalThis.gc();
  const bytes = (process.memoryUsage().heapUsed - heap) / count;
  const abortAt = performance.now();
  controller.abort(new Error('stop'));
  const abortMs = performance.now() - abortAt;
  while (settled < count) await turn();
  return { beginUs, bytes, abortMs };
}

const byHand = (signal) => delay(3_600_000, undefined, { signal });
const withScope = (signal) => scope({ signal }, (s) => s.sleep('1h'));

process.setMaxListeners(0);
await measure(2_000, byHand);
await measure(2_000, withScope);
const contenders = [
  { name: 'timer and listener, 10,000', ...(await measure(10_000, byHand)) },
  { name: 'holdfast scope, 10,000', ...(await measure(10_000, withScope)) },
  { name: 'holdfast scope, 100,000', ...(await measure(100_000, withScope)) },
];
const group = (title, unit, key) => ({
  group: title,
  unit,
  rows: contenders.map((c) => ({ name: c.name, value: c[key] })),
});
console.log(
  JSON.stringify([
    group('to begin, each', 'µs', 'beginUs'),
    group('held, each', 'bytes', 'bytes'),
    group('abort blocks', 'ms', 'abortMs'),
  ]),
);
