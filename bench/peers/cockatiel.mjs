import * as library from 'cockatiel';

const { CircuitState, TimeoutStrategy } = library;
const stateNames = {
  [CircuitState.Closed]: 'closed',
  [CircuitState.Open]: 'open',
  [CircuitState.HalfOpen]: 'half-open',
  [CircuitState.Isolated]: 'isolated',
};

/** @type {import('./index.mjs').Peer} */
export const peer = {
  layers: {
    retry: ({ attempts, delayMs, capMs }) =>
      library.retry(library.handleAll, {
        maxAttempts: attempts - 1,
        backoff:
          capMs === undefined
            ? new library.ConstantBackoff(delayMs)
            : new library.ExponentialBackoff({ initialDelay: delayMs, maxDelay: capMs }),
      }),
    timeout: ({ ms }) => library.timeout(ms, TimeoutStrategy.Aggressive),
    breaker: ({ failures, cooldownMs }) =>
      library.circuitBreaker(library.handleAll, {
        halfOpenAfter: cooldownMs,
        breaker: new library.ConsecutiveBreaker(failures),
      }),
    bulkhead: ({ limit, queue }) => library.bulkhead(limit, queue),
    fallback: ({ use }) => library.fallback(library.handleAll, use),
  },
  stack(layers) {
    const policy = layers.length === 1 ? layers[0] : library.wrap(...layers);
    const breaker = layers.find((layer) => layer instanceof library.CircuitBreakerPolicy);
    return Object.assign((operation, signal) => policy.execute(operation, signal), {
      state: () => stateNames[breaker?.state],
    });
  },
  cancellable: ['retry', 'timeout', 'breaker', 'bulkhead', 'fallback'],
};
