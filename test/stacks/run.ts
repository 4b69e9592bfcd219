/**
 * Runs a script in the real policies, on virtual time, through the public exports alone, and writes down the same trace as the reference.
 * After each script nothing may be left: no timer, no rejection that nobody handles, no abandoned body. Everything that is called must
 * be called in the async context of its own call (P2.7).
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import process from 'node:process';
import {
  abandoned,
  attemptsOf,
  breaker,
  budget,
  bulkhead,
  CircuitOpenError,
  BulkheadFullError,
  constant,
  conflict,
  contextKey,
  decorrelated,
  exponential,
  failWhen,
  fallback,
  HoldfastError,
  layer,
  linear,
  onEvent,
  permanent,
  policy,
  retry,
  scope,
  sequence,
  stoppedBy,
  suppressedErrors,
  timeout,
  TimeoutError,
  transient,
} from '../../src/index.ts';
import type {
  AttemptReport,
  Backoff,
  Breaker,
  BreakerOptions,
  Budget,
  Bulkhead,
  BulkheadOptions,
  Policy,
  RetryOptions,
  Scope,
} from '../../src/index.ts';
import { virtualTime } from '../../src/testing/index.ts';
import { isLateTold, isUsual } from './order.ts';
import type {
  AbortEnd,
  AttemptScript,
  BackoffScript,
  BreakerScript,
  BulkheadScript,
  CallerScript,
  CleanupScript,
  JudgedKind,
  LayerScript,
  Match,
  RetryScript,
  Script,
  Thrown,
} from './script.ts';
import { time, Trace } from './trace.ts';

/** One for all scripts: Node keeps an entry of each storage in the context that called `run`, so with one for each every script is slower than the one before. */
const CALLS = new AsyncLocalStorage<number>();
const PRIORITY = contextKey<number>('priority');

class CommitUnknownError extends HoldfastError {
  static override readonly code: string = 'COMMIT_UNKNOWN';
  readonly code: string = 'COMMIT_UNKNOWN';
}

/** A result, as the operation returns it. */
class Result {
  readonly label: string;
  readonly judged: JudgedKind | undefined;
  readonly status: number | undefined;

  constructor(label: string, judged?: JudgedKind) {
    this.label = label;
    this.judged = judged;
    this.status = judged?.startsWith('status') ? Number(judged.slice(7)) : undefined;
  }
}

/** An error of this kind, as `kinds.ts` describes it. */
export function makeError({ kind, retryAfter }: Thrown, label: string): unknown {
  switch (kind) {
    case 'transient':
      return transient(new Error(label));
    case 'busy':
      return transient(new Error(label), { retryAfter: retryAfter ?? 0 });
    case 'permanent':
      return permanent(new Error(label));
    case 'conflict':
      return conflict(label);
    case 'missing':
      return Object.assign(new Error(label), { status: 404 });
    case 'reset':
      return Object.assign(new Error(label), { code: 'ECONNRESET' });
    case 'coded':
      return Object.assign(new Error(label), { code: 'E_ODD' });
    case 'bug':
      return new TypeError(label);
    case 'aborted':
      return new DOMException(label, 'AbortError');
    case 'commit':
      return new CommitUnknownError(label);
    case 'frozen':
      return Object.freeze(new Error(label));
    case 'text':
      return label;
    case 'nothing':
      return undefined;
    case 'unknown':
    case 'shared':
      return new Error(label);
  }
}

/** A judged result of this kind, as `kinds.ts` describes it. */
export function makeResult(kind: JudgedKind, label: string = kind): unknown {
  return new Result(label, kind);
}

export async function run(script: Script): Promise<Trace> {
  const execution = new Execution(script);
  const onRejection = (reason: unknown): void => execution.leak(`unhandled rejection: ${String(reason)}`);
  process.on('unhandledRejection', onRejection);
  const { warn } = console;
  console.warn = () => execution.warned('on the console');
  const listening = execution.listen();
  try {
    await virtualTime({ seed: script.seed }, async (clock) => {
      execution.begin(() => clock.now());
      await clock.runAll();
      execution.end();
    });
  } catch (error) {
    if ((error as { code?: unknown }).code === 'BAD_OPTION') execution.trace.skip = String(error);
    else execution.leak(String(error));
  } finally {
    process.off('unhandledRejection', onRejection);
    for (const listener of listening) listener[Symbol.dispose]();
    console.warn = warn;
  }
  return execution.trace;
}

