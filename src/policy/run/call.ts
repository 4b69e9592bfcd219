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
import {
  addSuppressed,
  captureContext,
  clock,
  Timer,
  TimeoutError,
  type RunInContext,
} from '../../foundation/index.ts';
import { Watcher, type Context } from '../../scope/context.ts';
import type { Values } from '../../scope/context-key.ts';
import { discarded } from '../../scope/events.ts';
import { NONE, RUNNING, UNWINDING } from '../../scope/frame.ts';
import { abandonBody } from './abandoned.ts';
import { Attempt } from './attempt.ts';
import { dispose } from './dispose.ts';
import { attemptEnd, attemptStart, callEnd, callStart, timeoutFired, timeoutLate } from './events.ts';
import { AttemptRecord, report, type StoppedBy } from './history.ts';
import { LayerTimer, type Grace } from './layer-timer.ts';
import { WAIT, type CallOptions, type Gate, type Operation } from './layer.ts';
import type { FlatStage } from './stage.ts';

/** Something that a call waits for, other than an attempt. */
export interface Wait {
  /** Before which gate it waits, and which attempt; `null` for a back-off. */
  readonly gate: Gate | null;
  readonly attempt: Attempt | null;
  /** The call was aborted: nothing more will come of it. */
  cancel(): void;
}

