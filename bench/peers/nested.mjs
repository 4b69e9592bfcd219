// Layers that know nothing of each other: each is a function of the next one.

/**
 * @typedef {import('./index.mjs').Call} Call
 * @param {((next: Call) => Call)[]} layers the outermost first
 * @returns {Call}
 */
export const nested = (layers) => layers.reduceRight((next, layer) => layer(next), direct);

/** @type {Call} */
const direct = (operation, signal) => operation({ signal });
