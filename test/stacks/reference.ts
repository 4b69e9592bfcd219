/**
 * The reference: an interpreter of random stacks that knows the rules of policies (P1 to P9) and of scopes, and nothing of `src`. It says what
 * a script must do; `run.ts` says what it does.
 *
 * Every layer is a function around the ones inside it, and is told by a callback what came out of them. That is all: no flat run, no states.
 * What has state is in `models.ts`, the list of timers in `world.ts`.
 *
 * It has no answer (`trace.skip`) where two timers are due at one instant, where a body in a run in a run (`order.ts`) ends in the instant in
 * which it is let go, and where a breaker in a run in a run judges what
 * failed by itself after a timeout around that run had passed and the caller had cancelled. In such runs these are open besides, and not
 * compared: what stopped the retry of a call that was cancelled in the grace of a timeout; what a call has gone through that a hook ended;
 * and late work that had no grace. All timeouts of such a stack have the same grace (`generate.ts`).
 *
 * Not covered: fallbacks and layers of one's own that wait or call `next` several times, children and `cancel` of an attempt's scope, snapshots,
 * the delays of the platform's timers.
 */
import { backoffDelay } from './backoffs.ts';
import { known, type Known } from './kinds.ts';
import { Breaker, Budget, Bulkhead, type Pass } from './models.ts';
import { isLateTold, isUsual } from './order.ts';
import type {
  AbortEnd,
  AttemptScript,
  CallerScript,
  CleanupScript,
  EffectScript,
  FallbackScript,
  LayerScript,
  RetryScript,
  Script,
  Thrown,
  TimeoutScript,
} from './script.ts';
import { ANYTHING, time, Trace } from './trace.ts';
import { World, type Timer } from './world.ts';

/** Anything that can come out of a call in place of a success; also a result that was judged a failure. */
class Fault {
  readonly #label: string;
  readonly known: Known;
  /** A kind of error, of a judged result, or the name of the library's class. */
  readonly kind: string;
  readonly retryAfter: number | undefined;
  readonly suppressed: Fault[] = [];
  cause: Fault | undefined;
  /** Of the error of a fallback. */
  replaces: Fault | undefined;
  /** Of a TimeoutError: the caller was let go with it. */
  abandoned = false;

  constructor(label: string, kind: string, what: Known, retryAfter?: number) {
    this.#label = label;
    this.kind = kind;
    this.known = what;
    this.retryAfter = retryAfter;
  }

  get label(): string {
    return this.abandoned ? `${this.#label} abandoned` : this.#label;
  }

  get isPrimitive(): boolean {
    return this.kind === 'text' || this.kind === 'nothing';
  }

  /** R10: once each, and never itself. A primitive keeps nothing. */
  keep(other: Fault): void {
    if (this.isPrimitive || other === this) return;
    const isKept = (one: Fault): boolean => one === other || (one.isPrimitive && one.label === other.label);
    if (!this.suppressed.some(isKept)) this.suppressed.push(other);
  }
}

const TIMED_OUT: Known = { verdict: 'ambiguous', health: 'down', code: 'TIMEOUT' };
const REFUSED: Known = { verdict: 'transient', health: 'none' };

/** Why a context was aborted: by the caller (or their scope), or by a timeout of a layer. */
interface Reason {
  readonly fault: Fault;
  readonly by: TimeoutScript | 'caller' | 'scope';
}

/** What cancellation and deadlines pass down by. */
class Context {
  reason: Reason | undefined;
  readonly deadline: number;
  /** The timeouts of layers above, outermost first. */
  readonly timeouts: readonly TimeoutScript[];
  readonly #above: Context | undefined;
  readonly #below = new Set<Context>();
  readonly #listeners = new Set<() => void>();

  constructor(above?: Context, deadline = Infinity, timeout?: TimeoutScript) {
    this.#above = above;
    if (above) above.#below.add(this);
    this.reason = above?.reason;
    this.deadline = Math.min(deadline, above?.deadline ?? Infinity);
    this.timeouts = [...(above?.timeouts ?? []), ...(timeout ? [timeout] : [])];
  }

