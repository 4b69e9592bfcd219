/** What is known of an error. */

/**
 * May it be run again?
 *
 * - `transient`: it certainly did not happen, or may safely be run again as a whole.
 * - `permanent`: repeating cannot help: bad input, a bug, a cancellation.
 * - `ambiguous`: it may have happened.
 * - `unknown`: nothing is known of it.
 */
export type Verdict = 'transient' | 'permanent' | 'ambiguous' | 'unknown';

/** What `classify` says of an error. Frozen. */
export interface Classification {
  readonly verdict: Verdict;
  /** A few words for people, such as `'connection refused'` or `'HTTP 404'`. They may change; no program should compare them. */
  readonly reason: string;
  /** The code of the error that decided, or its HTTP status, where there is one: `'ECONNREFUSED'`, `'TIMEOUT'`, `'404'`. */
  readonly code?: string;
  /** How long the server, the refusing layer or the mark asks to wait, in milliseconds from the classification on. From 0. */
  readonly retryAfterMs?: number;
  /**
   * What it tells of the server. `up`: it answered and is healthy (404, a conflict). `down`: it counts against it, as everything
   * unknown does. `none`: it tells nothing (a cancellation, a bug here, an overload here, a refusal of our own).
   */
  readonly health: 'up' | 'down' | 'none';
}

/** A frozen `Classification`. Fields that are undefined are left out. */
export function classification(
  verdict: Verdict,
  reason: string,
  health: Classification['health'],
  code?: string,
  retryAfterMs?: number,
): Classification {
  return Object.freeze({
    verdict,
    reason,
    health,
    ...(code !== undefined && { code }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  });
}

/** The most common answer, made once. */
export const UNKNOWN: Classification = /* @__PURE__ */ classification('unknown', 'unknown', 'down');

export function isObject(value: unknown): value is object {
  return Object(value) === value;
}
