/**
 * The rules of a scope as bookkeeping: what becomes the failure, what the reason, who is cancelled, what is kept beside what. Written from
 * the rules of docs/reference/semantics.md (1 to 9, R1 to R16) alone; imports nothing of `src`.
 *
 * Time and the order of things are in `reference.ts`, which calls these functions. Every `mutant ===` is a deliberate breach (`mutants.ts`).
 */
import type { Frame, Cleanup } from './program.ts';
import type { Mutant } from './mutants.ts';
import { ANY, Fault, Trace } from './trace.ts';
import { type Cell, type Timer, World } from './world.ts';

export const RUNNING = 0;
export const WAITING = 1;
export const UNWINDING = 2;
export const ENDED = 3;

/** What a signal hangs on: a scope, the shield of a running cleanup, or the outer signal. */
export class Anchor {
  aborted = false;
  reason: unknown;
  /** Its own; none once its scope unwinds. */
  deadline: number;
  readonly above: Anchor | undefined;
  /** The value under the fuzzer's context key. */
  readonly value: number | undefined;
  readonly sleeps = new Set<{ cell: Cell; timer: Timer }>();
  /** Children and linked scopes. */
  readonly below = new Set<Run>();
  readonly watchers: number[] = [];
  owner: Run | undefined;

  constructor(deadline: number, value: number | undefined, above?: Anchor) {
    this.deadline = deadline;
    this.value = value;
    this.above = above;
  }

  /** The nearest deadline on the way to the root. */
  get nearestDeadline(): number {
    return Math.min(this.deadline, this.above?.nearestDeadline ?? Infinity);
  }
}

/** A registered cleanup. A disposer is shown no exit. */
export interface Registered {
  readonly cleanup: Cleanup;
  readonly showsExit: boolean;
  /** The prize of a race: kept if the race comes out well. */
  readonly onlyIfFailed?: boolean;
  /** Where its start is noted. */
  readonly site: number;
}

/** A scope while it runs. */
export class Run {
  phase = RUNNING;
  readonly anchor: Anchor;
  /** Of the running cleanup. */
  shield: Anchor | undefined;
  readonly frame: Frame | undefined;
  /** The scope that it is a child of. */
  readonly parent: Run | undefined;
  /** What it is cancelled by: its parent's anchor, or what it is linked to. */
  readonly above: Anchor | undefined;
  /** What a caller awaits. */
  readonly task: Cell;
  /** Children that have not ended. */
  live = 0;
  idle: Cell | undefined;
  cancelled = false;
  /** Its own `cancel` set the abort reason. */
  ownCancel = false;
  /** A child came out with the abort reason. */
  endedByReason = false;
  failed = false;
  failure: unknown;
  result: unknown;
  /** Failures recovered here that no later failure carries yet. */
  owed: unknown[] = [];
  readonly cleanups: Registered[] = [];
  recoverCalled = false;
  /** Its body threw. */
  threw = false;
  deadlineTimer: Timer | undefined;
  /** What replaces the accounting of the parent: a race takes its contenders' ends itself. */
  onEnd: ((run: Run) => void) | undefined;
  /** A map whose items are its children. */
  isMap = false;

  constructor(frame: Frame | undefined, parent: Run | undefined, above: Anchor | undefined, task: Cell, now: number) {
    this.frame = frame;
    this.parent = parent;
    this.above = above;
    this.task = task;
    const deadline = frame?.timeout === undefined ? Infinity : now + frame.timeout;
    this.anchor = new Anchor(deadline, frame?.value ?? above?.value, above);
    this.anchor.owner = this;
  }
}

/** The exit of one cleanup. */
export interface Exit {
  readonly run: Run;
  live: boolean;
}

export const CAUSE_DEPTH = 16;

/** Whether `error` is `target`, or its chain of causes holds it, as far as it is followed. */
export function holds(error: unknown, target: unknown, limit = CAUSE_DEPTH): boolean {
  let link = error;
  for (let depth = 0; depth <= limit; depth++) {
    if (link === target) return true;
    if (!(link instanceof Fault) || link.cause === undefined) return false;
    link = link.cause;
  }
  return false;
}

export class Rules {
  readonly world: World;
  readonly trace = new Trace();
  readonly mutant: Mutant | undefined;

  constructor(world: World, mutant: Mutant | undefined) {
    this.world = world;
    this.mutant = mutant;
  }

  note(site: number, ...entry: unknown[]): void {
    this.trace.note(site, [this.world.now, ...entry]);
  }

  event(name: string, error: unknown, late = false): void {
    this.trace.events.push([name === 'discarded' ? 0 : this.world.now, name, error, late]);
  }

