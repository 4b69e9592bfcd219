/**
 * The flat run: one call of a policy, as one state machine.
 *
 *                 ┌───────────── wait for the back-off ◀── the retry says: again ──┐
 *                 ▼                                                                │
 *   start ──▶ begin ──gates──▶ launch ──▶ the body settles ──▶ close ──▶ ended ──▶ decide ──▶ give up ──▶ finished
 *                 │              ▲        (scope: children,      │         │
 *                 ├─ wait in a ──┘         cleanups)             │         └──▶ succeed ─────────────────▶ finished
 *                 │  queue                                       └ async cleanups: closeLater
 *                 └─ refused ──▶ decide
 *
 * What ends it from outside, `abort`: the caller's signal or scope, and the timeout of the whole call. It ends a wait at once; an attempt in
 * flight is aborted and, if a timeout layer is there, has its `grace` to settle. Then it is abandoned: `current` is another one, or none, and
 * all that `ended` still does with it is to give back its permits and tell of it.
 *
 * A call without a timeout hands out the promise that reacts to its first attempt, and makes one of its own (`detach`) when it
 * has to wait: the straight path then makes one promise. Nothing here throws; `giveUp` is the only way to a rejection.
 */
import { addSuppressed, captureContext, clock, TimeoutError, type CapturedContext } from '../../foundation/index.ts';
import type { Context } from '../../scope/context.ts';
import type { Values } from '../../scope/context-key.ts';
import { discarded } from '../../scope/events.ts';
import { NONE, RUNNING, UNWINDING } from '../../scope/frame.ts';
import type { Settings } from '../../scope/scope.ts';
import { abandonBody } from './abandoned.ts';
import { Attempt } from './attempt.ts';
import { dispose } from './dispose.ts';
import { attemptEnd, attemptStart, timeoutFired, timeoutLate } from './events.ts';
import {
  ABANDONED,
  AttemptRecord,
  CLEANUP,
  handOn,
  isDeadline,
  isRefusal,
  JUDGED,
  OVERDUE,
  REFUSED,
  report,
  reported,
  TIMED_OUT,
  type StoppedBy,
} from './history.ts';
import { toldBy } from './inside.ts';
import { LayerTimer } from './layer-timer.ts';
import { CallLink } from './link.ts';
import { WAIT, type CallOptions, type Gate, type Operation, type TimeoutLayer } from './layer.ts';
import type { FlatStage } from './stage.ts';
import { Adoption, BackoffWait, type Wait } from './wait.ts';

export class Call implements Settings {
  readonly stage: FlatStage;
  private readonly op: Operation;
  readonly options: CallOptions | null;
  private readonly link: CallLink | null;
  /** Of the timeout of the whole call. */
  timer: LayerTimer | null = null;
  /** When it began, on the monotonic clock, if something needs to know. */
  startedMs: number | null = null;
  /** The attempt that was let in, and whose outcome this call waits for; or what it waits for instead. `null` between two steps. */
  awaited: Attempt | Wait | null = null;
  /** The newest failed attempt. */
  history: AttemptRecord | null = null;
  /** Why it was aborted: the caller's reason, or the error of its timeout. */
  reason: unknown = NONE;
  /** The caller's async context, if a timer or whoever aborts may have to call what is the caller's. */
  private captured: CapturedContext | null = null;
  /** Settle the promise that the caller has, once that is no longer the one that reacts to the first attempt. */
  private resolve: ((value: unknown) => void) | null = null;
  private reject: ((error: unknown) => void) | null = null;

  constructor(stage: FlatStage, op: Operation, outer: Context | null, options: CallOptions | null) {
    this.stage = stage;
    this.op = op;
    this.link = outer === null ? null : new CallLink(this, outer);
    this.options = options;
  }

  get name(): string | undefined {
    return this.options === null ? undefined : this.options.name;
  }

  /** For messages. */
  get label(): string {
    return this.name ?? 'the call';
  }