  abort(reason: Reason): void {
    if (this.reason) return;
    const whole = this.#unaborted();
    for (const context of whole) context.reason = reason;
    for (const context of whole) for (const listener of context.#listeners) listener();
  }

  #unaborted(): Context[] {
    return this.reason ? [] : [this, ...[...this.#below].flatMap((context) => context.#unaborted())];
  }

  /** Returns how to stop listening. */
  onAbort(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** From this one to the outermost one. */
  path(): Context[] {
    const above = this.#above;
    return above ? [this, ...above.path()] : [this];
  }

  end(): void {
    const above = this.#above;
    if (above) above.#below.delete(this);
  }
}

/** A value, by name. */
interface Value {
  readonly label: string;
  readonly judged: string | undefined;
  readonly disposable: boolean;
}

/** What comes out of a layer: a value, or a fault. */
interface Out {
  readonly value?: Value;
  readonly fault?: Fault | undefined;
  /** What the attempt itself failed with, or was refused with. */
  readonly failed?: Fault | undefined;
  /** The fault is the reason of this abort. */
  readonly endedBy?: Reason;
  /** A layer let it not run. */
  readonly refused?: boolean;
  /** The operation was called. */
  readonly ran?: boolean;
  readonly abandoned?: boolean;
  /** The operation had succeeded, and a cleanup of it failed. */
  readonly onlyCleanup?: boolean;
  /** A hook or predicate threw it (P2.5). */
  readonly hook?: boolean;
  readonly body?: Body | undefined;
  readonly stoppedBy?: string | undefined;
}

interface Body {
  /** It has unwound. */
  ended: boolean;
  /** It stands in a run of its own: there one that ends in the instant in which it is abandoned has been waited for. */
  readonly isInRun: boolean;
}

type Done = (out: Out) => void;

/** A permit: it follows the work. */
interface Holder {
  /** Bodies that have not unwound. */
  live: number;
  /** What is inside has come to something. */
  done: boolean;
  readonly release: () => void;
}

/** Where a layer stands. */
interface Place {
  readonly call: Call;
  readonly context: Context;
  readonly layers: readonly LayerScript[];
  readonly index: number;
  readonly holders: readonly Holder[];
  /** A retry stands outside. */
  readonly retried: boolean;
  /** Of breakers: what they let in has not begun yet, it stands before a gate directly inside. */
  readonly letIn: readonly Pass[];
}

interface Call {
  readonly number: number;
  readonly caller: CallerScript;
  readonly context: Context;
  readonly startedAt: number;
  readonly history: string[];
  attempt: number;
  /** The caller has not been given the promise. */
  isStarting: boolean;
  /** What ended the attempt before. */
  previous: Fault | undefined;
  /** The timeout of a layer has passed. */
  timedOut: boolean;
  /** Abandoned bodies that the scope around the call waits for. */
  held: number;
  onFreed: (() => void) | undefined;
}

export function interpret(script: Script, random: () => number, schedule = 0): Trace {
  return new Reference(script, random, schedule).run();
}

class Reference {
  readonly #world: World;
  readonly #trace = new Trace();
  readonly #script: Script;
  readonly #random: () => number;
  readonly #budgets: readonly Budget[];
  readonly #breakers: readonly Breaker[];
  readonly #bulkheads: readonly Bulkhead[];
  /** Of each retry layer. */
  readonly #budgetOf = new Map<RetryScript, Budget | undefined>();
  readonly #shared = new Fault('shared', 'shared', known.shared);
  /** Retries that have said that one should declare `idempotent`. */
  readonly #warned = new Set<RetryScript>();
  /** What callers were thrown. */
  readonly #thrown: [list: string, fault: Fault][] = [];
  /** What the rules leave open, if the script came to such a thing. */
  #open: string | undefined;
  #abandoned = 0;
  #unsettled = 0;

  constructor(script: Script, random: () => number, schedule: number) {
    this.#world = new World(schedule);
    this.#script = script;
    this.#random = random;
    this.#budgets = script.budgets.map((budget) => new Budget(budget));
    this.#breakers = script.breakers.map(
      (breaker, i) => new Breaker(breaker, this.#world, (from, to) => this.#note(`breaker ${i}`, `${from} → ${to}`)),
    );
    this.#bulkheads = script.bulkheads.map((bulkhead) => new Bulkhead(bulkhead, this.#world));
    for (const layer of script.stacks.flat())
      if (layer.type === 'retry')
        this.#budgetOf.set(
          layer,
          typeof layer.budget === 'number'
            ? this.#budgets[layer.budget]
            : layer.budget
              ? new Budget(layer.budget)
              : undefined,
        );
  }

  run(): Trace {
    this.#script.callers.forEach((caller, number) => this.#world.after(caller.at, () => this.#caller(caller, number)));
    for (const { at, breaker, does } of this.#script.admin)
      this.#world.after(at, () => this.#breakers[breaker]?.[does]());
    this.#world.run();
    this.#budgets.forEach((budget, i) => {
      budget.trickle(this.#world.now);
      this.#trace.note('end', `budget ${i}: ${time(budget.tokens)}`);
    });
    this.#bulkheads.forEach((bulkhead, i) =>
      this.#trace.note('end', `bulkhead ${i}: ${bulkhead.inFlight} in flight, ${bulkhead.waiting} waiting`),
    );
    this.#breakers.forEach((breaker, i) => this.#trace.note('end', `breaker ${i}: ${breaker.state}`));
    for (const [list, { label, suppressed, cause }] of this.#thrown)
      this.#trace.note(
        list,
        `at the end ${label} beside ${suppressed.map((other) => other.label).join(', ')}${cause ? ` because of ${cause.label}` : ''}`,
      );
    this.#trace.note('end', `${this.#abandoned} abandoned`);
    this.#trace.note('end', `at ${time(this.#world.now)}`);
    if (this.#unsettled > 0) this.#trace.skip = 'it never ends';
    this.#trace.raced = this.#world.raced;
    if (this.#open !== undefined) this.#trace.skip = this.#open;
    if (this.#world.tied) this.#trace.skip = 'two timers at one instant';
    return this.#trace;
  }

  #note(list: string, line: string): void {
    this.#trace.note(list, `${time(this.#world.now)} ${line}`);
  }

  #fault(thrown: Thrown, site: string): Fault {
    if (thrown.kind === 'shared') return this.#shared;
    const label = thrown.kind === 'nothing' ? 'undefined' : `${thrown.kind}@${site}`;
    return new Fault(label, thrown.kind, known[thrown.kind], thrown.retryAfter);
  }

  // --- callers

  #caller(caller: CallerScript, number: number): void {
    this.#unsettled++;
    const list = `caller ${number}`;
    const outside = new Context();
    const cancel = (): void =>
      outside.abort({ fault: new Fault(`reason@${number}`, 'unknown', known.unknown), by: 'caller' });
    const aborts = caller.abortAfter ?? Infinity;
    if (aborts < 0) cancel();
    const timer = aborts >= 0 ? this.#world.after(aborts, cancel) : undefined;
    const begin = (context: Context, settled: (call: Call) => void): void => {
      const call: Call = {
        number,
        caller,
        context,
        startedAt: this.#world.now,
        history: [],
        attempt: 1,
        isStarting: true,
        previous: undefined,
        timedOut: false,
        held: 0,
        onFreed: undefined,
      };
      this.#call(call, () => {
        this.#unsettled--;
        settled(call);
      });
    };
    if (!caller.scope) begin(outside, () => this.#world.stop(timer));
    else this.#inScope(caller.scope, outside, list, timer, begin);
  }

