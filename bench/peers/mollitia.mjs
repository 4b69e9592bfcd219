import * as library from 'mollitia';

const stateNames = { closed: 'closed', opened: 'open', 'half-opened': 'half-open' };

const isNoRefusal = (error) =>
  !(error instanceof library.BreakerError) && !(error instanceof library.BulkheadOverloadError);

/** @type {import('./index.mjs').Peer} */
export const peer = {
  layers: {
    retry: ({ attempts, delayMs, capMs, ...more }) =>
      new library.Retry({
        ...more,
        attempts: attempts - 1,
        interval: delayMs,
        ...(capMs === undefined ? {} : { mode: library.RetryMode.JITTER, jitterAdjustment: 1, maxInterval: capMs }),
      }),
    timeout: ({ ms }) => new library.Timeout({ delay: ms }),
    // It counts a share of the last calls, and not failures in a row: all of them, of so many.
    breaker: ({ failures, cooldownMs, leaseMs = 0, ...more }) =>
      new library.SlidingCountBreaker({
        ...more,
        slidingWindowSize: failures,
        minimumNumberOfCalls: failures,
        failureRateThreshold: 99,
        openStateDelay: cooldownMs,
        permittedNumberOfCallsInHalfOpenState: 1,
        halfOpenStateMaxDelay: leaseMs,
      }),
    bulkhead: ({ limit, queue }) => new library.Bulkhead({ concurrentSize: limit, queueSize: queue }),
    rateLimit: ({ limit, perMs }) => new library.Ratelimit({ limitForPeriod: limit, limitPeriod: perMs }),
    // What it calls a fallback gives another error, never a value.
    fallback: ({ use }) => new library.Fallback({ callback: use }),
  },
  stack(modules) {
    const circuit = new library.Circuit({ func: (operation) => operation(), options: { modules } });
    const breaker = modules.find((module) => module instanceof library.SlidingCountBreaker);
    return Object.assign((operation) => circuit.execute(operation), { state: () => stateNames[breaker?.state] });
  },
  features: { queue: true },
  asked: {
    'refusals-not-retried': {
      note: 'with an `onRejection` that knows the refusals',
      get layers() {
        return { ...peer.layers, retry: (options) => peer.layers.retry({ ...options, onRejection: isNoRefusal }) };
      },
    },
    'own-refusals': {
      note: 'with an `onError` that knows the refusals',
      get layers() {
        return { ...peer.layers, breaker: (options) => peer.layers.breaker({ ...options, onError: isNoRefusal }) };
      },
    },
    'permits-follow-work': {
      note: 'with the timeout outside the bulkhead',
      stack: (modules) => peer.stack(modules.toSorted((a) => (a instanceof library.Timeout ? -1 : 1))),
    },
  },
};