  /** The rules leave open what happens in this program: it is not compared. */
  open(why: string): void {
    this.trace.skip ??= why;
  }

  // --- what is kept beside a failure (2, 9, R10)

  keepBeside(failure: unknown, error: unknown): void {
    if (!(failure instanceof Fault) || failure === error) return;
    if (failure.suppressed.includes(error) && this.mutant !== 'suppressed-twice') return;
    failure.suppressed =
      this.mutant === 'suppressed-newest-first' ? [error, ...failure.suppressed] : [...failure.suppressed, error];
  }

  /** As `keepBeside`; a primitive cannot keep it, so it is told. */
  keepOrTell(failure: unknown, error: unknown): void {
    if (failure instanceof Fault || failure === error) this.keepBeside(failure, error);
    else this.discarded(error);
  }

  /** An error that nothing keeps. Whether a mere cancellation is told, no rule says. */
  discarded(error: unknown): void {
    const isCancellation = error instanceof Fault && error.kind === 'AbortError';
    if (!isCancellation && this.mutant !== 'discarded-untold') this.event('discarded', error);
  }

  /** What was recovered or replaced before stays with it; a primitive cannot keep it, so that it stays with the one after that. */
  newFailure(run: Run, error: unknown): void {
    run.failed = true;
    run.failure = error;
    if (!(error instanceof Fault)) return;
    for (const earlier of run.owed) this.keepBeside(error, earlier);
    run.owed = [];
  }

  replaceFailure(run: Run, error: unknown): void {
    if (this.mutant !== 'replaced-not-kept') run.owed.push(run.failure);
    this.newFailure(run, error);
  }

  // --- cancellation (6, 8, R2, R6)

  /** `'own'`: its cancel; `'above'`: outer signal or parent; `'inside'`: its deadline, its body or a child of it. */
  abort(run: Run, reason: unknown, source: 'own' | 'above' | 'inside'): void {
    const { mutant } = this;
    if (run.phase >= UNWINDING) return this.#abortWhileUnwinding(run, reason, source);
    const ignored = mutant === 'cancel-after-reason-ignored' && run.anchor.aborted;
    if (source !== 'inside' && !ignored) run.cancelled = true;
    if (run.anchor.aborted && mutant !== 'last-reason-wins') return;
    run.ownCancel = source === 'own';
    this.abortAnchor(run.anchor, reason);
    if (mutant === 'cancellation-goes-up' && source === 'own' && run.parent) this.abort(run.parent, reason, 'own');
  }

