// What the checks of claims are written with.

/** Real time: the peers know no other. @param {number} ms @returns {Promise<void>} */
export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * How a promise stands after at most `withinMs`.
 * @param {PromiseLike<unknown>} promise
 * @param {number} withinMs
 * @returns {Promise<{ state: 'pending' | 'fulfilled' | 'rejected', value?: unknown, error?: any }>}
 */
export function settled(promise, withinMs) {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve({ state: 'pending' }), withinMs);
    const settle = (outcome) => {
      clearTimeout(timer);
      resolve(outcome);
    };
    promise.then(
      (value) => settle({ state: 'fulfilled', value }),
      (error) => settle({ state: 'rejected', error }),
    );
  });
}

/** An operation that the check answers, and that heeds no signal. */
export function answered() {
  /** @type {PromiseWithResolvers<any>} */
  const { promise, resolve, reject } = Promise.withResolvers();
  let begun = 0;
  const operation = () => {
    begun++;
    return promise;
  };
  return { operation, resolve, reject, begun: () => begun };
}

/** An operation that always fails, and counts. @param {unknown[]} thrown what it fails with, if not an error of its own */
export function failing(...thrown) {
  const [error] = thrown.length > 0 ? thrown : [new Error('down')];
  let begun = 0;
  const operation = async () => {
    begun++;
    throw error;
  };
  return { operation, error, begun: () => begun };
}

/** Nobody waits for it. @param {PromiseLike<unknown>} promise */
export const ignore = (promise) => {
  promise.then(
    () => {},
    () => {},
  );
};

/** @param {unknown} value */
export function shown(value) {
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  return typeof value === 'string' ? `'${value}'` : String(value);
}

/** For a part that is run with several stacks. @param {import('../peers/index.mjs').Stack} stack */
export const layersOf = (stack) => Object.keys(stack).join(' + ');
