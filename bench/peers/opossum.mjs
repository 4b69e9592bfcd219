import Breaker from 'opossum';

/** @type {import('./index.mjs').Peer} */
export const peer = {
  // All is one object with one set of options.
  layers: {
    timeout: ({ ms }) => ({ timeout: ms }),
    // It counts a share of the calls of a window, and not failures in a row.
    breaker: ({ failures, cooldownMs, leaseMs }) => ({
      volumeThreshold: failures,
      resetTimeout: cooldownMs,
      ...(leaseMs === undefined ? {} : { timeout: leaseMs }),
    }),
    // It has no queue: only what needs none is a bulkhead here.
    bulkhead: ({ limit }) => ({ capacity: limit }),
    fallback: ({ use }) => ({ use }),
  },
  stack(layers) {
    const { use, ...options } = Object.assign({ timeout: false, errorThresholdPercentage: 1 }, ...layers);
    const breaker = new Breaker((operation, signal) => operation({ signal }), options);
    if (use) breaker.fallback((_operation, _signal, error) => use(error));
    return Object.assign((operation) => breaker.fire(operation, breaker.getSignal()), {
      state: () => (breaker.opened ? 'open' : breaker.halfOpen ? 'half-open' : 'closed'),
    });
  },
};