  start(): Promise<unknown> {
    const { stage } = this;
    if (stage.timesCalls) this.startedMs = this.options?.outer?.call.startedMs ?? clock.now();
    if (this.link !== null) this.reason = this.link.hang();
    if (this.options?.outer !== undefined) this.options.outer.inside!.calls.add(this);
    if (this.reason !== NONE) return this.soon(() => this.giveUp(this.reason, null, this.abortedBy))!;
    // A timer may set off the next attempt: after one that was abandoned, or that never began in the stage inside.
    const byTimer = stage.detaches && stage.retry !== null;
    if (stage.hasHook || (byTimer && (stage.inner !== null || stage.retry!.followsAbandoned(this))))
      this.captured = captureContext();
    if (stage.timeout !== null) {
      this.timer = new LayerTimer(this, null);
      clock.startFixed(this.timer, stage.timeout.timers);
    }
    if (!stage.detaches) return this.begin() as Promise<unknown>;
    const promise = this.detach();
    this.begin();
    return promise;
  }

  /** From now on the caller's promise is one of the call's own. */
  private detach(): Promise<unknown> {
    // Not `Promise.withResolvers`, and no executor for all calls: measured, both are dearer.
    return new Promise((resolve, reject) => this.adopted(resolve, reject));
  }

  /** From now on these settle the caller's promise. */
  adopted(resolve: (value: unknown) => void, reject: (error: unknown) => void): void {
    this.resolve = resolve;
    this.reject = reject;
  }

  /** A step that comes before the caller has the promise: a rejection that is older than its first handler costs twice as much. */
  private soon(step: () => void): Promise<unknown> | undefined {
    const promise = this.resolve === null ? this.detach() : undefined;
    void TURN.then(step);
    return promise;
  }

  /** What was waited before the newest attempt. */
  private get delayMs(): number {
    return this.history === null ? 0 : this.history.delayAfterMs;
  }

  /** The next attempt. Like all steps from here on it returns what a reaction hands on while the caller's promise is that of the first attempt. */
  private begin(): unknown {
    return this.admit(new Attempt(this, this.history === null ? 1 : this.history.number + 1), 0);
  }

  private admit(attempt: Attempt, from: number): unknown {
    const { gates } = this.stage;
    for (let place = from; place < gates.length; place++) {
      let answer;
      try {
        answer = gates[place]!.enter(attempt);
      } catch (error) {
        const record = this.turnedAway(attempt, place, error);
        record.thrown = error;
        return this.soon(() => this.decide(record));
      }
      if (answer === undefined) continue;
      if (answer === WAIT) return this.waits();
      const record = this.turnedAway(attempt, place, answer);
      return this.soon(() => this.decide(record));
    }
    if (this.reason === NONE) return this.launch(attempt);
    const record = this.turnedAway(attempt, gates.length, this.reason); // a hook of a gate has aborted the call
    return this.soon(() => this.decide(record));
  }

  /** A gate has put itself into `awaited`. */
  private waits(): Promise<unknown> | undefined {
    const promise = this.resolve === null ? this.detach() : undefined;
    if (this.reason !== NONE) (this.awaited as Wait).cancel(this.reason); // a hook of the gate has aborted the call
    return promise;
  }

  /** A gate that had it wait lets it in. */
  admitted(attempt: Attempt, gate: Gate): void {
    this.awaited = null;
    attempt.startedMs = clock.now();
    this.admit(attempt, this.stage.gates.indexOf(gate) + 1);
  }

  /** A gate that had it wait does not let it in. */
  refused(attempt: Attempt, gate: Gate, error: unknown): void {
    this.awaited = null;
    this.decide(this.turnedAway(attempt, this.stage.gates.indexOf(gate), error));
  }

  /** The attempt stands before the gate at `place`, and does not come further. */
  private turnedAway(attempt: Attempt, place: number, error: unknown): AttemptRecord {
    attempt.failure = error;
    attempt.end();
    if (attempt.attempt > 1) this.stage.retry?.giveBack();
    const record = new AttemptRecord(attempt.attempt, error, REFUSED, this.history);
    this.history = record;
    for (let i = place - 1; i >= 0; i--) this.stage.gates[i]!.release();
    record.thrown = this.tellGates(attempt, record, place);
    return record;
  }

  /** Tells the first so many gates what an attempt came to. Gives what a hook of theirs threw, or `NONE`. */
  private tellGates(attempt: Attempt, failed: AttemptRecord | null, entered: number): unknown {
    const { gates } = this.stage;
    let thrown: unknown = NONE;
    for (let i = entered - 1; i >= 0; i--) {
      try {
        gates[i]!.decided(attempt, failed);
      } catch (error) {
        thrown = error;
      }
    }
    return thrown;
  }

