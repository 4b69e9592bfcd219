/**
 * The frame: cleanups that run once each, last in first out, when a piece of work ends, and what they may do to its outcome.
 * All rules of unwinding are here, once. `scopeSync`, `scope` and the policies' attempts only drive it: they settle the body, then call
 * `unwind` until it says that nothing is left.
 *
 *   running ──body (and children) settled──▶ unwinding ──no cleanup left──▶ ended
 *
 * Rules (numbers as in docs/reference/semantics.md):
 * 1. one at a time, last registered first; the next one starts when the one before has settled
 * 2. an error of a cleanup stops no other. The first failure stays; later errors are kept beside it. `exit.fail`, and an error whose
 *    `cause` chain holds the failure, replace it on purpose
 * 4. a cleanup registered while the frame unwinds runs next; on an ended frame it runs at once, and the caller is told
 * 8. in a cancelled frame nothing is recovered
 * 9. a failure that was replaced or recovered is kept with the one that comes out
 *
 * A failure may be any value, `undefined` included, so "none" is a value that nobody else has.
 */
import { addSuppressed, badOption, checkFunction, checkOption, type Exit } from '../foundation/index.ts';
import { cleanupFailed, discarded } from './events.ts';
import { ScopeEndedError } from './scope-ended-error.ts';

/** No failure; no abort. */
export const NONE: unique symbol = Symbol('none');

export const RUNNING = 0;
export const UNWINDING = 1;
export const ENDED = 2;

/** A registered cleanup, and the one registered before it. */
class Cleanup {
  readonly run: (exit: Exit) => unknown;
  readonly before: Cleanup | null;

  constructor(run: (exit: Exit) => unknown, before: Cleanup | null) {
    this.run = run;
    this.before = before;
  }
}

export abstract class Frame {
  /** What comes out if it is not `NONE`. */
  failure: unknown = NONE;
  /** What comes out otherwise. */
  value: unknown = undefined;
  phase: number = RUNNING;
  /** Nothing is recovered any more. Invariant: does not change while unwinding. */
  cancelled = false;
  /** Counts cleanups: an `Exit` is live in its own turn only. */
  turn = 0;
  private last: Cleanup | null = null;
  /** Failures that were recovered or replaced, until another one comes out that can keep them. */
  private recovered: unknown[] | null = null;

  /** For events. */
  abstract readonly name: string | undefined;

  /** For messages. */
  get label(): string {
    return this.name ?? 'the scope';
  }

  defer(fn: (exit: Exit) => unknown): void {
    if (typeof fn !== 'function') checkFunction('defer', fn); // asked here first: it is the hot one
    this.register(fn);
  }

  use<D>(resource: D): D {
    if (resource !== null && resource !== undefined) {
      const dispose = this.disposerOf(resource);
      checkOption(
        dispose !== undefined,
        'use',
        resource,
        'something with Symbol.dispose or Symbol.asyncDispose (adopt takes the rest), null or undefined',
      );
      this.register(dispose);
    }
    return resource;
  }

  adopt<V>(value: V, dispose: (value: V) => unknown): V {
    checkFunction('adopt', dispose);
    this.register(() => dispose(value));
    return value;
  }

  protected disposerOf(resource: unknown): (() => unknown) | undefined {
    return disposer(resource, Symbol.dispose);
  }

  private register(run: (exit: Exit) => unknown): void {
    if (this.phase === ENDED) throw this.cleanUpLate(run);
    this.last = new Cleanup(run, this.last);
  }

  get hasCleanups(): boolean {
    return this.last !== null;
  }

  /** The frame has ended, so nobody is left to run this later, or to wait for it. */
  private cleanUpLate(run: (exit: Exit) => unknown): ScopeEndedError {
    try {
      const pending = run(new LiveExit(this, -1));
      if (isThenable(pending)) pending.then(undefined, (error: unknown) => this.tell(error, true));
    } catch (cause) {
      this.tell(cause, true);
      return new ScopeEndedError(this.label, { cause });
    }
    return new ScopeEndedError(this.label);
  }

  /**
   * Runs cleanups until one returns a promise, and hands that back to be awaited; `cleanupThrew` is told if it rejects, and then `unwind`
   * is called again. `undefined` when no cleanup is left.
   */
  unwind(): PromiseLike<unknown> | undefined {
    for (let cleanup = this.last; cleanup !== null; cleanup = this.last) {
      this.last = cleanup.before;
      try {
        this.nextTurn();
        const pending = cleanup.run(new LiveExit(this, this.turn));
        if (isThenable(pending)) return pending;
      } catch (error) {
        this.cleanupThrew(error);
      }
    }
    this.nextTurn();
    return undefined;
  }

