/**
 * What runs: the stage that the layer makes, and one call of it.
 *
 *                     `after` passes, or one failed
 *                  ┌────────────── launch ◀──────────┐
 *                  ▼                                 │ paid for, and fewer than 1 + extra
 *   start ──▶ launches in flight ── one failed ──▶ what does that mean? ──▶ nothing further; wait for those in flight; none left: first error
 *                  │                                 │
 *                  │                                 └─ repeating cannot help ──▶ that error
 *                  └── one succeeded ──▶ its result
 *
 * A launch is one run of what is inside the layer, in a context of its own below the caller's. When the call has come out, those that are still in
 * flight have *lost*: their contexts are cancelled, and nobody waits for them but the cleanups of the scopes above.
 *
 * The stages around are told of what each launch goes through as if it were the only one, and, when there were several, of the one that came out once
 * more. Invariant: once `isDecided`, they are told nothing of a loser.
 */
import { addSuppressed, captureContext, clock, Timer, type CapturedContext } from '../../foundation/index.ts';
import type { Budget } from '../../budget/index.ts';
import { Context, Watcher } from '../../scope/context.ts';
import { discarded } from '../../scope/events.ts';
import { chainHolds, NONE } from '../../scope/frame.ts';
import { classify } from '../../verdict/index.ts';
import { leaveRunning } from '../run/abandoned.ts';
import { dispose } from '../run/dispose.ts';
import { isRefusal } from '../run/history.ts';
import { Inside, toldBy } from '../run/inside.ts';
import { NO_OPTIONS, type CallOptions, type Operation } from '../run/layer.ts';
import { NotIdempotentWarning } from '../run/not-idempotent.ts';
import type { Stage } from '../run/stage.ts';
import type { LatencyCell } from './cell.ts';
import { hedgeLate, hedgeLaunched, hedgeWon } from './events.ts';

export interface Hedging {
  readonly extra: number;
  readonly idempotent: boolean | undefined;
  readonly budget: Budget | null;
  /** What the latencies of first launches are told, if `after` follows them. */
  readonly latencies: LatencyCell | null;
  /** How long a launch may take before the next one; `undefined` while that is not known. */
  afterMs(): number | undefined;
}

export class HedgeStage implements Stage {
  readonly isFlat = false;
  private readonly hedging: Hedging;
  private readonly inner: Stage;
  private readonly warning: NotIdempotentWarning;

  constructor(hedging: Hedging, inner: Stage, warning: NotIdempotentWarning) {
    this.hedging = hedging;
    this.inner = inner;
    this.warning = warning;
  }

  get timesCalls(): boolean {
    return this.inner.timesCalls;
  }

  start(op: Operation, outer: Context | null, options: CallOptions | null): Promise<unknown> {
    const reason = outer?.inForce?.reason ?? NONE;
    if (reason === NONE && this.mayRunTwice(options))
      return new HedgedCall(this.hedging, this.inner, op, outer, options).start();
    return this.inner.start(op, outer, options);
  }

  private mayRunTwice(options: CallOptions | null): boolean {
    const idempotent = options?.idempotent ?? this.hedging.idempotent;
    if (idempotent === undefined)
      this.warning.give(
        options?.name,
        `${options?.name ?? 'a call'} was not hedged, because nobody has said whether the operation may run twice. If it may, say so with { idempotent: true }, on hedge or on run; { idempotent: false } ends this warning.`,
        undefined,
      );
    return idempotent === true;
  }
}

type Report = Parameters<NonNullable<CallOptions['onReport']>>;

/** Of a launch that was answered before it came to the stage that reports: in place of what others have reported. */
const NOTHING_REPORTED: Report = [null, undefined, true];

/** One run of what is inside the layer. */
class Launch {
  /** From 1. */
  readonly number: number;
  readonly context = new Context();
  readonly inside: Inside;
  readonly options: CallOptions;
  /** What the stages inside have reported: the last word of the one that reports, else the first of another. There may be as many words as attempts. */
  private report: Report | null = null;
  inFlight = true;
  /** What it failed with, a result that was judged a failure included. */
  failure: unknown = NONE;
  /** Why it was cancelled, if it has lost. */
  lost: unknown = NONE;
  /** Ends the wait of the scopes above for it, if it has lost. */
  release: (() => void) | null = null;

