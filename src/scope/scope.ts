/**
 * The scope: a frame with children, cancellation, a deadline and values.
 *
 *   running ──body settled──▶ waiting for children ──▶ unwinding ──no cleanup left──▶ recover option ──▶ ended
 *      │                          │
 *      └── cancel, outer signal, deadline, a child's failure, the body's failure: everything below is aborted, once
 *
 * What holds: children start only before unwinding; `failure` is the first one that came; the context's `reason` is the first
 * abort. A failure *is* the abort when it is the reason itself or wraps it (`cause`): Node's own functions throw such envelopes.
 * An abort adds nothing to a failure that came before it.
 *
 * Where the rules of unwinding are: `frame`. Where cancellation goes: `context`. What `race` and `map` do with children: `tasks`.
 */
import {
  addSuppressed,
  captureContext,
  checkFunction,
  checkOption,
  clock,
  durationOption,
  optionsAndBody,
  Timer,
  TimeoutError,
  type Duration,
} from '../foundation/index.ts';
import { Values, type ContextKey } from './context-key.ts';
import { Context, contextOfSignal } from './context.ts';
import type { Body, ChildOptions, Scope, ScopeOptions, Task } from './contract.ts';
import { cleanupOverran } from './events.ts';
import { asyncDisposer, chainHolds, ENDED, Frame, NONE, RUNNING, UNWINDING } from './frame.ts';
import { ScopeEndedError } from './scope-ended-error.ts';
import { mapTasks, raceTasks } from './tasks.ts';

/** What a scope was told at its start, if anything. */
export interface Settings {
  readonly name?: string | undefined;
  readonly recover?: ((error: unknown) => unknown) | undefined;
  readonly cleanupTimeoutMs?: number | undefined;
  /** Told when this scope, a child, has settled and before anybody else hears of it. It decides what that means for the scope above. */
  readonly onEnd?: ((child: RunningScope) => void) | undefined;
}

const PLAIN: Settings = {};

const CHILD_OPTIONS = ['timeout', 'recover', 'values', 'name', 'cleanupTimeout'] as const;

export class RunningScope extends Frame implements Scope {
  protected readonly settings: Settings;
  /** Made when first needed. */
  ownContext: Context | null = null;
  /** The context of the cleanup that runs now, if that asked for one. */
  shield: Context | null = null;

  constructor(settings: Settings) {
    super();
    this.settings = settings;
  }

  override get name(): string | undefined {
    return this.settings.name;
  }

  get attempt(): number {
    return 1;
  }

  get previousError(): unknown {
    return undefined;
  }

  protected override disposerOf(resource: unknown): (() => unknown) | undefined {
    return asyncDisposer(resource);
  }

  /** This scope's own context, whatever the phase. */
  get context(): Context {
    if (this.ownContext === null) {
      this.ownContext = new Context();
      this.ownContext.owner = this;
    }
    return this.ownContext;
  }

  /** What this scope hangs below, whether or not it has a context of its own yet. */
  protected get above(): Context | null {
    return this.ownContext === null ? null : this.ownContext.above;
  }

  /** The context in force: the scope's own, or in a cleanup that cleanup's. */
  get currentContext(): Context {
    if (this.phase !== UNWINDING) return this.context;
    if (this.shield !== null) return this.shield;
    const { cleanupTimeoutMs } = this.settings;
    const shield = this.shieldAnew();
    if (cleanupTimeoutMs !== undefined) shield.expectWithin(cleanupTimeoutMs);
    return shield;
  }

  get signal(): AbortSignal {
    return this.currentContext.signal;
  }

  get deadline(): number {
    return this.currentContext.deadline;
  }

  timeLeft(): number {
    return Math.max(0, this.deadline - clock.now());
  }

  get aborted(): boolean {
    return this.currentContext.reason !== NONE;
  }

  throwIfAborted(): void {
    const { reason } = this.currentContext;
    if (reason !== NONE) throw reason;
  }

