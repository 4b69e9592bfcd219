/** Work whose callers were let go before it had settled. */
import type { Context } from '../../scope/context.ts';
import { timeoutAbandoned } from './events.ts';

let count = 0;

/**
 * How many abandoned bodies have not settled yet, in the whole process: operations that did not end within the `grace` of a timeout, and whose
 * callers were let go; and launches of a `hedge` that another one was faster than, until they have ended. A number that grows means operations that do
 * not listen to their signal.
 *
 * @example
 * abandoned(); // 0
 */
export function abandoned(): number {
  return count;
}

/** As `leaveRunning`, of the body of an attempt whose timeout has let its caller go. That is an event. */
export function abandonBody(name: string | undefined, reason: unknown, above: Context | null | undefined): () => void {
  const settled = leaveRunning(above);
  if (timeoutAbandoned.observed) timeoutAbandoned.emit({ name, error: reason, detached: above == null });
  return settled;
}

/**
 * Counts work that goes on, and holds the cleanups of the scopes from `above` upwards.
 *
 * @param above nothing to hold none
 * @returns says that it has settled
 */
export function leaveRunning(above: Context | null | undefined): () => void {
  count++;
  const release = above?.hold();
  return () => {
    count--;
    release?.();
  };
}