  constructor(number: number, outer: Context | null, options: CallOptions | null) {
    this.number = number;
    if (outer !== null) this.context.attachTo(outer);
    this.inside = new Inside(options?.around);
    const onReport: CallOptions['onReport'] = (...report) => {
      if (this.lost !== NONE) return;
      const [, , reports] = report;
      if (reports || this.report === null) this.report = report;
      options?.onReport?.(...report);
    };
    this.options = { ...NO_OPTIONS, ...options, around: this.inside, onReport };
  }

  get isJudged(): boolean {
    return this.failure !== NONE && Object.is(this.inside.judged, this.failure);
  }

  /** What repeating it promises, by the rules of P3.4 for an operation that may run twice. */
  get meaning(): 'again' | 'refused' | 'final' {
    const { failure, inside } = this;
    if (Object.is(inside.thrown, failure)) return 'final'; // a hook threw
    const { verdict, code } = classify(failure);
    if (code === 'COMMIT_UNKNOWN') return 'final';
    if (this.isRefused || isRefusal(failure)) return 'refused';
    return verdict === 'permanent' ? 'final' : 'again';
  }

  /** A layer inside let it not run. */
  get isRefused(): boolean {
    return this.inside.failed?.refused === true && Object.is(this.inside.failed.error, this.failure);
  }

  /** Another one was faster. */
  lose(reason: unknown): void {
    this.lost = reason;
    this.inside.isCut = true;
  }

  /** Of several, this one has come out. */
  tellAgain(options: CallOptions | null): void {
    for (const inside of toldBy(options)) inside.takeOver(this.inside);
    options?.onReport?.(...(this.report ?? NOTHING_REPORTED));
  }
}

class HedgedCall extends Timer {
  private readonly hedging: Hedging;
  private readonly inner: Stage;
  private readonly op: Operation;
  private readonly outer: Context | null;
  private readonly options: CallOptions | null;
  /** How many launches there may be. Comes down to how many there are when one was refused. */
  private most = 1;
  private afterMs = Infinity;
  private readonly launches: Launch[] = [];
  private inFlight = 0;
  private isDecided = false;
  /** Why the caller has aborted it. */
  private reason: unknown = NONE;
  private link: CallerLink | null = null;
  /** The caller's async context, if a timer may begin a launch. */
  private captured: CapturedContext | null = null;
  private beganMs = 0;
  /** What came out, if a loser may still bring the same. */
  private result: unknown = NONE;
  private resolve!: (value: unknown) => void;
  private reject!: (error: unknown) => void;

  constructor(hedging: Hedging, inner: Stage, op: Operation, outer: Context | null, options: CallOptions | null) {
    super();
    this.hedging = hedging;
    this.inner = inner;
    this.op = op;
    this.outer = outer;
    this.options = options;
  }

