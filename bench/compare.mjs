// The timing loop. All contenders live in one process and take turns in a new random order every round, so that a machine that
// slows down slows all of them. Each has its own compiled loop and its own operation: one contender's types must not
// make the engine give up its assumptions about another's. The result is the median of the rounds.
let unique = 0;

/** @param {string} source a function @returns {Function} its own copy of it, with its own type feedback */
export function fresh(source) {
  // oxlint-disable-next-line typescript/no-implied-eval -- a copy of the code is the point, and it is ours
  return new Function(`/* ${++unique} */ return ${source}`)();
}

/** @param {number[]} values */
export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

const ROUNDS = 31;
const ROUND_MS = 4;
const WARM_UP_MS = 300;

/**
 * @param {{ name: string, run: () => Promise<unknown> }[]} contenders `run` is one operation
 * @param {{ atOnce?: number }} [options] how many operations are under way at a time [1]
 * @returns {Promise<{ name: string, ns: number }[]>} nanoseconds an operation
 */
export async function compare(contenders, { atOnce = 1 } = {}) {
  const states = contenders.map(({ name, run }) => ({
    name,
    loop: atOnce === 1 ? loopOf(run) : wavesOf(run, atOnce),
    count: 1,
    ns: /** @type {number[]} */ ([]),
  }));
  for (const state of states) {
    const start = performance.now();
    let done = 0;
    const some = Math.ceil(100 / atOnce);
    while (performance.now() - start < WARM_UP_MS) done += await timed(state.loop, some).then(() => some);
    state.count = Math.ceil((done / (performance.now() - start)) * ROUND_MS);
  }
  for (let round = 0; round < ROUNDS; round++) {
    for (const state of shuffled(states)) {
      state.ns.push(((await timed(state.loop, state.count)) * 1e6) / (state.count * atOnce));
    }
  }
  return states.map(({ name, ns }) => ({ name, ns: median(ns) }));
}

/** @param {() => Promise<unknown>} run @returns {(n: number) => Promise<void>} n calls, one after another */
export function loopOf(run) {
  return fresh(`(run) => async (n) => { for (let i = 0; i < n; i++) await run(); }`)(run);
}

/** @param {() => Promise<unknown>} run @param {number} size @returns {(n: number) => Promise<void>} n waves of that size */
function wavesOf(run, size) {
  return fresh(`(run) => async (n) => {
    const wave = new Array(${size});
    for (let i = 0; i < n; i++) {
      for (let k = 0; k < ${size}; k++) wave[k] = run();
      await Promise.all(wave);
    }
  }`)(run);
}

/** @param {(n: number) => Promise<void>} loop @param {number} count @returns {Promise<number>} milliseconds */
async function timed(loop, count) {
  await new Promise((resolve) => setImmediate(resolve)); // timers and I/O have their turn outside the measured part
  globalThis.gc?.({ type: 'minor' });
  const start = performance.now();
  await loop(count);
  return performance.now() - start;
}

/** @template T @param {T[]} items */
function shuffled(items) {
  const copy = [...items];
  for (let i = copy.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1));
    [copy[i], copy[j]] = [copy[j], copy[i]];
  }
  return copy;
}
