/**
 * The cancellation tree: deadlines, reasons and values, from parent to child.
 *
 * A scope has a `Context` as soon as something needs one: a child, a sleep, a signal, a deadline. `AbortSignal`s are views of contexts, made
 * when first read. Below a context hang contexts (children, linked scopes) and sleepers, on a doubly linked list through their own
 * fields, so that coming and going is O(1) whatever hangs beside them. (`addEventListener` walks all listeners of a signal: 100,000
 * sleepers under one signal take 49 s to schedule that way.)
 *
 * A foreign `AbortSignal` gets one context for itself, with one listener while something hangs below it.
 *
 * Aborting goes in two passes, as in the DOM standard: first every reason is set, then signals and sleepers are told. Nobody who is told
 * can find a part of the tree that does not know yet.
 */
import { captureContext, clock, Timer, TimeoutError, type RunInContext } from '../foundation/index.ts';
import { NONE } from './frame.ts';
import { Values } from './context-key.ts';

/** What hangs in the tree. */
interface Branch {
  parent: Context | null;
  previous: Branch | null;
  next: Branch | null;
  /** First pass: takes the reason, if it has none. */
  reach(reason: unknown, pass: AbortPass): void;
}

/** What is told in the second pass. */
interface Observer {
  told(reason: unknown): void;
}

class AbortPass {
  /** Grows while it is walked through: breadth first, without recursion. */
  readonly contexts: Context[] = [];
  readonly observers: Observer[] = [];
}

export class Context implements Branch, Observer {
  parent: Context | null = null;
  previous: Branch | null = null;
  next: Branch | null = null;
  private first: Branch | null = null;
  private last: Branch | null = null;
  /** Why it was aborted: the first reason given. `NONE` while it is not. */
  reason: unknown = NONE;
  /** Cancelled by somebody: not by its own deadline, nor by a failure in it. */
  cancelled = false;
  /** The reason came from `cancel` on this very context. */
  ownCancel = false;
  values: Values | null = null;
  /** What runs in this context, for reports. */
  owner: unknown = null;
  private timer: DeadlineTimer | null = null;
  private controller: AbortController | null = null;
  private runInContext: RunInContext | null = null;
  /** Its scope has ended; it stays in the tree for what is still linked to it. */
  private ended = false;

  /** Puts this context below `parent`, and takes its values. Below an aborted one it is cancelled from the start. */
  attachTo(parent: Context): void {
    this.values = parent.values;
    if (parent.reason === NONE) {
      parent.attach(this);
    } else {
      this.reason = parent.reason;
      this.cancelled = true;
    }
  }

  attach(branch: Branch): void {
    branch.parent = this;
    branch.previous = this.last;
    if (this.last === null) this.first = branch;
    else this.last.next = branch;
    this.last = branch;
  }

  detach(branch: Branch): void {
    const { previous, next } = branch;
    if (previous === null) this.first = next;
    else previous.next = next;
    if (next === null) this.last = previous;
    else next.previous = previous;
    branch.parent = branch.previous = branch.next = null;
    if (this.ended && this.empty) this.leave();
  }

  get empty(): boolean {
    return this.first === null;
  }

  /** Gives this context a deadline, `durationMs` from now. `of` is whose it is, for the error. */
  expireAfter(durationMs: number, of: string): void {
    if (durationMs === Infinity || this.reason !== NONE) return;
    this.timer = new DeadlineTimer(this, durationMs, of);
    clock.startTimeout(this.timer, durationMs);
  }

  /** On the monotonic clock. */
  get deadline(): number {
    let nearest = Infinity;
    for (let at: Context | null = this; at !== null; at = at.parent) {
      if (at.timer !== null && at.timer.dueMs < nearest) nearest = at.timer.dueMs;
    }
    return nearest;
  }

  /** The deadline no longer counts for this context; cancellation still reaches it, for its linked calls. */
  stopTimer(): void {
    this.timer?.stop();
    this.timer = null;
  }

  /** Leaves the tree, now or when the last call that is linked to it has left. */
  end(): void {
    this.ended = true;
    this.owner = null;
    if (this.empty) this.leave();
  }

  private leave(): void {
    this.parent?.detach(this);
  }

  cancel(reason: unknown): void {
    this.cancelled = true;
    if (this.reason !== NONE) return;
    this.ownCancel = true;
    this.abort(reason);
  }