  private launch(attempt: Attempt): unknown {
    this.awaited = attempt;
    const { attemptTimeout, blames } = this.stage;
    if (attemptTimeout !== null) {
      attempt.timer = new LayerTimer(this, attempt);
      clock.startFixed(attempt.timer, attemptTimeout.timers);
    }
    // How long an attempt had that is ended from outside is known from the layers' timers, except here.
    const untimed = blames && (this.history !== null || this.link !== null);
    if (this.delayMs > 0 || this.startedMs !== null || untimed || attemptStart.observed || attemptEnd.observed)
      attempt.startedMs = clock.now();
    if (this.stage.inner === null)
      for (let outer = this.options?.outer; outer !== undefined; outer = outer.call.options?.outer)
        outer.inside!.begun = true;
    if (attemptStart.observed && this.stage.inner === null)
      attemptStart.emit({ name: this.name, number: attempt.attempt });
    let promise;
    try {
      if (this.reason !== NONE) throw this.reason; // a listener has just aborted the call
      promise = Promise.resolve(this.op(attempt));
    } catch (error) {
      // No rejected promise: Node keeps one that had no handler at first until the microtask queue is empty, which may be after many attempts.
      // No closure: the error of the next attempt holds the functions on its stack, and so would hold this error, and that the one before, without end.
      return then.call(TURN, failed.bind(undefined, attempt, error));
    }
    return then.call(
      promise,
      // They hold the attempt alone: a closure's context is made for each call.
      (value: unknown) => {
        attempt.value = value;
        return attempt.call.close(attempt);
      },
      (error: unknown) => failed(attempt, error),
    );
  }

  /** The body has settled. */
  close(attempt: Attempt): unknown {
    const { ownContext } = attempt;
    if (ownContext !== null) {
      if (ownContext.children > 0) return this.closeLater(attempt, undefined, false);
      attempt.seal(ownContext);
    }
    attempt.phase = UNWINDING;
    const done = attempt.failure === NONE;
    const pending = attempt.unwind();
    if (pending !== undefined) return this.closeLater(attempt, pending, done);
    // One that was aborted, and so any that was abandoned, has a context.
    const straight = ownContext === null && this.stage.isPlain && attempt.failure === NONE;
    return straight ? this.endedWell(attempt) : this.ended(attempt, done);
  }

  /** As `ended`, for an attempt that nothing happened to. That there is little here is worth a fifth of what a call costs. */
  private endedWell(attempt: Attempt): unknown {
    const { gates } = this.stage;
    attempt.end();
    if (attempt.timer !== null) attempt.timer.leave();
    this.awaited = null;
    for (let i = gates.length - 1; i >= 0; i--) gates[i]!.release();
    return this.succeed(attempt);
  }

  /** The same where there is something to wait for. */
  private async closeLater(
    attempt: Attempt,
    pending: PromiseLike<unknown> | undefined,
    done: boolean,
  ): Promise<unknown> {
    if (attempt.phase === RUNNING) {
      const { context } = attempt;
      for (let wait = attempt.childless(context); wait !== undefined; wait = attempt.childless(context)) await wait;
      attempt.seal(context);
      attempt.phase = UNWINDING;
      done = attempt.failure === NONE;
      pending = attempt.unwind();
    }
    for (; pending !== undefined; pending = attempt.unwind()) {
      try {
        await pending;
      } catch (error) {
        attempt.cleanupThrew(error);
      }
    }
    return this.ended(attempt, done);
  }

