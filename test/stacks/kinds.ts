/**
 * What the reference knows of each kind of error and of judged results: the answers of `classify`, as data. That they are its answers is
 * shown by `stacks.test.ts`; verdicts have tests of their own.
 */
import type { ErrorKind, JudgedKind } from './script.ts';

export interface Known {
  readonly verdict: 'transient' | 'permanent' | 'ambiguous' | 'unknown';
  readonly health: 'up' | 'down' | 'none';
  readonly code?: string;
}

export const known: Readonly<Record<ErrorKind | JudgedKind, Known>> = {
  transient: { verdict: 'transient', health: 'down' },
  busy: { verdict: 'transient', health: 'down' },
  permanent: { verdict: 'permanent', health: 'none' },
  conflict: { verdict: 'transient', health: 'up' },
  missing: { verdict: 'permanent', health: 'up' },
  reset: { verdict: 'ambiguous', health: 'down', code: 'ECONNRESET' },
  unknown: { verdict: 'unknown', health: 'down' },
  coded: { verdict: 'unknown', health: 'down', code: 'E_ODD' },
  bug: { verdict: 'permanent', health: 'none' },
  aborted: { verdict: 'permanent', health: 'none' },
  commit: { verdict: 'ambiguous', health: 'down', code: 'COMMIT_UNKNOWN' },
  frozen: { verdict: 'unknown', health: 'down' },
  shared: { verdict: 'unknown', health: 'down' },
  text: { verdict: 'unknown', health: 'down' },
  nothing: { verdict: 'unknown', health: 'down' },
  'status 503': { verdict: 'ambiguous', health: 'down' },
  'status 429': { verdict: 'transient', health: 'up' },
  'status 404': { verdict: 'permanent', health: 'up' },
  odd: { verdict: 'unknown', health: 'down' },
};
