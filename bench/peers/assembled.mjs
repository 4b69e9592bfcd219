// Packages with one purpose each, put together as their documents show.
import pLimit from 'p-limit';
import pRetry from 'p-retry';
import pTimeout from 'p-timeout';
import Breaker from 'opossum';
import { nested } from './nested.mjs';

/** @type {import('./index.mjs').Peer} */
export const peer = {
  onlyTogether: true,
  stack: nested,
  layers: {
    timeout:
      ({ ms }) =>
      (next) =>
      (operation, signal) =>
        pTimeout(next(operation, signal), { milliseconds: ms }),
    retry:
      ({ attempts, delayMs }) =>
      (next) =>
      (operation, signal) =>
        pRetry(() => next(operation, signal), {
          retries: attempts - 1,
          minTimeout: delayMs,
          maxTimeout: delayMs,
          factor: 1,
        }),
    breaker:
      ({ failures, cooldownMs }) =>
      (next) => {
        const breaker = new Breaker((operation, signal) => next(operation, signal), {
          timeout: false,
          volumeThreshold: failures,
          resetTimeout: cooldownMs,
        });
        return (operation, signal) => breaker.fire(operation, signal);
      },
    bulkhead: ({ limit }) => {
      const limited = pLimit(limit);
      return (next) => (operation, signal) => limited(() => next(operation, signal));
    },
  },
};
