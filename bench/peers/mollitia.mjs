import * as library from 'mollitia';

const stateNames = { closed: 'closed', opened: 'open', 'half-opened': 'half-open' };

/** @type {import('./index.mjs').Peer} */
export const peer = {
  layers: {
    retry: ({ attempts, delayMs, capMs }) =>
      new library.Retry({
        attempts: attempts - 1,
        interval: delayMs,
        ...(capMs === undefined ? {} : { mode: library.RetryMode.JITTER, jitterAdjustment: 1, maxInterval: capMs }),
      }),
    timeout: ({ ms }) => new library.Timeout({ delay: ms }),
    // It counts a share of the last calls, and not failures in a row: all of them, of so many.
    breaker: ({ failures, cooldownMs, leaseMs = 0 }) =>
      new library.SlidingCountBreaker({
        slidingWindowSize: failures,
        minimumNumberOfCalls: failures,
        failureRateThreshold: 99,
        openStateDelay: cooldownMs,
        permittedNumberOfCallsInHalfOpenState: 1,
        halfOpenStateMaxDelay: leaseMs,
      }),
    bulkhead: ({ limit, queue }) => new library.Bulkhead({ concurrentSize: limit, queueSize: queue }),
    // What it calls a fallback gives another error, never a value.
    fallback: ({ use }) => new library.Fallback({ callback: use }),
  },
  stack(modules) {
    const circuit = new library.Circuit({ func: (operation) => operation(), options: { modules } });
    const breaker = modules.find((module) => module instanceof library.SlidingCountBreaker);
    return Object.assign((operation) => circuit.execute(operation), { state: () => stateNames[breaker?.state] });
  },
};
