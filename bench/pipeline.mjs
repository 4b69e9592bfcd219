// The layers of the cases that have all of them, in the usual order.
export const pipeline = {
  timeout: { ms: 30_000 },
  retry: { attempts: 4, delayMs: 0 },
  breaker: { failures: 5, cooldownMs: 10_000 },
  bulkhead: { limit: 100, queue: 100 },
};
