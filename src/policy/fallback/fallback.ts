/** The layer `fallback`: a result in place of a failure. */
import { addSuppressed } from '../../foundation/index.ts';
import { NONE } from '../../scope/frame.ts';
import type { Scope } from '../../scope/index.ts';
import type { RunningScope } from '../../scope/scope.ts';
import { dispose } from '../run/dispose.ts';
import { handOn } from '../run/history.ts';
import type { Middleware } from '../run/layer.ts';
import { Policy } from '../run/policy.ts';
import { fallbackUsed } from './events.ts';

/**
 * Gives a value, or what a function makes of the error, when everything inside it has failed. Put it outermost, or just inside the timeout of the whole call.
 *
 * Does not run when the caller has cancelled, nor after a deadline outside it. If the function throws, its error comes out, with the first one as
 * its `cause` (if it has none of its own), and in its `suppressedErrors`. A result that `failWhen` judged a failure is disposed of when a value
 * takes its place; a function that gets it decides for itself.
 *
 * @param fallback a value; or a function, given the error (or the result that `failWhen` judged a failure) and a scope
 * @example
 * await policy(fallback(0), retry({ attempts: 1 })).run((): number => { throw new Error('down'); }); // 0
 * @example
 * await fallback((error) => `sorry: ${error}`).run((): string => { throw new Error('down'); }); // 'sorry: Error: down'
 */
export function fallback<F>(fallback: (error: unknown, s: Scope) => F | PromiseLike<F>): Policy<F>;
export function fallback<const F>(fallback: F): Policy<F>;
export function fallback(given: unknown): Policy<unknown> {
  const give = typeof given === 'function' ? (given as (error: unknown, s: Scope) => unknown) : () => given;
  const layer: Middleware = {
    kind: 'middleware',
    name: 'fallback',
    run: async (next, s, inside, call) => {
      let error: unknown;
      try {
        const value = await next();
        if (!Object.is(inside.judged, value) || isAborted(s)) return value;
        error = value;
        if (typeof given !== 'function') dispose(call, value); // a function may make something of it
      } catch (thrown) {
        if (isAborted(s)) throw thrown;
        error = thrown;
      }
      return replace(error, s, give, call);
    },
    toString: () => 'fallback',
  };
  return new Policy([layer]);
}

/** The caller has cancelled, or an outer deadline has passed: nobody waits for a replacement. */
function isAborted(s: Scope): boolean {
  return (s as RunningScope).context.reason !== NONE;
}

async function replace(
  error: unknown,
  s: Scope,
  give: (error: unknown, s: Scope) => unknown,
  call: string | undefined,
): Promise<unknown> {
  if (fallbackUsed.observed) fallbackUsed.emit({ name: call, error });
  try {
    return await give(error, s);
  } catch (thrown) {
    giveCause(thrown, error);
    addSuppressed(thrown, error);
    handOn(error, thrown);
    throw thrown;
  }
}

/** An error that has no cause yet, and can be given one. Survives every value. */
function giveCause(error: unknown, cause: unknown): void {
  try {
    if (!(error instanceof Error) || error === cause || 'cause' in error) return;
    Reflect.defineProperty(error, 'cause', { value: cause, writable: true, configurable: true });
  } catch {
    // A proxy that does not want to be looked at.
  }
}
