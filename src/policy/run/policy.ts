/** A policy: layers around an operation, and the ways to run one in it. */
import { checkFunction, checkOption, checkOptions, type Outcome } from '../../foundation/index.ts';
import type { Context } from '../../scope/context.ts';
import type { Scope } from '../../scope/index.ts';
import { Account, areCallsObserved, startObserved } from './account.ts';
import type { AttemptReport, StoppedBy } from './history.ts';
import type { CallOptions, Layer, Operation, RunOptions } from './layer.ts';
import { CountedStage } from './counted.ts';
import { compile, outerContext, type Stage } from './stage.ts';
import { warned, warningText } from './warnings.ts';

/** An `Outcome` that tells of the attempts too. Frozen. */
export type PolicyOutcome<T> = Outcome<T> & {
  /** The failed attempts, the first one first, the newest hundred. */
  readonly attempts: readonly AttemptReport[];
  /** Why there was no further attempt; `undefined` when the last one succeeded. A fallback may have given the result of a call that gave up. */
  readonly stoppedBy: StoppedBy | undefined;
};

/** Options of `bind` and `wrap`. */
export interface BindOptions<A extends unknown[] = any[]> extends Omit<RunOptions, 'signal'> {
  /** What cancels a call, found in its arguments: `(order, signal) => signal` [nothing]. */
  readonly signal?: ((...args: A) => AbortSignal | Scope | undefined) | undefined;
}

const RUN_OPTIONS = ['signal', 'idempotent', 'name'] as const;

/**
 * Layers around an operation. An immutable value: use it for as many calls as you like, at once or one after another.
 *
 * @typeParam F what its fallbacks may give in place of the operation's result
 */
export class Policy<out F = never> {
  /** @internal */
  readonly layers: readonly Layer[];
  private stage: Stage;
  private counted: CountedStage | null = null;

  /** @internal */
  constructor(layers: readonly Layer[]) {
    this.layers = Object.freeze([...layers]);
    this.stage = warned(compile(layers), layers);
  }

  /** @internal From now on `isAtRest` knows of calls under way. */
  countCalls(): void {
    if (this.counted === null) this.stage = this.counted = new CountedStage(this.stage);
  }

  /** @internal No call is under way, and its gates are at rest. */
  get isAtRest(): boolean {
    if (this.counted !== null && this.counted.calls > 0) return false;
    return this.layers.every((layer) => layer.kind !== 'gate' || layer.isAtRest());
  }

  /**
   * Runs `op`, in a fresh scope for each attempt.
   *
   * @param op what to run; its scope `s` has the signal, the deadline, and takes what it defers
   * @returns what `op` returned, or a fallback gave
   * @throws the last attempt's own error, unchanged (`attemptsOf(error)` has the history, `stoppedBy(error)` the reason); the caller's
   * reason, when they cancelled; `TimeoutError`, `CircuitOpenError`, `BulkheadFullError`, `RateLimitedError` when a layer decided so
   * @example
   * await retry({ attempts: 3, backoff: constant(0) }).run((s) => `attempt ${s.attempt}`); // 'attempt 1'
   */
  run<T>(op: (s: Scope) => T | PromiseLike<T>, options?: RunOptions): Promise<T | F> {
    if (typeof op !== 'function') checkFunction('run', op); // asked here first: it is the hot one
    if (options === undefined) return this.start<T>(op, null, null);
    const told = callOptions('run', options);
    return this.start<T>(op, outerOf(options), told);
  }

  /**
   * As `run`, but never rejects: an `Outcome` in place of the throw, with the attempts, and why there was no other.
   *
   * @throws {TypeError} at the call, code `BAD_OPTION`
   * @example
   * const outcome = await retry({ attempts: 2, backoff: constant(0) }).settle(() => { throw new Error('down'); });
   * [outcome.ok, outcome.attempts.length, outcome.stoppedBy]; // [false, 2, 'attempts']
   */
  settle<T>(op: (s: Scope) => T | PromiseLike<T>, options: RunOptions = {}): Promise<PolicyOutcome<T | F>> {
    checkFunction('settle', op);
    const told = callOptions('settle', options);
    return this.outcomeOf<T>(op, outerOf(options), told);
  }

  private async outcomeOf<T>(
    op: Operation,
    outer: Context | null,
    options: CallOptions,
  ): Promise<PolicyOutcome<T | F>> {
    const account = new Account(outer, options);
    const told = account.options(options);
    try {
      const value = await this.start<T>(op, outer, told);
      const { cancelled, stoppedBy } = account;
      return Object.freeze({ ok: true as const, value, cancelled, attempts: account.list(), stoppedBy });
    } catch (error) {
      const stoppedBy = account.stoppedWith(error);
      return Object.freeze({
        ok: false as const,
        error,
        cancelled: account.cancelled,
        attempts: account.list(),
        stoppedBy,
      });
    }
  }

