import Breaker from 'opossum';

/** @type {import('./index.mjs').Peer} */
export const peer = {
  // All is one object with one set of options.
  layers: {
    timeout: ({ ms, signal }) => ({ timeout: ms, ...(signal ? { abortController: new AbortController() } : {}) }),
    // It counts a share of the calls of a window, and not failures in a row.
    breaker: ({ failures, cooldownMs, leaseMs }) => ({
      errorThresholdPercentage: 1,
      volumeThreshold: failures,
      resetTimeout: cooldownMs,
      ...(leaseMs === undefined ? {} : { timeout: leaseMs }),
    }),
    // It has no queue: only what needs none is a bulkhead here.
    bulkhead: ({ limit }) => ({ capacity: limit }),
    fallback: ({ use }) => ({ use }),
  },
  stack(layers) {
    const { use, ...options } = Object.assign({ timeout: false, errorThresholdPercentage: 100 }, ...layers);
    const breaker = new Breaker((operation, signal) => operation({ signal }), options);
    if (use) breaker.fallback((_operation, _signal, error) => use(error));
    return Object.assign((operation) => breaker.fire(operation, breaker.getSignal()), {
      state: () => (breaker.opened ? 'open' : breaker.halfOpen ? 'half-open' : 'closed'),
    });
  },
  features: { signal: true },
  asked: {
    'own-refusals': {
      note: 'with an `errorFilter` that knows its refusals',
      stack: (layers) => peer.stack([...layers, { errorFilter: ({ code }) => code === 'ESEMLOCKED' }]),
    },
  },
};
