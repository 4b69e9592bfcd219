import * as library from 'cockatiel';

const { CircuitState, TimeoutStrategy } = library;
const stateNames = {
  [CircuitState.Closed]: 'closed',
  [CircuitState.Open]: 'open',
  [CircuitState.HalfOpen]: 'half-open',
  [CircuitState.Isolated]: 'isolated',
};

const noRefusal = library.handleWhen(
  (error) => !library.isBrokenCircuitError(error) && !library.isBulkheadRejectedError(error),
);

/** @type {import('./index.mjs').Peer} */
export const peer = {
  layers: {
    retry: ({ attempts, delayMs, capMs, handled = library.handleAll }) =>
      library.retry(handled, {
        maxAttempts: attempts - 1,
        backoff:
          capMs === undefined
            ? new library.ConstantBackoff(delayMs)
            : new library.ExponentialBackoff({ initialDelay: delayMs, maxDelay: capMs }),
      }),
    timeout: ({ ms }) => library.timeout(ms, TimeoutStrategy.Aggressive),
    breaker: ({ failures, cooldownMs, handled = library.handleAll }) =>
      library.circuitBreaker(handled, {
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
  features: { signal: true, queue: true },
  asked: {
    'refusals-not-retried': {
      note: 'with `handleWhen` and all refusals left out',
      get layers() {
        return { ...peer.layers, retry: (options) => peer.layers.retry({ ...options, handled: noRefusal }) };
      },
    },
    'own-refusals': {
      note: 'with `handleWhen` and all refusals left out',
      get layers() {
        return { ...peer.layers, breaker: (options) => peer.layers.breaker({ ...options, handled: noRefusal }) };
      },
    },
    'probes-leased': {
      note: 'with a timeout inside the breaker',
      stack: (layers) => peer.stack([...layers, library.timeout(100, TimeoutStrategy.Aggressive)]),
    },
    'permits-follow-work': {
      note: 'with the timeout outside the bulkhead',
      stack: (layers) => peer.stack(layers.toSorted((a) => (a instanceof library.TimeoutPolicy ? -1 : 1))),
    },
  },
};