  /** The scope around a call (R6, R15). */
  #inScope(
    { timeout, cleanup }: NonNullable<CallerScript['scope']>,
    outside: Context,
    list: string,
    cancelling: Timer | undefined,
    begin: (context: Context, settled: (call: Call) => void) => void,
  ): void {
    const end = (how: string): void => {
      this.#world.stop(cancelling);
      this.#note(list, `scope ends: ${how}`);
    };
    if (outside.reason) {
      this.#unsettled--;
      return end(outside.reason.fault.label);
    }
    const context = new Context(outside, timeout === undefined ? Infinity : this.#world.now + timeout);
    const timer = this.#world.after(timeout ?? Infinity, () =>
      context.abort({ fault: this.#timeoutError(timeout as number), by: 'scope' }),
    );
    begin(context, (call) => {
      this.#world.stop(timer);
      const unwind = (): void => {
        if (cleanup) this.#note(list.replace('caller', 'operation'), 'cleanup of the scope');
        end('ok');
      };
      // P5.5: a scope without cleanups does not wait.
      if (cleanup && call.held > 0) call.onFreed = unwind;
      else unwind();
    });
  }

  #timeoutError(ms: number): Fault {
    return new Fault(`TimeoutError ${time(ms)}`, 'TimeoutError', TIMED_OUT);
  }

  // --- a call

  #call(call: Call, settled: () => void): void {
    const { context, history } = call;
    const list = `caller ${call.number}`;
    const layers = this.#layersOf(call);
    const finish = (it: Out): void => {
      const out = this.#reported(call, this.#fromOutside(context, it));
      this.#note(list, `settled: ${this.#shown(list, out)}`);
      if (isTold(call.caller, out) && (isUsual(layers) || !out.hook)) {
        // A run in a run has told why it stopped before the other one was cancelled.
        const isOpen = !isUsual(layers) && call.timedOut && context.reason?.by === 'caller';
        this.#note(list, `stopped by ${isOpen ? ANYTHING : out.stoppedBy}`);
        for (const line of history) this.#note(list, line);
      }
      settled();
    };
    if (context.reason) return finish({ fault: context.reason.fault, endedBy: context.reason });
    this.#enter({ call, context, layers, index: 0, holders: [], retried: false, letIn: [] }, finish);
    call.isStarting = false;
  }

  #shown(list: string, { value, fault }: Out): string {
    if (value) return value.label;
    if (!fault) throw new Error('neither a value nor a fault');
    this.#thrown.push([list, fault]);
    return `throws ${fault.label}`;
  }

  #event(call: Call, line: string, isTold = true): void {
    if (isTold) this.#note(`events of ${call.number}`, line);
  }

  #layersOf({ caller }: Call): readonly LayerScript[] {
    return this.#script.stacks[caller.stack] ?? [];
  }

  /** Where there is no retry, the one attempt is what `attemptsOf` and `stoppedBy` tell of. */
  #reported(call: Call, out: Out): Out {
    if (!out.fault || (out.stoppedBy && !out.hook)) return out;
    if (call.history.length === 0 && out.ran !== undefined) this.#record(call, out, 1, 0);
    return { ...out, stoppedBy: out.stoppedBy ?? this.#stoppedBy(call, out) };
  }

  /** P3.14. */
  #stoppedBy(call: Call, out: Out): string {
    if (out.refused) return 'refused';
    return call.context.reason ? abortedBy(call.context.reason) : call.timedOut ? 'deadline' : 'attempts';
  }

  #record(call: Call, out: Out, number: number, waited: number): void {
    // A success about which a hook threw is no failed attempt.
    const fault = out.failed ?? (out.hook ? undefined : out.fault);
    if (!fault) return;
    // By a timeout of that run it has been waited for, by one around it not: the rules say nothing of an instant.
    if (out.abandoned && !wasLeft(out))
      this.#open ??= 'a run in a run, whose body ended in the instant in which it was let go';
    call.history.push(
      `attempt ${number}: ${fault.label}, ${verdictOn(out, fault)}, after ${time(waited)}${isUnrun(out) ? ', refused' : ''}${wasLeft(out) ? ', abandoned' : ''}`,
    );
  }

  #enter(at: Place, done: Done): void {
    const layer = at.layers[at.index];
    const isGate = layer?.type === 'breaker' || layer?.type === 'bulkhead';
    if (!isGate) for (const pass of at.letIn) pass.began = this.#world.now;
    const place = isGate ? at : { ...at, letIn: [] };
    const inside = { ...place, index: place.index + 1 };
    switch (layer?.type) {
      case undefined:
        return this.#attempt(place, done);
      case 'retry':
        return this.#retry(layer, inside, done);
      case 'timeout':
        return this.#timeout(layer, inside, done);
      case 'breaker':
        return this.#breaker(layer.which, inside, done);
      case 'bulkhead':
        return this.#bulkhead(layer.which, inside, done);
      case 'fallback':
        return this.#fallback(layer, inside, done);
      case 'layer':
        return this.#enter(inside, (out) => done(this.#fromOutside(place.context, out)));
      case 'failWhen':
        return this.#failWhen(layer.throws, inside, done);
    }
  }

  /** What a wait, or an attempt, comes to that was ended by an abort (P2.3, P5.3). */
  #ended({ context: { reason } }: Place): Out {
    if (!reason) throw new Error('not aborted');
    return { fault: reason.fault, failed: reason.fault, endedBy: reason };
  }

  /** P2.3: an abort from outside comes before the timeout of something inside, though that came first. */
  #fromOutside({ reason }: Context, out: Out): Out {
    if (!reason || !out.endedBy || out.endedBy === reason) return out;
    if (out.abandoned && typeof reason.by === 'object') reason.fault.abandoned = true;
    return { ...out, fault: reason.fault, endedBy: reason };
  }

  #dispose(call: Call, value: Value | undefined): void {
    if (value?.disposable) this.#note(`operation ${call.number}`, `disposes of ${value.label}`);
  }

  /** P2.5. */
  #hookThrew(name: string, { number }: Call, before: Out): Out {
    const fault = new Fault(`${name}@${number}`, 'unknown', known.unknown);
    if (before.fault) fault.keep(before.fault);
    const { abandoned = false, onlyCleanup = false, body, ran = false } = before;
    const refused = isUnrun(before);
    return {
      fault,
      failed: before.fault,
      hook: true,
      abandoned,
      onlyCleanup,
      body,
      ran,
      refused,
      stoppedBy: 'verdict',
    };
  }

  // --- layers

  /** P3. */
  #retry(layer: RetryScript, inside: Place, told: Done): void {
    const { call, context } = inside;
    let ran = false;
    const bodies: Body[] = [];
    const done: Done = (out) => told({ ...out, ran, ...leftBehind(bodies, out) });
    const budget = this.#budgetOf.get(layer);
    let number = 0;
    let waited = 0;
    let backoff = 0;
    const attempt = (): void => {
      number++;
      call.attempt = number;
      this.#enter({ ...inside, retried: true }, ended);
    };
    const ended = (out: Out): void => {
      ran ||= out.ran === true;
      if (out.body) bodies.push(out.body);
      if (number > 1 && (out.fault ? isUnrun(out) : !out.ran)) budget?.add(1); // P3.11
      if (!out.fault) {
        if (number === 1) budget?.deposit();
        return done({ ...out, stoppedBy: undefined });
      }
      // Of retries in each other the outermost one tells.
      if (!inside.retried) this.#record(call, out.hook ? out : { ...out, failed: out.fault }, number, waited);
      call.previous = out.fault;
      if (out.hook) return done(out);
      const next = decide(out, out.fault);
      if (typeof next === 'object') {
        this.#dispose(call, out.value);
        return done(next);
      }
      const isAborted = (call.context.reason ?? context.reason) !== undefined;
      if (typeof next === 'string') this.#event(call, `gives up: ${next}`, !isAborted);
      if (typeof next === 'string') return done({ ...this.#fromOutside(context, out), stoppedBy: next });
      this.#event(
        call,
        `retries after attempt ${number} in ${time(next)}: ${out.fault.label}`,
        layer.onRetryThrows !== number,
      );
      if (layer.onRetryThrows === number) {
        budget?.add(1);
        this.#dispose(call, out.value);
        return done(this.#hookThrew('onRetry', call, out));
      }
      this.#dispose(call, out.value);
      wait(next, isUnrun(out));
    };
    const decide = (out: Out, fault: Fault): string | number | Out => {
      const idempotent = call.caller.idempotent ?? layer.idempotent;
      const reason = call.context.reason ?? context.reason;
      if (reason) return abortedBy(reason);
      if (number >= layer.attempts) return 'attempts';
      if (wasLeft(out) && idempotent !== true) {
        this.#warn(layer, idempotent);
        return 'ambiguous';
      }
      const no = this.#verdict(layer, call, out, fault, idempotent);
      if (no) return no;
      if (fault.retryAfter !== undefined && fault.retryAfter > (layer.maxRetryAfter ?? 60_000)) return 'retryAfter';
      backoff = backoffDelay(layer.backoff, number, backoff, this.#random());
      const delay = (fault.retryAfter ?? 0) + backoff;
      const then = this.#world.now + delay;
      if (this.#world.exceeds(then, call.startedAt + (layer.maxElapsed ?? Infinity))) return 'maxElapsed';
      if (this.#world.exceeds(then + (layer.minAttemptTime ?? 10), context.deadline)) return 'deadline';
      if (budget && !budget.withdraw(this.#world.now)) return 'budget';
      return delay;
    };
    const wait = (delay: number, refused: boolean): void => {
      waited = delay;
      if (delay === 0) return refused ? this.#world.wake(attempt) : attempt();
      const timer = this.#world.after(delay, () => {
        forget();
        attempt();
      });
      const forget = context.onAbort(() => {
        this.#world.stop(timer);
        forget();
        budget?.add(1);
        const out = this.#ended(inside);
        done({ ...out, stoppedBy: abortedBy(out.endedBy as Reason) });
      });
    };
    attempt();
  }

  /** P3.4: why it is not retried, if it is not. */
  #verdict(
    layer: RetryScript,
    call: Call,
    out: Out,
    fault: Fault,
    idempotent: boolean | undefined,
  ): string | Out | undefined {
    if (fault.known.code === 'COMMIT_UNKNOWN') return 'ambiguous';
    const asked = layer.retryIf?.[fault.kind];
    if (asked === 'throws') return this.#hookThrew('retryIf', call, out);
    if (asked !== undefined) return asked ? undefined : 'verdict';
    const named = layer.retryOn?.some((match) =>
      match === 'TypeError' ? fault.kind === 'bug' : match === fault.known.code,
    );
    if (out.refused && !named) return 'refused';
    if (layer.retryOn && !named) return 'verdict';
    const verdict = verdictOn(out, fault);
    if (verdict === 'permanent' && !named) return 'verdict';
    // What a layer did not let run has certainly not happened.
    if (verdict === 'ambiguous' && !isUnrun(out) && idempotent !== true) {
      this.#warn(layer, idempotent);
      return 'ambiguous';
    }
    return undefined;
  }

  /** P3.10. */
  #warn(layer: RetryScript, idempotent: boolean | undefined): void {
    if (idempotent !== undefined || this.#warned.has(layer)) return;
    this.#warned.add(layer);
    this.#note('warnings', 'by an event');
    this.#note('warnings', 'on the console');
  }

  /** P5. */
  #timeout(layer: TimeoutScript, inside: Place, done: Done): void {
    const context = new Context(inside.context, this.#world.now + layer.after, layer);
    const timer = this.#world.after(layer.after, () => {
      inside.call.timedOut = true;
      context.abort({ fault: this.#timeoutError(layer.after), by: layer });
    });
    this.#enter({ ...inside, context }, (out) => {
      this.#world.stop(timer);
      context.end();
      done(this.#fromOutside(context, out));
    });
  }

  /** P6. */
  #breaker(which: number, inside: Place, done: Done): void {
    const breaker = this.#breakers[which] as Breaker;
    const script = this.#script.breakers[which];
    const answer = breaker.enter();
    if (typeof answer === 'number')
      this.#note(`breaker ${which}`, `refuses: ${breaker.state}, ${time(answer)}${script?.dryRun ? ', dry run' : ''}`);
    if (typeof answer === 'number' && !script?.dryRun) {
      const label = `CircuitOpenError ${breaker.state} ${time(answer)}`;
      const fault = new Fault(label, 'CircuitOpenError', { ...REFUSED, code: 'CIRCUIT_OPEN' }, answer);
      return done({ fault, refused: true, ran: false });
    }
    const pass: Pass =
      typeof answer === 'number' ? { at: this.#world.now, began: undefined, period: undefined } : answer;
    this.#enter({ ...inside, letIn: [...inside.letIn, pass] }, (out) => {
      // Of a call that a dry run alone let pass nothing is asked.
      const judged = pass.period === undefined ? undefined : script?.judge?.[out.fault?.kind ?? 'value'];
      breaker.settle(
        pass,
        judged === undefined || judged === 'throws' ? this.#effect(which, pass, inside, out) : judged,
      );
      if (judged !== 'throws') return done(out);
      const threw = this.#hookThrew('judge', inside.call, out);
      if (out.hook && threw.fault) {
        out.fault?.keep(threw.fault);
        return done(out);
      }
      this.#dispose(inside.call, out.value);
      done(threw);
    });
  }

  /** P6.6. */
  #effect(which: number, { began }: Pass, { call, context, layers }: Place, out: Out): EffectScript {
    const { fault, endedBy, hook } = out;
    const { blameAfter } = this.#script.breakers[which] as Script['breakers'][number];
    if (!fault) return 'success';
    if (endedBy?.by === 'caller' || isUnrun(out)) return 'neither';
    // The context around the breaker was aborted: a deadline outside of it.
    if (endedBy && endedBy === context.reason)
      return began === undefined || this.#world.exceeds(began + blameAfter, this.#world.now) ? 'neither' : 'failure';
    // What a caller has cancelled may end with any error, and what a hook throws says nothing.
    const isCancelled = call.context.reason?.by === 'caller' && !endedBy;
    if (isCancelled && call.timedOut && !isUsual(layers))
      this.#open = 'a run in a run, cancelled after a timeout around it';
    if (hook || (isCancelled && fault.known.health === 'down')) return 'neither';
    return { down: 'failure', up: 'success', none: 'neither' }[fault.known.health] as EffectScript;
  }

  /** P7. */
  #bulkhead(which: number, inside: Place, done: Done): void {
    const bulkhead = this.#bulkheads[which] as Bulkhead;
    const { queue, maxWait, priority, dryRun } = bulkhead.script;
    const { call, context } = inside;
    const tell = (reason: string): void =>
      this.#note(`bulkhead ${which}`, `refuses: ${reason}${dryRun ? ', dry run' : ''}`);
    const refuse = (reason: string): void => {
      tell(reason);
      done({
        fault: new Fault(`BulkheadFullError ${reason}`, 'BulkheadFullError', { ...REFUSED, code: 'BULKHEAD_FULL' }),
        refused: true,
        ran: false,
      });
    };
    const letIn = (): void => {
      const holder: Holder = { live: 0, done: false, release: () => bulkhead.leave() };
      this.#enter({ ...inside, holders: [...inside.holders, holder] }, (out) => {
        holder.done = true;
        if (holder.live === 0) holder.release();
        done(out);
      });
    };
    if (dryRun && bulkhead.inFlight >= bulkhead.script.limit + queue) tell('full');
    if (bulkhead.hasRoom() || dryRun) {
      bulkhead.inFlight++;
      return letIn();
    }
    if (bulkhead.waiting >= queue) return refuse('full');
    const rank =
      priority === 'caller' && call.caller.scope ? call.caller.priority : priority === 'attempt' ? call.attempt : 0;
    if (this.#world.exceeds(this.#world.now + bulkhead.expectedWait(rank), context.deadline)) return refuse('deadline');
    const stopWaiting = (): void => {
      this.#world.stop(timer);
      forget();
    };
    const waiter = bulkhead.queueUp(rank, () => {
      stopWaiting();
      letIn();
    });
    const timer = this.#world.after(maxWait ?? Infinity, () => {
      stopWaiting();
      bulkhead.leaveQueue(waiter);
      refuse('maxWait');
    });
    const forget = context.onAbort(() => {
      stopWaiting();
      bulkhead.leaveQueue(waiter);
      done({ ...this.#ended(inside), ran: false });
    });
  }

  /** P8. */
  #fallback({ fn }: FallbackScript, inside: Place, done: Done): void {
    const { call, context } = inside;
    this.#enter(inside, (it) => {
      if (!it.fault) return done(it);
      if (call.context.reason || context.reason) return done(this.#fromOutside(context, it));
      // P8: `attemptsOf` and `stoppedBy` still tell what went before.
      const out = inside.retried ? it : this.#reported(call, it);
      const first = it.fault;
      // A function is given the result, and may give it back.
      if (!fn) this.#dispose(call, out.value);
      if (!fn?.fails)
        return done({ value: plain(`fallback@${call.number}`), ran: out.ran === true, stoppedBy: out.stoppedBy });
      const fault = this.#fault(fn.fails, `${call.number}.fallback`);
      fault.keep(first);
      fault.replaces = first;
      if (fault.kind !== 'frozen' && !fault.isPrimitive && fault !== first) fault.cause ??= first;
      done({
        fault,
        ran: out.ran === true,
        abandoned: out.abandoned === true,
        body: out.body,
        stoppedBy: out.stoppedBy,
        // Nobody can tell a primitive that it throws from the same one that it was given.
        onlyCleanup: out.onlyCleanup === true && fault.isPrimitive && fault.label === first.label,
      });
    });
  }

  #failWhen(throws: number | undefined, inside: Place, done: Done): void {
    const { call } = inside;
    this.#enter(inside, (out) => {
      if (!out.value || throws !== call.attempt) return done(judge(out));
      this.#dispose(call, out.value);
      const { fault } = this.#hookThrew('failWhen', call, {});
      done({ fault, failed: fault, hook: true, ran: true, stoppedBy: 'verdict' });
    });
  }

  // --- attempts

  /** P1.3, P5.3, P5.4: the body, its cleanups, and who is let go when. */
  #attempt(place: Place, done: Done): void {
    const { call, context, holders } = place;
    const number = call.attempt;
    const site = `${call.number}.${number}`;
    const script = call.caller.attempts[Math.min(number, call.caller.attempts.length) - 1] as AttemptScript;
    const body: Body = { ended: false, isInRun: !isUsual(place.layers) };
    let settled = false;
    let abandoned = false;
    let held = false;
    const graces: { readonly layer: TimeoutScript; readonly timer: Timer }[] = [];
    const listening: (() => void)[] = [];
    let settling: Timer | undefined;

    const begin = (): void => {
      const previous = number > 1 ? `, after ${call.previous?.label}` : '';
      const atOnce = call.isStarting ? ', in the call' : '';
      call.isStarting = false;
      this.#note(
        `operation ${call.number}`,
        `starts attempt ${number} until ${time(context.deadline)}${previous}${atOnce}`,
      );
      for (const holder of holders) holder.live++;
      if (script.after === undefined) settle(script.end);
      else settling = this.#world.after(script.after, () => settle(script.end));
    };
    const aborted = (): void => {
      if (!script.onAbort || settled) return;
      const { after, end } = script.onAbort;
      this.#world.stop(settling);
      if (after > 0) settling = this.#world.after(after, () => settle(end));
      else settle(end);
    };
    /** Each timeout that passes begins its grace; for a caller who cancels, the outermost one. What ends first lets the caller go. */
    const graceBegins = (reason: Reason): void => {
      const layer = typeof reason.by === 'object' ? reason.by : context.timeouts[0];
      if (!layer || graces.some((other) => other.layer === layer) || abandoned) return;
      if (layer.grace === 0) letGo(layer);
      else graces.push({ layer, timer: this.#world.after(layer.grace ?? Infinity, () => letGo(layer)) });
    };
    const letGo = ({ detach }: TimeoutScript): void => {
      abandoned = true;
      held = !detach;
      this.#abandoned++;
      if (held) call.held++;
      stopGraces();
      const out = this.#ended(place);
      if (typeof out.endedBy?.by === 'object') (out.fault as Fault).abandoned = true;
      // What the body does within this instant has been done before anybody hears of it.
      this.#world.wake(() => done({ ...out, ran: true, abandoned: true, body }));
    };
    const stopGraces = (): void => {
      for (const { timer } of graces) this.#world.stop(timer);
    };
    const settle = (end: AbortEnd): void => {
      if (settled) return;
      settled = true;
      const cancelled = context.reason !== undefined;
      const result = this.#settled(end, site, context);
      const frame: Frame = { site, call, cancelled, last: result, done: (state) => unwound(result, frame.last, state) };
      this.#unwind(frame, script.cleanups, result, []);
    };
    const unwound = (result: State, last: State, state: State): void => {
      const onlyCleanup = state instanceof Fault && !(result instanceof Fault);
      if (onlyCleanup && !(last instanceof Fault)) this.#dispose(call, last);
      for (const forget of listening) forget();
      stopGraces();
      body.ended = true;
      for (const holder of holders) holder.live--;
      if (abandoned && isLateTold(place.layers))
        this.#note(`late of ${call.number}`, `attempt ${number}: ${state.label}`);
      if (abandoned) this.#late(place, state, held);
      else if (state === context.reason?.fault) done({ ...this.#ended(place), ran: true });
      else done(state instanceof Fault ? { fault: state, ran: true, onlyCleanup } : { value: state, ran: true });
    };
    for (const above of context.path()) listening.push(above.onAbort(() => graceBegins(above.reason as Reason)));
    listening.push(context.onAbort(aborted));
    begin();
  }

  #late({ call, holders }: Place, state: State, held: boolean): void {
    this.#abandoned--;
    if (!(state instanceof Fault)) this.#dispose(call, state);
    for (const holder of holders) if (holder.done && holder.live === 0) holder.release();
    if (!held) return;
    call.held--;
    if (call.held === 0) call.onFreed?.();
  }

  #settled(end: AbortEnd, site: string, { reason }: Context): State {
    switch (end.as) {
      case 'value':
        return { label: `value@${site}`, judged: undefined, disposable: end.disposable === true };
      case 'judged':
        return { label: `${end.kind}@${site}`, judged: end.kind, disposable: end.disposable === true };
      case 'error':
        return this.#fault(end.error, site);
      default:
        if (!reason) throw new Error('not aborted');
        return reason.fault;
    }
  }

  /** Cleanups, last in first out, one at a time (rules 1, 2, 8; R7, R8). */
  #unwind(frame: Frame, cleanups: readonly CleanupScript[], state: State, recovered: readonly Fault[]): void {
    const { site, call, cancelled } = frame;
    const index = cleanups.length - 1;
    const cleanup = cleanups[index];
    if (!cleanup) return frame.done(state);
    const run = (): void => {
      this.#note(`operation ${call.number}`, `cleanup ${site}.${index}`);
      const left = cleanups.slice(0, index);
      const recovers = cleanup.recovers && state instanceof Fault && !cancelled;
      const next = recovers ? plain(`recovered@${site}.${index}`) : state;
      if (recovers) frame.last = next;
      const all = recovers ? [...recovered, state] : recovered;
      if (!cleanup.fails) return this.#unwind(frame, left, next, all);
      const fault = this.#fault(cleanup.fails, `${site}.${index}`);
      if (next instanceof Fault) next.keep(fault);
      else for (const other of all) fault.keep(other);
      const isKept = !(next instanceof Fault) && !fault.isPrimitive;
      this.#unwind(frame, left, next instanceof Fault ? next : fault, isKept ? [] : all);
    };
    if (cleanup.after === undefined) run();
    else this.#world.after(cleanup.after, run);
  }
}