  get<V>(key: ContextKey<V>): V | undefined {
    return Values.find(this.values, key) as V | undefined;
  }

  protected get values(): Values | null {
    return this.ownContext === null ? null : this.ownContext.values;
  }

  cancel(reason: unknown = new DOMException('The scope was cancelled', 'AbortError')): void {
    if (this.phase === RUNNING) this.context.cancel(reason);
  }

  sleep(time: Duration): Promise<void> {
    const ms = durationOption('sleep', time);
    const context = this.currentContext;
    return context.sleep(ms, this.phase === ENDED ? this.endedError() : context.reason);
  }

  go<T, R = never>(first: ChildOptions<R> | Body<T>, second?: Body<T>): Task<T | R> {
    const [options, body] = optionsAndBody<ChildOptions<R>, Body<T>>('go', CHILD_OPTIONS, first, second);
    return this.start(body, (child) => this.childEnded(child), options);
  }

  map<I, T>(
    items: Iterable<I>,
    options: { readonly concurrency: number },
    fn: (item: I, s: Scope) => T | PromiseLike<T>,
  ): Task<T[]> {
    return mapTasks(this, items, options, fn);
  }

  race<T>(bodies: Iterable<Body<T>>): Task<T> {
    return raceTasks(this, bodies);
  }

  /** Starts a child. `onEnd` decides what its end means here. */
  start<T>(body: Body<T>, onEnd: (child: RunningScope) => void, options: ChildOptions<unknown> = {}): Task<T> {
    if (this.phase !== RUNNING) throw this.endedError();
    const { context } = this;
    const child = scopeOf(options, context, (ended) => {
      onEnd(ended);
      if (--context.children === 0) context.onChildless?.();
    });
    context.children++;
    const task = drive(child, body) as Task<T>;
    // Its failure is ours as well: nobody has to catch it here.
    task.then(undefined, () => {});
    task.cancel = (reason) => child.cancel(reason);
    return task;
  }

  private endedError(): ScopeEndedError {
    return new ScopeEndedError(this.label);
  }

  /** A child of `go` ended: its failure is this scope's. */
  private childEnded(child: RunningScope): void {
    const { failure } = child;
    if (failure === NONE || (child.context.ownCancel && Object.is(failure, child.context.reason))) return;
    if (this.isAbort(failure)) this.context.childAborted = true;
    else this.failed(failure);
  }

  /** The body threw. */
  bodyThrew(error: unknown): void {
    if (!this.isAbort(error)) this.failed(error);
    else if (this.failure === NONE) this.failure = this.context.reason;
  }

  /** Whether `error` is the abort of this scope, or its envelope. */
  isAbort(error: unknown): boolean {
    const reason = this.ownContext === null ? NONE : this.ownContext.reason;
    return reason !== NONE && chainHolds(error, reason);
  }

  /** A failure of its own came up in the body or in a child: the first one stays, and ends everything below. */
  private failed(error: unknown): void {
    if (this.failure === NONE) this.failure = error;
    else if (!addSuppressed(this.failure, error)) this.discard(error);
    if (this.ownContext !== null && this.ownContext.reason === NONE) this.ownContext.abort(error);
  }

  /** `undefined` if no child is left to wait for; else a promise of the moment when that may have changed. */
  childless(context: Context): Promise<void> | undefined {
    return context.children === 0 ? undefined : new Promise((resolve) => (context.onChildless = resolve));
  }

  /** Body and children have settled: what came out is final but for the cleanups, which nothing from outside reaches. */
  seal(context: Context): void {
    this.cancelled = context.cancelled;
    if (this.failure === NONE && context.childAborted) this.failure = context.reason;
    context.stopTimer();
  }

  /** A context for the cleanup that runs now, or for the option `recover`: with the scope's values, out of reach of its cancellation. */
  shieldAnew(): Context {
    const shield = new Context();
    shield.values = this.values;
    shield.shieldedFrom = this.above;
    this.shield = shield;
    return shield;
  }

  get unwinding(): boolean {
    return this.phase === UNWINDING;
  }