  /** Body, children and cleanups have settled. `done`: without a failure, before the cleanups. */
  private ended(attempt: Attempt, done: boolean): unknown {
    const { judge } = this.stage;
    attempt.end();
    if (attempt.timer !== null) attempt.timer.leave();
    let failure = attempt.failure;
    let judged = false;
    let thrown: unknown = NONE;
    const { value } = attempt;
    const isLate = this.awaited !== attempt;
    if (!isLate) this.awaited = null;
    if (judge !== null && failure === NONE && !isLate) {
      try {
        judged = judge.isFailure(value);
        if (judged) failure = value;
      } catch (error) {
        thrown = failure = error;
        if (error !== value) dispose(this.name, value);
      }
    }
    const { inside } = attempt;
    if (inside !== null && failure === NONE && Object.is(inside.judged, value)) {
      judged = true;
      failure = value;
    } else if (inside !== null && inside.thrown === failure) thrown = failure;
    const used = usedInside(attempt);
    if (used === undefined) this.release(attempt, isLate);
    else void this.releaseLater(attempt, isLate, used);
    const onlyCleanup = done && attempt.failure !== NONE;
    if (onlyCleanup) dispose(this.name, value);
    if (isLate) return this.late(attempt);
    if (failure === NONE) return this.succeed(attempt);
    // What a stage inside did not let run is over in this instant, though that may not have been told yet.
    const isLeft = used !== undefined && !this.neverBegan(attempt);
    const record = this.attemptFailed(attempt, failure, judged, isLeft, thrown, onlyCleanup);
    return this.decide(record);
  }

  /** The work of the attempt has ended. */
  private release(attempt: Attempt, isLate: boolean): void {
    const { gates } = this.stage;
    for (let i = gates.length - 1; i >= 0; i--) gates[i]!.release();
    if (isLate) abandonedBodies.get(attempt)?.();
  }

  /** It has, but for what was abandoned by calls inside it: permits, and whoever is held, wait for that. */
  private async releaseLater(attempt: Attempt, isLate: boolean, used: Promise<void>): Promise<void> {
    const settled = this.holdOutside();
    for (let wait: Promise<void> | undefined = used; wait !== undefined; wait = usedInside(attempt)) await wait;
    settled();
    this.release(attempt, isLate);
  }

  private succeed(attempt: Attempt): unknown {
    const { value } = attempt;
    const { retry } = this.stage;
    const thrown = this.tellGates(attempt, null, this.stage.gates.length);
    if (attemptEnd.observed) this.tellAttemptEnd(attempt, undefined);
    if (thrown !== NONE) {
      dispose(this.name, value);
      return this.endedByHook(thrown);
    }
    if (this.history === null && retry !== null) retry.succeededAtOnce();
    else if (this.neverBegan(attempt)) retry?.giveBack();
    this.finish(undefined);
    if (this.resolve === null) return value;
    this.resolve(value);
    return undefined;
  }

  /** A layer of a stage inside let it not run. */
  private neverBegan(attempt: Attempt): boolean {
    return attempt.inside !== null && !attempt.inside.begun;
  }

  /** Writes down what the attempt came to, and tells the gates. */
  private attemptFailed(
    attempt: Attempt,
    error: unknown,
    judged: boolean,
    abandoned: boolean,
    thrown: unknown = NONE,
    onlyCleanup = false,
  ): AttemptRecord {
    const overdue = attempt.timer?.grace?.error != null;
    // A layer inside refused it, or its time passed there in a queue. What a layer of one's own throws is no refusal.
    const { inside } = attempt;
    const below = inside !== null && inside.failed !== null && inside.failed.error === error ? inside.failed : null;
    const refused =
      this.neverBegan(attempt) &&
      (isRefusal(error) || overdue || this.reason !== NONE || (below !== null && below.refused));
    if (refused && attempt.attempt > 1) this.stage.retry?.giveBack();
    const flags =
      (refused ? REFUSED : 0) |
      (judged ? JUDGED : 0) |
      (abandoned ? ABANDONED : 0) |
      (onlyCleanup || (below !== null && below.onlyCleanup) ? CLEANUP : 0) |
      (overdue ? OVERDUE : 0) |
      (overdue && error === attempt.timer!.grace!.error ? TIMED_OUT : 0);
    const record = new AttemptRecord(attempt.attempt, error, flags, this.history);
    record.startedMs = attempt.startedMs;
    if (attempt.startedMs !== null) record.durationMs = clock.now() - attempt.startedMs;
    this.history = record;
    record.thrown = thrown;
    const told = this.tellGates(attempt, record, this.stage.gates.length);
    if (thrown === NONE) record.thrown = told;
    else if (told !== NONE) addSuppressed(thrown, told);
    if (attemptEnd.observed) this.tellAttemptEnd(attempt, record);
    return record;
  }

