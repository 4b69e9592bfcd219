/**
 * A hundred thousand scopes asleep under one signal: to begin one costs the same however many sleep beside it, and aborting all is
 * one short pause. By hand (a timer and a listener each) the hundred-thousandth costs 0.5 ms to begin.
 */
import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { scope } from 'holdfast';
import { collect, finish, scaled } from './lib/soak.ts';

/** The goal for a quiet machine is 100 ms; this is where a shared one is surely not to blame. */
const ABORT_MS = 300;

async function measure(count: number): Promise<{ beginUs: number; abortMs: number; bytes: number }> {
  const controller = new AbortController();
  let aborted = 0;
  const heap = await collect();
  const start = performance.now();
  for (let i = 0; i < count; i++) {
    scope({ signal: controller.signal }, (s) => s.sleep('1h')).catch(() => aborted++);
    if (i % 5_000 === 4_999) await new Promise((resolve) => setImmediate(resolve));
  }
  const beginUs = ((performance.now() - start) * 1_000) / count;
  const bytes = ((await collect()) - heap) / count;
  assert.equal(getEventListeners(controller.signal, 'abort').length, 1);
  const abortAt = performance.now();
  controller.abort(new Error('stop'));
  const abortMs = performance.now() - abortAt;
  while (aborted < count) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(getEventListeners(controller.signal, 'abort').length, 0);
  return { beginUs, abortMs, bytes };
}

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] as number;

await measure(2_000);
const few = await measure(10_000);
const runs = [];
for (let i = 0; i < 5; i++) runs.push(await measure(scaled(100_000)));
const beginUs = median(runs.map((run) => run.beginUs));
const abortMs = median(runs.map((run) => run.abortMs));

assert.ok(
  beginUs < few.beginUs * 5,
  `${beginUs.toFixed(1)} µs each among 100,000, ${few.beginUs.toFixed(1)} µs among 10,000`,
);
assert.ok(abortMs < ABORT_MS, `abort blocked for ${abortMs.toFixed(0)} ms`);
finish({ beginUs: round(beginUs), abortMs: round(abortMs), bytesEach: Math.round(few.bytes) });

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
