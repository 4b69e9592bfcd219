/**
 * The cancellation tree: deadlines, reasons and values, from parent to child.
 *
 * A scope has a `Context` as soon as something needs one: a child, a sleep, a signal, a deadline. `AbortSignal`s are views of contexts, made
 * when first read. Below a context hang contexts (children, linked scopes) and sleepers; a context is the list of those. To come and to go is O(1)
 * whatever hangs beside it. (`addEventListener` walks all listeners of a signal: 100,000 sleepers under one signal take 49 s to schedule.)
 *
 * A foreign `AbortSignal` gets one context of its own, with one listener while something hangs below it.
 *
 * Aborting goes in two passes, as in the DOM standard: first every reason is set, then signals and sleepers are told. Nobody who is told
 * can find a part of the tree that does not know yet.
 */
import { captureContext, clock, Link, List, Timer, TimeoutError, type CapturedContext } from '../foundation/index.ts';
import { Values } from './context-key.ts';
import { NONE } from './frame.ts';
import { ScopeEndedError } from './scope-ended-error.ts';

export class Context extends List {
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
  private captured: CapturedContext | null = null;
  /** The signal from outside that this context stands for. */
  private readonly source: AbortSignal | null;
  /** Children that have not ended. */
  children = 0;
  /** Told when there are none any more. */
  onChildless: (() => void) | null = null;
  /** A child ended with this context's reason: the failure of the scope, if nothing else is. */
  childAborted = false;
  /** How many abandoned bodies below still run. */
  private holds = 0;
  /** Told when there are none any more. */
  private onReleased: (() => void) | null = null;
  /** Of a shield: what does not reach it from above, but is held all the same. */
  shieldedFrom: Context | null = null;
  /** Its scope has ended: what would hang below it hangs below `outer`. */
  private ended = false;
  /** What it hung below when it ended. */
  private outer: Context | null = null;

  constructor(source: AbortSignal | null = null) {
    super();
    this.source = source;
  }

  /** Puts this context below `parent`, and takes its values. Below an aborted one it is cancelled from the start. */
  attachTo(parent: Context): void {
    this.values = parent.values;
    const at = parent.inForce;
    if (at === null) return;
    this.reason = at.reason;
    if (this.reason === NONE) at.add(this);
    else this.cancelled = true;
  }

  /** What to hang below, for somebody who was given this context: the nearest one upwards that has not ended, or was aborted. */
  get inForce(): Context | null {
    let at: Context | null = this;
    while (at !== null && at.ended && at.reason === NONE) at = at.outer;
    return at;
  }

  override add(link: Link): void {
    if (this.first === null) this.source?.addEventListener('abort', this);
    super.add(link);
  }

  override remove(link: Link): void {
    super.remove(link);
    if (this.first === null) this.source?.removeEventListener('abort', this);
  }

  /** Its signal may have been aborted while nothing hung below, and so nobody listened; or this is called while its listeners are. */
  look(): void {
    if (this.source?.aborted === true) this.handleEvent();
  }

  /** Gives this context a deadline. `of` is whose it is, for the error. */
  expireAfter(timeoutMs: number, of: string): void {
    this.timer = new DeadlineTimer(this, timeoutMs, of);
    clock.start(this.timer, timeoutMs);
  }

  /** Shows a deadline that somebody else keeps. */
  expectWithin(timeoutMs: number, startedMs: number = clock.now()): void {
    this.timer = new DeadlineTimer(this, timeoutMs, '');
    this.timer.startedMs = startedMs;
  }

  /** The nearest deadline on the way to the root, on the monotonic clock. */
  get deadline(): number {
    let nearest = Infinity;
    for (let at: Context | null = this; at !== null; at = at.above) {
      if (at.timer !== null) nearest = Math.min(nearest, (at.timer.startedMs as number) + at.timer.timeoutMs);
    }
    return nearest;
  }

  /** What it hangs below. */
  get above(): Context | null {
    return this.list as Context | null;
  }

  /** The deadline no longer counts for this context; cancellation still reaches it, for its linked calls. */
  stopTimer(): void {
    this.timer?.leave();
    this.timer = null;
  }

  /**
   * Leaves the tree. Nobody sleeps on in what has ended (`of` is whose it is, for the error); what is still linked to it hangs
   * below its parent from now on, so that a line of calls, each begun by the one before, keeps nothing of those that have gone.
   */
  end(of: string): void {
    this.ended = true;
    this.owner = null;
    this.captured = null;
    this.outer = this.list as Context | null;
    if (this.first !== null) this.wake(new ScopeEndedError(of), false);
    for (let link = this.first; link !== null; link = this.first) {
      this.remove(link);
      this.outer?.add(link);
    }
    this.leave();
  }

  cancel(reason: unknown): void {
    if (this.reason === NONE) this.ownCancel = true;
    this.cancelFromAbove(reason);
  }

