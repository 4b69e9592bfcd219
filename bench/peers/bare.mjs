// The operation itself: what all others are measured against.
const none = () => undefined;

/** @type {import('./index.mjs').Peer} */
export const peer = {
  layers: { retry: none, timeout: none, breaker: none, bulkhead: none, rateLimit: none, hedge: none },
  stack: () => (operation) => operation(),
};
