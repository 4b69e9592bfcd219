/** The root of a program. */
import process from 'node:process';
import { inspect } from 'node:util';
import {
  clearTimer,
  clock,
  durationOption,
  MAX_DELAY_MS,
  nextTurn,
  optionsAndBody,
  setTimer,
  suppressedErrors,
  Timer,
  type Duration,
  type TimerHandle,
} from '../foundation/index.ts';
import { Context, contextOfSignal, RunningScope, scope, type Scope } from '../scope/index.ts';

/** Options of `runMain`. */
export interface MainOptions {
  /** How long body and cleanups may take after a signal ['10s']. */
  readonly grace?: Duration | undefined;
}

/** What a shell shows for a program that a signal ended: 128 and the signal's number. */
const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const;

type Signal = keyof typeof EXIT_CODES;

let running = false;

/** Looks whether the process ends by itself after a `runMain`. */
let watchdog: TimerHandle | undefined;

/**
 * Runs `body` as the root of the program, in a scope that SIGINT and SIGTERM cancel.
 *
 * After a signal, body and cleanups get `grace`; then their shields fall too, what still runs is named on standard error, and the process exits. A second signal
 * exits at once. Exit code: 0 when the body returned, 1 when it failed (the error and all that it suppressed are printed), 130 after SIGINT, 143 after SIGTERM; 1 again
 * if the body answered the signal with an error of its own.
 *
 * Without a signal the process is not made to exit: it ends by itself when nothing holds it. If something still does after `grace`, it is named and the process exits.
 *
 * @returns a promise that settles when the scope has ended; it never rejects
 * @throws {TypeError | RangeError} code `BAD_OPTION`; an `Error` when another `runMain` is still running
 * @example no-run: it serves until a signal comes
 * await runMain({ grace: '5s' }, async (s) => {
 *   s.use(createServer((_, response) => response.end('hello\n')).listen(8080)); // closed when the scope ends
 *   await s.sleep(Infinity); // until SIGINT or SIGTERM
 * });
 */
export function runMain(body: (s: Scope) => unknown): Promise<void>;
export function runMain(options: MainOptions, body: (s: Scope) => unknown): Promise<void>;
export function runMain(first: MainOptions | ((s: Scope) => unknown), second?: (s: Scope) => unknown): Promise<void> {
  const [options, body] = optionsAndBody<MainOptions, (s: Scope) => unknown>('runMain', ['grace'], first, second);
  const graceMs = durationOption('grace', options.grace ?? '10s');
  if (running) throw new Error('runMain: another runMain is still running; a program has one root');
  running = true;
  clearTimer(watchdog);
  return main(body, graceMs);
}

async function main(body: (s: Scope) => unknown, graceMs: number): Promise<void> {
  const controller = new AbortController();
  const grace = new Grace(controller.signal, graceMs);
  let exitCode: number | undefined;
  const onSignal = (signal: Signal): void => {
    if (grace.signal !== undefined) process.exit(EXIT_CODES[signal]);
    grace.begin(signal);
    controller.abort(new DOMException(`${signal} was received`, 'AbortError'));
  };
  /** Node is about to end the process, since nothing that it knows of is left to wait for. */
  const onIdle = (): void => {
    process.exitCode = exitCode = 1;
    console.error(
      `holdfast: nothing is left that could wake these: ${describe(scopesBelow(controller.signal))}. Cancelled.`,
    );
    controller.abort(new Error('main waits for something that cannot come'));
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  process.once('beforeExit', onIdle);
  try {
    await scope({ signal: controller.signal, name: 'main' }, body);
  } catch (error) {
    if (grace.signal === undefined || error !== controller.signal.reason) {
      exitCode = 1;
      print(`main failed: ${show(error)}`, error);
    } else if (suppressedErrors(error).length > 0) {
      print(`${grace.signal} was received; besides:`, error);
    }
  } finally {
    grace.leave();
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
    process.off('beforeExit', onIdle);
    running = false;
  }
  if (grace.signal !== undefined) exitCode ??= EXIT_CODES[grace.signal];
  if (exitCode !== undefined) process.exitCode = exitCode;
  exitUnlessIdle(graceMs);
}

/** The time that is left after a signal. */
class Grace extends Timer {
  signal: Signal | undefined;
  private readonly source: AbortSignal;
  private readonly graceMs: number;

  constructor(source: AbortSignal, graceMs: number) {
    super();
    this.source = source;
    this.graceMs = graceMs;
  }

  begin(signal: Signal): void {
    this.signal = signal;
    if (this.graceMs < Infinity) clock.start(this, this.graceMs);
  }

  override fire(): void {
    const signal = this.signal as Signal;
    const scopes = scopesBelow(this.source);
    console.error(`holdfast: ${this.graceMs} ms after ${signal} these have not ended: ${describe(scopes)}. Exiting.`);
    for (const s of scopes) s.shield?.cancel(new DOMException(`The grace after ${signal} is over`, 'AbortError'));
    void nextTurn().then(() => process.exit(EXIT_CODES[signal]));
  }
}

/** Every scope that hangs below a signal and has not ended, and below the cleanups of those. */
function scopesBelow(signal: AbortSignal): RunningScope[] {
  const scopes: RunningScope[] = [];
  const contexts = [contextOfSignal(signal)]; // grows while it is walked through
  for (const { owner, first } of contexts) {
    if (owner instanceof RunningScope) {
      scopes.push(owner);
      if (owner.shield !== null) contexts.push(owner.shield);
    }
    for (let link = first; link !== null; link = link.next) if (link instanceof Context) contexts.push(link);
  }
  return scopes;
}

/** More than this nobody reads. */
const MAX_NAMED = 20;

function describe(scopes: readonly RunningScope[]): string {
  const names = scopes.slice(0, MAX_NAMED).map((s) => {
    const name = s.name === undefined ? 'a scope without a name' : `scope "${s.name}"`;
    return `${name} (${s.unwinding ? 'cleaning up' : 'running'})`;
  });
  return scopes.length > MAX_NAMED ? `${names.join(', ')} and ${scopes.length - MAX_NAMED} more` : names.join(', ');
}

/** Tells of a failure, and under it of all that it suppressed, and of what those suppressed. */
function print(title: string, error: unknown, depth = 0, seen = new Set<unknown>()): void {
  seen.add(error);
  const others = suppressedErrors(error).filter((other) => !seen.has(other));
  console.error(`holdfast: ${'  '.repeat(depth)}${title}`);
  for (const other of others) print(`besides: ${show(other)}`, other, depth + 1, seen);
}

function show(error: unknown): string {
  try {
    return inspect(error);
  } catch (hostile) {
    return `an error that cannot be shown (${String((hostile as Error | undefined)?.message)})`;
  }
}

/** Something outside the scope may keep the process open: a server, a connection, a timer. It is named, not waited for. */
function exitUnlessIdle(graceMs: number): void {
  if (graceMs > MAX_DELAY_MS) return;
  watchdog = setTimer(() => {
    console.error(
      `holdfast: main ended ${graceMs} ms ago, but the process is kept open by: ${process.getActiveResourcesInfo().join(', ')}. Exiting.`,
    );
    process.exit();
  }, graceMs);
  if (typeof watchdog === 'object') watchdog.unref();
}
