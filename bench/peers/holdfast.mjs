import * as library from '../../dist/index.js';

/** What `retry` takes for a word of a case. A case makes millions of calls, and no peer has a budget: it is off unless asked for. */
const budgets = {
  off: () => ({ budget: false }),
  default: () => ({}),
  empty: () => ({ budget: library.budget({ initial: 0, ratio: 0, trickle: 0 }) }),
};

/** @type {import('./index.mjs').Peer} */
export const peer = {
  layers: {
    retry: ({ attempts, delayMs, capMs, deadlineMs, budget = 'off' }) =>
      library.retry({
        attempts,
        backoff: capMs === undefined ? library.constant(delayMs) : library.exponential(delayMs, { cap: capMs }),
        ...(deadlineMs === undefined ? {} : { maxElapsed: deadlineMs }),
        ...budgets[budget](),
      }),
    timeout: ({ ms }) => library.timeout(ms),
    breaker: ({ failures, cooldownMs, leaseMs = '30s' }) =>
      library.breaker({ failures, cooldown: cooldownMs, probeLease: leaseMs }),
    bulkhead: ({ limit, queue }) => library.bulkhead({ limit, queue }),
    rateLimit: ({ limit, perMs }) => library.rateLimit({ limit, per: perMs }),
    fallback: ({ use }) => library.fallback((error) => use(error)),
    hedge: ({ ms, percentile }) => library.hedge({ after: ms ?? { percentile }, idempotent: true, ...budgets.off() }),
  },
  stack(layers) {
    const policy = library.policy(...layers);
    const breaker = layers.find((layer) => 'isolate' in layer);
    const call = (operation, signal) =>
      signal === undefined ? policy.run(operation) : policy.run(operation, { signal });
    return Object.assign(call, { state: () => breaker?.state });
  },
  cancellable: ['retry', 'timeout', 'breaker', 'bulkhead', 'fallback'],
  features: {
    signal: true,
    deadline: true,
    queue: true,
    budget: true,
    scope: library.scope,
    late: (tell) => library.onEvent('timeout:late', ({ error }) => tell(error)),
  },
};