  /** As if a context above this one had been aborted. */
  cancelFromAbove(reason: unknown): void {
    this.cancelled = true;
    if (this.reason === NONE) this.abort(reason);
  }

  /**
   * Keeps the cleanups of this context's scope, and of all above it, from running: something below still uses what they would close.
   *
   * @returns ends that
   */
  hold(): () => void {
    const held: Context[] = [];
    for (let at: Context | null = this; at !== null; at = at.above ?? at.shieldedFrom) held.push(at);
    for (const context of held) context.holds++;
    return () => {
      for (const context of held) if (--context.holds === 0) context.onReleased?.();
    };
  }

  /** `undefined` if nothing is held; else a promise of the moment when that may have changed. */
  released(): Promise<void> | undefined {
    return this.holds === 0 ? undefined : new Promise((resolve) => (this.onReleased = resolve));
  }

  /** Aborts this context and all below it. It must not be aborted yet. */
  abort(reason: unknown): void {
    this.reason = reason;
    const contexts: Context[] = [this]; // grows while it is walked through: breadth first, without recursion
    for (const context of contexts) {
      for (let link = context.first; link !== null; link = link.next) {
        if (link instanceof Context && link.reached(reason)) contexts.push(link);
      }
    }
    for (const context of contexts) context.tell();
  }

  /** Second pass: wakes who sleeps here, then aborts the signal, whose listeners may do anything. */
  private tell(): void {
    this.wake(this.reason, true);
    // Listeners run in the async context of the scope, not of whoever aborts, which may be a timer that many calls share.
    this.captured?.run(() => this.controller?.abort(this.reason));
  }

  private wake(reason: unknown, aborted: boolean): void {
    // Listed first: who is told leaves, and may have its neighbour leave. (A call lets go of its attempt, whose context hangs beside it.)
    const watchers: Watcher[] = [];
    for (let link = this.first; link !== null; link = link.next) {
      if (link instanceof Watcher && (aborted || link instanceof SleepLink)) watchers.push(link);
    }
    for (const watcher of watchers) watcher.abort(reason);
  }

  /** Takes the reason from above. False if there is one already: then all below has been reached with that. */
  private reached(reason: unknown): boolean {
    this.cancelled = true;
    if (this.reason !== NONE) return false;
    this.reason = reason;
    return true;
  }

  /** The `abort` event of the signal from outside. */
  handleEvent(): void {
    if (this.reason === NONE) this.abort(this.source?.reason);
  }

  /** The signal that stands for this context. */
  get signal(): AbortSignal {
    if (this.controller === null) {
      this.controller = new AbortController();
      contextOf.set(this.controller.signal, this);
      if (this.reason === NONE) this.captured = captureContext();
      else this.controller.abort(this.reason);
    }
    return this.controller.signal;
  }

  /** Waits; an abort ends it with the reason. Refused with `refusal` if that is not `NONE`. */
  sleep(durationMs: number, refusal: unknown): Promise<void> {
    const sleeper = new Sleeper(this);
    if (refusal !== NONE) sleeper.abort(refusal);
    else clock.start(sleeper, durationMs);
    return sleeper.wait.promise;
  }
}

/** A context's own deadline. */
class DeadlineTimer extends Timer {
  private readonly context: Context;
  readonly timeoutMs: number;
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

/** One wait: its timer in the clock's list, its link in the context's. */
class Sleeper extends Timer {
  readonly wait: PromiseWithResolvers<void> = Promise.withResolvers();
  private readonly link = new SleepLink(this);

  constructor(context: Context) {
    super();
    context.add(this.link);
  }

  override fire(): void {
    this.link.leave();
    this.wait.resolve();
  }

  abort(reason: unknown): void {
    this.leave();
    this.link.leave();
    // Whoever sleeps without waiting for it, or starts to wait later, is no reason to end the process.
    this.wait.promise.catch(() => {});
    this.wait.reject(reason);
  }
}

/** Somebody below a context who is told when that is aborted. It has to leave, then or later. */
export abstract class Watcher extends Link {
  abstract abort(reason: unknown): void;
}

class SleepLink extends Watcher {
  readonly sleeper: Sleeper;

  constructor(sleeper: Sleeper) {
    super();
    this.sleeper = sleeper;
  }

  override abort(reason: unknown): void {
    this.sleeper.abort(reason);
  }
}

/** The context that a signal stands for: a scope's own, or the one that was made for a foreign signal. */
const contextOf = /* @__PURE__ */ new WeakMap<AbortSignal, Context>();

/** The context to hang below, for a call that was given `signal`. */
export function contextOfSignal(signal: AbortSignal): Context {
  let context = contextOf.get(signal);
  if (context === undefined) contextOf.set(signal, (context = new Context(signal)));
  context.look();
  return context;
}
