/** The back-offs, from the words of their documentation. */
import type { BackoffScript, JitterScript } from './script.ts';

export function backoffDelay(backoff: BackoffScript, attempt: number, previous: number, random: number): number {
  switch (backoff.type) {
    case 'constant':
      return jittered(backoff.delay, backoff.jitter, random);
    case 'linear':
      return Math.min(backoff.cap, jittered(Math.min(backoff.cap, backoff.step * attempt), backoff.jitter, random));
    case 'exponential': {
      const grown = backoff.base * backoff.factor ** (attempt - 1);
      return Math.min(backoff.cap, jittered(Math.min(backoff.cap, grown), backoff.jitter, random));
    }
    case 'decorrelated': {
      const highest = 3 * (previous === 0 ? backoff.base : previous);
      return Math.min(backoff.cap, backoff.base + random * (highest - backoff.base));
    }
    case 'sequence':
      return backoff.delays[Math.min(attempt, backoff.delays.length) - 1] as number;
  }
}

function jittered(delay: number, jitter: JitterScript, random: number): number {
  if (jitter === 'none') return delay;
  if (jitter === 'full') return delay * random;
  if (jitter === 'equal') return delay / 2 + (delay / 2) * random;
  return delay * (1 - jitter + 2 * jitter * random);
}
