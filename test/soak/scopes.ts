/**
 * One million scopes, one after another and a hundred at a time, under one long-lived signal: one listener while any runs, and
 * at the end no listener, no timer, no pending promise, and a heap no larger than after the first tenth.
 */
import assert from 'node:assert/strict';
import { createHook } from 'node:async_hooks';
import { getEventListeners } from 'node:events';
import { scope } from 'holdfast';
import { collect, finish, scaled } from './lib/soak.ts';

const WAVE = 100;
const count = scaled(1_000_000);
const { signal } = new AbortController();
let cleaned = 0;

const listeners = (): number => getEventListeners(signal, 'abort').length;

function once(): Promise<number> {
  return scope({ signal, timeout: '30s', name: 'soak' }, async (s) => {
    s.defer(() => void cleaned++);
    s.defer(async () => {});
    await s.go(async (child) => child.timeLeft());
    return 42;
  });
}

async function waves(scopes: number): Promise<void> {
  for (let done = 0; done < scopes; done += WAVE) {
    const wave = Array.from({ length: WAVE }, once);
    assert.equal(listeners(), 1);
    await Promise.all(wave);
    assert.equal(listeners(), 0);
  }
}

/** Promises that were made and never settled, over a part of the run: the hook is slow. */
async function pendingPromises(): Promise<number> {
  const pending = new Set<number>();
  const hook = createHook({
    init: (id, type) => void (type === 'PROMISE' && pending.add(id)),
    promiseResolve: (id) => void pending.delete(id),
  });
  hook.enable();
  for (let i = 0; i < 20; i++) await Promise.all(Array.from({ length: WAVE }, once));
  hook.disable();
  // This function's own promise, and those of the `await` that ends it, are under way.
  return pending.size;
}

await waves(WAVE * 10);
const unsettled = await pendingPromises();
assert.ok(unsettled <= 2, `${unsettled} promises of 2,000 scopes never settled`);

await waves(count / 10);
const before = await collect();
await waves(count - count / 10);
const after = await collect();
const growth = (after - before) / 1024;

assert.ok(growth < 512, `the heap grew by ${growth.toFixed(0)} kB over ${count} scopes`);
assert.ok(cleaned >= count, `${cleaned} cleanups of ${count} ran`);
assert.deepEqual(
  process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout'),
  [],
);
finish({ scopes: count, listeners: listeners(), heapGrowthKb: Math.round(growth) });
