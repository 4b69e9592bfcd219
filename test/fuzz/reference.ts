/**
 * The reference: an interpreter of fuzzed programs that knows the rules (`rules.ts`) and a world of strands and timers (`world.ts`), but no
 * promise, no signal and nothing of `src`. It says what a program must do; `run.ts` says what it does.
 *
 * A scope is one strand: body, wait for the children, cleanups, `recover`, end. Children, linked scopes, cleanups under a `cleanupTimeout`
 * and things that outlive their cleanup have strands of their own. A yield without a cell marks where others may go first.
 *
 * It refuses to answer (`trace.skip`) where the rules leave the answer open: two timers at one instant; a sleep, link or look through a scope
 * whose running cleanup is over; what an exit shows once it is inert; a map that was cancelled and an item of which fails by itself
 * besides; programs that never end.
 */
import type { Catch, Cleanup, End, Frame, Fresh, Program, Script, Step, Value } from './program.ts';
import type { Mutant } from './mutants.ts';
import {
  Anchor,
  ENDED,
  holds,
  Rules,
  Run,
  shownReason,
  UNWINDING,
  WAITING,
  type Exit,
  type Registered,
} from './rules.ts';
import { Fault, type Trace } from './trace.ts';
import { Cell, type Steps, World } from './world.ts';

/** Who runs a script. */
interface Env {
  readonly run: Run;
  /** The script's site. */
  readonly site: number;
  readonly exit?: Exit;
  /** What the option `recover` was given. */
  readonly error?: { readonly given: unknown };
}

/** A value that disposes of itself. */
class Resource {
  readonly cleanup: Cleanup;
  constructor(cleanup: Cleanup) {
    this.cleanup = cleanup;
  }
}

/** A race while it runs. */
interface Race {
  readonly run: Run;
  /** By place in the list. */
  readonly errors: unknown[];
  left: number;
  winner: Run | undefined;
  /** Rings when a contender ends. */
  bell: Cell;
}

export interface ReferenceOptions {
  /** Another order of strands within an instant (`world.ts`). */
  readonly schedule?: number;
  readonly mutant?: Mutant | undefined;
}

export function interpret(program: Program, options: ReferenceOptions = {}): Trace {
  return new Interpreter(program, options).trace;
}

class Interpreter extends Rules {
  readonly #runs: (Run | undefined)[] = [];
  readonly #tasks: (Run | undefined)[] = [];
  readonly #outer: Anchor | undefined;
  #unfinished = 0;

  constructor(program: Program, { schedule = 0, mutant }: ReferenceOptions) {
    super(new World(schedule), mutant);
    if (program.outer) this.#outer = this.#outerSignal(program.outer);
    this.#open(program.root, this.#outer);
    this.world.run();
    if (this.#unfinished > 0) this.open('it never ends');
    if (this.world.tied) this.open('two timers at one instant');
    this.trace.end = this.world.now;
    this.trace.raced = this.world.raced;
  }

  #outerSignal({ abortAt, reason }: NonNullable<Program['outer']>): Anchor {
    const anchor = new Anchor(Infinity, undefined);
    const abort = (): void => this.abortAnchor(anchor, this.#reason(reason));
    if (abortAt === 0) abort();
    else if (abortAt !== undefined) this.world.at(abortAt, abort);
    return anchor;
  }

  // --- scopes

  /** `scope(…)`: alone or linked. */
  #open(frame: Frame, above: Anchor | undefined): Run {
    const run = new Run(frame, undefined, above, new Cell(), this.world.now);
    this.#begin(run, this.#body(run, frame), frame);
    return run;
  }

