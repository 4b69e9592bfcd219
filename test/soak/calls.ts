/**
 * Calls of one policy with every layer under one long-lived signal, a hundred at a time: most succeed, some fail and are retried at once, some fail
 * for good, wait in the queue, clean up, are cancelled at work or in the queue, or are abandoned. At the end there is no listener, no timer,
 * no pending promise, no permit taken and nobody abandoned, and the heap does not grow with the calls.
 */
import assert from 'node:assert/strict';
import { createHook } from 'node:async_hooks';
import { getEventListeners } from 'node:events';
import { abandoned, breaker, bulkhead, constant, policy, retry, scope, timeout, type Scope } from 'holdfast';
import { setFlagsFromString } from 'node:v8';
import { collect, finish, scaled, slope } from './lib/soak.ts';

const WAVE = 100;
const LIMIT = 80;
/** Of the heap, in kB for ten million calls. */
const MAX_GROWTH = 1024;
/** In kB: what the measurements differ by. It is the bound of shorter runs. */
const NOISE = 512;
const SAMPLES = 20;

// The engine throws away the code of what has not run for long: megabytes at a moment of its own, beside which no growth is seen.
setFlagsFromString('--no-flush-bytecode');

const count = scaled(10_000_000);
const { signal } = new AbortController();
const outside = { signal };
const gate = breaker({ ratio: 0.9, lastCalls: 100, cooldown: '1h' });
const permits = bulkhead({ limit: LIMIT, queue: WAVE });
const inventory = policy(
  timeout('30s', { grace: 1 }),
  retry({ attempts: 3, backoff: constant(0), budget: false }),
  gate,
  permits,
  timeout('10s', { grace: 1 }),
);

/** Several, so that each failure is told from the one before. */
const failures = Array.from({ length: 3 }, (_, i) => new Error(`failure ${i}`));
const stop = new Error('stop');
let cleaned = 0;
const counts = { succeeded: 0, retried: 0, failed: 0, cancelled: 0, abandoned: 0, refused: 0 };

const succeed = (): number => 17;
const succeedLater = async (): Promise<number> => 17;

function failOnce(s: Scope): number {
  if (s.attempt === 1) throw failures[0];
  counts.retried++;
  return 17;
}

async function failAlways(s: Scope): Promise<never> {
  s.defer(() => void cleaned++);
  throw failures[s.attempt - 1];
}

async function cleanUp(s: Scope): Promise<number> {
  s.defer(() => void cleaned++);
  s.defer(async () => {});
  return s.go(async (child) => (child.timeLeft() > 0 ? 17 : 0));
}

const waitForAbort = (s: Scope): Promise<void> => s.sleep('1h');

/** Its caller cancels: at once, when it has begun or waits in the queue. */
function cancelled(): Promise<unknown> {
  return scope(outside, (s) => {
    const call = inventory.run(waitForAbort, { signal: s });
    s.cancel(stop);
    return call;
  }).catch((error: unknown) => {
    assert.equal(error, stop);
    counts.cancelled++;
  });
}

/** The same of work that does not listen, and is abandoned. */
function deaf(): Promise<unknown> {
  let end!: () => void;
  const work = new Promise<void>((resolve) => (end = resolve));
  const ended = scope(outside, (s) => {
    const call = inventory.run(() => work, { signal: s });
    s.cancel(stop);
    return call;
  });
  return ended.catch((error: unknown) => {
    assert.equal(error, stop);
    counts.abandoned += abandoned();
    end();
  });
}

const run = (op: (s: Scope) => unknown): Promise<unknown> => inventory.run(op, outside);
const succeeded = (): void => void counts.succeeded++;
const failedForGood = (error: unknown): void => {
  assert.equal(error, failures[2]);
  counts.failed++;
};

function call(number: number): Promise<unknown> {
  if (number % 20_000 === 0) return deaf();
  switch (number % 20) {
    case 1:
    case 2:
      return run(failOnce).then(succeeded);
    case 3:
      return run(failAlways).catch(failedForGood);
    case 4:
      return run(cleanUp).then(succeeded);
    case 5:
      return cancelled();
    default:
      return run(number % 2 === 0 ? succeed : succeedLater).then(succeeded);
  }
}

/** A server that is down: the breaker opens, and refuses what comes then. */
async function outage(): Promise<void> {
  for (let i = 0; gate.state === 'closed'; i++) {
    assert.ok(i < 2 * WAVE, 'the breaker stays closed');
    await run(failAlways).catch(() => {});
  }
  await run(succeed).catch(() => counts.refused++);
  gate.reset();
}

const listeners = (): number => getEventListeners(signal, 'abort').length;

async function waves(calls: number): Promise<void> {
  for (let done = 0; done < calls; done += WAVE) {
    const wave = [];
    for (let i = 0; i < WAVE; i++) wave.push(call(done + i));
    assert.equal(listeners(), 1);
    assert.equal(permits.inFlight, LIMIT);
    await Promise.all(wave);
    assert.equal(listeners(), 0);
    assert.equal(permits.inFlight, 0);
    if (done % 100_000 === 0) await outage();
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
  await waves(WAVE * 400);
  hook.disable();
  return pending.size;
}

// Until the engine has compiled what is hot.
await waves(Math.max(count / 10, 100_000));
const unsettled = await pendingPromises();
// The promises of the two functions that wait for the waves are under way.
assert.ok(unsettled <= 2, `${unsettled} promises of ${WAVE * 400} calls never settled`);

const samples: [calls: number, kb: number][] = [];
for (let done = 0; done <= count; done += count / SAMPLES) {
  samples.push([done, (await collect()) / 1024]);
  if (done < count) await waves(count / SAMPLES);
}
const growth = slope(samples) * count;
const bound = Math.max((MAX_GROWTH * count) / 10_000_000, NOISE);

assert.ok(growth <= bound, `the heap grows by ${growth.toFixed(0)} kB in ${count} calls`);
for (const [what, times] of Object.entries(counts)) assert.ok(times > 0, `none ${what}`);
assert.ok(cleaned > 0);
assert.equal(abandoned(), 0);
assert.equal(permits.waiting, 0);
const timers = process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout');
assert.deepEqual(timers, []);
finish({
  calls: count,
  listeners: listeners(),
  permits: permits.inFlight,
  abandoned: abandoned(),
  heapGrowthKb: Math.round(growth),
});
