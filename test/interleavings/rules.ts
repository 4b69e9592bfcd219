/**
 * What holds: at every moment, when an operation starts, when a call settles, when a scope around it cleans up, and at the end. The numbers are
 * those of docs/reference/policies.md.
 */
import { getEventListeners } from 'node:events';
import { abandoned, TimeoutError, type Scope, type Waiting } from '../../src/index.ts';
import type { Random } from '../fuzz/random.ts';
import { callerStorage, type Caller, type End, type Result, type Work } from './caller.ts';
import type { StepClock } from './clock.ts';
import { isRefusal, RATIO, type Made, type Make, type Plan } from './plan.ts';

/** Somebody who came to the queue. */
interface Arrival {
  readonly call: Waiting;
  readonly level: number;
  /** How often all had been quiet before. */
  readonly quiets: number;
  /** Somebody who came later has started. */
  overtaken: boolean;
}

export class Rules {
  readonly plan: Plan;
  readonly made: Made;
  readonly callers: Caller[] = [];
  readonly works: Work[] = [];
  /** The first rule that was broken. */
  broken: string | undefined;
  /** All reactions have run. */
  isQuiet = true;
  /** How often all was quiet. */
  quiets = 0;
  /** How often the breaker was half-open. */
  halfOpens = 0;
  /** How often each event was told. */
  readonly events = new Map<string, number>();
  private readonly random: Random;
  private readonly clock: StepClock;
  private readonly tell: ((text: string) => void) | undefined;
  /** Who came to the queue, the first one first. */
  private readonly arrivals: Arrival[] = [];
  private readonly abandonedBefore = abandoned();

  constructor(plan: Plan, random: Random, clock: StepClock, make: Make, tell: ((text: string) => void) | undefined) {
    this.plan = plan;
    this.random = random;
    this.clock = clock;
    this.tell = tell;
    this.made = make(plan, (call) => this.arrives(call));
  }

  breaks(rule: string): void {
    this.tell?.(`broken: ${rule}`);
    this.broken ??= rule;
  }

  private expect(holds: boolean, rule: string): void {
    if (!holds) this.breaks(rule);
  }

  /** Of the moment in which an operation starts. */
  starts(work: Work): void {
    const { plan, made, clock } = this;
    const { caller, s } = work;
    const { retry, timeout, breaker, bulkhead } = plan;
    this.tell?.(`    ${work.label} starts, attempt ${s.attempt}`);
    this.expect(callerStorage.getStore() === caller, `${work.label} starts in the async context of another (P2.7)`);
    this.expect(!caller.isAborted, `${work.label} starts for an aborted caller (P2.4)`);
    this.expect(!caller.isAnswered, `${work.label} starts for a caller who has been answered`);
    this.expect(clock.nowMs <= caller.deadlineMs, `${work.label} starts after its scope's deadline (P3.7)`);
    if (plan.flat && timeout)
      this.expect(clock.nowMs <= caller.startedMs + timeout.ms, `${work.label} starts after its deadline (P3.1)`);
    this.expect(s.attempt <= (retry?.attempts ?? 1), `${work.label} is attempt ${s.attempt} (P3.2)`);
    const before = caller.works.at(-1);
    this.expect((before?.s.attempt ?? 0) < s.attempt, `${work.label} is attempt ${s.attempt} again (P1.3)`);
    const overlaps = caller.works.some((other) => !other.isOver);
    const isIdempotent = (caller.idempotent ?? retry?.idempotent) === true;
    this.expect(!overlaps || isIdempotent, `${work.label} starts beside the one before (P3.3)`);
    if (breaker && this.breakerIsLast) {
      const { state } = made.breaker!;
      this.expect(
        state === 'closed' || state === 'half-open',
        `${work.label} starts though the breaker is ${state} (P6.2)`,
      );
      if (state === 'half-open') this.probe(work);
    }
    if (bulkhead) this.takesTurn(s);
  }

  /** Of an operation that looks at its signal. */
  looks(work: Work, { aborted }: AbortSignal): void {
    const { caller, label } = work;
    this.expect(aborted || !caller.isAborted, `${label} is not told that its caller has cancelled (P2.3)`);
    const isTimed = (this.plan.timeout ?? this.plan.attemptTimeout) !== undefined || caller.deadlineMs < Infinity;
    if (isTimed || work.errors.length > 0) return;
    this.expect(!aborted || caller.isAborted, `${label} is aborted, though nobody has cancelled`);
  }

