/** What became of a piece of work: as a frozen record for its caller, as a live object for its deferred functions. */

/** How something ended. Frozen. `cancelled` tells whether its scope was cancelled, whatever came out. */
export type Outcome<T> =
  | { readonly ok: true; readonly value: T; readonly cancelled: boolean }
  | { readonly ok: false; readonly error: unknown; readonly cancelled: boolean };

/**
 * What a deferred function is given: how its scope is ending, and three verbs that change it.
 * It is live until that function has settled (for an async one, until its promise has); then the verbs do nothing.
 */
export interface Exit {
  /** No failure so far. A cleanup that runs later may still add one. */
  readonly ok: boolean;
  /** The result so far; `undefined` while there is a failure. */
  readonly value: unknown;
  /** The failure; `undefined` when there is none, and also when `undefined` was thrown: ask `ok`. */
  readonly error: unknown;
  /** The scope was cancelled before its body and children had settled. Then nothing is recovered. */
  readonly cancelled: boolean;
  /**
   * Takes the failure off and returns it. The result is then `result` if one is given, else what the body had returned or `set` gave,
   * else `undefined`. Without a failure, or in a cancelled scope, it changes nothing and returns `undefined`.
   */
  recover(result?: unknown): unknown;
  /** Sets the result, as a named result in Go. It does not recover. */
  set(value: unknown): void;
  /** Makes `error` the failure. The one before it is kept in `suppressedErrors(error)`. */
  fail(error: unknown): void;
}
