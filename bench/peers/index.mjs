// Who is compared. One file for each peer says how its own words are reached from a few common ones, so that a case or a
// claim is written once and runs with all of them. A peer is loaded only when it is asked for.
//
// Another peer: a file here, a line below, and its exact version in package.json and package-lock.json.

/**
 * Runs an operation once, under some layers. What the operation is given is the peer's own; its `signal` is the attempt's
 * where the peer has such a thing.
 * @typedef {(operation: (context: any) => any, signal?: AbortSignal) => Promise<any>} Call
 */

/**
 * `retry`: `attempts` with the first, `delayMs` between them (constant, unless `capMs` says that it grows, with jitter, up to
 * that), `deadlineMs` for all of them. `timeout`: `ms`. `breaker`: opens after `failures` in a row, or the nearest that the
 * peer has, for `cooldownMs`; `leaseMs` for a probe. `bulkhead`: `limit`, `queue`. `rateLimit`: `limit` calls in `perMs`. `fallback`: `use(error)`. `hedge`: another
 * call after `ms`, or after a `percentile` of what calls take.
 * @typedef {'retry' | 'timeout' | 'breaker' | 'bulkhead' | 'rateLimit' | 'fallback' | 'hedge'} LayerName
 * @typedef {Partial<Record<LayerName, object>>} Stack options of each layer, the outermost first
 */

/**
 * @typedef {object} Peer
 * @property {Partial<Record<LayerName, (options: any) => any>>} layers those that it has
 * @property {(layers: any[]) => Call & { state?: () => string | undefined }} stack the outermost layer first
 * @property {boolean} [onlyTogether] it is an assembly: a layer alone would be another peer
 * @property {readonly LayerName[]} [cancellable] layers that look at the caller's signal
 * @property {Record<string, any>} [features] what only some have: `signal` for the operation, `deadline` of a retry, `queue` of a
 *   bulkhead, `budget`, `late` results, `scope`
 * @property {Record<string, { note: string } & Partial<Peer>>} [asked] by the name of a claim, what the user has to set or do for
 *   it to hold, where the documents show a way
 */

/** In the order of the tables. @type {Record<string, () => Promise<{ peer: Peer }>>} */
export const peers = {
  bare: () => import('./bare.mjs'),
  'by hand': () => import('./handwritten.mjs'),
  holdfast: () => import('./holdfast.mjs'),
  cockatiel: () => import('./cockatiel.mjs'),
  mollitia: () => import('./mollitia.mjs'),
  opossum: () => import('./opossum.mjs'),
  'p-retry': () => import('./p-retry.mjs'),
  'async-retry': () => import('./async-retry.mjs'),
  'p-timeout': () => import('./p-timeout.mjs'),
  'p-limit': () => import('./p-limit.mjs'),
  bottleneck: () => import('./bottleneck.mjs'),
  limiter: () => import('./limiter.mjs'),
  'p-timeout, p-retry, opossum, p-limit': () => import('./assembled.mjs'),
};

/**
 * @param {Peer} peer
 * @param {Stack} stack
 * @returns {ReturnType<Peer['stack']> | undefined} nothing if the peer lacks one of the layers
 */
export function callOf(peer, stack) {
  const entries = /** @type {[LayerName, object][]} */ (Object.entries(stack));
  if (peer.onlyTogether && entries.length === 1) return undefined;
  if (!entries.every(([name]) => peer.layers[name])) return undefined;
  return peer.stack(entries.map(([name, options]) => peer.layers[name]?.(options)));
}