  /** Nothing changes for the scope; what is linked to it and goes on is reached from above all the same. */
  #abortWhileUnwinding(run: Run, reason: unknown, source: 'own' | 'above' | 'inside'): void {
    if (this.mutant === 'cancel-while-unwinding-counts' && run.phase === UNWINDING) run.cancelled = true;
    if (source === 'above' && !run.anchor.aborted) this.abortAnchor(run.anchor, reason);
  }

  abortAnchor(anchor: Anchor, reason: unknown): void {
    anchor.aborted = true;
    anchor.reason = reason;
    this.#wake(anchor, reason);
    for (const site of anchor.watchers.splice(0)) this.note(site, 'aborted', shownReason(reason));
    const passed = this.mutant === 'reason-not-passed-on' ? new Fault('AbortError') : reason;
    for (const run of anchor.below) if (this.#reaches(run, reason)) this.abort(run, passed, 'above');
  }

  /** Nobody sleeps on in what has ended (11). */
  endSleeps(anchor: Anchor): void {
    anchor.deadline = Infinity; // nor counts what is left of its time
    if (anchor.sleeps.size > 0 && this.mutant !== 'sleep-outlives-its-scope')
      this.#wake(anchor, new Fault('ScopeEndedError'));
  }

  #wake(anchor: Anchor, reason: unknown): void {
    for (const { cell, timer } of anchor.sleeps) {
      this.world.stop(timer);
      this.world.settle(cell, reason, true);
    }
    anchor.sleeps.clear();
  }

  #reaches(run: Run, reason: unknown): boolean {
    if (this.mutant === 'cancellation-stays') return run.parent === undefined;
    if (this.mutant === 'linked-is-not-cancelled') return run.parent !== undefined;
    if (this.mutant === 'children-not-cancelled-on-throw')
      return !(run.parent?.failed && run.parent.failure === reason && run.parent.live > 0);
    return true;
  }

  // --- what bodies and children come to (5, 8, R3, R4, R5)

  bodyThrew(run: Run, error: unknown): void {
    run.threw = true;
    const { aborted, reason } = run.anchor;
    const taken = aborted && this.#takenForReason(error, reason);
    const failure = taken ? reason : error;
    if (run.failed) {
      if (!taken && this.mutant !== 'body-error-forgotten') this.keepOrTell(run.failure, error);
      return;
    }
    this.newFailure(run, failure);
    this.abort(run, failure, 'inside');
  }

  #takenForReason(error: unknown, reason: unknown): boolean {
    if (this.mutant === 'envelope-kept') return error === reason;
    if (this.mutant === 'own-error-becomes-reason') return true;
    if (this.mutant === 'envelope-in-envelope-kept') return holds(error, reason, 1);
    return holds(error, reason, this.mutant === 'causes-followed-for-ever' ? 100 : CAUSE_DEPTH);
  }

  childEnded(run: Run, child: Run): void {
    run.live--;
    if (child.failed) this.#childFailed(run, child, child.failure);
    if (run.live === 0 && run.idle) this.world.settle(run.idle);
  }

  #childFailed(run: Run, child: Run, error: unknown): void {
    const { mutant } = this;
    if (child.ownCancel && error === child.anchor.reason && mutant !== 'own-cancel-fails-scope') return;
    if (run.anchor.aborted && holds(error, run.anchor.reason)) {
      run.endedByReason = true;
      if (mutant === 'children-add-the-reason' && run.failed && run.failure instanceof Fault)
        run.failure.suppressed = [...run.failure.suppressed, error];
      return;
    }
    if (mutant === 'child-failure-ignored') return;
    if (run.failed) return this.#laterChildFailed(run, error);
    this.newFailure(run, error);
    if (mutant === 'child-failure-does-not-cancel' || (mutant === 'map-goes-on' && run.isMap)) return;
    this.abort(run, error, 'inside');
  }

  #laterChildFailed(run: Run, error: unknown): void {
    if (this.mutant === 'last-child-failure-wins') this.replaceFailure(run, error);
    else if (this.mutant !== 'late-child-failure-forgotten') this.keepOrTell(run.failure, error);
  }

  /** Body and children have settled. */
  settled(run: Run): void {
    if (!run.failed && run.endedByReason && this.mutant !== 'ended-children-forgiven')
      this.newFailure(run, run.anchor.reason);
    if (!run.failed && this.mutant === 'late-success-fails' && run.anchor.aborted)
      this.newFailure(run, run.anchor.reason);
  }

  // --- cleanups (2, R7)

  cleanupThrew(run: Run, error: unknown): void {
    const { mutant } = this;
    if (!run.failed) {
      if (mutant !== 'cleanup-error-lost-on-success') this.newFailure(run, error);
      this.event('cleanup-failed', error);
      return;
    }
    if (run.failure === error) return;
    if (mutant === 'newer-error-wins' || (mutant !== 'cause-does-not-replace' && holds(error, run.failure)))
      this.replaceFailure(run, error);
    else if (mutant !== 'cleanup-error-forgotten') this.keepBeside(run.failure, error);
    if (mutant !== 'cleanup-failed-not-told') this.event('cleanup-failed', error);
  }

  // --- the verbs of an exit (8, R8)

  recover(exit: Exit, value: { readonly given: unknown } | undefined): unknown {
    const { run } = exit;
    if (!this.isLive(exit) || !run.failed || (run.cancelled && this.mutant !== 'recover-in-cancelled'))
      return undefined;
    const { failure } = run;
    this.recovered(run);
    if (value && !(this.mutant === 'recover-undefined-keeps-the-value' && value.given === undefined))
      run.result = value.given;
    else if (this.mutant === 'recover-forgets-the-value') run.result = undefined;
    return failure;
  }

  recovered(run: Run): void {
    if (this.mutant !== 'recovered-not-kept') run.owed.push(run.failure);
    run.failed = false;
    run.failure = undefined;
  }

  set(exit: Exit, value: unknown): void {
    if (!this.isLive(exit)) return;
    exit.run.result = value;
    if (this.mutant === 'set-recovers' && exit.run.failed) this.recovered(exit.run);
  }

  fail(exit: Exit, error: unknown): void {
    if (!this.isLive(exit)) return;
    const { run } = exit;
    if (!run.failed) this.newFailure(run, error);
    else if (this.mutant === 'fail-does-not-replace') this.keepBeside(run.failure, error);
    else if (run.failure !== error) this.replaceFailure(run, error);
  }

  isLive(exit: Exit): boolean {
    return exit.live || (this.mutant === 'exit-outlives-its-cleanup' && exit.run.phase === UNWINDING);
  }
}

/** `AbortSignal` shows an AbortError for the reason `undefined`, and no rule says that ours must not. */
export function shownReason(reason: unknown): unknown {
  return reason === undefined ? ANY : reason;
}