class Execution {
  readonly trace = new Trace();
  readonly #script: Script;
  readonly #calls = CALLS;
  readonly #labels = new WeakMap<object, string>();
  readonly #kinds = new WeakMap<object, string>();
  readonly #shared = new Error('shared');
  #now: () => number = () => 0;
  /** Whose promise has not been given out. */
  #starting: number | undefined;
  #budgets: Budget[] = [];
  #breakers: Breaker[] = [];
  #bulkheads: Bulkhead[] = [];
  #stacks: Policy<unknown>[] = [];
  /** To tell at the end what is kept beside the errors that callers were thrown. */
  /** The number of the newest attempt, by caller. */
  readonly #attempts = new Map<number, number>();
  /** What hooks threw. */
  readonly #hooks = new WeakSet<object>();
  /** In whose place a fallback has thrown it. */
  readonly #replaced = new WeakMap<object, { readonly error: unknown }>();
  readonly #besides: (() => void)[] = [];
  #unsettled = 0;

  constructor(script: Script) {
    this.#script = script;
    this.#labels.set(this.#shared, 'shared');
    this.#kinds.set(this.#shared, 'shared');
  }

  begin(now: () => number): void {
    this.#now = now;
    const { budgets, breakers, bulkheads, stacks, callers, admin } = this.#script;
    this.#budgets = budgets.map((options) => budget(options));
    this.#breakers = breakers.map((options, i) => this.#breaker(options, `breaker ${i}`));
    this.#bulkheads = bulkheads.map((options, i) => this.#bulkhead(options, `bulkhead ${i}`));
    this.#stacks = stacks.map((layers) => this.#stack(layers.map((layer) => this.#layer(layer))));
    for (const { at, breaker: which, does } of admin) void later(at, () => this.#breakers[which]?.[does]());
    callers.forEach((caller, number) => {
      this.#unsettled++;
      void this.#calls.run(number, () =>
        later(caller.at, () => this.#caller(caller, number).finally(() => this.#unsettled--)),
      );
    });
  }

  end(): void {
    this.#budgets.forEach((it, i) => this.trace.note('end', `budget ${i}: ${time(it.tokens)}`));
    this.#bulkheads.forEach((it, i) =>
      this.trace.note('end', `bulkhead ${i}: ${it.inFlight} in flight, ${it.waiting} waiting`),
    );
    this.#breakers.forEach((it, i) => this.trace.note('end', `breaker ${i}: ${it.state}`));
    for (const tell of this.#besides) tell();
    this.trace.note('end', `${abandoned()} abandoned`);
    this.trace.note('end', `at ${time(this.#now())}`);
    if (this.#unsettled > 0) this.leak(`${this.#unsettled} callers have not settled`);
  }

  leak(what: string): void {
    this.trace.note('leaks', what);
  }

  listen(): readonly Disposable[] {
    const dry = (dryRun: boolean): string => (dryRun ? ', dry run' : '');
    return [
      onEvent('policy:warning', ({ warning }) => {
        // The others are of the order of layers, and say nothing of what calls do.
        if (warning === 'not-idempotent') this.warned('by an event');
      }),
      onEvent('breaker:transition', ({ name, from, to }) => this.#note(String(name), `${from} → ${to}`)),
      onEvent('breaker:refused', ({ name, state, retryAfterMs, dryRun }) =>
        this.#note(String(name), `refuses: ${state}, ${time(retryAfterMs)}${dry(dryRun)}`),
      ),
      onEvent('bulkhead:refused', ({ name, reason, dryRun }) =>
        this.#note(String(name), `refuses: ${reason}${dry(dryRun)}`),
      ),
      onEvent('retry:scheduled', ({ name, attempt, delayMs, error }) =>
        this.#event(name, () => `retries after attempt ${attempt} in ${time(delayMs)}: ${this.#labelOf(error)}`),
      ),
      onEvent('retry:gave-up', ({ name, stoppedBy: by }) => this.#event(name, () => `gives up: ${by}`)),
      onEvent('timeout:late', ({ name, number, ok, value, error }) =>
        this.#event(
          name,
          () => (this.#isLateTold() ? `attempt ${number}: ${this.#labelOf(ok ? value : error)}` : undefined),
          'late',
        ),
      ),
    ];
  }

  /** Labels of errors depend on whose they are. */
  #event(name: string | undefined, line: () => string | undefined, list = 'events'): void {
    const text = this.#calls.run(Number(name), line);
    if (text !== undefined) this.#note(`${list} of ${name}`, text);
  }

  /** P3.10. */
  warned(how: string): void {
    this.#note('warnings', how);
  }

  #note(list: string, line: string): void {
    this.trace.note(list, `${time(this.#now())} ${line}`);
  }

  // --- policies

  #stack(layers: readonly Policy<unknown>[]): Policy<unknown> {
    const [first, second, ...rest] = layers;
    if (!this.#script.nested || !first || !second) return policy(...layers);
    return policy(policy(first, second), this.#stack(rest));
  }

  #breaker({ cooldowns, judge, ...options }: BreakerScript, name: string): Breaker {
    const cooldown: BreakerOptions['cooldown'] =
      cooldowns.length === 1 ? cooldowns[0] : (opens) => cooldowns[Math.min(opens, cooldowns.length) - 1] as number;
    return breaker({
      ...options,
      cooldown,
      name,
      ...(judge && {
        judge: ({ ok, error }) => {
          const said = judge[ok ? 'value' : this.#kindOf(error)];
          if (said === 'throws') throw this.#hook('judge');
          return said;
        },
      }),
    });
  }

  #bulkhead({ priority, ...options }: BulkheadScript, name: string): Bulkhead {
    const rank: BulkheadOptions['priority'] =
      priority === 'attempt' ? (call) => call.attempt : (call) => call.get(PRIORITY) ?? 0;
    return bulkhead({ ...options, name, ...(priority && { priority: rank }) });
  }

  #layer(script: LayerScript): Policy<unknown> {
    switch (script.type) {
      case 'retry':
        return this.#retry(script);
      case 'timeout':
        return timeout(script.after, { grace: script.grace ?? Infinity, detach: script.detach });
      case 'breaker':
        return this.#breakers[script.which] as Breaker;
      case 'bulkhead':
        return this.#bulkheads[script.which] as Bulkhead;
      case 'layer':
        return layer({ name: 'own', run: (next) => next() as unknown });
      case 'failWhen':
        return failWhen((result: unknown) => {
          if (this.#attempts.get(this.#calls.getStore() ?? -1) === script.throws) throw this.#hook('failWhen');
          return result instanceof Result && result.judged !== undefined;
        });
      case 'fallback': {
        const { fn } = script;
        if (!fn) return fallback('fallback');
        return fallback((error) => {
          const caller = this.#calls.getStore();
          const own = fn.fails && this.#error(fn.fails, `${caller}.fallback`);
          if (typeof own === 'object') this.#replaced.set(own as object, { error });
          if (fn.fails) throw own;
          return 'fallback';
        });
      }
    }
  }

  #retry(layer: RetryScript): Policy {
    const options: RetryOptions = {
      attempts: layer.attempts,
      backoff: backoffOf(layer.backoff),
      retryOn: layer.retryOn?.map((match: Match) => (match === 'TypeError' ? TypeError : match)),
      idempotent: layer.idempotent,
      budget: typeof layer.budget === 'number' ? this.#budgets[layer.budget] : layer.budget,
      maxElapsed: layer.maxElapsed,
      minAttemptTime: layer.minAttemptTime,
      maxRetryAfter: layer.maxRetryAfter,
    };
    const { retryIf, onRetryThrows } = layer;
    return retry({
      ...options,
      ...(retryIf && {
        retryIf: (error) => {
          const said = retryIf[this.#kindOf(error)];
          if (said === 'throws') throw this.#hook('retryIf');
          return said;
        },
      }),
      ...(onRetryThrows && {
        onRetry: ({ attempt }) => {
          if (attempt === onRetryThrows) throw this.#hook('onRetry');
        },
      }),
    });
  }

  #hook(name: string): Error {
    const number = this.#calls.getStore() ?? -1;
    const error = this.#name(new Error(name), `${name}@${number}`, 'unknown');
    this.#hooks.add(error);
    return error;
  }

  // --- callers

  async #caller(caller: CallerScript, number: number): Promise<void> {
    const list = `caller ${number}`;
    const controller = new AbortController();
    const reason = this.#name(new Error('reason'), `reason@${number}`, 'unknown');
    const aborts = caller.abortAfter ?? Infinity;
    const quiet = new AbortController();
    if (aborts < 0) controller.abort(reason);
    else if (aborts < Infinity) void later(aborts, () => controller.abort(reason), quiet.signal);
    try {
      if (!caller.scope) return await this.#call(caller, number, controller.signal);
      await this.#inScope(caller, number, controller.signal).then(
        () => this.#note(list, 'scope ends: ok'),
        (error: unknown) => this.#note(list, `scope ends: ${this.#labelOf(error)}`),
      );
    } finally {
      quiet.abort();
    }
  }

  #inScope(caller: CallerScript, number: number, signal: AbortSignal): Promise<void> {
    const { timeout: ms, cleanup, linkBy } = caller.scope as NonNullable<CallerScript['scope']>;
    const options = { signal, timeout: ms, values: [[PRIORITY, caller.priority]] as const };
    return scope({ ...options, values: [...options.values] }, async (s) => {
      if (cleanup) s.defer(() => this.#note(`operation ${number}`, 'cleanup of the scope'));
      await this.#call(caller, number, linkBy === 'scope' ? s : s.signal);
    });
  }

  async #call(caller: CallerScript, number: number, signal: AbortSignal | Scope): Promise<void> {
    const list = `caller ${number}`;
    const stack = this.#stacks[caller.stack] as Policy<unknown>;
    const operation = (s: Scope): unknown => this.#operation(caller, number, s);
    const options = { signal, idempotent: caller.idempotent, name: String(number) };
    let attempts: readonly AttemptReport[] | undefined;
    let stopped: string | undefined;
    let thrown: unknown;
    if (caller.by === 'settle') {
      const outcome = await this.#start(number, () => stack.settle(operation, options));
      this.#note(list, `settled: ${outcome.ok ? this.#labelOf(outcome.value) : this.#thrown(outcome.error)}`);
      ({ attempts, stoppedBy: stopped } = outcome);
      thrown = outcome.ok ? undefined : outcome.error;
    } else {
      try {
        this.#note(list, `settled: ${this.#labelOf(await this.#start(number, () => stack.run(operation, options)))}`);
      } catch (error) {
        this.#note(list, `settled: ${this.#thrown(error)}`);
        if (!this.#tells(error)) return;
        thrown = error;
        attempts = attemptsOf(error);
        stopped = stoppedBy(error);
      }
      if (attempts === undefined) return;
    }
    if (this.#hooks.has(thrown as object) && !isUsual(this.#script.stacks[caller.stack] ?? [])) return;
    this.#note(list, `stopped by ${stopped}`);
    for (const attempt of attempts ?? []) this.#note(list, this.#attempt(attempt));
  }

  /** P1.5. */
  #start<T>(number: number, call: () => T): T {
    this.#starting = number;
    try {
      return call();
    } finally {
      this.#starting = undefined;
    }
  }

  /** Whether `attemptsOf` can tell of it for sure (P2.2); so it is for what it tells that in the place of. */
  #tells(error: unknown): boolean {
    if (typeof error !== 'object' || error === null || error === this.#shared || error instanceof Result) return false;
    const replaced = this.#replaced.get(error);
    return replaced === undefined || this.#tells(replaced.error);
  }

  #attempt({ number, error, verdict, delayMs, refused, abandoned: let_go }: AttemptReport): string {
    return `attempt ${number}: ${this.#labelOf(error)}, ${verdict}, after ${time(delayMs)}${refused ? ', refused' : ''}${let_go ? ', abandoned' : ''}`;
  }

  // --- operations

  #operation(caller: CallerScript, number: number, s: Scope): unknown {
    const { attempt } = s;
    const site = `${number}.${attempt}`;
    const previous = attempt > 1 ? `, after ${this.#labelOf(s.previousError)}` : '';
    const atOnce = this.#starting === number ? ', in the call' : '';
    this.#note(`operation ${number}`, `starts attempt ${attempt} until ${time(s.deadline)}${previous}${atOnce}`);
    this.#attempts.set(number, attempt);
    this.#inContext(number);
    const script = caller.attempts[Math.min(attempt, caller.attempts.length) - 1] as AttemptScript;
    script.cleanups.forEach((cleanup, i) => this.#defer(s, cleanup, number, `${site}.${i}`));
    if (script.after === undefined) return this.#end(script.end, site, s);
    return new Promise((resolve, reject) => {
      let settled = false;
      const settle = (end: AbortEnd): void => {
        settled = true;
        try {
          resolve(this.#end(end, site, s));
        } catch (error) {
          reject(error);
        }
      };
      const waiting = new AbortController();
      void later(script.after as number, () => settle(script.end), waiting.signal);
      const { onAbort } = script;
      if (!onAbort) return;
      s.signal.addEventListener('abort', () => {
        this.#inContext(number);
        if (settled) return;
        waiting.abort();
        if (onAbort.after === 0) settle(onAbort.end);
        else void later(onAbort.after, () => settle(onAbort.end));
      });
    });
  }

  #defer(s: Scope, cleanup: CleanupScript, number: number, site: string): void {
    s.defer((exit) => {
      this.#inContext(number);
      const clean = (): void => {
        this.#note(`operation ${number}`, `cleanup ${site}`);
        if (cleanup.recovers && !exit.ok) exit.recover(new Result(`recovered@${site}`));
        if (cleanup.fails) throw this.#error(cleanup.fails, site);
      };
      return cleanup.after === undefined ? clean() : later(cleanup.after, clean);
    });
  }

  #end(end: AbortEnd, site: string, s: Scope): unknown {
    switch (end.as) {
      case 'value':
        return this.#result(new Result(`value@${site}`), site, end.disposable);
      case 'judged':
        return this.#result(new Result(`${end.kind}@${site}`, end.kind), site, end.disposable);
      case 'error':
        throw this.#error(end.error, site);
      case 'reason':
        throw s.signal.reason;
      case 'envelope':
        throw envelope(s.signal.reason, end.depth);
    }
  }

  #result(result: Result, site: string, disposable: boolean | undefined): Result {
    if (!disposable) return result;
    const list = `operation ${site.split('.')[0]}`;
    return Object.assign(result, { [Symbol.dispose]: () => this.#note(list, `disposes of ${result.label}`) });
  }

  #error(thrown: Thrown, site: string): unknown {
    if (thrown.kind === 'shared') return this.#shared;
    const label = `${thrown.kind}@${site}`;
    const error = makeError(thrown, label);
    return typeof error === 'object' && error !== null ? this.#name(error, label, thrown.kind) : error;
  }

  #name<T extends object>(error: T, label: string, kind: string): T {
    this.#labels.set(error, label);
    this.#kinds.set(error, kind);
    return error;
  }

  #inContext(number: number): void {
    if (this.#calls.getStore() !== number) this.leak(`called in the context of ${this.#calls.getStore()}`);
  }

  #isLateTold(): boolean {
    const { callers, stacks } = this.#script;
    return isLateTold(stacks[callers[this.#calls.getStore() ?? 0]?.stack ?? 0] ?? []);
  }

  // --- names

  #thrown(error: unknown): string {
    const tell = (): void => this.trace.note(`caller ${this.#calls.getStore()}`, this.#beside(error));
    this.#besides.push(AsyncLocalStorage.bind(tell));
    return `throws ${this.#labelOf(error)}`;
  }

  #beside(error: unknown): string {
    const others = suppressedErrors(error).map((other) => this.#labelOf(other));
    const isOurs = this.#labels.has(error as object) && error instanceof Error;
    const cause = isOurs && 'cause' in error ? ` because of ${this.#labelOf(error.cause)}` : '';
    return `at the end ${this.#labelOf(error)} beside ${others.join(', ')}${cause}`;
  }

  #labelOf(it: unknown): string {
    if (it === 'fallback') return `fallback@${this.#calls.getStore()}`;
    if (typeof it !== 'object' || it === null) return String(it);
    if (it instanceof Result) return it.label;
    const label = this.#labels.get(it);
    if (label !== undefined) return label;
    if (it instanceof TimeoutError) return `TimeoutError ${time(it.timeoutMs)}${it.abandoned ? ' abandoned' : ''}`;
    if (it instanceof CircuitOpenError) return `CircuitOpenError ${it.state} ${time(it.retryAfterMs)}`;
    if (it instanceof BulkheadFullError) return `BulkheadFullError ${it.reason}`;
    return `a stranger: ${String(it)}`;
  }

  #kindOf(it: unknown): string {
    if (it === undefined) return 'nothing';
    if (typeof it === 'string') return 'text';
    if (it instanceof Result) return String(it.judged);
    return this.#kinds.get(it as object) ?? (it as Error).name;
  }
}

/** How Node's own functions report an abort. */
function envelope(reason: unknown, depth: number): Error {
  const cause = depth === 1 ? reason : envelope(reason, depth - 1);
  return new Error('envelope', { cause });
}

/** Does it when the time has come, on virtual time, linked to nothing but `signal`. */
async function later<T>(ms: number, fn: () => T | Promise<T>, signal?: AbortSignal): Promise<T | undefined> {
  try {
    await scope({ signal }, (s) => s.sleep(ms));
  } catch (error) {
    if (signal?.aborted) return undefined;
    throw error;
  }
  return fn();
}

function backoffOf(backoff: BackoffScript): Backoff {
  switch (backoff.type) {
    case 'constant':
      return constant(backoff.delay, { jitter: backoff.jitter });
    case 'linear':
      return linear(backoff.step, { cap: backoff.cap, jitter: backoff.jitter });
    case 'exponential':
      return exponential(backoff.base, { factor: backoff.factor, cap: backoff.cap, jitter: backoff.jitter });
    case 'decorrelated':
      return decorrelated(backoff.base, { cap: backoff.cap });
    case 'sequence':
      return sequence(backoff.delays);
  }
}
