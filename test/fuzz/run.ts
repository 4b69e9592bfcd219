/**
 * Runs a fuzzed program on the real scope, on virtual time, through the public exports alone, and writes down the same trace as the
 * reference. After each program nothing may be left: no timer (`pending`, and a clock that stands where the reference's stands), no listener
 * on the outer signal, never more than one there, and no unhandled rejection.
 *
 * Many programs run one after another in one `virtualTime`; each sees the clock from zero.
 *
 * Not covered: what only the platform's own clock does (coalescing, early timers), `AsyncLocalStorage`, scopes made by policies.
 */
import { contextKey, onEvent, scope, scopeSync, suppressedErrors } from '../../src/index.ts';
import type { Exit, Scope, ChildOptions, SyncScope, Task } from '../../src/index.ts';
import { virtualTime, type VirtualTime } from '../../src/testing/index.ts';
import type { Catch, Cleanup, End, Frame, Fresh, Program, Script, Step, Value } from './program.ts';
import { Fault, Trace } from './trace.ts';

const KEY = contextKey<number>('fuzz');

/** Who runs a script. */
interface Env {
  readonly s: Scope;
  readonly site: number;
  readonly exit?: Exit;
  readonly error?: { readonly given: unknown };
}

/** Runs programs one after another. */
export type Runner = (program: Program) => Promise<Trace>;

/** Opens virtual time and gives a runner to `use`. */
export async function withRunner<T>(use: (run: Runner) => Promise<T>): Promise<T> {
  let current: Execution | undefined;
  const onRejection = (reason: unknown): void => current?.leak(`unhandled rejection: ${String(reason)}`);
  process.on('unhandledRejection', onRejection);
  using _failed = onEvent('scope:cleanup-failed', (e) => current?.event('cleanup-failed', e.error, e.late));
  using _overran = onEvent('scope:cleanup-overran', () => current?.event('cleanup-overran', undefined));
  using _discarded = onEvent('scope:discarded', (e) => current?.event('discarded', e.error));
  try {
    return await virtualTime((time) =>
      // A scope that nobody cancels gives the sleeps that cancellation does not reach.
      scope((deaf) =>
        use(async (program) => {
          current = new Execution(program, time, (ms) => deaf.sleep(ms));
          return current.finish();
        }),
      ),
    );
  } finally {
    process.off('unhandledRejection', onRejection);
  }
}

class Execution {
  readonly #trace = new Trace();
  readonly #time: VirtualTime;
  readonly #sleepDeaf: (ms: number) => Promise<void>;
  readonly #startedAt: number;
  readonly #program: Program;
  readonly #runs: (Scope | undefined)[] = [];
  readonly #tasks: (Task<unknown> | undefined)[] = [];
  readonly #faults = new Map<object, Fault>();
  readonly #resources = new Map<object, string>();
  readonly #outer = new AbortController();
  #listeners = 0;
  #openScopes = 0;
  #deaf = 0;

  constructor(program: Program, time: VirtualTime, sleepDeaf: (ms: number) => Promise<void>) {
    this.#program = program;
    this.#time = time;
    this.#startedAt = time.now();
    this.#sleepDeaf = sleepDeaf;
  }

  async finish(): Promise<Trace> {
    const { root, outer } = this.#program;
    this.#countListeners();
    if (outer) this.#abortOuter(outer);
    this.#open(root, outer && this.#outer.signal).then(
      () => this.#checkEnd(),
      () => this.#checkEnd(),
    );
    await this.#time.runAll();
    // An abort ends its listeners itself (`once`).
    if (this.#listeners > 0 && !this.#outer.signal.aborted)
      this.leak(`${this.#listeners} listeners on the outer signal`);
    this.#trace.end = this.#now();
    this.#readSuppressed();
    return this.#trace;
  }

  // --- the trace

