/**
 * One million keys through `perKey`, a call or two each, a hundred at a time. Every fiftieth key is down and opens its breaker. What is kept stays
 * near `max`, and the heap is no larger at the end than after the first tenth.
 */
import assert from 'node:assert/strict';
import { breaker, bulkhead, constant, onEvent, perKey, policy, retry, timeout } from 'holdfast';
import { collect, finish, scaled } from './lib/soak.ts';

const WAVE = 100;
const MAX = 1_000;
const count = scaled(1_000_000);
let largest = 0;
let full = 0;
using _ = onEvent('per-key:full', () => full++);

const hosts = perKey(
  (host: string) =>
    policy(
      timeout('30s'),
      retry({ attempts: 2, backoff: constant(0), idempotent: true, budget: false }),
      breaker({ failures: 1, cooldown: 20, name: host }),
      bulkhead({ limit: 10, queue: 10, name: host }),
      timeout('10s'),
    ),
  { max: MAX },
);

async function once(i: number): Promise<void> {
  const host = `host-${i}.example`;
  const outcome = await hosts.get(host).settle(() => {
    if (i % 50 === 0) throw new Error('down');
    return host;
  });
  assert.equal(outcome.ok, i % 50 !== 0);
}

async function waves(from: number, to: number): Promise<void> {
  for (let first = from; first < to; first += WAVE) {
    await Promise.all(Array.from({ length: WAVE }, (_, i) => once(first + i)));
    largest = Math.max(largest, hosts.size);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

await waves(0, count / 10);
const before = await collect();
const start = performance.now();
await waves(count / 10, count);
const us = ((performance.now() - start) * 1_000) / (count * 0.9);
const after = await collect();
const growth = (after - before) / 1024;

assert.ok(growth < 2_048, `the heap grew by ${growth.toFixed(0)} kB over ${count} keys`);
assert.ok(largest <= 1.5 * MAX, `${largest} policies were kept at once, ${MAX} is the max`);
finish({ keys: count, largest, full, usEach: Math.round(us * 10) / 10, heapGrowthKb: Math.round(growth) });
