/// <reference lib="esnext.disposable" preserve="true" />
/**
 * The front door: what `import … from 'holdfast'` gives. Everything else has a subpath of its own.
 *
 * @packageDocumentation
 */
export { onEvent, type EventMap } from './events.ts';
export { duration, HoldfastError, suppressedErrors, TimeoutError } from './foundation/index.ts';
export type { BadOption, Duration, Exit, HoldfastEvent, Outcome } from './foundation/index.ts';
export {
  budget,
  type Budget,
  type BudgetEmptyEvent,
  type BudgetEvents,
  type BudgetOptions,
  type BudgetSnapshot,
} from './budget/index.ts';
export * from './policy/index.ts';
export {
  addVerdictRule,
  classify,
  conflict,
  permanent,
  transient,
  type Classification,
  type Verdict,
  type VerdictRule,
} from './verdict/index.ts';
export { contextKey, scope, ScopeEndedError, scopeSync } from './scope/index.ts';
export type {
  CleanupFailedEvent,
  CleanupOverranEvent,
  ContextEntry,
  ChildOptions,
  ContextKey,
  DiscardedEvent,
  NotPromise,
  Scope,
  ScopeEvents,
  ScopeOptions,
  SyncScope,
  SyncScopeOptions,
  Task,
} from './scope/index.ts';