  /** What was a cleanup's own ends with its turn. */
  protected nextTurn(): void {
    this.turn++;
  }

  /** Rule 2. */
  cleanupThrew(error: unknown): void {
    if (Object.is(error, this.failure)) return; // it passed on what it was shown
    this.tell(error, false);
    if (this.failure !== NONE && !chainHolds(error, this.failure)) addSuppressed(this.failure, error);
    else this.fail(error);
  }

  /** Makes `error` the failure. The one before, and those recovered, stay with it, or, if it is a primitive, with the next one. */
  fail(error: unknown): void {
    if (this.failure !== NONE) this.recover();
    if (this.recovered !== null && Object(error) === error) {
      for (const earlier of this.recovered) addSuppressed(error, earlier);
      this.recovered = null;
    }
    this.failure = error;
  }

  /** Takes the failure off. */
  recover(): unknown {
    const { failure } = this;
    (this.recovered ??= []).push(failure);
    this.failure = NONE;
    return failure;
  }

  /** Rule 8, and nothing to take off. */
  get recoverable(): boolean {
    return this.failure !== NONE && !this.cancelled;
  }

  /** What comes out: the value is returned, the failure thrown. */
  outcome(): unknown {
    if (this.failure === NONE) return this.value;
    // A primitive cannot keep what it replaced.
    for (const error of this.recovered ?? []) this.discard(error);
    throw this.failure;
  }

  /** An error that nothing else keeps. */
  discard(error: unknown): void {
    if (discarded.observed) discarded.emit({ name: this.name, error });
  }

  protected tell(error: unknown, late: boolean): void {
    if (cleanupFailed.observed) cleanupFailed.emit({ name: this.name, error, late });
  }
}

/** The `Exit` that one cleanup is given: live while the frame is at its turn. */
class LiveExit implements Exit {
  readonly #frame: Frame;
  readonly #turn: number;

  constructor(frame: Frame, turn: number) {
    this.#frame = frame;
    this.#turn = turn;
  }

  get ok(): boolean {
    return this.#frame.failure === NONE;
  }

  get value(): unknown {
    return this.ok ? this.#frame.value : undefined;
  }

  get error(): unknown {
    return this.ok ? undefined : this.#frame.failure;
  }

  get cancelled(): boolean {
    return this.#frame.cancelled;
  }

  recover(...result: [result?: unknown]): unknown {
    if (this.#turn !== this.#frame.turn || !this.#frame.recoverable) return undefined;
    if (result.length > 0) this.set(result[0]);
    return this.#frame.recover();
  }

  set(value: unknown): void {
    if (this.#turn !== this.#frame.turn) return;
    refusePromise('the result of an exit', value);
    this.#frame.value = value;
  }

  fail(error: unknown): void {
    if (this.#turn === this.#frame.turn && !Object.is(error, this.#frame.failure)) this.#frame.fail(error);
  }
}

/** The function that disposes of `resource`, looked up now and called later, as `using` does: what the resource becomes meanwhile changes nothing. */
function disposer(resource: unknown, symbol: symbol): (() => unknown) | undefined {
  const dispose = (resource as Record<symbol, unknown> | null | undefined)?.[symbol];
  return typeof dispose === 'function' ? () => dispose.call(resource) : undefined;
}

/** As `disposer`, as `await using` looks it up: the asynchronous one first. */
export function asyncDisposer(resource: unknown): (() => unknown) | undefined {
  return disposer(resource, Symbol.asyncDispose) ?? disposer(resource, Symbol.dispose);
}

/** How far a `cause` chain is followed: deeper ones are cycles, or made by a loop. */
const MAX_CAUSES = 16;

/** Whether `error` is `wanted`, or an error that wraps it. Survives cycles and getters that throw. */
export function chainHolds(error: unknown, wanted: unknown): boolean {
  let at = error;
  try {
    for (let depth = 0; depth <= MAX_CAUSES; depth++) {
      if (Object.is(at, wanted)) return true;
      at = (at as Error).cause;
      if (at === undefined) return false; // no cause, which is not a wrapped `undefined`
    }
  } catch {
    // It cannot be read, or is no object.
  }
  return false;
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    (typeof value === 'object' || typeof value === 'function') &&
    value !== null &&
    typeof (value as PromiseLike<unknown>).then === 'function'
  );
}

/** @throws {TypeError} code `BAD_OPTION` if `value` is a promise: it would settle when nobody looks any more */
export function refusePromise(what: string, value: unknown): void {
  if (!isThenable(value)) return;
  value.then(undefined, () => {});
  throw badOption(what, value, 'no promise: nobody would wait for it');
}