export class Call {
  readonly stage: FlatStage;
  private readonly op: Operation;
  readonly options: CallOptions | null;
  private readonly link: CallLink | null;
  /** Of the timeout of the whole call. */
  timer: LayerTimer | null = null;
  /** When it began, on the monotonic clock, if something needs to know. */
  startedMs: number | null = null;
  /** Of the newest attempt. */
  number = 0;
  /** The attempt that was let in, and whose outcome this call waits for. */
  private current: Attempt | null = null;
  /** The newest failed attempt. */
  history: AttemptRecord | null = null;
  wait: Wait | null = null;
  /** Why it was aborted: the caller's reason, or the error of its timeout. */
  reason: unknown = NONE;
  /** Settle the call's own promise, if it has one. */
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
    if (stage.timesCalls || callStart.observed || callEnd.observed) this.startedMs = clock.now();
    if (callStart.observed) callStart.emit({ name: this.name });
    if (this.link !== null) {
      this.reason = this.link.hang();
      if (this.reason !== NONE) return this.giveUp(this.reason, null, this.abortedBy) as Promise<unknown>;
    }
    if (stage.timeout !== null) {
      this.timer = new LayerTimer(this, null, stage.timeout);
      clock.startFixed(this.timer, stage.timeout.timers);
    }
    if (!stage.detaches) return this.begin() as Promise<unknown>;
    const promise = this.detach() as Promise<unknown>;
    this.begin();
    return promise;
  }

  /** From now on the call's promise is one of its own, which the reaction that is under way hands on. A later one has nobody to hand it to. */
  private detach(): Promise<unknown> | undefined {
    if (this.resolve !== null) return undefined;
    // Not `Promise.withResolvers`, and no executor for all calls: measured, both are dearer.
    return new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }

  /** The next attempt. Like all steps from here on it returns what a reaction hands on while the call has no promise of its own. */
  private begin(): unknown {
    return this.admit(new Attempt(this, ++this.number), 0);
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
        return this.decide(record);
      }
      if (answer === undefined) continue;
      if (answer !== WAIT) return this.decide(this.turnedAway(attempt, place, answer));
      if (this.reason === NONE) return this.detach();
      this.wait!.cancel();
      this.wait = null;
      return this.decide(this.turnedAway(attempt, place, this.reason)); // a hook of a gate has aborted the call
    }
    if (this.reason === NONE) return this.launch(attempt);
    return this.decide(this.turnedAway(attempt, gates.length, this.reason)); // likewise
  }

  /** A gate that had it wait lets it in. */
  admitted(attempt: Attempt, gate: Gate): void {
    this.wait = null;
    this.admit(attempt, this.stage.gates.indexOf(gate) + 1);
  }

  /** A gate that had it wait does not let it in. */
  refused(attempt: Attempt, gate: Gate, error: Error): void {
    this.wait = null;
    this.decide(this.turnedAway(attempt, this.stage.gates.indexOf(gate), error));
  }

  /** The attempt stands before the gate at `place`, and does not come further. */
  private turnedAway(attempt: Attempt, place: number, error: unknown): AttemptRecord {
    attempt.failure = error;
    attempt.end();
    if (this.number > 1) this.stage.retry?.giveBack();
    const record = new AttemptRecord(this.number, error, false, true, this.history);
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
    this.current = attempt;
    const { attemptTimeout } = this.stage;
    if (attemptTimeout !== null) {
      attempt.timer = new LayerTimer(this, attempt, attemptTimeout);
      clock.startFixed(attempt.timer, attemptTimeout.timers);
    }
    if (this.number > 1 || this.startedMs !== null || attemptStart.observed || attemptEnd.observed)
      attempt.startedMs = clock.now();
    if (attemptStart.observed) attemptStart.emit({ name: this.name, number: this.number });
    let promise;
    try {
      // A listener may just have aborted the call.
      promise = this.reason === NONE ? Promise.resolve(this.op(attempt)) : Promise.reject(this.reason as Error);
    } catch (error) {
      promise = Promise.reject(error);
    }
    return then.call(
      promise,
      // They hold the attempt alone: a closure's context is made for each call.
      (value: unknown) => {
        attempt.value = value;
        return attempt.call.close(attempt);
      },
      (error: unknown) => {
        attempt.bodyThrew(error);
        return attempt.call.close(attempt);
      },
    );
  }

  /** The body has settled. */
  close(attempt: Attempt): unknown {
    const { ownContext } = attempt;
    if (ownContext !== null) {
      if (ownContext.children > 0) return this.closeLater(attempt, undefined);
      attempt.seal(ownContext);
    }
    attempt.phase = UNWINDING;
    const pending = attempt.unwind();
    return pending === undefined ? this.ended(attempt) : this.closeLater(attempt, pending);
  }

  /** The same where there is something to wait for. */
  private async closeLater(attempt: Attempt, pending: PromiseLike<unknown> | undefined): Promise<unknown> {
    if (attempt.phase === RUNNING) {
      const { context } = attempt;
      for (let wait = attempt.childless(context); wait !== undefined; wait = attempt.childless(context)) await wait;
      attempt.seal(context);
      attempt.phase = UNWINDING;
      pending = attempt.unwind();
    }
    for (; pending !== undefined; pending = attempt.unwind()) {
      try {
        await pending;
      } catch (error) {
        attempt.cleanupThrew(error);
      }
    }
    return this.ended(attempt);
  }

  /** Body, children and cleanups have settled. */
  private ended(attempt: Attempt): unknown {
    const { gates, judge } = this.stage;
    attempt.end();
    if (attempt.timer !== null) attempt.timer.leave();
    let failure = attempt.failure;
    let judged = false;
    let thrown: unknown = NONE;
    const { value } = attempt;
    const isLate = this.current !== attempt;
    if (!isLate) this.current = null;
    if (judge !== null && failure === NONE && !isLate) {
      try {
        judged = judge.isFailure(value);
        if (judged) failure = value;
      } catch (error) {
        thrown = failure = error;
        if (error !== value) dispose(this.name, value);
      }
    }
    for (let i = gates.length - 1; i >= 0; i--) gates[i]!.release();
    if (isLate) return this.late(attempt);
    if (failure === NONE) return this.succeed(attempt);
    const record = this.attemptFailed(attempt, failure, judged);
    if (thrown !== NONE) record.thrown = thrown;
    return this.decide(record);
  }

  private succeed(attempt: Attempt): unknown {
    const { value } = attempt;
    const { retry } = this.stage;
    const thrown = this.tellGates(attempt, null, this.stage.gates.length);
    if (attemptEnd.observed) this.tellAttemptEnd(attempt, undefined);
    if (thrown !== NONE) {
      dispose(this.name, value);
      return this.giveUp(thrown, null, 'verdict');
    }
    if (this.number === 1 && retry !== null) retry.succeededAtOnce();
    this.finish(undefined, undefined);
    if (this.resolve === null) return value;
    this.resolve(value);
    return undefined;
  }

  /** Writes down what the attempt came to, and tells the gates. */
  private attemptFailed(attempt: Attempt, error: unknown, judged: boolean, abandoned = false): AttemptRecord {
    const record = new AttemptRecord(this.number, error, judged, false, this.history);
    record.abandoned = abandoned;
    record.timedOut = attempt.timer !== null && attempt.timer.grace !== null && attempt.isAbort(error);
    record.startedMs = attempt.startedMs;
    if (attempt.startedMs !== null) record.durationMs = clock.now() - attempt.startedMs;
    this.history = record;
    record.thrown = this.tellGates(attempt, record, this.stage.gates.length);
    if (attemptEnd.observed) this.tellAttemptEnd(attempt, record);
    return record;
  }

  private tellAttemptEnd(attempt: Attempt, record: AttemptRecord | undefined): void {
    const durationMs = attempt.startedMs === null ? null : clock.now() - attempt.startedMs;
    attemptEnd.emit({
      name: this.name,
      number: this.number,
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
      return this.giveUp(record.timedOut ? this.reason : record.error, record, this.abortedBy);
    }
    if (retry === null)
      return this.giveUp(record.error, record, record.refused ? 'refused' : record.timedOut ? 'deadline' : 'attempts');
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
    return this.giveUp(error, null, 'verdict');
  }

  private again(delayMs: number, refused: boolean): unknown {
    const promise = this.detach();
    if (delayMs > 0) this.wait = new BackoffWait(this, delayMs);
    // A refusal comes at once: without a turn of the microtask queue each retry would be called by the one before.
    else if (refused) this.wait = new TurnWait(this);
    else this.begin();
    return promise;
  }

  /** The back-off is over. */
  backoffEnded(): void {
    this.wait = null;
    this.begin();
  }

  /** The caller has cancelled, or the timeout of the whole call has passed: then `error` is its error. */
  abort(reason: unknown, error: TimeoutError | null = null): void {
    if (this.reason !== NONE) return;
    this.reason = reason;
    const { current, wait } = this;
    if (wait !== null) {
      this.wait = null;
      wait.cancel();
      if (wait.attempt !== null) this.turnedAway(wait.attempt, this.stage.gates.indexOf(wait.gate!), reason);
      this.giveUp(reason, null, this.abortedBy);
    } else if (current !== null) {
      this.abortAttempt(current, reason, this.timer ?? current.timer, error);
    }
    // Else a hook did it, between two steps: the next one looks at `reason`.
  }

  private get abortedBy(): StoppedBy {
    return this.reason instanceof TimeoutError ? 'deadline' : 'cancelled';
  }

  /** Aborts the attempt in flight, and gives it its grace. `error` is that of `timer`, if it has fired. */
  private abortAttempt(attempt: Attempt, reason: unknown, timer: LayerTimer | null, error: TimeoutError | null): void {
    attempt.context.cancelFromAbove(reason);
    if (timer === null || (attempt.timer !== null && attempt.timer.grace !== null)) return;
    attempt.timer?.leave();
    timer.leave();
    timer.grace = { error, settled: null };
    const { graceMs } = timer.layer;
    if (graceMs === 0) this.abandon(attempt, timer, timer.grace);
    else if (graceMs < Infinity) clock.start(timer, graceMs);
  }

  timerFired(timer: LayerTimer, attempt: Attempt | null): void {
    const { grace, layer } = timer;
    if (grace !== null) {
      if (this.current !== null) this.abandon(this.current, timer, grace);
      return;
    }
    const timeoutMs = layer.timers.durationMs;
    const of = attempt === null ? this.label : `attempt ${attempt.attempt} of ${this.label}`;
    const error = new TimeoutError(of, timeoutMs);
    if (timeoutFired.observed) timeoutFired.emit({ name: this.name, timeoutMs, of });
    if (attempt === null) this.abort(error, error);
    else this.abortAttempt(attempt, error, timer, error);
  }

  /** The grace is over, and the attempt has not settled: its caller is let go, it goes on. */
  private abandon(attempt: Attempt, { layer }: LayerTimer, grace: Grace): void {
    const { reason } = attempt.context;
    this.current = null;
    // The error becomes the caller's only now.
    if (grace.error !== null) (grace.error as { abandoned: boolean }).abandoned = true;
    grace.settled = abandonBody(this.name, reason, layer.detach ? null : this.above);
    attempt.context.leave(); // it is aborted, so nothing from above can tell it anything new
    this.decide(this.attemptFailed(attempt, reason, false, true));
  }

  /** An abandoned attempt has come to its end. */
  private late(attempt: Attempt): undefined {
    const { failure, value } = attempt;
    (attempt.timer?.grace ?? this.timer?.grace)?.settled?.();
    const ok = failure === NONE;
    if (timeoutLate.observed) {
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
    if (this.stage.reports) report(error, this.history, by);
    this.finish(error, by);
    // A result that was judged a failure comes out as the result that it is.
    if (record !== null && record.judged && error === record.error) {
      if (this.resolve === null) return error;
      this.resolve(error);
    } else if (this.reject === null) return Promise.reject(error as Error);
    else this.reject(error);
    return undefined;
  }

  private finish(error: unknown, by: StoppedBy | undefined): void {
    if (this.timer !== null) this.timer.leave();
    if (this.link !== null) this.link.leave();
    if (this.options !== null && this.stage.reports) this.options.onReport?.(this.history, by);
    if (!callEnd.observed) return;
    const durationMs = this.startedMs === null ? null : clock.now() - this.startedMs;
    callEnd.emit({ name: this.name, ok: by === undefined, error, stoppedBy: by, attempts: this.number, durationMs });
  }

  get outerValues(): Values | null {
    return this.link === null ? null : this.link.outer.values;
  }

  /** Hangs an attempt's context where the call hangs. */
  hang(context: Context): void {
    if (this.link !== null) context.attachTo(this.link.outer);
    if (this.reason !== NONE) context.cancelFromAbove(this.reason);
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

/** As `await` does it: whatever somebody has made of the promise's own `then`. */
// oxlint-disable-next-line typescript/unbound-method -- called with the promise
const { then } = Promise.prototype;

/** Where the call hangs in the cancellation tree. */
class CallLink extends Watcher {
  private readonly call: Call;
  /** What the caller gave. It may have ended meanwhile: then the link hangs further up. */
  readonly outer: Context;

  constructor(call: Call, outer: Context) {
    super();
    this.call = call;
    this.outer = outer;
  }

  /** @returns why that is aborted, or `NONE` */
  hang(): unknown {
    const above = this.outer.inForce;
    if (above === null) return NONE;
    if (above.reason === NONE) above.add(this);
    return above.reason;
  }

  override abort(reason: unknown): void {
    this.call.abort(reason);
  }
}

class BackoffWait extends Timer implements Wait {
  readonly gate = null;
  readonly attempt = null;
  private readonly call: Call;
  private readonly runInContext: RunInContext = captureContext();

  constructor(call: Call, delayMs: number) {
    super();
    this.call = call;
    clock.start(this, delayMs);
  }

  override fire(): void {
    this.runInContext(() => this.call.backoffEnded());
  }

  cancel(): void {
    this.leave();
    this.call.stage.retry?.giveBack();
  }
}

/** A wait of no time, for the microtask queue to turn. */
class TurnWait implements Wait {
  readonly gate = null;
  readonly attempt = null;
  private call: Call | null;

  constructor(call: Call) {
    this.call = call;
    void Promise.resolve().then(() => this.call?.backoffEnded());
  }

  cancel(): void {
    this.call?.stage.retry?.giveBack();
    this.call = null;
  }
}
