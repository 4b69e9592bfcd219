/** What an attempt that failed says of what it called: for layers that draw conclusions from it. */
import { NONE } from '../../scope/frame.ts';
import type { Attempt } from './attempt.ts';
import { isDeadline, type AttemptRecord } from './history.ts';

/** What a result says of the health of what is called (P6.6). */
export type Effect = 'success' | 'failure' | 'neither';

/**
 * Of a failure.
 * @param blameAfterMs what a deadline from outside has ended is a failure if it had at least so long
 */
export function effectOf({ call }: Attempt, failed: AttemptRecord, blameAfterMs: number): Effect {
  if (failed.refused || failed.thrown !== NONE) return 'neither';
  // Not `attempt.aborted`: its own failure aborts it as well.
  if (!failed.timedOut && (failed.error === call.reason || call.isOwnTimeout(failed.error))) {
    if (!isDeadline(failed.error)) return 'neither';
    return failed.durationMs !== null && failed.durationMs >= blameAfterMs ? 'failure' : 'neither';
  }
  const { health } = failed.classification;
  // What a caller has cancelled may end with any error, and the server is not to blame for it.
  if (health === 'down' && !failed.timedOut && call.reason !== NONE && !isDeadline(call.reason)) return 'neither';
  return health === 'down' ? 'failure' : health === 'up' ? 'success' : 'neither';
}
