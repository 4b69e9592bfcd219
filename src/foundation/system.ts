/**
 * The one door to the platform: real time, real timers, real randomness, and the built-ins that only some platforms have.
 * Nothing else in `src/` may call `setTimeout`, `performance.now`, `Date.now` or `Math.random`: what cannot be swapped cannot be tested.
 *
 * Functions are taken from the platform when this module is loaded, so that a test runner's fake timers, installed later,
 * neither stop nor speed up a policy that runs on real time.
 */

/** What a platform's `setTimeout` returns: an object with `ref` and `unref` on Node and Bun, a number in browsers. */
export type TimerHandle = { ref(): unknown; unref(): unknown } | number;

/** Runs a function in an async context that was captured, and hands back what it returns. */
export interface CapturedContext {
  run<A extends unknown[], T>(fn: (...args: A) => T, ...args: A): T;
}

interface Platform {
  setTimeout(fn: () => void, delayMs: number): TimerHandle;
  clearTimeout(handle: TimerHandle | undefined): void;
  setImmediate?: (fn: () => void) => unknown;
  performance: { now(): number };
  process?: { getBuiltinModule?(name: string): unknown };
  navigator?: { userAgent?: string };
}

const platform = globalThis as unknown as Platform;
// oxlint-disable-next-line typescript/unbound-method -- the platform's global functions have no `this`
const { setTimeout, clearTimeout, setImmediate = (fn: () => void) => setTimeout(fn, 0), performance } = platform;

/**
 * `process.getBuiltinModule` finds a Node built-in without an import: bundles for a browser need no stub, no `node:`
 * specifier and no second file per platform. Node >= 22.3, Bun and Deno have it; elsewhere the answer is `undefined`.
 */
const builtin = (name: string): unknown => platform.process?.getBuiltinModule?.(name);

const asyncHooks = builtin('async_hooks') as
  | {
      AsyncResource: new (type: string) => {
        runInAsyncScope<A extends unknown[], T>(fn: (...args: A) => T, self: undefined, ...args: A): T;
      };
    }
  | undefined;

interface DiagnosticsChannel {
  readonly hasSubscribers: boolean;
  publish(message: unknown): void;
}

const diagnostics = builtin('diagnostics_channel') as { channel(name: string): DiagnosticsChannel } | undefined;

/** A `diagnostics_channel`, where the platform has them. */
export const channel = (name: string): DiagnosticsChannel | undefined => diagnostics?.channel(name);

/**
 * Captures the async context in force (`AsyncLocalStorage`, OpenTelemetry's active span), for code that a timer or somebody else's
 * call will wake. `await` carries the context by itself; only what is called back directly needs this.
 *
 * An `AsyncResource` costs 65 bytes and 0.1 µs (`AsyncLocalStorage.snapshot()`: 1.4 kB and 4 µs). A platform without it
 * has no `AsyncLocalStorage` either, and nothing to carry.
 */
export function captureContext(): CapturedContext {
  return Captured === undefined ? NO_CONTEXT : new Captured('Holdfast');
}

const NO_CONTEXT: CapturedContext = { run: (fn, ...args) => fn(...args) };

const Captured =
  asyncHooks &&
  class extends asyncHooks.AsyncResource implements CapturedContext {
    run<A extends unknown[], T>(fn: (...args: A) => T, ...args: A): T {
      return this.runInAsyncScope(fn, undefined, ...args);
    }
  };

/**
 * Platform timers are shared by calls of many callers. One made inside a caller's async context would keep that context
 * alive, and hand it to the others, so they are made in the context that this module was loaded in.
 */
const loadContext = captureContext();

/** The longest delay that a platform timer takes: a longer one would overflow to 1 ms. */
export const MAX_DELAY_MS: number = 2 ** 31 - 1;

/** Calls `fn` after about `delayMs`: perhaps a little early, and after `MAX_DELAY_MS` at the latest. The caller looks at the clock. */
export function setTimer(fn: () => void, delayMs: number): TimerHandle {
  return loadContext.run(setTimeout, fn, Math.min(Math.ceil(delayMs), MAX_DELAY_MS));
}

/**
 * workerd ends a request's timers with the request: one that calls of two requests shared would never fire for the second. The name
 * is the only sign of it that there is.
 */
export const timersBelongToRequests: boolean = platform.navigator?.userAgent === 'Cloudflare-Workers';

export function clearTimer(handle: TimerHandle | undefined): void {
  clearTimeout(handle);
}

/** Monotonic milliseconds: unaffected by changes of the wall clock. */
export const now = (): number => performance.now();

/** Milliseconds since 1970, as the machine believes. */
export const wallNow: () => number = Date.now;

/** In [0, 1). */
export const random: () => number = Math.random;

/** Settles after every promise reaction that is under way, and all that those lead to: one turn of the event loop. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