  private start<T>(op: Operation, outer: Context | null, options: CallOptions | null): Promise<T | F> {
    const promise = areCallsObserved()
      ? startObserved(this.stage, op, outer, options)
      : this.stage.start(op, outer, options);
    return promise as Promise<T | F>;
  }

  /**
   * Gives a function that runs `fn` in this policy.
   *
   * @param fn is given the attempt's scope before its own arguments
   * @param options `signal` finds in the arguments of a call what cancels it
   * @example
   * const greet = retry({ attempts: 2 }).bind((s, name: string) => `${name}, attempt ${s.attempt}`);
   * await greet('Ada'); // 'Ada, attempt 1'
   */
  bind<A extends unknown[], T>(
    fn: (s: Scope, ...args: A) => T | PromiseLike<T>,
    options: BindOptions<A & {}> = {},
  ): (...args: A) => Promise<T | F> {
    checkFunction('bind', fn);
    const start = this.starter<A, T>('bind', options);
    return function (this: unknown, ...args) {
      return start((s) => fn.call(this, s, ...args), args);
    };
  }

  /**
   * Gives a function with the same parameters as `fn` that runs it in this policy. `fn` learns nothing of it; where it has to know of the signal,
   * use `bind`.
   *
   * @param options `signal` finds in the arguments of a call what cancels it
   * @example
   * const half = retry({ attempts: 2 }).wrap((n: number) => n / 2);
   * await half(10); // 5
   */
  wrap<A extends unknown[], T>(
    fn: (...args: A) => T | PromiseLike<T>,
    options: BindOptions<A & {}> = {},
  ): (...args: A) => Promise<T | F> {
    checkFunction('wrap', fn);
    const start = this.starter<A, T>('wrap', options);
    return function (this: unknown, ...args) {
      return start(() => fn.apply(this, args), args);
    };
  }

  /** What starts the calls of a function that is bound to this policy. */
  private starter<A extends unknown[], T>(
    of: string,
    options: BindOptions<A>,
  ): (op: (s: Scope) => T | PromiseLike<T>, args: A) => Promise<T | F> {
    const told = callOptions(of, options);
    const { signal } = options;
    if (signal === undefined) return (op) => this.start<T>(op, null, told);
    checkOption(
      typeof signal === 'function',
      'signal',
      signal,
      'a function that finds the signal in the arguments of a call',
    );
    // In a promise: who calls such a function expects a rejection, not a throw.
    return async (op, args) => this.start<T>(op, outerOf({ signal: signal(...args) }), told);
  }

  /**
   * The layers, outermost first, for people: `timeout 3s → retry ×4 (100ms‥5s, full jitter, budget) → breaker`. Behind them, in brackets, what is
   * almost surely a mistake in their order.
   */
  toString(): string {
    return `${this.layers.map(String).join(' → ') || 'no layers'}${warningText(this.layers)}`;
  }
}

function outerOf({ signal }: RunOptions): Context | null {
  return signal === undefined ? null : outerContext(signal);
}

function callOptions(of: string, options: RunOptions | BindOptions): CallOptions {
  checkOptions(of, RUN_OPTIONS, options);
  const { idempotent, name } = options;
  checkOption(idempotent === undefined || typeof idempotent === 'boolean', 'idempotent', idempotent, 'true or false');
  checkOption(name === undefined || typeof name === 'string', 'name', name, 'a string');
  return { idempotent, name, onReport: undefined };
}

/** What the fallbacks of a policy may give. Of a subclass, such as `Breaker`, nothing could be inferred: the compiler would find `unknown`. */
export type FallbackOf<P> = P extends Policy ? never : P extends Policy<infer F> ? F : never;

/**
 * Puts policies around each other, outermost first. Any order and number is right; which one to choose, and why, is in the guide.
 *
 * @throws {TypeError} code `BAD_OPTION` for something that is no policy, or a `failWhen` that is not innermost
 * @example
 * const inventory = policy(timeout('3s'), retry({ attempts: 4 }), breaker(), timeout('800ms'));
 * await inventory.run(() => 17); // 17
 */
export function policy<L extends readonly Policy<unknown>[]>(...layers: L): Policy<FallbackOf<L[number]>> {
  for (const layer of layers) checkOption(layer instanceof Policy, 'policy', layer, 'policies and layers');
  return new Policy(layers.flatMap((layer) => layer.layers));
}
