/** Bodies whose callers were let go before they had settled. */
import type { Context } from '../../scope/context.ts';
import { timeoutAbandoned } from './events.ts';

let count = 0;

/**
 * How many abandoned bodies have not settled yet, in the whole process: operations that did not end within the `grace` of a timeout, and whose
 * callers were let go. A number that grows means operations that do not listen to their signal.
 *
 * @example
 * abandoned(); // 0
 */
export function abandoned(): number {
  return count;
}

/**
 * Counts a body, and holds the cleanups of the scopes from `above` upwards.
 *
 * @param above `null` to hold none
 * @returns says that it has settled
 */
export function abandonBody(name: string | undefined, reason: unknown, above: Context | null | undefined): () => void {
  count++;
  const release = above?.hold();
  if (timeoutAbandoned.observed) timeoutAbandoned.emit({ name, error: reason, detached: release === undefined });
  return () => {
    count--;
    release?.();
  };
}