  private tellAttemptEnd(attempt: Attempt, record: AttemptRecord | undefined): void {
    if (this.stage.inner !== null) return;
    const durationMs = attempt.startedMs === null ? null : clock.now() - attempt.startedMs;
    attemptEnd.emit({
      name: this.name,
      number: attempt.attempt,
      ok: record === undefined,
      error: record?.error,
      durationMs,
    });
  }

  /** Again, or no more? */
  private decide(record: AttemptRecord): unknown {
    const { retry } = this.stage;
    if (record.thrown !== NONE) return this.hookThrew(record.thrown, record);
    if (this.reason !== NONE) {
      // A layer's timeout that came before the abort is no word of the operation's own.
      const ended = record.timedOut || this.isOwnTimeout(record.error);
      return this.giveUp(ended ? this.reason : record.error, record, this.abortedBy);
    }
    if (retry === null)
      return this.giveUp(record.error, record, record.refused ? 'refused' : record.overdue ? 'deadline' : 'attempts');
    let next;
    try {
      next = retry.next(this, record);
    } catch (error) {
      return this.hookThrew(error, record);
    }
    if (typeof next === 'string') return this.giveUp(record.error, record, next);
    if (record.judged) dispose(this.name, record.error);
    if (this.reason !== NONE) {
      // `onRetry` has cancelled the call.
      retry.giveBack();
      return this.giveUp(this.reason, null, this.abortedBy);
    }
    return this.again(next, record.refused);
  }

  /** A hook or predicate threw: that ends the call, and keeps what the attempt failed with. */
  private hookThrew(error: unknown, record: AttemptRecord): unknown {
    if (!addSuppressed(error, record.error) && discarded.observed)
      discarded.emit({ name: this.name, error: record.error });
    if (record.judged && error !== record.error) dispose(this.name, record.error);
    if (!this.stage.reports) handOn(record.error, error, 'verdict');
    return this.endedByHook(error);
  }

  /** The stages outside are told, whose layers would take the error for one of the operation. */
  private endedByHook(error: unknown): unknown {
    for (const inside of toldBy(this.options)) inside.thrown = error;
    return this.giveUp(error, null, 'verdict');
  }

  private again(delayMs: number, refused: boolean): unknown {
    // The promise that reacts to the first attempt waits for this call from now on.
    if (this.resolve === null) return new Adoption(this, delayMs, refused);
    if (delayMs > 0 || refused) this.awaited = new BackoffWait(this, delayMs);
    else this.begin();
    return undefined;
  }

  /** The next attempt, after a wait. */
  resume(): void {
    this.awaited = null;
    if (this.reason === NONE) return void this.begin();
    this.stage.retry!.giveBack();
    this.giveUp(this.reason, null, this.abortedBy);
  }

  /** The back-off before the next attempt. */
  backOff(delayMs: number, refused: boolean): void {
    // A refusal comes at once: without a turn of the event loop nobody could ever give back what it waits for.
    if (this.reason === NONE && (delayMs > 0 || refused)) this.awaited = new BackoffWait(this, delayMs);
    else this.resume();
  }

  /** The caller has cancelled, or the timeout of the whole call has passed: then `error` is its error. */
  abort(reason: unknown, error: TimeoutError | null = null): void {
    if (this.reason !== NONE) {
      // P2.3: what comes from outside comes before the call's own timeout, though that has passed.
      if (this.isOwnTimeout(this.reason)) this.reason = reason;
      return;
    }
    this.reason = reason;
    const { awaited } = this;
    if (awaited instanceof Attempt) this.abortAttempt(awaited, reason, this.timer ?? awaited.timer, error);
    else if (awaited !== null) this.inContext(() => awaited.cancel(reason));
    // Else it is between two steps, and the next one looks at `reason`.
  }

  /** Whether it is the error of the timeout of the whole call, which has passed. */
  isOwnTimeout(error: unknown): boolean {
    const own = this.timer?.grace?.error ?? null;
    return own !== null && error === own;
  }

  /** Takes a step that a timer, or whoever aborts, sets off. */
  private inContext(step: () => void): void {
    if (this.captured === null) step();
    else this.captured.run(step);
  }

  private get abortedBy(): StoppedBy {
    return isDeadline(this.reason) ? 'deadline' : 'cancelled';
  }

