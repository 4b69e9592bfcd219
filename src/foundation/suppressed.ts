/**
 * Errors that came second. They are kept beside the first one in a weak map: an error may be frozen, shared, or a class
 * whose shape somebody relies on, so it is never written to.
 */
const suppressed = /* @__PURE__ */ new WeakMap<object, Set<unknown>>();

/**
 * The errors that came up while `error` was already on its way out: failures of cleanups, of other children, and failures
 * that were replaced by it or recovered before it. Newest last, the newest hundred. Empty for a primitive, which has no
 * identity to keep them by: the events `scope:cleanup-failed` and `scope:discarded` tell of those.
 *
 * @example
 * const error = await scope((s) => {
 *   s.defer(() => { throw new Error('close failed'); });
 *   throw new Error('query failed');
 * }).catch((error) => error);
 * String(error);                        // 'Error: query failed'
 * suppressedErrors(error).map(String);  // ['Error: close failed']
 */
export function suppressedErrors(error: unknown): readonly unknown[] {
  // A weak map answers `undefined` for a key that it could not hold.
  return [...(suppressed.get(error as object) ?? [])];
}

/** An error that many callers share, a constant of a module say, would collect for ever: the newest are kept. */
const MAX_SUPPRESSED = 100;

/**
 * Keeps `other` beside `error`: once, however often it comes up. An error is never its own company.
 *
 * @returns false if `error` is a primitive, which nothing can be kept by
 */
export function addSuppressed(error: unknown, other: unknown): boolean {
  if (error === other) return true;
  if (Object(error) !== error) return false;
  const others = suppressed.get(error as object);
  if (others === undefined) suppressed.set(error as object, new Set([other]));
  else if (others.add(other).size > MAX_SUPPRESSED) others.delete(others.values().next().value);
  return true;
}