  start(): Promise<unknown> {
    const afterMs = this.hedging.afterMs();
    if (afterMs !== undefined) {
      this.most = 1 + this.hedging.extra;
      this.afterMs = afterMs;
      if (afterMs < Infinity) this.captured = captureContext();
    }
    const above = this.outer?.inForce ?? null;
    if (above !== null) above.add((this.link = new CallerLink(this)));
    if (this.hedging.latencies !== null) this.beganMs = clock.now();
    return new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
      this.launch();
    });
  }

  private launch(): void {
    const launch = new Launch(this.launches.length + 1, this.outer, this.options);
    this.launches.push(launch);
    this.inFlight++;
    void this.inner.start(this.op, launch.context, launch.options).then(
      (value) => this.ended(launch, Object.is(launch.inside.judged, value) ? value : NONE, value),
      (error: unknown) => this.ended(launch, error, undefined),
    );
    if (this.afterMs < Infinity && this.launches.length < this.most) clock.start(this, this.afterMs);
  }

  override fire(): void {
    this.captured!.run(() => this.launchExtra('slow', undefined));
  }

  /** One more, if there may be one. */
  private launchExtra(reason: 'slow' | 'failed', error: unknown): void {
    if (this.launches.length >= this.most) return;
    this.leave();
    const { budget } = this.hedging;
    if (budget !== null && !budget.withdraw()) return this.launchNoMore();
    if (hedgeLaunched.observed) {
      hedgeLaunched.emit({ name: this.options?.name, launch: this.launches.length + 1, reason, error });
      if (this.reason !== NONE) return budget?.giveBack(); // a listener has just aborted the call
    }
    this.launch();
  }

  private launchNoMore(): void {
    this.most = this.launches.length;
    this.leave();
  }

  /** The caller has cancelled, or a deadline outside has passed: those in flight know it already. */
  aborted(reason: unknown): void {
    this.reason = reason;
    this.launchNoMore();
  }

  /** What is inside has settled: body, children and cleanups. */
  private ended(launch: Launch, failure: unknown, value: unknown): void {
    launch.inFlight = false;
    launch.failure = failure;
    this.inFlight--;
    launch.context.end(this.options?.name ?? 'the call');
    if (launch.number > 1 && launch.isRefused) this.hedging.budget?.giveBack();
    if (this.isDecided) this.late(launch, value);
    else if (failure === NONE) this.succeeded(launch, value);
    else this.failed(launch);
  }

  private succeeded(launch: Launch, value: unknown): void {
    const { name } = this.options ?? NO_OPTIONS;
    const { budget, latencies } = this.hedging;
    if (this.launches.length === 1) budget?.deposit();
    else if (hedgeWon.observed) hedgeWon.emit({ name, launch: launch.number, launches: this.launches.length });
    // If the first one is still in flight it is known to take at least this long. Without it, whatever was hedged would look fast: P11.8.
    if (latencies !== null && this.launches[0]!.failure === NONE) latencies.record(clock.now() - this.beganMs);
    for (const other of this.launches) {
      if (other.failure === NONE) continue;
      if (other.isJudged) dispose(name, other.failure);
      else if (discarded.observed) discarded.emit({ name, error: other.failure });
    }
    this.decide(launch);
    this.resolve(value);
    this.loseOthers(value);
  }

  private failed(launch: Launch): void {
    if (this.reason === NONE) {
      const { meaning } = launch;
      if (meaning === 'final') return this.giveUp(launch);
      if (meaning === 'again') this.launchExtra('failed', launch.failure);
      else this.launchNoMore();
    }
    if (this.inFlight > 0) return;
    // What a launch had to say itself comes before the caller's reason.
    const own = this.launches.find(({ failure }) => !Object.is(failure, this.reason));
    this.giveUp(own ?? this.launches[0]!);
  }

  private giveUp(chosen: Launch): void {
    const { failure } = chosen;
    for (const other of this.launches) if (other.failure !== NONE) this.keep(other, failure);
    this.decide(chosen);
    if (chosen.isJudged) this.resolve(failure);
    else this.reject(failure);
    this.loseOthers(failure);
  }

  /** What a launch failed with, beside what comes out. */
  private keep(other: Launch, chosen: unknown): void {
    const { name } = this.options ?? NO_OPTIONS;
    if (other.failure === this.reason || Object.is(other.failure, chosen)) return;
    if (other.isJudged) dispose(name, other.failure);
    else if (!addSuppressed(chosen, other.failure) && discarded.observed)
      discarded.emit({ name, error: other.failure });
  }

  private decide(chosen: Launch): void {
    this.isDecided = true;
    this.leave();
    this.link?.leave();
    if (this.launches.length > 1) chosen.tellAgain(this.options);
  }

  private loseOthers(result: unknown): void {
    if (this.inFlight === 0) return;
    this.result = result;
    const lost = new DOMException('Another launch of the hedge came first', 'AbortError');
    const losers = this.launches.filter(({ inFlight }) => inFlight);
    for (const launch of losers) {
      launch.lose(lost);
      launch.release = leaveRunning(this.outer?.inForce);
    }
    for (const launch of losers) launch.context.cancel(lost);
  }

  private late(launch: Launch, value: unknown): void {
    const { name } = this.options ?? NO_OPTIONS;
    const { failure, isJudged } = launch;
    const ok = failure === NONE;
    launch.release!();
    const isAbort = !ok && !isJudged && (chainHolds(failure, launch.lost) || Object.is(failure, this.reason));
    if (hedgeLate.observed && !isAbort)
      hedgeLate.emit({ name, launch: launch.number, ok, value, error: ok ? undefined : failure });
    if (!Object.is(value, this.result)) dispose(name, value);
  }
}

/** Where a hedged call hangs in the cancellation tree, beside its launches. */
class CallerLink extends Watcher {
  private readonly call: HedgedCall;

  constructor(call: HedgedCall) {
    super();
    this.call = call;
  }

  override abort(reason: unknown): void {
    this.call.aborted(reason);
  }
}
