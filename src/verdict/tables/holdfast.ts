/** Errors of this library, told by brand and code, so that those of another copy of it are told too. */
import { classification, type Classification } from '../classification.ts';

const BRAND = Symbol.for('holdfast.error');

interface Own {
  readonly [BRAND]?: unknown;
  readonly retryAfterMs?: unknown;
}

export function ownError(error: object, code: unknown): Classification | undefined {
  if ((error as Own)[BRAND] !== true) return;
  switch (code) {
    case 'TIMEOUT':
      return classification('ambiguous', 'timeout', 'down', code);
    case 'COMMIT_UNKNOWN':
      return classification('ambiguous', 'commit unknown', 'down', code);
    case 'SCOPE_ENDED':
      return classification('permanent', 'a bug: the scope has ended', 'none', code);
    case 'CIRCUIT_OPEN':
    case 'BULKHEAD_FULL':
    case 'RATE_LIMITED': {
      const { retryAfterMs } = error as Own;
      const known = typeof retryAfterMs === 'number' && retryAfterMs >= 0;
      return classification('transient', 'refused', 'none', code, known ? retryAfterMs : undefined);
    }
  }
}
