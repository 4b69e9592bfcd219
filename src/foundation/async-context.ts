/**
 * The caller's async context (`AsyncLocalStorage`, OpenTelemetry's active span), for code that a timer or somebody else's
 * call will wake. `await` carries the context by itself; only what is called back directly needs this.
 */
import { AsyncResource } from './system.ts';

/** Runs a function in the context that was captured. */
export type RunInContext = (fn: () => void) => void;

const plainly: RunInContext = (fn) => fn();

/**
 * Captures the async context in force. An `AsyncResource` costs 65 bytes and 0.1 µs (`AsyncLocalStorage.snapshot()`:
 * 1.4 kB and 4 µs). Where the platform has none there is no `AsyncLocalStorage` either, and nothing to carry.
 */
export function captureContext(): RunInContext {
  if (AsyncResource === undefined) return plainly;
  const resource = new AsyncResource('Holdfast');
  return (fn) => resource.runInAsyncScope(fn);
}