  protected override nextTurn(): void {
    super.nextTurn();
    if (this.shield === null) return;
    this.shield.end(this.label);
    this.shield = null;
  }

  override unwind(): PromiseLike<unknown> | undefined {
    const used = this.stillUsed();
    if (used !== undefined) return used;
    const pending = super.unwind();
    const { cleanupTimeoutMs } = this.settings;
    return pending === undefined || cleanupTimeoutMs === undefined ? pending : this.bounded(pending, cleanupTimeoutMs);
  }

  /** Cleanups wait for bodies below that were abandoned: those that ran in this scope, and those of the cleanup that has just ended. */
  private stillUsed(): Promise<void> | undefined {
    if (this.ownContext === null && this.shield === null) return undefined;
    return this.hasCleanups ? (this.shield?.released() ?? this.ownContext?.released()) : undefined;
  }

  /** The same cleanup, given up when it overruns. */
  private bounded(pending: PromiseLike<unknown>, timeoutMs: number): Promise<unknown> {
    const shield = this.currentContext; // its deadline counts from now
    // The timer is shared with others; what it sets off is this scope's.
    const captured = captureContext();
    return new Promise((resolve, reject) => {
      const overrun = new TimeoutError(`a cleanup of ${this.label}`, timeoutMs, true);
      const timer = new CleanupTimer(() => {
        this.turn++; // its exit is inert from now on
        captured.run(() => {
          if (cleanupOverran.observed) cleanupOverran.emit({ name: this.name, timeoutMs });
          shield.cancel(overrun);
          reject(overrun);
        });
      });
      clock.start(timer, timeoutMs);
      // Somebody else's `then` may throw, or call back twice; a promise made here does neither.
      new Promise((settle) => settle(pending)).then(
        (value) => {
          timer.leave();
          resolve(value);
        },
        (error: unknown) => {
          timer.leave();
          if (!timer.overran) reject(error);
          else if (!chainHolds(error, overrun)) this.tell(error, true);
        },
      );
    });
  }

  /** The option `recover`. */
  get recoverOption(): ((error: unknown) => unknown) | undefined {
    return this.settings.recover;
  }

  end(): void {
    this.phase = ENDED;
    this.ownContext?.end(this.label);
    this.settings.onEnd?.(this);
  }
}

class CleanupTimer extends Timer {
  overran = false;
  private readonly overrun: () => void;

  constructor(overrun: () => void) {
    super();
    this.overrun = overrun;
  }

  override fire(): void {
    this.overran = true;
    this.overrun();
  }
}

/**
 * The one async function that a scope is. It waits only where there is something to wait for, and a scope that never needed
 * a context takes the straight path: each call less is worth 5 ns, of about 60 that a scope costs.
 */
export async function drive<T>(s: RunningScope, body: Body<T>): Promise<T> {
  if (s.ownContext !== null && s.ownContext.reason !== NONE) {
    s.failure = s.ownContext.reason; // aborted before it began: the body does not run
  } else {
    try {
      s.value = await body(s);
    } catch (error) {
      s.bodyThrew(error);
    }
  }
  if (s.ownContext !== null) {
    for (let wait = s.childless(s.ownContext); wait !== undefined; wait = s.childless(s.ownContext)) await wait;
    s.seal(s.ownContext);
  }
  s.phase = UNWINDING;
  let recover = s.recoverOption;
  for (;;) {
    for (let pending = s.unwind(); pending !== undefined; pending = s.unwind()) {
      try {
        await pending;
      } catch (error) {
        s.cleanupThrew(error);
      }
    }
    if (recover === undefined || !s.recoverable) break;
    try {
      s.shieldAnew();
      const value = await recover(s.failure);
      s.recover();
      s.value = value;
    } catch (error) {
      if (!Object.is(error, s.failure)) s.fail(error);
    }
    recover = undefined; // it has the last word once; what it registered is still cleaned up
  }
  s.end();
  return s.outcome() as T;
}