  /** Aborts this context and all below it. Must not be aborted yet. */
  abort(reason: unknown): void {
    const pass = new AbortPass();
    this.reason = reason;
    pass.contexts.push(this);
    for (const context of pass.contexts) {
      if (context.controller !== null) pass.observers.push(context);
      for (let branch = context.first; branch !== null; branch = branch.next) branch.reach(reason, pass);
    }
    for (const observer of pass.observers) observer.told(reason);
  }

  reach(reason: unknown, pass: AbortPass): void {
    this.cancelled = true;
    // What is below a context that has its reason already was reached with it.
    if (this.reason !== NONE) return;
    this.reason = reason;
    pass.contexts.push(this);
  }

  told(reason: unknown): void {
    // Listeners run in the async context of the scope, not of whoever aborts, which may be a timer that many calls share.
    this.runInContext?.(() => this.controller?.abort(reason));
  }

  /** The signal that stands for this context. */
  get signal(): AbortSignal {
    if (this.controller === null) {
      this.controller = new AbortController();
      contextOf.set(this.controller.signal, this);
      if (this.reason === NONE) this.runInContext = captureContext();
      else this.controller.abort(this.reason);
    }
    return this.controller.signal;
  }

  throwIfAborted(): void {
    if (this.reason !== NONE) throw this.reason;
  }

  /** Waits; an abort ends it with the reason. */
  sleep(durationMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.reason !== NONE) reject(this.reason);
      else if (durationMs === 0) resolve();
      else new Sleeper(this, durationMs, resolve, reject);
    });
  }

  /** Everything that hangs below, this context first. */
  *all(): Generator<Context> {
    yield this;
    for (let branch = this.first; branch !== null; branch = branch.next) if (branch instanceof Context) yield* branch.all();
  }
}

class DeadlineTimer extends Timer {
  private readonly context: Context;
  private readonly timeoutMs: number;
  private readonly of: string;

  constructor(context: Context, timeoutMs: number, of: string) {
    super();
    this.context = context;
    this.timeoutMs = timeoutMs;
    this.of = of;
  }

  override fire(): void {
    if (this.context.reason === NONE) this.context.abort(new TimeoutError(this.of, this.timeoutMs));
  }
}

/** One wait: a timer and a branch in one object, of which there may be a million. */
class Sleeper extends Timer implements Branch, Observer {
  parent: Context | null = null;
  previous: Branch | null = null;
  next: Branch | null = null;
  private readonly resolve: () => void;
  private readonly reject: (reason: unknown) => void;

  constructor(context: Context, durationMs: number, resolve: () => void, reject: (reason: unknown) => void) {
    super();
    this.resolve = resolve;
    this.reject = reject;
    context.attach(this);
    clock.startSleep(this, durationMs);
  }

  override fire(): void {
    this.parent?.detach(this);
    this.resolve();
  }

  reach(_reason: unknown, pass: AbortPass): void {
    pass.observers.push(this);
  }

  told(reason: unknown): void {
    this.stop();
    this.parent?.detach(this);
    this.reject(reason);
  }
}

/** The context that a signal stands for: a scope's own, or the one that was made for a foreign signal. */
const contextOf = /* @__PURE__ */ new WeakMap<AbortSignal, Context>();

/** The context of a signal from outside: it listens while something hangs below it. */
class SignalContext extends Context {
  private readonly source: AbortSignal;

  constructor(source: AbortSignal) {
    super();
    this.source = source;
    contextOf.set(source, this);
  }

  override attach(branch: Branch): void {
    if (this.empty) this.source.addEventListener('abort', this);
    super.attach(branch);
  }

  override detach(branch: Branch): void {
    super.detach(branch);
    if (this.empty) this.source.removeEventListener('abort', this);
  }

  /** The abort event. */
  handleEvent(): void {
    this.source.removeEventListener('abort', this);
    this.abort(this.source.reason);
  }

  override get signal(): AbortSignal {
    return this.source;
  }
}

/** The context to hang below, for a call that was given `signal`. */
export function contextOfSignal(signal: AbortSignal): Context {
  const context = contextOf.get(signal) ?? new SignalContext(signal);
  // A signal may have been aborted while nothing hung below its context, so nobody listened.
  if (signal.aborted && context.reason === NONE) context.reason = signal.reason;
  return context;
}
