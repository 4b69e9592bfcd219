/**
 * One program: up to five callers of one shared policy, and a schedule that is drawn step by step. A step begins a call, settles a promise
 * of an operation, a cleanup or a child, fires a timer, lets time pass, or aborts a caller; between two steps all promise reactions run, or
 * a few, or none, so that several things happen in one turn, and in the middle of what an earlier one set off.
 *
 * What must hold is in `rules`, which is told of all that happens.
 */
import { onEvent, permanent, scope, transient, type Scope } from '../../src/index.ts';
import { nextTurn } from '../../src/foundation/index.ts';
import type { Random } from '../fuzz/random.ts';
import { Caller, callerStorage, Result, Work } from './caller.ts';
import type { StepClock } from './clock.ts';
import type { Make, Plan } from './plan.ts';
import { Rules } from './rules.ts';

const MAX_CALLERS = 5;
/** More than any program needs: then it goes round in a circle. */
const MAX_STEPS = 10_000;

/** A promise that the schedule settles. */
interface Open {
  readonly label: string;
  readonly work: Work;
  resolve(): void;
  reject(error: unknown): void;
}

export class World {
  private readonly rules: Rules;
  private readonly random: Random;
  private readonly clock: StepClock;
  private readonly tell: ((text: string) => void) | undefined;
  private readonly open = new Set<Open>();
  private readonly controllers: AbortController[] = [];
  private errors = 0;

  constructor(plan: Plan, random: Random, clock: StepClock, make: Make, tell: ((text: string) => void) | undefined) {
    this.random = random;
    this.clock = clock;
    this.tell = tell;
    this.rules = new Rules(plan, random, clock, make, tell);
    for (let i = 0; i < 3; i++) this.controllers.push(new AbortController());
  }

  /** Plays the program to its end, or until a rule is broken. @returns the rule */
  async play(): Promise<string | undefined> {
    const { rules } = this;
    using _ = this.listen();
    const steps = 5 + this.random.below(40);
    for (let i = 0; i < steps && rules.broken === undefined; i++) {
      this.step();
      const pause = this.pause();
      if (pause !== undefined) await pause;
      rules.check();
    }
    if (rules.broken === undefined) await this.finish();
    if (rules.broken === undefined) await rules.checkEnd(this.controllers.map(({ signal }) => signal));
    return rules.broken;
  }

  /** Half of the programs have listeners: some of the run is done for them alone. */
  private listen(): Disposable {
    const { rules } = this;
    const stack = new DisposableStack();
    stack.use(
      onEvent('breaker:transition', ({ to }) => {
        this.tell?.(`    breaker: ${to}`);
        if (to === 'half-open') rules.halfOpens++;
      }),
    );
    if (this.random.chance(0.5)) return stack;
    for (const event of ['call:start', 'call:end', 'attempt:start', 'attempt:end', 'timeout:late'] as const)
      stack.use(onEvent(event, () => void rules.events.set(event, (rules.events.get(event) ?? 0) + 1)));
    return stack;
  }

  // Steps

  private step(): void {
    const { random, open, clock } = this;
    const pick = random.below(100);
    if (pick < 25 && this.rules.callers.length < MAX_CALLERS) this.call();
    else if (pick < 60 && open.size > 0) this.settle(random.pick([...open]));
    else if (pick < 80 && clock.nextMs < Infinity) this.fire();
    else if (pick < 88) this.wait();
    else if (pick < 98 && this.rules.callers.length > 0) this.abort();
    else if (pick === 99) this.rules.made.breaker?.reset();
  }

  private call(): void {
    const { random, rules } = this;
    const controller = random.chance(0.7) ? random.pick(this.controllers) : undefined;
    const caller = new Caller(rules.callers.length, controller, this.clock.nowMs, random);
    rules.callers.push(caller);
    this.tell?.(`${caller.how} call ${caller.label}${caller.isAborted ? ', aborted already' : ''}`);
    const ended = callerStorage.run(caller, () => this.begin(caller));
    ended.then(
      (value) => rules.settled(caller, { value }),
      (error: unknown) => rules.settled(caller, { error }),
    );
  }

  private begin(caller: Caller): Promise<unknown> {
    const { policy } = this.rules.made;
    const op = (s: Scope): unknown => this.operation(caller, s);
    const { idempotent, deadlineMs, how } = caller;
    const signal = caller.controller?.signal;
    const options = { idempotent, name: caller.label, signal };
    const answered = <T>(call: Promise<T>): Promise<T> => {
      const note = (): void => void (caller.isAnswered = true);
      call.then(note, note);
      return call;
    };
    if (how === 'run') return answered(policy.run(op, options));
    if (how === 'settle') {
      return answered(policy.settle(op, options)).then((outcome) => {
        if (outcome.ok) return outcome.value;
        throw outcome.error;
      });
    }
    return scope({ signal, timeout: deadlineMs - this.clock.nowMs }, (s) => {
      s.defer(() => this.rules.cleansUp(caller));
      return answered(policy.run(op, { ...options, signal: s }));
    });
  }

