// What one call makes, counted rather than timed, so that a test can hold it to a limit. All of it includes the operation and
// the `await` of the caller: those make two promises and about 250 bytes.
import { createHook } from 'node:async_hooks';
import { getEventListeners } from 'node:events';
import { loopOf } from './compare.mjs';

/** For a process that counts bytes: a new generation that is not collected meanwhile. */
export const flags = ['--expose-gc', '--no-warnings', '--min-semi-space-size=64', '--max-semi-space-size=64'];

const CALLS = 200;
const BYTES_CALLS = 2_000;
const WARM_UPS = 20;
const BYTES_ROUNDS = 9;

/**
 * Bytes that a call allocates, by the growth of the heap: the least of several rounds, because whatever else allocates meanwhile
 * (the compiler does) only adds to it. To be asked before the first `made` of a process: whoever has hooked promises once gets
 * larger ones.
 * @param {() => Promise<unknown>} run one call
 */
export async function allocated(run) {
  const loop = loopOf(run);
  for (let i = 0; i < WARM_UPS; i++) {
    await loop(1_000);
    await new Promise((resolve) => setImmediate(resolve)); // what was compiled beside is taken over between two calls
  }
  let least = Infinity;
  for (let round = 0; round < BYTES_ROUNDS; round++) {
    globalThis.gc();
    const before = process.memoryUsage().heapUsed;
    await loop(BYTES_CALLS);
    least = Math.min(least, (process.memoryUsage().heapUsed - before) / BYTES_CALLS);
  }
  return least;
}

/**
 * Promises and timers that a call makes, by the hooks of Node: exact.
 * @param {() => Promise<unknown>} run one call
 */
export async function made(run) {
  let promises = 0;
  let timers = 0;
  const hook = createHook({
    init(_id, type) {
      if (type === 'PROMISE') promises++;
      else if (type === 'Timeout' || type === 'Immediate') timers++;
    },
  });
  const loop = loopOf(run);
  const madeBy = async (calls) => {
    promises = timers = 0;
    hook.enable();
    await loop(calls);
    hook.disable();
    return { promises, timers };
  };
  await loop(CALLS);
  const all = await madeBy(CALLS);
  const loopItself = await madeBy(0);
  return {
    promises: (all.promises - loopItself.promises) / CALLS,
    timers: (all.timers - loopItself.timers) / CALLS,
  };
}

/**
 * Listeners that many calls have left on one signal of their caller.
 * @param {(signal: AbortSignal) => Promise<unknown>} run one call
 */
export async function left(run) {
  const { signal } = new AbortController();
  for (let i = 0; i < CALLS; i++) await run(signal);
  return getEventListeners(signal, 'abort').length;
}
