/**
 * The scope: Go's `defer`, `recover` and `context` as one object.
 *
 *   contract          what users write and are given: options, `Scope`, `Task`
 *   frame             cleanups and what they may do to an outcome: every rule of unwinding, once
 *   context           the cancellation tree: deadlines, reasons, values; signals are views of it
 *   context-key       typed values
 *   scope             a frame with children and a context, and the function `scope`
 *   tasks             `race` and `map`
 *   scope-sync        the frame alone, for code without promises
 *   events, scope-ended-error
 *
 * Start reading at `contract`, then `frame`, then `scope`.
 */
export { contextKey, type ContextKey } from './context-key.ts';
export type {
  ChildOptions,
  ContextEntry,
  NotPromise,
  Scope,
  ScopeOptions,
  SyncScope,
  SyncScopeOptions,
  Task,
} from './contract.ts';
export type { CleanupFailedEvent, CleanupOverranEvent, DiscardedEvent, ScopeEvents } from './events.ts';
export { Context, contextOfSignal } from './context.ts';
export { ScopeEndedError } from './scope-ended-error.ts';
export { RunningScope, scope } from './scope.ts';
export { scopeSync } from './scope-sync.ts';