  private settle(open: Open): void {
    const { work } = open;
    if (open.label === work.label && !work.heeds && this.random.chance(0.2)) return this.heed(work);
    this.open.delete(open);
    work.open--;
    if (this.random.chance(0.5)) {
      this.tell?.(`${open.label} succeeds`);
      open.resolve();
    } else {
      const error = this.someError(open.label);
      this.tell?.(`${open.label} fails`);
      open.reject(error);
    }
  }

  private fire(): void {
    const timer = this.random.pick(this.clock.next);
    this.tell?.(`timer at ${this.clock.nextMs}`);
    this.clock.fire(timer);
  }

  private wait(): void {
    const { clock } = this;
    const mostMs = Math.floor(Math.min(clock.nextMs - clock.nowMs, 40));
    clock.nowMs += this.random.below(mostMs + 1);
    this.tell?.(`wait until ${clock.nowMs}`);
  }

  private abort(): void {
    const controller = this.random.pick(this.controllers);
    if (controller.signal.aborted) return;
    const own = this.rules.callers.filter((caller) => caller.controller === controller);
    if (own.length === 0) return;
    this.tell?.(`abort ${own.map((caller) => caller.label).join(', ')}`);
    for (const caller of own) caller.mustNotTimeOut = this.rules.isQuiet && !caller.isAnswered;
    controller.abort(new Error(`stop ${own.map((caller) => caller.label).join('')}`));
  }

  /** Lets promise reactions run: all, a few, or (`undefined`) none. */
  private pause(): Promise<void> | undefined {
    const how = this.random.below(10);
    this.rules.isQuiet = false;
    if (how < 4) return this.becomeQuiet();
    return how < 7 ? this.react(how - 3) : undefined;
  }

  private async react(turns: number): Promise<void> {
    this.tell?.('  …');
    for (let i = 0; i < turns; i++) await Promise.resolve();
  }

  private async becomeQuiet(): Promise<void> {
    this.tell?.('  ……');
    await nextTurn();
    this.rules.isQuiet = true;
    this.rules.quiets++;
  }

  /** Settles what is open, and fires what is due as long as somebody waits. */
  private async finish(): Promise<void> {
    const { open, clock, random, rules } = this;
    for (let i = 0; rules.broken === undefined; i++) {
      if (i > MAX_STEPS) return rules.breaks('it never ends');
      await this.becomeQuiet();
      rules.check();
      const waits = rules.callers.some((caller) => caller.end === undefined);
      if (open.size > 0 && !(waits && clock.nextMs < Infinity && random.chance(0.3)))
        this.settle(random.pick([...open]));
      else if (!waits) return;
      else if (clock.nextMs < Infinity) this.fire();
      else return rules.breaks('nothing is under way, but a call has not settled');
    }
  }

  // The operation

  private operation(caller: Caller, s: Scope): unknown {
    const { random, rules } = this;
    const work = new Work(caller, s);
    rules.starts(work);
    caller.works.push(work);
    rules.works.push(work);
    if (random.chance(0.2)) s.defer(() => this.opened(`cleanup of ${work.label}`, work));
    if (random.chance(0.1)) {
      const child = this.opened(`child of ${work.label}`, work);
      void s.go(() => child);
    }
    if (random.chance(0.2)) return this.atOnce(work);
    const body = this.opened(work.label, work, true);
    if (random.chance(0.6)) this.heed(work);
    return body;
  }

  /** Comes to its end in the call. */
  private atOnce(work: Work): Result {
    if (this.random.chance(0.5)) return (work.end = { value: new Result(`result of ${work.label}`) }).value;
    work.end = { error: this.someError(work.label) };
    this.tell?.(`    ${work.label} throws`);
    throw work.end.error;
  }

  private opened(label: string, work: Work, isBody = false): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers();
    work.open++;
    this.open.add({
      label,
      work,
      resolve: () => {
        const value = isBody ? new Result(`result of ${label}`) : undefined;
        if (isBody) work.end = { value };
        resolve(value);
      },
      reject: (error) => {
        if (isBody) work.end = { error };
        else work.errors.push(error);
        reject(error);
      },
    });
    return promise;
  }

  /** Listens to its signal: then it ends with the reason, with an error around it, with one of its own, or with a result. */
  private heed(work: Work): void {
    const { s, label } = work;
    this.tell?.(`    ${label} looks at its signal`);
    const { signal } = s;
    work.heeds = true;
    this.rules.looks(work, signal);
    const how = this.random.below(6);
    const stop = (): void => {
      const open = [...this.open].find((it) => it.label === label);
      if (open === undefined) return;
      this.open.delete(open);
      work.open--;
      this.tell?.(`    ${label} heeds it`);
      if (how === 0) open.resolve();
      else if (how === 1) open.reject(this.someError(label));
      else if (how === 2) open.reject(new Error('wrapped', { cause: signal.reason }));
      else open.reject(signal.reason);
    };
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop);
  }

  private someError(label: string): Error {
    const error = new Error(`error ${++this.errors} of ${label}`);
    const kind = this.random.below(5);
    if (kind === 0) return permanent(error);
    if (kind === 1) return transient(error, { retryAfter: this.random.pick([0, 5]) });
    if (kind === 2) return Object.assign(error, { code: 'ECONNRESET' });
    return error;
  }
}