  /** Aborts the attempt in flight, and gives it its grace. `error` is that of `timer`, if it has fired. */
  private abortAttempt(attempt: Attempt, reason: unknown, timer: LayerTimer | null, error: TimeoutError | null): void {
    // The first attempt began with the call. When a later one did, that nothing has timed, nobody knows.
    const began = attempt.timer ?? (this.history === null ? this.timer : null);
    attempt.startedMs ??= began?.beganMs ?? null;
    attempt.context.cancelFromAbove(reason);
    if (timer === null || timer.grace !== null) return;
    // Its own timeout may have passed before: then the grace that ends first lets the caller go.
    if (attempt.timer?.grace === null) attempt.timer.leave();
    timer.leave();
    timer.grace = { error };
    const { graceMs } = timer.layer;
    if (graceMs === 0) this.abandon(attempt, timer.layer);
    else if (graceMs < Infinity) clock.start(timer, graceMs);
  }

  timerFired(timer: LayerTimer, attempt: Attempt | null): void {
    if (timer.grace !== null) {
      if (this.awaited instanceof Attempt) this.abandon(this.awaited, timer.layer);
      return;
    }
    const timeoutMs = timer.layer.timers.durationMs;
    const of = attempt === null ? this.label : `attempt ${attempt.attempt} of ${this.label}`;
    const error = new TimeoutError(of, timeoutMs);
    if (timeoutFired.observed) timeoutFired.emit({ name: this.name, timeoutMs, of });
    if (attempt === null) this.abort(error, error);
    else this.abortAttempt(attempt, error, timer, error);
  }

  /**
   * The grace is over, and the attempt has not settled: its caller is let go, it goes on.
   *
   * @returns whether something does go on
   */
  private abandon(attempt: Attempt, { detach }: Pick<TimeoutLayer, 'detach'>): boolean {
    this.awaited = null;
    // The calls inside let theirs go first: the innermost one knows the body. One may have done so before.
    let isInside = attempt.inside !== null && attempt.inside.hasAbandoned;
    for (const call of attempt.inside?.calls ?? [])
      isInside = call.letGo({ detach }, attempt.context.reason) || isInside;
    attempt.timer?.leave(); // its grace may go on, if that of the call is over
    // Not the reason of its context: a body that failed before, and still unwinds, has aborted that itself.
    const reason = (attempt.timer?.grace ?? this.timer?.grace)?.error ?? this.reason;
    // One that waited in a stage inside, to be let in or to be repeated, has left nothing behind. What a layer of one's own does is not known.
    const goesOn = isInside || this.stage.inner?.isFlat !== true;
    const isLeft = goesOn && !this.neverBegan(attempt);
    if (isLeft) tellAbandoned(attempt);
    if (goesOn && !isInside) abandonedBodies.set(attempt, this.leaveBehind(reason, detach));
    attempt.context.leave(); // it is aborted, so nothing from above can tell it anything new
    this.inContext(() => {
      const record = this.attemptFailed(attempt, reason, false, isLeft);
      // A hook of a stage inside, which was told of it before.
      if (attempt.inside !== null && attempt.inside.thrown !== NONE) record.thrown = attempt.inside.thrown;
      this.decide(record);
    });
    return goesOn;
  }

  /**
   * A body goes on. The permits of the stages outside stay taken for it, also with `detach`: that is for cleanups.
   *
   * @returns says that it has settled
   */
  private leaveBehind(reason: unknown, detach: boolean): () => void {
    const settled = abandonBody(this.name, reason, detach ? null : this.above);
    const released = this.holdOutside();
    return () => {
      settled();
      released();
    };
  }

  /** Keeps the permits of the stages outside. Gives what ends that. */
  private holdOutside(): () => void {
    for (let at = this.options?.outer; at !== undefined; at = at.call.options?.outer) at.inside!.leaveBehind();
    return () => {
      for (let at = this.options?.outer; at !== undefined; at = at.call.options?.outer) at.inside!.settled();
    };
  }

  /** The timeout of a stage outside has let its caller go. */
  private letGo(layer: Pick<TimeoutLayer, 'detach'>, reason: unknown): boolean {
    if (!(this.awaited instanceof Attempt)) return false;
    this.reason = reason; // the link may not have told it yet
    return this.abandon(this.awaited, layer);
  }

