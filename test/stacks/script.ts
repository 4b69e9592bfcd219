/**
 * What a random stack is: plain JSON data, read by two interpreters, `reference.ts` (the rules alone) and `run.ts` (the real policies).
 *
 * A script has instances with state (budgets, breakers, bulkheads), stacks of layers that use them by number, and callers. Each caller
 * runs one operation in one stack; the script says what the operation does at each attempt.
 *
 * All times are milliseconds. They have fractions of 1/1024, so that two timers hardly ever fall due at one instant: the order of what
 * happens within one instant is nobody's promise.
 */

/** What is thrown: see `kinds.ts`. */
export type ErrorKind =
  | 'transient'
  | 'busy'
  | 'permanent'
  | 'conflict'
  | 'missing'
  | 'reset'
  | 'unknown'
  | 'coded'
  | 'bug'
  | 'aborted'
  | 'commit'
  | 'frozen'
  | 'shared'
  | 'text'
  | 'nothing';

/** Results that `failWhen` judges failures. */
export type JudgedKind = 'status 503' | 'status 429' | 'status 404' | 'odd';

export interface Thrown {
  readonly kind: ErrorKind;
  /** Of a busy one. */
  readonly retryAfter?: number | undefined;
}

export type End =
  | { readonly as: 'value'; readonly disposable?: boolean | undefined }
  | { readonly as: 'judged'; readonly kind: JudgedKind; readonly disposable?: boolean | undefined }
  | { readonly as: 'error'; readonly error: Thrown };

/** What ends an operation that has been aborted; the abort reason, or an error around it, besides. */
export type AbortEnd = End | { readonly as: 'reason' } | { readonly as: 'envelope'; readonly depth: number };

export interface CleanupScript {
  /** It takes so long; without it, it is a plain function. */
  readonly after?: number | undefined;
  readonly fails?: Thrown | undefined;
  /** Asks for recovery, which a cancelled scope refuses. */
  readonly recovers?: boolean | undefined;
}

/** What the operation does at one attempt. */
export interface AttemptScript {
  /** In the order in which they are registered. */
  readonly cleanups: readonly CleanupScript[];
  /** When it settles; without it, it throws or returns at once, not by a promise. */
  readonly after?: number | undefined;
  readonly end: End;
  /** What it does when it is aborted; without it, it does not listen. */
  readonly onAbort?: { readonly after: number; readonly end: AbortEnd } | undefined;
}

export type JitterScript = 'none' | 'full' | 'equal' | number;

export type BackoffScript =
  | { readonly type: 'constant'; readonly delay: number; readonly jitter: JitterScript }
  | { readonly type: 'linear'; readonly step: number; readonly cap: number; readonly jitter: JitterScript }
  | {
      readonly type: 'exponential';
      readonly base: number;
      readonly factor: number;
      readonly cap: number;
      readonly jitter: JitterScript;
    }
  | { readonly type: 'decorrelated'; readonly base: number; readonly cap: number }
  | { readonly type: 'sequence'; readonly delays: readonly number[] };

export interface BudgetScript {
  readonly ratio: number;
  readonly initial: number;
  readonly cap: number;
  readonly trickle: number;
}

/** Codes of errors, and the class TypeError. */
export type Match =
  | 'TIMEOUT'
  | 'CIRCUIT_OPEN'
  | 'BULKHEAD_FULL'
  | 'COMMIT_UNKNOWN'
  | 'ECONNRESET'
  | 'E_ODD'
  | 'TypeError';

export interface RetryScript {
  readonly type: 'retry';
  readonly attempts: number;
  readonly backoff: BackoffScript;
  readonly retryOn?: readonly Match[] | undefined;
  /** By kind of error; the verdict for those that are not here. */
  readonly retryIf?: Readonly<Record<string, boolean | 'throws'>> | undefined;
  readonly idempotent?: boolean | undefined;
  /** One of its own; a shared one, by number; none. */
  readonly budget: BudgetScript | number | false;
  readonly maxElapsed?: number | undefined;
  readonly minAttemptTime?: number | undefined;
  readonly maxRetryAfter?: number | undefined;
  /** `onRetry` throws when it is told of this attempt. */
  readonly onRetryThrows?: number | undefined;
}

export interface TimeoutScript {
  readonly type: 'timeout';
  readonly after: number;
  /** `null` is Infinity: a script is JSON. */
  readonly grace: number | null;
  readonly detach: boolean;
}

export interface FallbackFunction {
  readonly fails?: Thrown | undefined;
}

export interface FallbackScript {
  readonly type: 'fallback';
  /** Without it, a value. */
  readonly fn?: FallbackFunction | undefined;
}

export type LayerScript =
  | RetryScript
  | TimeoutScript
  | FallbackScript
  | { readonly type: 'breaker'; readonly which: number }
  | { readonly type: 'bulkhead'; readonly which: number }
  /** One's own, that only passes on. */
  | { readonly type: 'layer' }
  /** `throws`: it is asked at this attempt, and throws. */
  | { readonly type: 'failWhen'; readonly throws?: number | undefined };

export type EffectScript = 'success' | 'failure' | 'neither';

export interface BreakerScript {
  readonly failures?: number | undefined;
  readonly ratio?: number | undefined;
  readonly window?: number | undefined;
  readonly lastCalls?: number | undefined;
  readonly minCalls?: number | undefined;
  readonly slow?: { readonly over: number; readonly ratio: number } | undefined;
  /** After the first opening, the second …; the last one repeats. One alone is given as a duration, several as a function. */
  readonly cooldowns: readonly number[];
  readonly probes: number;
  readonly probeLease: number;
  readonly blameAfter: number;
  /** By kind of error, or 'value'. */
  readonly judge?: Readonly<Record<string, EffectScript | 'throws'>> | undefined;
  readonly dryRun: boolean;
}

export interface BulkheadScript {
  readonly limit: number;
  readonly queue: number;
  readonly maxWait?: number | undefined;
  /** The priority of a call is that of its caller; or its attempt's number. */
  readonly priority?: 'caller' | 'attempt' | undefined;
  readonly dryRun: boolean;
}

export interface ScopeScript {
  readonly timeout?: number | undefined;
  readonly cleanup: boolean;
  readonly linkBy: 'scope' | 'signal';
}

export interface CallerScript {
  readonly at: number;
  readonly stack: number;
  /** How long after the start it cancels; negative: before. */
  readonly abortAfter?: number | undefined;
  readonly idempotent?: boolean | undefined;
  /** The call is made in a scope. */
  readonly scope?: ScopeScript | undefined;
  /** Read by bulkheads, given by the scope. */
  readonly priority: number;
  readonly by: 'run' | 'settle';
  /** By attempt; the last one repeats. */
  readonly attempts: readonly AttemptScript[];
}

/** What somebody does to a breaker from outside. */
export interface AdminScript {
  readonly at: number;
  readonly breaker: number;
  readonly does: 'isolate' | 'reset';
}

export interface Script {
  /** Of the random numbers on both sides. */
  readonly seed: number;
  readonly budgets: readonly BudgetScript[];
  readonly breakers: readonly BreakerScript[];
  readonly bulkheads: readonly BulkheadScript[];
  readonly stacks: readonly (readonly LayerScript[])[];
  /** The layers of each stack are put together two by two, policies in policies. */
  readonly nested: boolean;
  readonly callers: readonly CallerScript[];
  readonly admin: readonly AdminScript[];
}
