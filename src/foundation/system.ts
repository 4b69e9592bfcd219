/**
 * The one door to the platform: real time, real timers, real randomness, and the built-ins that only some platforms have.
 * Nothing else in `src/` may call `setTimeout`, `performance.now`, `Date.now` or `Math.random`: what cannot be swapped cannot be tested.
 *
 * Functions are taken from the platform when this module is loaded, so that a test runner's fake timers, installed later,
 * neither stop nor speed up a policy that runs on real time.
 */
interface Platform {
  setTimeout(fn: () => void, delayMs: number): TimerHandle;
  clearTimeout(handle: TimerHandle): void;
  setImmediate?(fn: () => void): unknown;
  performance: { now(): number };
  process?: { getBuiltinModule?(name: string): Record<string, unknown> | undefined };
}

const platform = globalThis as unknown as Platform;
const { setTimeout: platformSetTimeout, clearTimeout: platformClearTimeout, setImmediate: platformSetImmediate, performance, process } = platform;
const dateNow = Date.now;
const mathRandom = Math.random;

/** What a platform's `setTimeout` returns: an object with `ref` and `unref` on Node and Bun, a number in browsers. */
export type TimerHandle = { ref(): unknown; unref(): unknown } | number;

/** The longest delay a platform timer takes; a longer one would overflow to 1 ms. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/** A class of `node:async_hooks`, as far as it is used here. */
interface AsyncResourceClass {
  new (type: string): { runInAsyncScope(fn: () => void): void };
}

/**
 * `process.getBuiltinModule` finds a Node built-in without an import: bundles for a browser need no stub, no `node:`
 * specifier and no second file per platform. Node >= 22.3, Bun and Deno have it; elsewhere the answer is `undefined`.
 */
const builtin = (name: string): Record<string, unknown> | undefined =>
  process?.getBuiltinModule?.(name);

export const AsyncResource = builtin('async_hooks')?.['AsyncResource'] as AsyncResourceClass | undefined;

/** `diagnostics_channel.channel`, where the platform has it. */
export const diagnosticsChannel = builtin('diagnostics_channel')?.['channel'] as
  | ((name: string) => { readonly hasSubscribers: boolean; publish(message: unknown): void })
  | undefined;

/**
 * Platform timers are shared by calls of many callers. One made inside a caller's async context would keep that context
 * alive, and hand it to the others, so they are made in the context that this module was loaded in.
 */
const loadContext = AsyncResource === undefined ? undefined : new AsyncResource('HoldfastTimers');

export const system = {
  /** Monotonic milliseconds: unaffected by changes of the wall clock. */
  now: (): number => performance.now(),
  /** Milliseconds since 1970, as the machine believes. */
  wallNow: (): number => dateNow(),
  /** In [0, 1). */
  random: (): number => mathRandom(),
  setTimer(fn: () => void, delayMs: number): TimerHandle {
    const delay = Math.min(Math.max(Math.ceil(delayMs), 1), MAX_TIMER_MS);
    if (loadContext === undefined) return platformSetTimeout(fn, delay);
    let handle: TimerHandle | undefined;
    loadContext.runInAsyncScope(() => {
      handle = platformSetTimeout(fn, delay);
    });
    return handle as TimerHandle;
  },
  clearTimer(handle: TimerHandle): void {
    platformClearTimeout(handle);
  },
};

/** Settles after every promise reaction that is under way, and all that those lead to: one turn of the event loop. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    if (platformSetImmediate !== undefined) platformSetImmediate(resolve);
    else platformSetTimeout(resolve, 0);
  });
}