  /** An abandoned attempt has come to its end. */
  private late(attempt: Attempt): undefined {
    const { failure, value } = attempt;
    const ok = failure === NONE;
    if (timeoutLate.observed && abandonedBodies.has(attempt)) {
      timeoutLate.emit({
        name: this.name,
        number: attempt.attempt,
        ok,
        value: ok ? value : undefined,
        error: ok ? undefined : failure,
      });
    }
    if (ok) dispose(this.name, value);
  }

  /** `record` is that of the last attempt, if its error is what comes out. */
  private giveUp(error: unknown, record: AttemptRecord | null, by: StoppedBy): unknown {
    this.remember(error, by, record);
    this.finish(by);
    for (const inside of toldBy(this.options)) inside.failed = record;
    // A result that was judged a failure comes out as the result that it is.
    if (record !== null && record.judged && error === record.error) {
      for (const inside of toldBy(this.options)) inside.judged = error;
      if (this.resolve === null) return error;
      this.resolve(error);
    } else if (this.reject === null) throw error;
    else this.reject(error);
    return undefined;
  }

  /** Keeps what it went through, for `attemptsOf`. */
  private remember(error: unknown, by: StoppedBy, record: AttemptRecord | null): void {
    const { reports } = this.stage;
    // What ends the call from outside takes the place of a timeout that the stage inside has told of.
    if (!reports && record !== null && error !== record.error) handOn(record.error, error, by);
    if (error === this.reason) {
      // A sibling's failure, which it tells of, may be the reason; and the stage that reports has been cancelled before this one.
      const known = reported(error);
      if (known !== undefined && (!reports || (known !== 'cancelled' && known !== 'deadline'))) return;
    } else if (!reports) return;
    // A refusal at the first attempt tells all by itself: not to write it down is half of what it costs.
    if (by !== 'refused' || this.history?.before !== null || !this.history.refused) report(error, this.history, by);
  }

  private finish(by: StoppedBy | undefined): void {
    if (this.timer !== null) this.timer.leave();
    if (this.link !== null) this.link.leave();
    this.options?.outer?.inside!.left(this);
    if (this.options !== null && (this.stage.reports || by !== undefined))
      this.options.onReport?.(this.history, by, this.stage.reports);
  }

  get outerValues(): Values | null {
    return this.link === null ? null : this.link.outer.values;
  }

  /** Hangs an attempt's context where the call hangs. */
  hang(context: Context): void {
    if (this.link !== null) context.attachTo(this.link.outer);
  }

  /** What it hangs below now. */
  get above(): Context | null {
    return this.link === null ? null : (this.link.list as Context | null);
  }

  /** The nearest deadline outside the attempts, on the monotonic clock. */
  get deadlineMs(): number {
    const above = this.above === null ? Infinity : this.above.deadline;
    return this.timer === null ? above : Math.min(above, this.timer.deadlineMs);
  }
}

/** The body threw. */
function failed(attempt: Attempt, error: unknown): unknown {
  attempt.bodyThrew(error);
  return attempt.call.close(attempt);
}

/** `undefined` if nothing runs that calls inside have abandoned, or that a layer of one's own did not wait for; else a promise of the moment when that may have changed. */
function usedInside({ inside, ownContext }: Attempt): Promise<void> | undefined {
  return inside?.released() ?? ownContext?.released();
}

/** Says so in the errors of the timeouts that have passed, of those in stages outside too: they become the caller's only now. */
function tellAbandoned(attempt: Attempt): void {
  for (let at: Attempt | undefined = attempt; at !== undefined; at = at.call.options?.outer) {
    for (const timer of [at.timer, at.call.timer]) {
      const error = timer?.grace?.error;
      if (error != null) Reflect.set(error, 'abandoned', true); // who saw it as the signal's reason may have frozen it
    }
  }
}

/** Of abandoned attempts, but for those whose operation is a call that has abandoned its own: says that the body has settled. */
const abandonedBodies = /* @__PURE__ */ new WeakMap<Attempt, () => void>();

/** To put something off by one turn of the microtask queue, in the async context of now. */
const TURN = /* @__PURE__ */ Promise.resolve();

/** As `await` does it: whatever somebody has made of the promise's own `then`. */
// oxlint-disable-next-line typescript/unbound-method -- called with the promise
const { then } = Promise.prototype;
