import { RateLimiter } from 'limiter';

/** @type {import('./index.mjs').Peer} */
export const peer = {
  // It counts, and calls nothing: what to do with its answer is the user's.
  layers: { rateLimit: ({ limit, perMs }) => new RateLimiter({ tokensPerInterval: limit, interval: perMs }) },
  stack:
    ([limiter]) =>
    async (operation) => {
      if (!limiter.tryRemoveTokens(1)) throw new Error('used up');
      return operation();
    },
};
