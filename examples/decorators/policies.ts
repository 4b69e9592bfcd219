/** What stands around the calls, for the whole program: one breaker for the server, which both policies share. */
import { breaker, constant, fallback, policy, retry, timeout } from 'holdfast';

const server = breaker({ failures: 5, cooldown: '10s', name: 'server' });

/** Reads may run twice, and a page can do without an answer. */
export const reads = policy(
  fallback(null),
  timeout('2s'),
  retry({ attempts: 3, backoff: constant('10ms'), idempotent: true }),
  server,
  timeout('100ms'),
);

/** A charge may not run twice: only what certainly did not happen is tried again. */
export const charges = policy(
  timeout('5s'),
  retry({ attempts: 4, backoff: constant('10ms'), idempotent: false }),
  server,
  timeout('1s'),
);