  /** `go`: a child. */
  #child(parent: Run, frame: Frame, onEnd?: (run: Run) => void): Run {
    const run = new Run(frame, parent, parent.anchor, new Cell(), this.world.now);
    run.onEnd = onEnd;
    parent.live++;
    this.#begin(run, this.#body(run, frame), frame);
    return run;
  }

  /** The child that stands for a race or a map, with a body of ours. */
  #group(parent: Run, body: (run: Run) => Steps<unknown>): Run {
    const run = new Run(undefined, parent, parent.anchor, new Cell(), this.world.now);
    parent.live++;
    this.#begin(run, body(run), undefined);
    return run;
  }

  #begin(run: Run, body: Steps<unknown>, frame: Frame | undefined): void {
    this.#unfinished++;
    this.world.start(this.#scope(run, body, frame));
  }

  *#body(run: Run, frame: Frame): Steps<unknown> {
    this.#runs[frame.id] = run;
    this.note(frame.id, 'start');
    try {
      return yield* this.#script({ run, site: frame.id }, frame.body);
    } finally {
      this.note(frame.id, 'settled');
    }
  }

  *#scope(run: Run, body: Steps<unknown>, frame: Frame | undefined): Steps<void> {
    run.above?.below.add(run);
    const refused = run.above?.aborted && this.mutant !== 'aborted-scope-runs-its-body';
    if (refused) this.#refuse(run);
    else yield* this.#frame(run, body);
    if (this.world.lets(true)) yield;
    this.#end(run, frame);
  }

  /** A scope whose signal is aborted before its start (R15). */
  #refuse(run: Run): void {
    this.abort(run, run.above?.reason, 'above');
    this.newFailure(run, run.anchor.reason);
    if (this.mutant === 'aborted-start-is-recoverable' && run.frame?.recover)
      this.note(run.frame.id, 'recover', run.failure);
  }

  *#frame(run: Run, body: Steps<unknown>): Steps<void> {
    const timeout = run.frame?.timeout;
    const sync = run.frame?.body.sync === true;
    if (timeout !== undefined) run.deadlineTimer = this.world.at(timeout, () => this.#deadlinePassed(run));
    try {
      run.result = yield* body;
      if (this.world.lets(sync)) yield;
    } catch (error) {
      this.#mustBeThrown(error);
      if (this.world.lets(sync)) yield;
      this.bodyThrew(run, error);
    }
    run.phase = WAITING;
    yield* this.#childrenEnd(run);
    this.settled(run);
    this.#stopDeadline(run);
    run.phase = UNWINDING;
    yield* this.#unwind(run);
  }

  #deadlinePassed(run: Run): void {
    this.abort(run, new Fault('TimeoutError'), this.mutant === 'deadline-counts-as-cancelled' ? 'above' : 'inside');
  }

  #stopDeadline(run: Run): void {
    this.world.stop(run.deadlineTimer);
    run.anchor.deadline = Infinity;
  }

  *#childrenEnd(run: Run): Steps<void> {
    while (run.live > 0 && this.mutant !== 'children-not-awaited') {
      run.idle = new Cell();
      yield run.idle;
    }
    if (this.mutant === 'linked-is-waited-for')
      while (run.anchor.below.size > 0) yield ([...run.anchor.below][0] as Run).task;
  }

  #end(run: Run, frame: Frame | undefined): void {
    run.phase = ENDED;
    // A primitive could not keep them, and no other failure came.
    if (run.failed) for (const error of run.owed) this.discarded(error);
    this.endSleeps(run.anchor);
    // Its signal hears nothing any more; what is linked to it does, from above.
    run.anchor.watchers.length = 0;
    this.#unfinished--;
    this.#leave(run);
    if (run.parent) (run.onEnd ?? ((child) => this.childEnded(run.parent as Run, child)))(run);
    else if (frame)
      this.trace.outcomes[frame.id] = run.failed
        ? [this.world.now, 'failed', run.failure]
        : [this.world.now, 'returned', shownValue(run.result)];
    this.world.settle(run.task, run.failed ? run.failure : run.result, run.failed);
  }

  /** A scope that has ended stays below the one above as long as something is linked to it. */
  #leave(run: Run): void {
    if (run.phase !== ENDED || run.anchor.below.size > 0) return;
    run.above?.below.delete(run);
    if (run.above?.owner) this.#leave(run.above.owner);
  }

  // --- unwinding

  *#unwind(run: Run): Steps<void> {
    const from = this.world.now;
    if (this.mutant === 'recover-option-runs-first' && this.#wantsRecover(run)) yield* this.#recoverOption(run);
    for (;;) {
      for (let next = this.#nextCleanup(run); next; next = this.#nextCleanup(run)) {
        yield* this.#cleanup(run, next, from);
        if (this.world.lets(next.cleanup.script.sync === true)) yield;
      }
      if (!this.#wantsRecover(run)) return;
      yield* this.#recoverOption(run);
    }
  }

  #nextCleanup(run: Run): Registered | undefined {
    if (this.mutant === 'cleanups-skipped-when-cancelled' && run.cancelled) return undefined;
    return this.mutant === 'fifo' ? run.cleanups.shift() : run.cleanups.pop();
  }

  *#cleanup(run: Run, registered: Registered, unwindingFrom: number): Steps<void> {
    if (registered.onlyIfFailed && !run.failed) return;
    const limit = run.frame?.cleanupTimeout;
    const exit: Exit = { run, live: true };
    const shield = new Anchor(
      limit === undefined || this.mutant === 'cleanup-timeout-is-no-deadline' ? Infinity : this.world.now + limit,
      run.anchor.value,
    );
    if (this.mutant !== 'one-shield-for-all' || !run.shield) run.shield = shield;
    this.#noteCleanup(run, registered);
    const { script, id } = registered.cleanup;
    const steps = this.#cleanupScript({ run, site: id, exit }, script);
    try {
      if (this.mutant === 'cleanups-not-awaited' && !script.sync) this.world.start(steps);
      else if (limit === undefined || script.sync) yield* steps;
      else
        yield* this.#limited(
          exit,
          shield,
          steps,
          this.mutant === 'cleanup-timeout-for-all' ? unwindingFrom + limit - this.world.now : limit,
        );
    } catch (error) {
      this.#mustBeThrown(error);
      if (this.world.lets(script.sync === true)) yield;
      this.cleanupThrew(run, error);
      if (this.mutant === 'throwing-cleanup-stops-the-rest') run.cleanups.length = 0;
    }
    if (this.mutant === 'first-cleanup-only') run.cleanups.length = 0;
    this.endSleeps(shield);
    if (this.mutant !== 'one-shield-for-all') run.shield = undefined;
  }

  #noteCleanup(run: Run, { cleanup, showsExit, site }: Registered): void {
    if (!showsExit) this.note(site, 'dispose', cleanup.id);
    else
      this.note(
        site,
        'cleanup',
        cleanup.id,
        !run.failed,
        run.failed ? undefined : shownValue(run.result),
        run.failure,
        run.cancelled,
      );
  }

  *#cleanupScript(env: Env, script: Script): Steps<unknown> {
    try {
      return yield* this.#script(env, script);
    } finally {
      if (env.exit) env.exit.live = false;
      this.note(env.site, 'cleaned');
    }
  }

  /** A cleanup under `cleanupTimeout`: whichever comes first, its end or the limit. */
  *#limited(exit: Exit, shield: Anchor, steps: Steps<unknown>, limit: number): Steps<void> {
    const done = new Cell();
    this.world.start(this.#toTheEnd(steps, done));
    const timer = this.world.at(Math.max(0, limit), () => this.#overrun(exit, shield, done));
    try {
      yield done;
    } finally {
      this.world.stop(timer);
    }
  }

  *#toTheEnd(steps: Steps<unknown>, done: Cell): Steps<void> {
    try {
      yield* steps;
      this.world.settle(done);
    } catch (error) {
      this.#mustBeThrown(error);
      if (this.world.lets(true)) yield;
      // The overrun's own error has been told.
      const news = done.settled && !holds(error, done.value);
      if (news && this.mutant !== 'late-rejection-untold') this.event('cleanup-failed', error, true);
      this.world.settle(done, error, true);
    }
  }

  #overrun(exit: Exit, shield: Anchor, done: Cell): void {
    const error = new Fault('TimeoutError');
    if (this.mutant !== 'overran-exit-stays-live') exit.live = false;
    this.event('cleanup-overran', undefined);
    if (this.mutant === 'overrun-stops-the-rest') exit.run.cleanups.length = 0;
    this.world.settle(done, error, this.mutant !== 'overrun-is-no-failure');
    if (this.mutant !== 'overrun-does-not-abort') this.abortAnchor(shield, error);
  }

  #wantsRecover(run: Run): boolean {
    const barred = run.cancelled && this.mutant !== 'recover-option-in-cancelled';
    return run.failed && run.frame?.recover !== undefined && !barred && !run.recoverCalled;
  }

  *#recoverOption(run: Run): Steps<void> {
    run.recoverCalled = true;
    const frame = run.frame as Frame;
    const error = run.failure;
    this.note(frame.id, 'recover', error);
    try {
      const value = yield* this.#script({ run, site: frame.id, error: { given: error } }, frame.recover as Script);
      this.recovered(run);
      run.result = value;
    } catch (thrown) {
      this.#mustBeThrown(thrown);
      if (this.mutant === 'recover-option-throws-in-vain') this.keepBeside(error, thrown);
      else if (thrown !== error) this.replaceFailure(run, thrown);
    }
    if (this.world.lets(frame.recover?.sync === true)) yield;
  }

  // --- race and map

  *#race(run: Run, frames: readonly Frame[]): Steps<unknown> {
    const race: Race = { run, errors: [], left: frames.length, winner: undefined, bell: new Cell() };
    const contenders: Run[] = [];
    for (const [i, frame] of frames.entries()) {
      contenders.push(this.#child(run, frame, (child) => this.#contenderEnded(race, child, i)));
      if (race.winner?.threw) break; // at once, and recovered; a value is always waited for
    }
    while (!race.winner && race.left > 0) {
      yield race.bell;
      race.bell = new Cell();
    }
    if (!race.winner) throw this.#allLost(run, race.errors);
    for (const error of Object.values(race.errors)) this.discarded(error);
    const lost = new Fault('AbortError');
    if (this.mutant !== 'race-losers-not-cancelled') for (const loser of contenders) this.abort(loser, lost, 'own');
    if (race.winner.failed) throw race.winner.failure;
    return race.winner.result;
  }

  #contenderEnded(race: Race, child: Run, place: number): void {
    const { run, winner } = race;
    race.left--;
    run.live--;
    if (!child.failed || this.mutant === 'race-first-settled-wins') race.winner ??= child;
    if (!child.failed && child.result instanceof Resource) this.#disposeOf(run, child.result, !winner);
    if (child.failed && winner) this.discarded(child.failure);
    else if (child.failed) race.errors[place] = child.failure;
    this.world.settle(race.bell);
    if (run.live === 0 && run.idle) this.world.settle(run.idle);
  }

  /** What a loser returned; and the prize, if the race fails in the end. */
  #disposeOf(run: Run, { cleanup }: Resource, onlyIfFailed: boolean): void {
    if (this.mutant === (onlyIfFailed ? 'prize-of-a-failed-race-kept' : 'race-losers-kept')) return;
    run.cleanups.push({ cleanup, showsExit: false, site: cleanup.id, onlyIfFailed });
  }

  /** The first error of the list, the others beside it. What a cancelled race only passes on is none (R3), unless there is nothing else. */
  #allLost(run: Run, errors: unknown[]): unknown {
    const { aborted, reason } = run.anchor;
    const own = aborted ? errors.filter((error) => !holds(error, reason)) : errors;
    if (own.length === 0) return reason;
    const [first, ...others] = this.mutant === 'race-last-error' ? own.reverse() : own;
    for (const error of others) this.keepOrTell(first, error);
    return first;
  }

  *#map(run: Run, frames: readonly Frame[], concurrency: number): Steps<unknown> {
    const results: unknown[] = [];
    const failed: unknown[] = [];
    let next = 0;
    let running = 0;
    let bell = new Cell();
    const ended = (i: number) => (child: Run) => {
      running--;
      if (child.failed) failed.push(child.failure);
      else if (this.mutant === 'map-results-as-they-come') results.push(child.result);
      else results[i] = child.result;
      this.childEnded(run, child);
      this.world.settle(bell);
    };
    const limit = this.mutant === 'map-unbounded' ? Infinity : concurrency;
    let stopped = false;
    for (;;) {
      for (; running < limit && next < frames.length && !stopped; next++) {
        // Whether an item's failure is heard of before the next one is due is a matter of the moment.
        if (failed.length > 0 && this.world.lets(false)) break;
        // What is left is ended by the reason, as an item under way would be.
        if (run.anchor.aborted && this.mutant !== 'map-goes-on') run.endedByReason = stopped = true;
        else {
          running++;
          const underWay = running;
          this.#child(run, frames[next] as Frame, ended(next));
          // Even an item that ends at once is waited for before the next one is drawn.
          if (running < underWay && this.world.lets(false)) yield;
        }
      }
      // An item's failure is the map's already, unless the item was ended by its own cancel.
      if (failed.length > 0) {
        if (!run.anchor.aborted) throw failed[0];
        run.endedByReason = stopped = true;
      }
      if (running === 0) return results;
      yield bell;
      bell = new Cell();
    }
  }

  // --- scripts

  *#script(env: Env, script: Script): Steps<unknown> {
    for (const step of script.steps) {
      try {
        const wait = this.#step(env, step);
        if (wait) this.#arrived(env, step, yield wait);
      } catch (error) {
        this.#mustBeThrown(error);
        const handler = step.catch;
        if (!handler) throw error;
        this.note(env.site, 'caught', error);
        if (handler.how === 'return') return shown(handler.value);
        if (handler.how !== 'swallow') throw this.#handled(handler, error);
      }
    }
    return this.#finish(env, script.end);
  }

  /** Errors of the host language are bugs of this interpreter; programs throw faults and primitives. */
  #mustBeThrown(error: unknown): void {
    if (error instanceof Error) throw error;
  }

  #handled(handler: Catch, error: unknown): unknown {
    if (handler.how === 'wrap') return this.#wrap(handler.error, handler.depth, error);
    return handler.how === 'own' ? this.#fresh(handler.error) : error;
  }

  #finish(env: Env, end: End): unknown {
    switch (end.end) {
      case 'return':
        return shown(end.value);
      case 'resource':
        return new Resource(end.cleanup);
      case 'throw':
        throw this.#fresh(end.error);
      case 'wrapReason': {
        const anchor = this.#anchor(env);
        if (anchor?.aborted) throw this.#wrap(end.error, end.depth, anchor.reason);
        return undefined;
      }
      case 'wrapError': {
        const current = this.#current(env);
        if (current) throw this.#wrap(end.error, end.depth, current.given);
        return undefined;
      }
      case 'rethrow': {
        const current = this.#current(env);
        if (current) throw current.given;
        return undefined;
      }
      case 'promise':
        if (this.mutant === 'sync-promise-accepted') return undefined;
        throw new Fault('TypeError');
    }
  }

  /** The failure that a cleanup's exit shows, or that `recover` was given. */
  #current({ exit, error }: Env): { readonly given: unknown } | undefined {
    if (!exit) return error;
    if (!exit.live) this.open('what an inert exit shows');
    return exit.run.failed ? { given: exit.run.failure } : undefined;
  }

  /** Does a step; a cell if it has to be waited for. */
  #step(env: Env, step: Step): Cell | undefined {
    switch (step.do) {
      case 'sleep':
        return this.#sleep(env, step.ms, step.on);
      case 'deaf':
        return this.#deaf(step.ms);
      case 'never':
        return new Cell();
      case 'defer':
      case 'use':
      case 'adopt':
        return this.#register(env, step);
      case 'go':
        return this.#start(env, step, (run) => this.#child(run, step.frame));
      case 'race':
        return this.#start(env, step, (run) => this.#group(run, (group) => this.#race(group, step.frames)));
      case 'map':
        return this.#start(env, step, (run) => {
          const group = this.#group(run, (of) => this.#map(of, step.frames, step.concurrency));
          group.isMap = true;
          return group;
        });
      case 'await':
        return this.#tasks[step.task]?.task;
      case 'scope':
        return this.#nested(env, step);
      case 'scopeSync':
        return this.#nestedSync(env, step.frame);
      case 'later':
        this.world.start(this.#later(env, step.ms, step.id, step.steps));
        return undefined;
      default:
        this.#atOnce(env, step);
        return undefined;
    }
  }

  /** Steps that never wait. */
  #atOnce(env: Env, step: Step): void {
    switch (step.do) {
      case 'cancelTask': {
        const task = this.#tasks[step.task];
        if (task) this.abort(task, this.#reason(step.reason), 'own');
        return;
      }
      case 'cancel': {
        const run = this.#target(env, step.on);
        if (run) this.abort(run, this.#reason(step.reason), 'own');
        return;
      }
      case 'check': {
        const anchor = this.#anchor(env);
        if (anchor?.aborted) throw anchor.reason;
        return;
      }
      case 'look': {
        const anchor = this.#anchor(env);
        this.note(env.site, 'look', anchor?.aborted, anchor?.aborted ? shownReason(anchor.reason) : undefined);
        return;
      }
      case 'time': {
        const anchor = this.#anchor(env);
        this.note(env.site, 'time', Math.max(0, this.#deadline(anchor) - this.world.now), this.#shownValue(env.run));
        return;
      }
      case 'watch':
        this.#anchor(env)?.watchers.push(step.id);
        return;
      default:
        if (env.exit) this.#verb(env.site, env.exit, step);
    }
  }

  #deadline(anchor: Anchor | undefined): number {
    return (this.mutant === 'deadline-not-inherited' ? anchor?.deadline : anchor?.nearestDeadline) ?? Infinity;
  }

  #shownValue({ anchor, frame }: Run): number | undefined {
    return this.mutant === 'values-not-inherited' ? frame?.value : anchor.value;
  }

  #verb(site: number, exit: Exit, step: Step): void {
    const { run } = exit;
    switch (step.do) {
      case 'recover':
        this.note(
          site,
          'recover',
          this.recover(exit, step.value === undefined ? undefined : { given: shown(step.value) }),
        );
        return;
      case 'set':
        this.set(exit, shown(step.value));
        return;
      case 'fail':
        this.#fail(exit, step.how, step.error);
        return;
      case 'peek':
        if (!exit.live) this.open('what an inert exit shows');
        this.note(
          site,
          'peek',
          !run.failed,
          run.failed ? undefined : shownValue(run.result),
          run.failure,
          run.cancelled,
        );
        return;
      default:
        throw new Error(`no such step: ${step.do}`);
    }
  }

  #fail(exit: Exit, how: 'own' | 'wrap' | 'same', error: Fresh): void {
    if (how === 'own') return this.fail(exit, this.#fresh(error));
    const current = this.#current({ run: exit.run, site: 0, exit });
    if (current) this.fail(exit, how === 'same' ? current.given : this.#wrap(error, 1, current.given));
  }

  #arrived(env: Env, step: Step, value: unknown): void {
    if (step.do === 'await')
      this.note(env.site, 'got', ...(Array.isArray(value) ? value.map(shownValue) : [shownValue(value)]));
    else if (step.do === 'sleep' || step.do === 'deaf') this.note(env.site, 'awake');
  }

  #target(env: Env, on: number | undefined): Run | undefined {
    return on === undefined ? env.run : this.#runs[on];
  }

  /** What `signal` and `sleep` of a scope belong to at this moment (3, R13); none once it has ended. */
  #anchor(env: Env, target = env.run): Anchor | undefined {
    if (target.phase < UNWINDING || this.mutant === 'cleanups-not-shielded') return target.anchor;
    if (target.phase === ENDED) {
      this.open('the signal of a scope that has ended');
      return undefined;
    }
    const isOver = target === env.run && env.exit !== undefined && !env.exit.live;
    if (!target.shield || isOver) this.open('the signal between two cleanups');
    return target.shield ?? target.anchor;
  }

  #sleep(env: Env, ms: number, on: number | undefined): Cell | undefined {
    const target = this.#target(env, on);
    if (!target) return undefined;
    if (target.phase === ENDED) return this.#sleepAfterTheEnd(ms);
    const anchor = this.#anchor(env, target) as Anchor;
    const cell = new Cell();
    if (anchor.aborted) {
      this.world.settle(cell, anchor.reason, true);
      return cell;
    }
    const sleep = {
      cell,
      timer: this.world.at(ms, () => {
        anchor.sleeps.delete(sleep);
        this.world.settle(cell);
      }),
    };
    anchor.sleeps.add(sleep);
    return cell;
  }

  #sleepAfterTheEnd(ms: number): Cell {
    if (this.mutant === 'sleep-after-the-end') return this.#deaf(ms);
    const cell = new Cell();
    this.world.settle(cell, new Fault('ScopeEndedError'), true);
    return cell;
  }

  #deaf(ms: number): Cell {
    const cell = new Cell();
    this.world.at(ms, () => this.world.settle(cell));
    return cell;
  }

  *#later(env: Env, ms: number, site: number, steps: readonly Step[]): Steps<void> {
    yield this.#deaf(ms);
    for (const step of steps) this.#verb(site, env.exit as Exit, step);
  }

  #register(env: Env, { do: verb, cleanup, on }: Step & { do: 'defer' | 'use' | 'adopt' }): undefined {
    const target = this.#target(env, on);
    if (!target) return;
    const registered: Registered = { cleanup, showsExit: verb === 'defer', site: target.frame?.id ?? 0 };
    if (target.phase === ENDED) return this.#registerLate(target, registered);
    this.note(registered.site, 'registers', cleanup.id);
    if (this.mutant === 'registered-while-unwinding-runs-last' && target.phase === UNWINDING)
      target.cleanups.unshift(registered);
    else target.cleanups.push(registered);
  }

  /** On a scope that has ended: at once, with an inert exit, and an error (4, R14). */
  #registerLate(run: Run, { cleanup, site }: Registered): undefined {
    const error = new Fault('ScopeEndedError');
    if (this.mutant !== 'late-cleanup-lost') {
      this.note(site, 'late', cleanup.id);
      const steps = this.#cleanupScript({ run, site: cleanup.id, exit: { run, live: false } }, cleanup.script);
      if (cleanup.script.sync) this.#lateSync(steps, error);
      else this.world.start(this.#lateAsync(steps));
    }
    if (this.mutant !== 'late-registration-silent') throw error;
  }

  #lateSync(steps: Steps<unknown>, ended: Fault): void {
    try {
      drain(steps);
    } catch (error) {
      this.#mustBeThrown(error);
      this.event('cleanup-failed', error, true);
      if (this.mutant !== 'late-cleanup-error-lost') ended.cause = error;
    }
  }

  *#lateAsync(steps: Steps<unknown>): Steps<void> {
    try {
      yield* steps;
    } catch (error) {
      this.#mustBeThrown(error);
      if (this.world.lets(true)) yield;
      this.event('cleanup-failed', error, true);
    }
  }

  #start(env: Env, { task, on }: { readonly task: number; readonly on?: number }, start: (run: Run) => Run): undefined {
    const target = this.#target(env, on);
    if (!target) return;
    const refused = target.phase >= (this.mutant === 'go-while-waiting-refused' ? WAITING : UNWINDING);
    if (refused && this.mutant !== 'go-while-unwinding') throw new Fault('ScopeEndedError');
    this.#tasks[task] = start(target);
  }

  #nested(env: Env, { frame, link, float }: Step & { do: 'scope' }): Cell | undefined {
    const run = this.#open(frame, this.#link(env, link));
    if (this.mutant === 'linked-fails-its-scope' && (link === 'scope' || link === 'signal'))
      this.world.start(this.#linkedFails(env.run, run));
    return float ? undefined : run.task;
  }

  *#linkedFails(to: Run, run: Run): Steps<void> {
    try {
      yield run.task;
    } catch (error) {
      if (!to.failed && to.phase < UNWINDING) this.bodyThrew(to, error);
    }
  }

  #link(env: Env, link: 'none' | 'scope' | 'signal' | 'outer'): Anchor | undefined {
    if (link === 'none') return undefined;
    if (link === 'outer') return this.#outer;
    return this.mutant === 'linked-past-the-shield' ? env.run.anchor : this.#anchor(env);
  }

  #nestedSync(env: Env, frame: Frame): undefined {
    const run = (this.#runs[frame.id] = new Run(frame, undefined, undefined, new Cell(), this.world.now));
    this.#unfinished++;
    drain(this.#scope(run, this.#body(run, frame), frame));
    if (run.failed) throw run.failure;
    this.note(env.site, 'got', shownValue(run.result));
  }

  // --- errors

  #fresh({ id, kind }: Fresh): unknown {
    if (kind === 'undefined') return undefined;
    if (kind === 'string') return `e${id}`;
    const error = new Fault(kind, id);
    if (kind === 'cyclic') error.cause = error;
    this.trace.made[id] = error;
    return error;
  }

  #reason(reason: Fresh | undefined): unknown {
    return reason ? this.#fresh(reason) : new Fault('AbortError');
  }

  #wrap({ id }: Fresh, depth: number, cause: unknown): Fault {
    let link = cause;
    for (let i = 1; i < depth; i++) link = new Fault('plain', 0, link);
    const error = new Fault('plain', id, link);
    this.trace.made[id] = error;
    return error;
  }
}

/** What has no waits in it runs to its end at once. */
function drain(steps: Steps<unknown>): void {
  for (let turn = steps.next(); !turn.done; turn = steps.next())
    if (turn.value) throw new Error('a synchronous script waits');
}

const shown = (value: Value): unknown => value ?? undefined;

/** A resource is shown by its site. */
const shownValue = (value: unknown): unknown => (value instanceof Resource ? `resource ${value.cleanup.id}` : value);