/**
 * Runs `body` in a scope of its own: a frame whose cleanups run last in first out, with the outcome before their eyes, however it ends.
 *
 * The promise settles when body, children and cleanups have all settled: with what the body returned, unless a cleanup changed it, or rejected
 * with the first failure, as the same object (later ones are in `suppressedErrors`).
 *
 * Waits for: the body, its children (`go`, `map`, `race`), each cleanup in turn; it never lets go of a body that does not settle.
 * On abort: `s.signal` is aborted with the reason, and so is everything below; then the scope waits as always, because only the body knows when it
 * has stopped. A scope that is aborted before it begins runs no body. A success that comes after an abort is a success.
 * Cost: see the README; `npm run bench -- --case scope` measures it.
 *
 * @throws {TypeError | RangeError} at the call, code `BAD_OPTION`, for an unknown or wrong option
 * @example
 * const text = await scope(async (s) => {
 *   const file = s.use(await open('data.txt'));
 *   s.defer((exit) => console.log(exit.ok ? 'read' : 'failed'));
 *   return parse(await file.readFile());
 * }); // ['one', 'two'], and 'read' is printed
 * @example
 * const quotient = await scope({ timeout: '2s', recover: () => 0 }, (s) => divide(6, 0, s.signal)); // 0
 */
export function scope<T>(body: (s: Scope) => T | PromiseLike<T>): Promise<T>;
export function scope<T, R = never, V extends readonly unknown[] = readonly any[]>(
  options: ScopeOptions<R, V>,
  body: (s: Scope) => T | PromiseLike<T>,
): Promise<T | R>;
export function scope<T>(first: ScopeOptions<unknown> | Body<T>, second?: Body<T>): Promise<unknown> {
  // The short way is the hot one.
  if (typeof first === 'function' && second === undefined) return drive(new RunningScope(PLAIN), first);
  const [options, body] = optionsAndBody<ScopeOptions<unknown>, Body<T>>(
    'scope',
    ['signal', ...CHILD_OPTIONS],
    first,
    second,
  );
  return drive(scopeOf(options, options.signal === undefined ? null : outerContext(options.signal)), body);
}

const VALUES = 'a list of [contextKey, value]';

/** Checks all options, then makes the scope below `outer`: a refused one leaves nothing behind. */
export function scopeOf(
  { timeout = Infinity, recover, values = [], name, cleanupTimeout = Infinity }: ChildOptions<unknown>,
  outer: Context | null,
  onEnd?: (child: RunningScope) => void,
): RunningScope {
  if (recover !== undefined) checkFunction('recover', recover);
  checkOption(name === undefined || typeof name === 'string', 'name', name, 'a string');
  checkOption(Array.isArray(values), 'values', values, VALUES);
  for (const entry of values) {
    const isEntry = Array.isArray(entry) && entry.length === 2 && typeof entry[0]?.name === 'string';
    checkOption(isEntry, 'values', values, VALUES);
  }
  const timeoutMs = durationOption('timeout', timeout);
  const cleanupTimeoutMs = durationOption('cleanupTimeout', cleanupTimeout);

  const s = new RunningScope({
    name,
    recover,
    cleanupTimeoutMs: cleanupTimeoutMs < Infinity ? cleanupTimeoutMs : undefined,
    onEnd,
  });
  if (outer !== null) s.context.attachTo(outer);
  for (const [key, value] of values) s.context.values = new Values(key, value, s.context.values);
  if (timeoutMs < Infinity) s.context.expireAfter(timeoutMs, s.label);
  return s;
}

/** The context that a scope with this `signal` hangs below. */
export function outerContext(signal: AbortSignal | Scope): Context {
  if (signal instanceof RunningScope) return signal.currentContext;
  const { aborted, addEventListener } = Object(signal) as Partial<AbortSignal>;
  checkOption(
    typeof aborted === 'boolean' && typeof addEventListener === 'function',
    'signal',
    signal,
    'an AbortSignal or a scope',
  );
  return contextOfSignal(signal as AbortSignal);
}