  /** Nothing comes between the breaker's answer and the start. */
  private get breakerIsLast(): boolean {
    const { order, flat, bulkhead } = this.plan;
    return flat && (!bulkhead || bulkhead.queue === 0 || order.indexOf('breaker') > order.indexOf('bulkhead'));
  }

  /** Without timeouts and aborts a probe is in flight until it is over. */
  private probe(work: Work): void {
    const { timeout, attemptTimeout, breaker } = this.plan;
    work.halfOpen = this.halfOpens;
    const others = this.works.filter(
      ({ halfOpen, isOver, caller }) =>
        halfOpen === this.halfOpens && !isOver && !caller.isAborted && caller.deadlineMs === Infinity,
    );
    if (timeout || attemptTimeout || breaker!.probeLease < Infinity) return;
    this.expect(others.length < breaker!.probes, `${work.label} is probe ${others.length + 1} at a time (P6.3)`);
  }

  /** Somebody is about to queue. Gives their priority. */
  arrives(call: Waiting): number {
    const level = this.random.below(this.plan.bulkhead!.levels);
    this.tell?.(`    somebody queues, priority ${level}`);
    this.arrivals.push({ call, level, quiets: this.quiets, overtaken: false });
    return level;
  }

  /**
   * Whoever stood before the one that starts now must have left. One with a higher priority that came later stood before it if all was quiet
   * since: the permit is given a few reactions before the start.
   */
  private takesTurn(s: Scope): void {
    const at = this.arrivals.findIndex(({ call }) => call === s);
    if (at < 0) return;
    const [arrival] = this.arrivals.splice(at, 1) as [Arrival];
    this.expect(!arrival.overtaken, 'somebody was overtaken in the queue (P7.3)');
    for (const [i, other] of this.arrivals.entries()) {
      const isEarlier = i < at || (other.level > arrival.level && other.quiets < this.quiets);
      if (isEarlier && other.level >= arrival.level) other.overtaken = true;
    }
  }

  /** At every moment. */
  check(): void {
    const { plan, made, works } = this;
    const { bulkhead, budget } = made;
    if (bulkhead) {
      const { limit, queue } = plan.bulkhead!;
      const { inFlight, waiting } = bulkhead;
      this.expect(inFlight >= 0 && inFlight <= limit, `${inFlight} in flight, of ${limit} (P7.1)`);
      this.expect(waiting >= 0 && waiting <= queue, `${waiting} wait, in ${queue} places (P7.1)`);
      this.expect(waiting === 0 || inFlight === limit, `${waiting} wait beside a free permit (P7.3)`);
      const atWork = this.permitsInUse();
      this.expect(atWork <= inFlight, `${atWork} at work with ${inFlight} permits (P7.2)`);
    }
    if (budget) this.expect(budget.tokens >= 0, `the budget has ${budget.tokens} tokens (P4)`);
    if (!this.isQuiet) return;
    const letGo = works.filter((work) => !work.isOver && work.caller.end !== undefined).length;
    const count = abandoned() - this.abandonedBefore;
    const atWork = works.filter((work) => !work.isOver).length;
    this.expect(letGo <= count && count <= atWork, `${count} abandoned, but ${letGo} to ${atWork} are (P5.4)`);
  }

  /** Permits that somebody is at work with: of each operation, or, with a bulkhead outside of a retry or a timeout, of each caller. */
  private permitsInUse(): number {
    const atWork = this.works.filter((work) => !work.isOver);
    return this.plan.flat ? atWork.length : new Set(atWork.map((work) => work.caller)).size;
  }

  /** A scope around a call cleans up. */
  cleansUp(caller: Caller): void {
    const { timeout, attemptTimeout } = this.plan;
    if (timeout?.detach === true || attemptTimeout?.detach === true) return;
    this.expect(
      caller.works.every((work) => work.isOver),
      `the scope around ${caller.label} cleans up while its operation is at work (P5.5)`,
    );
  }

  settled(caller: Caller, end: End): void {
    this.tell?.(
      `    call ${caller.label} ${'value' in end ? `gives ${String(end.value)}` : `throws ${String(end.error)}`}`,
    );
    this.expect(caller.end === undefined, `call ${caller.label} settles twice`);
    caller.end = end;
    const last = caller.works.at(-1);
    if ('value' in end) {
      const wins = last?.end !== undefined && 'value' in last.end && last.end.value === end.value;
      this.expect(wins && last.errors.length === 0, `call ${caller.label} gives what its last attempt did not (P2.1)`);
    } else this.expectError(caller, end.error);
  }

