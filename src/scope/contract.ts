/** What users write and read: the options of a scope, and what a body is given. What runs is in `frame` and `scope`. */
import type { Duration, Exit } from '../foundation/index.ts';
import type { ContextKey } from './context-key.ts';

/** What runs in a scope. */
export type Body<T> = (s: Scope) => T | PromiseLike<T>;

/**
 * Options of `scope`.
 *
 * @typeParam R what `recover` returns
 * @typeParam V the types of `values`, one by one, so that each value is checked against its key
 */
// `any`: options that were typed without naming their values may hold values of any type.
export interface ScopeOptions<R = never, V extends readonly unknown[] = readonly any[]> {
  /**
   * The scope's deadline, from its start [none]. When it passes, `s.signal` and everything below it are aborted with a
   * `TimeoutError`; the scope waits for its body all the same. `Infinity` is no deadline.
   */
  readonly timeout?: Duration | undefined;
  /**
   * What cancels the scope from outside [nothing]: an `AbortSignal`, or another scope, whose deadline and values it gets
   * besides. That other scope neither waits for this one nor fails with it. An `s.signal` stands for its scope.
   */
  readonly signal?: AbortSignal | Scope | undefined;
  /**
   * Turns a failure into a result, after all deferred functions [none]. Not called when the scope was cancelled.
   * What it throws replaces the failure, as in a `catch` block.
   */
  readonly recover?: ((error: unknown) => R | PromiseLike<R>) | undefined;
  /** Values for `s.get`, here and in every scope below. */
  readonly values?: readonly [...{ [K in keyof V]: ContextEntry<V[K]> }] | undefined;
  /** For events, messages and reports. Not a key: nothing is kept by it. */
  readonly name?: string | undefined;
  /**
   * How long each asynchronous cleanup may take [no limit]. One that overruns counts as failed with a `TimeoutError`, and the ones after it run.
   */
  readonly cleanupTimeout?: Duration | undefined;
}

/** Options of a child. */
export interface ChildOptions<R = never, V extends readonly unknown[] = readonly any[]> extends Omit<
  ScopeOptions<R, V>,
  'signal'
> {}

/** A key and the value that a scope carries for it. */
export type ContextEntry<V> = readonly [key: ContextKey<V>, value: V];

/** Options of `scopeSync`. */
export interface SyncScopeOptions<R = never> {
  /** As in `ScopeOptions`, for code without promises. */
  readonly recover?: ((error: unknown) => R & NotPromise<R>) | undefined;
  readonly name?: string | undefined;
}

/** `unknown` for a type that is no promise, `never` for one that is: the latter has no value that could be returned. */
export type NotPromise<T> = T extends PromiseLike<unknown> ? never : unknown;

/** A frame of code with cleanups: what is registered here runs once, last in first out, when the frame ends, however it ends. */
export interface SyncScope {
  /**
   * Runs `fn` when the scope ends, whatever ended it.
   *
   * @param fn is given the live `Exit`, and may change how the scope ends. In `scope` it may be async: it is awaited, and
   * neither cancellation nor the deadline reaches it.
   * @throws {ScopeEndedError} when the scope has ended. `fn` has then been run at once: nothing stays open.
   */
  defer(fn: (exit: Exit) => unknown): void;
  /**
   * Registers a disposable and returns it. `Symbol.asyncDispose` is preferred to `Symbol.dispose` (in `scopeSync` there is only the
   * latter). `null` and `undefined` pass through, as with `using`.
   *
   * @throws {TypeError} code `BAD_OPTION` for a value that cannot be disposed of
   * @throws {ScopeEndedError} as `defer`
   */
  use<D extends Disposable | null | undefined>(resource: D): D;
  /**
   * Registers a value with the function that disposes of it, and returns the value.
   *
   * @throws {ScopeEndedError} as `defer`
   */
  adopt<V>(value: V, dispose: (value: V) => unknown): V;
}

/** The frame that a body runs in: cleanups, children, cancellation, a deadline, values. */
export interface Scope extends SyncScope {
  use<D extends AsyncDisposable | Disposable | null | undefined>(resource: D): D;
  /**
   * Starts a child scope at once. This scope does not end before its children, and a child's failure is its failure.
   *
   * @param options as for `scope`, but for `signal`: a child hangs below its scope
   * @returns a promise of what the child comes to, with `cancel(reason?)`. It need not be awaited.
   * @throws {ScopeEndedError} once this scope runs its cleanups, or has ended
   */
  go<T>(body: (s: Scope) => T | PromiseLike<T>): Task<T>;
  go<T, R = never, V extends readonly unknown[] = readonly any[]>(
    options: ChildOptions<R, V>,
    body: (s: Scope) => T | PromiseLike<T>,
  ): Task<T | R>;
  /**
   * Runs `fn` for every item in children of its own, at most `concurrency` at once, started in order.
   * The first failure cancels the others and is the failure of the whole.
   *
   * @param items are drawn one by one when there is room, so they may be endless; an iterator that is left early is closed
   * @param options `concurrency` from 1, or `Infinity`
   * @returns the results in the order of the items
   */
  map<I, T>(
    items: Iterable<I>,
    options: { readonly concurrency: number },
    fn: (item: I, s: Scope) => T | PromiseLike<T>,
  ): Task<T[]>;
  /**
   * Runs all bodies at once in children of its own. The first success wins; the others are cancelled, waited for, and what they
   * still return is disposed of. When all fail, the first body's error comes out with the others in its `suppressedErrors`.
   *
   * @throws {TypeError} code `BAD_OPTION` for an empty list
   */
  race<T>(bodies: Iterable<(s: Scope) => T | PromiseLike<T>>): Task<T>;
  race<B extends (s: Scope) => unknown>(bodies: Iterable<B>): Task<Awaited<ReturnType<B>>>;
  /**
   * Aborted when the scope is cancelled, its deadline passes, or it fails. Made when first read.
   * In a cleanup: a signal of that cleanup's own, which only `cleanupTimeout` and `runMain`'s grace abort.
   */
  readonly signal: AbortSignal;
  /** Cancels the scope and everything below it. Without a reason: the platform's `AbortError`. */
  cancel(reason?: unknown): void;
  /** @throws the reason, if the scope (in a cleanup: that cleanup) is cancelled */
  throwIfAborted(): void;
  /** Milliseconds to the nearest deadline on the way to the root, 0 if it has passed, `Infinity` if there is none. */
  timeLeft(): number;
  /** That deadline, on the monotonic clock in milliseconds; `Infinity` if there is none. */
  readonly deadline: number;
  /** Waits. Cancellation ends the wait at once, with the reason. Never early; late by at most 1/32, bounded to 2 and 10 ms. */
  sleep(time: Duration): Promise<void>;
  /** The value given for `key` here or in a scope above; the nearest one wins. */
  get<V>(key: ContextKey<V>): V | undefined;
  /** Which attempt of a policy this is, from 1. Outside a policy it is 1. */
  readonly attempt: number;
  /** What ended the attempt before this one. Outside a policy it is `undefined`. */
  readonly previousError: unknown;
}

/** A child at work: a promise of its result, and the means to cancel it. A child ended by its own `cancel` does not fail its scope. */
export interface Task<T> extends Promise<T> {
  cancel(reason?: unknown): void;
}