  #now(): number {
    return this.#time.now() - this.#startedAt;
  }

  #note(site: number, ...entry: unknown[]): void {
    this.#trace.note(site, [this.#now(), ...entry]);
  }

  #outcome(site: number, ...entry: unknown[]): void {
    this.#trace.outcomes[site] = [this.#now(), ...entry];
  }

  event(name: string, error: unknown, late = false): void {
    const fault = this.#fault(error);
    // When a loser is told of, and whether its mere cancellation is, no rule says.
    const isDiscarded = name === 'discarded';
    if (isDiscarded && fault instanceof Fault && fault.kind === 'AbortError') return;
    this.#trace.events.push([isDiscarded ? 0 : this.#now(), name, fault, late]);
  }

  leak(what: string): void {
    this.#trace.leaks.push(what);
  }

  #fault(error: unknown): unknown {
    if (typeof error !== 'object' || error === null) return error;
    let fault = this.#faults.get(error);
    if (!fault) {
      fault = new Fault((error as Error).name);
      this.#faults.set(error, fault);
      if (fault.kind === 'ScopeEndedError') fault.cause = this.#fault((error as Error).cause);
    }
    return fault;
  }

  #value(value: unknown): unknown {
    return typeof value === 'object' && value !== null ? (this.#resources.get(value) ?? value) : value;
  }

  /** The map grows while it is read: what is suppressed may be known by that alone. */
  #readSuppressed(): void {
    for (const [error, fault] of this.#faults)
      fault.suppressed = suppressedErrors(error).map((suppressed) => this.#fault(suppressed));
  }

  // --- what may not be left

  #countListeners(): void {
    const { signal } = this.#outer;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      if (++this.#listeners > 1) this.leak('more than one listener on the outer signal');
      add(...args);
    };
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      this.#listeners--;
      remove(...args);
    };
  }

  #abortOuter({ abortAt, reason }: NonNullable<Program['outer']>): void {
    const abort = (): void => this.#outer.abort(...this.#reason(reason));
    if (abortAt === 0) abort();
    else if (abortAt !== undefined) void this.#sleepDeafly(abortAt).then(abort);
  }

  #checkEnd(): void {
    if (this.#openScopes === 0 && this.#time.pending !== this.#deaf)
      this.leak(`${this.#time.pending - this.#deaf} timers when all scopes had ended`);
  }

  // --- scopes

  #open(frame: Frame, signal: AbortSignal | Scope | undefined): Promise<unknown> {
    this.#openScopes++;
    const result = scope({ ...this.#options(frame), signal }, this.#body(frame));
    result.then(
      (value) => {
        this.#openScopes--;
        this.#outcome(frame.id, 'returned', this.#value(value));
      },
      (error: unknown) => {
        this.#openScopes--;
        this.#outcome(frame.id, 'failed', this.#fault(error));
      },
    );
    return result;
  }

  #options({ id, timeout, cleanupTimeout, value, recover }: Frame): ChildOptions<unknown> {
    return {
      timeout,
      cleanupTimeout,
      ...(value !== undefined && { values: [[KEY, value]] }),
      ...(recover && { recover: (error) => this.#recover(id, recover, error) }),
    };
  }

  #body(frame: Frame): (s: Scope) => unknown {
    return (s) => {
      this.#runs[frame.id] = s;
      this.#note(frame.id, 'start');
      return this.#script({ s, site: frame.id }, frame.body, 'settled');
    };
  }

  #recover(site: number, script: Script, error: unknown): unknown {
    this.#note(site, 'recover', this.#fault(error));
    return this.#script({ s: this.#runs[site] as Scope, site, error: { given: error } }, script);
  }

  #openSync(env: Env, { id, body, recover }: Frame): void {
    const run = (s: SyncScope): unknown => {
      this.#runs[id] = s as Scope;
      this.#note(id, 'start');
      return this.#script({ s: s as Scope, site: id }, body, 'settled');
    };
    try {
      const value = scopeSync<unknown, unknown>(
        recover ? { recover: (error) => this.#recover(id, recover, error) } : {},
        run as never,
      );
      this.#outcome(id, 'returned', this.#value(value));
      this.#note(env.site, 'got', this.#value(value));
    } catch (error) {
      this.#outcome(id, 'failed', this.#fault(error));
      throw error;
    }
  }

  // --- scripts

  #script(env: Env, script: Script, endNote?: string): unknown {
    return script.sync ? this.#plain(env, script, endNote) : this.#async(env, script, endNote);
  }

  #plain(env: Env, script: Script, endNote: string | undefined): unknown {
    try {
      for (const step of script.steps) {
        try {
          this.#step(env, step);
        } catch (error) {
          const handled = this.#caught(env, step.catch, error);
          if (handled) return handled.value;
        }
      }
      return this.#finish(env, script.end);
    } finally {
      if (endNote) this.#note(env.site, endNote);
    }
  }

  async #async(env: Env, script: Script, endNote: string | undefined): Promise<unknown> {
    try {
      for (const step of script.steps) {
        try {
          const wait = this.#step(env, step);
          if (wait) this.#arrived(env, step, await wait);
        } catch (error) {
          const handled = this.#caught(env, step.catch, error);
          if (handled) return handled.value;
        }
      }
      return this.#finish(env, script.end);
    } finally {
      if (endNote) this.#note(env.site, endNote);
    }
  }

  /** `undefined`: the script goes on. */
  #caught(env: Env, handler: Catch | undefined, error: unknown): { value: Value | undefined } | undefined {
    if (!handler) throw error;
    this.#note(env.site, 'caught', this.#fault(error));
    if (handler.how === 'swallow') return undefined;
    if (handler.how === 'return') return { value: handler.value ?? undefined };
    throw handler.how === 'own' ? this.#fresh(handler.error) : this.#wrap(handler.error, handler.depth, error);
  }

  #finish(env: Env, end: End): unknown {
    switch (end.end) {
      case 'return':
        return end.value ?? undefined;
      case 'resource':
        return this.#resource(end.cleanup, () => this.#dispose(env.s, end.cleanup.id, end.cleanup, false));
      case 'throw':
        throw this.#fresh(end.error);
      case 'wrapReason':
        if (env.s.signal.aborted) throw this.#wrap(end.error, end.depth, env.s.signal.reason);
        return undefined;
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
        return Promise.reject(new Error('a promise that nobody handles'));
    }
  }

  #current({ exit, error }: Env): { readonly given: unknown } | undefined {
    if (!exit) return error;
    return exit.ok ? undefined : { given: exit.error };
  }

  /** Does a step; a promise if it has to be waited for. */
  #step(env: Env, step: Step): PromiseLike<unknown> | undefined {
    switch (step.do) {
      case 'sleep':
        return this.#target(env, step.on)?.sleep(step.ms);
      case 'deaf':
        return this.#sleepDeafly(step.ms);
      case 'never':
        return new Promise(() => {});
      case 'defer':
      case 'use':
      case 'adopt':
        this.#register(env, step);
        return undefined;
      case 'go':
        return this.#start(env, step, (s) => s.go(this.#options(step.frame), this.#body(step.frame)));
      case 'race':
        return this.#start(env, step, (s) => s.race(step.frames.map((frame) => this.#body(frame))));
      case 'map':
        return this.#start(env, step, (s) =>
          s.map(step.frames, { concurrency: step.concurrency }, (frame, child) => this.#body(frame)(child)),
        );
      case 'await':
        return this.#tasks[step.task];
      case 'scope': {
        const result = this.#open(step.frame, this.#link(env, step.link));
        return step.float ? undefined : result;
      }
      case 'scopeSync':
        this.#openSync(env, step.frame);
        return undefined;
      case 'later':
        void this.#later(env, step.ms, step.id, step.steps);
        return undefined;
      default:
        this.#atOnce(env, step);
        return undefined;
    }
  }

  /** Steps that never wait. */
  #atOnce(env: Env, step: Step): void {
    switch (step.do) {
      case 'cancelTask':
        this.#tasks[step.task]?.cancel(...this.#reason(step.reason));
        return;
      case 'cancel':
        this.#target(env, step.on)?.cancel(...this.#reason(step.reason));
        return;
      case 'check':
        env.s.throwIfAborted();
        return;
      case 'look': {
        const { aborted, reason } = env.s.signal;
        this.#note(env.site, 'look', aborted, aborted ? this.#fault(reason) : undefined);
        return;
      }
      case 'time':
        this.#note(env.site, 'time', env.s.timeLeft(), env.s.get(KEY));
        return;
      case 'watch': {
        const { signal } = env.s;
        signal.addEventListener('abort', () => this.#note(step.id, 'aborted', this.#fault(signal.reason)));
        return;
      }
      default:
        if (env.exit) this.#verb(env.site, env.exit, step);
    }
  }

  #verb(site: number, exit: Exit, step: Step): void {
    switch (step.do) {
      case 'recover':
        this.#note(
          site,
          'recover',
          this.#fault(step.value === undefined ? exit.recover() : exit.recover(step.value ?? undefined)),
        );
        return;
      case 'set':
        exit.set(step.value ?? undefined);
        return;
      case 'fail':
        this.#fail(exit, step.how, step.error);
        return;
      case 'peek':
        this.#note(site, 'peek', ...this.#view(exit));
        return;
      default:
        throw new Error(`no such step: ${step.do}`);
    }
  }

  #fail(exit: Exit, how: 'own' | 'wrap' | 'same', error: Fresh): void {
    if (how === 'own') exit.fail(this.#fresh(error));
    else if (!exit.ok) exit.fail(how === 'same' ? exit.error : this.#wrap(error, 1, exit.error));
  }

  #view(exit: Exit): unknown[] {
    return [exit.ok, this.#value(exit.value), this.#fault(exit.error), exit.cancelled];
  }

  #arrived(env: Env, step: Step, value: unknown): void {
    if (step.do === 'await')
      this.#note(
        env.site,
        'got',
        ...(Array.isArray(value) ? value.map((item) => this.#value(item)) : [this.#value(value)]),
      );
    else if (step.do === 'sleep' || step.do === 'deaf') this.#note(env.site, 'awake');
  }

  #target(env: Env, on: number | undefined): Scope | undefined {
    return on === undefined ? env.s : this.#runs[on];
  }

  #link(env: Env, link: 'none' | 'scope' | 'signal' | 'outer'): AbortSignal | Scope | undefined {
    if (link === 'scope') return env.s;
    if (link === 'signal') return env.s.signal;
    return link === 'outer' && this.#program.outer ? this.#outer.signal : undefined;
  }

  async #sleepDeafly(ms: number): Promise<void> {
    this.#deaf++;
    await this.#sleepDeaf(ms);
    this.#deaf--;
  }

  async #later(env: Env, ms: number, site: number, steps: readonly Step[]): Promise<void> {
    await this.#sleepDeafly(ms);
    for (const step of steps) this.#verb(site, env.exit as Exit, step);
  }

  #start(
    env: Env,
    { task, on }: { readonly task: number; readonly on?: number },
    start: (s: Scope) => Task<unknown>,
  ): undefined {
    const target = this.#target(env, on);
    if (target) this.#tasks[task] = start(target);
  }

  // --- cleanups

  #register(env: Env, { do: verb, cleanup, on }: Step & { do: 'defer' | 'use' | 'adopt' }): void {
    const target = this.#target(env, on);
    if (!target) return;
    const site = this.#runs.indexOf(target);
    const registering = { now: true };
    try {
      if (verb === 'defer') target.defer((exit) => this.#cleanup(target, site, cleanup, exit, registering.now));
      else this.#registerDisposer(target, verb, cleanup, () => this.#dispose(target, site, cleanup, registering.now));
      this.#note(site, 'registers', cleanup.id);
    } finally {
      registering.now = false;
    }
  }

  #registerDisposer(target: Scope, verb: 'use' | 'adopt', cleanup: Cleanup, dispose: () => unknown): void {
    if (verb === 'use') return this.#expectSame(this.#resource(cleanup, dispose), (resource) => target.use(resource));
    const disposer = (given: unknown): unknown => {
      this.#expectSame(dispose, () => given as typeof dispose);
      return dispose();
    };
    this.#expectSame(dispose, (value) => target.adopt(value, disposer));
  }

  /** `late`: run by `defer` itself, on a scope that has ended. */
  #cleanup(s: Scope, site: number, { id, script }: Cleanup, exit: Exit, late: boolean): unknown {
    if (late) this.#note(site, 'late', id);
    else this.#note(site, 'cleanup', id, ...this.#view(exit));
    return this.#script({ s, site: id, exit }, script, 'cleaned');
  }

  #dispose(s: Scope, site: number, { id, script }: Cleanup, late: boolean): unknown {
    this.#note(site, late ? 'late' : 'dispose', id);
    return this.#script({ s, site: id }, script, 'cleaned');
  }

  #resource(cleanup: Cleanup, dispose: () => unknown): Disposable {
    const resource = (
      cleanup.script.sync ? { [Symbol.dispose]: dispose } : { [Symbol.asyncDispose]: dispose }
    ) as Disposable;
    this.#resources.set(resource, `resource ${cleanup.id}`);
    return resource;
  }

  #expectSame<T>(value: T, pass: (value: T) => T): void {
    if (pass(value) !== value) this.leak('use, adopt or its disposer were given another value');
  }

  // --- errors

  #fresh({ id, kind }: Fresh): unknown {
    if (kind === 'undefined') return undefined;
    if (kind === 'string') return `e${id}`;
    return this.#made(id, kind, hostility[kind](new Error(`e${id}`)));
  }

  #made(id: number, kind: string, error: Error): Error {
    const fault = new Fault(kind, id);
    this.#faults.set(error, fault);
    this.#trace.made[id] = fault;
    return error;
  }

  /** The arguments of `cancel`: none, or the reason. */
  #reason(reason: Fresh | undefined): [] | [unknown] {
    return reason ? [this.#fresh(reason)] : [];
  }

  #wrap({ id }: Fresh, depth: number, cause: unknown): Error {
    const envelope = (link: unknown): Error =>
      link === undefined ? new Error('envelope') : new Error('envelope', { cause: link });
    let link = cause;
    for (let i = 1; i < depth; i++) link = envelope(link);
    return this.#made(id, 'plain', envelope(link));
  }
}

const hostility = {
  plain: (error: Error) => error,
  frozen: (error: Error) => Object.freeze(error),
  hostile: (error: Error) =>
    Object.defineProperty(error, 'cause', {
      get() {
        throw new Error('a getter that throws');
      },
    }),
  cyclic: (error: Error) => Object.assign(error, { cause: error }),
};