/** A scope that unwinds. */
interface Frame {
  readonly site: string;
  readonly call: Call;
  readonly cancelled: boolean;
  /** The newest result. */
  last: State;
  readonly done: (state: State) => void;
}

/** How a scope stands. */
type State = Value | Fault;

function plain(label: string): Value {
  return { label, judged: undefined, disposable: false };
}

/**
 * P2.2: `run` tells of errors alone, and not of primitives, nor for sure of errors that several calls share. So it is for the error of a
 * fallback, which tells what the one told whose place it takes.
 */
function isTold({ by }: CallerScript, { value, fault }: Out): boolean {
  if (by === 'settle') return true;
  for (let at = fault; at; at = at.replaces) if (at.isPrimitive || at.kind === 'shared' || isResult(at)) return false;
  return !value;
}

/** A judged result is told of by `settle` alone. */
function isResult({ kind }: Fault): boolean {
  return kind.startsWith('status') || kind === 'odd';
}

/** A layer let it not run, or it was ended while it waited for that. What a layer throws by itself is no refusal. */
function isUnrun({ ran, refused, endedBy }: Out): boolean {
  return !ran && (refused === true || endedBy !== undefined);
}

/** What an attempt of a retry outside has left behind: any body that was abandoned inside. */
function leftBehind(bodies: readonly Body[], { abandoned }: Out): Pick<Out, 'abandoned' | 'body'> {
  const running = bodies.find(({ ended }) => !ended);
  return running ? { abandoned: true, body: running } : { abandoned: abandoned === true, body: bodies.at(-1) };
}

function wasLeft({ abandoned, body }: Out): boolean {
  return abandoned === true && !(body?.isInRun && body.ended);
}

/** P3.4: what is not known of an error that a cleanup threw leaves open what the operation, which had succeeded, has done. */
function verdictOn({ onlyCleanup }: Out, { known: { verdict } }: Fault): string {
  return onlyCleanup && verdict === 'unknown' ? 'ambiguous' : verdict;
}

/** P3.1. */
function abortedBy({ by }: Reason): string {
  return by === 'caller' ? 'cancelled' : 'deadline';
}

/** P1.6: a result that is judged a failure stands in the place of an error. */
function judge(out: Out): Out {
  const { value } = out;
  if (!value?.judged) return out;
  const what = known[value.judged as keyof typeof known];
  return { ...out, fault: new Fault(value.label, value.judged, what), value };
}