  private expectError(caller: Caller, error: unknown): void {
    const { plan } = this;
    const last = caller.works.at(-1);
    const isTimeout = error instanceof TimeoutError;
    const isOwn = last?.failedWith(error) === true && !isTimeout;
    const isReason = caller.isAborted && error === caller.controller!.signal.reason;
    const mayTimeOut = (plan.timeout ?? plan.attemptTimeout) !== undefined || caller.deadlineMs < Infinity;
    const refuses = isRefusal(error) && (plan.breaker !== undefined || plan.bulkhead !== undefined);
    this.expect(
      isOwn || isReason || refuses || (isTimeout && mayTimeOut),
      `call ${caller.label} throws what is not its own: ${String(error)} (P2.2)`,
    );
    const onlyCaller = caller.mustNotTimeOut && caller.deadlineMs === Infinity;
    this.expect(!isTimeout || !onlyCaller, `call ${caller.label} was aborted, and throws a timeout (P2.3)`);
  }

  async checkEnd(signals: readonly AbortSignal[]): Promise<void> {
    const { made, clock } = this;
    this.expect(clock.pending === 0, `${clock.pending} timers are left`);
    const listeners = signals.reduce((sum, signal) => sum + getEventListeners(signal, 'abort').length, 0);
    this.expect(listeners === 0, `${listeners} listeners are left`);
    const left = abandoned() - this.abandonedBefore;
    this.expect(left === 0, `${left} are abandoned for ever (P5.4)`);
    if (made.bulkhead) {
      const { inFlight, waiting } = made.bulkhead;
      this.expect(inFlight === 0, `${inFlight} permits are not given back (P7.2)`);
      this.expect(waiting === 0, `${waiting} wait for ever`);
    }
    // In a stage inside, a retry may succeed for a caller who has been let go.
    if (this.plan.flat) this.checkBudget();
    this.checkResults();
    this.checkEvents();
    await this.checkBreaker();
  }

  private checkBudget(): void {
    const { plan, works, callers, clock } = this;
    const { budget } = this.made;
    if (!budget) return;
    const { tokens, trickle } = plan.retry!;
    const retries = works.filter((work) => work.s.attempt > 1).length;
    const deposits = callers.filter(
      ({ end, works }) => end && 'value' in end && works[0]!.s.attempt === 1 && works.length === 1,
    );
    const expected = tokens! + RATIO * deposits.length + (trickle * clock.nowMs) / 1000 - retries;
    this.expect(
      Math.abs(budget.tokens - expected) < 1e-6,
      `the budget has ${budget.tokens} tokens, not ${expected}, after ${retries} retries (P3.11, P4)`,
    );
  }

  /** A result is handed on once, or disposed of once. */
  private checkResults(): void {
    for (const { end, caller, errors, label } of this.works) {
      if (end === undefined || 'error' in end) continue;
      const { disposed } = end.value as Result;
      const isHandedOn = caller.end !== undefined && 'value' in caller.end && caller.end.value === end.value;
      if (isHandedOn) this.expect(disposed === 0, `the result of ${label} is disposed of, though somebody has it`);
      else if (errors.length === 0)
        this.expect(disposed === 1, `the late result of ${label} is disposed of ${disposed} times (P5.4)`);
    }
  }

  private checkEvents(): void {
    const count = (event: string): number => this.events.get(event) ?? 0;
    const pairs = [
      ['call:start', 'call:end'],
      ['attempt:start', 'attempt:end'],
    ] as const;
    for (const [start, end] of pairs)
      this.expect(count(start) === count(end), `${count(start)} times ${start}, ${count(end)} times ${end}`);
  }

  /** Each probe has given its place back: a breaker that is left alone can be closed. */
  private async checkBreaker(): Promise<void> {
    const { breaker } = this.made;
    if (!breaker || !this.plan.flat) return;
    this.clock.nowMs += 1000;
    for (let i = 0; i < this.plan.breaker!.probes; i++) {
      const outcome = await breaker.settle(() => {});
      this.expect(outcome.ok, 'the breaker lets no probe in, though none is in flight (P6.3)');
    }
    this.expect(breaker.state === 'closed', `the breaker is ${breaker.state} after its probes have succeeded (P6.3)`);
  }
}
