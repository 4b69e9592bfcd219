import * as library from '../../dist/index.js';

/** @type {import('./index.mjs').Peer} */
export const peer = {
  // A case makes millions of calls, and the peers have no budget: it is off unless a case is about it.
  layers: {
    retry: ({ attempts, delayMs, capMs, deadlineMs, budget = false }) =>
      library.retry({
        attempts,
        backoff: capMs === undefined ? library.constant(delayMs) : library.exponential(delayMs, { cap: capMs }),
        ...(deadlineMs === undefined ? {} : { maxElapsed: deadlineMs }),
        ...(budget === 'default' ? {} : { budget }),
      }),
    timeout: ({ ms }) => library.timeout(ms),
    breaker: ({ failures, cooldownMs, leaseMs = '30s' }) =>
      library.breaker({ failures, cooldown: cooldownMs, probeLease: leaseMs }),
    bulkhead: ({ limit, queue }) => library.bulkhead({ limit, queue }),
    fallback: ({ use }) => library.fallback((error) => use(error)),
  },
  stack(layers) {
    const policy = library.policy(...layers);
    const breaker = layers.find((layer) => 'isolate' in layer);
    const call = (operation, signal) => (signal ? policy.run(operation, { signal }) : policy.run(operation));
    return Object.assign(call, { state: () => breaker?.state });
  },
  cancellable: ['retry', 'timeout', 'breaker', 'bulkhead', 'fallback'],
};
