/** The layer `bulkhead`: its options, and who waits. The counts are in `cell`, the queue in `queue`, what moves the limit in `adaptive`. */
import {
  checkFunction,
  checkOption,
  checkOptions,
  clock,
  durationOption,
  rangeOf,
  type Duration,
} from '../../foundation/index.ts';
import type { Scope } from '../../scope/index.ts';
import type { Attempt } from '../run/attempt.ts';
import { effectOf } from '../run/effect.ts';
import type { AttemptRecord } from '../run/history.ts';
import { WAIT, type Gate } from '../run/layer.ts';
import { Policy } from '../run/policy.ts';
import { AdaptiveCell, type AdaptiveAlgorithm, type AdaptiveSettings } from './adaptive.ts';
import { BulkheadFullError, type BulkheadRefusal } from './bulkhead-full-error.ts';
import { BulkheadCell, type BulkheadSnapshot } from './cell.ts';
import { bulkheadLimit, bulkheadRefused } from './events.ts';
import { Queue, Waiter } from './queue.ts';

/** What `priority` is told of the call: values by `get`, the time that is left. */
export type Waiting = Pick<Scope, 'attempt' | 'previousError' | 'get' | 'timeLeft'>;

/** How an adaptive bulkhead finds its limit. */
export interface AdaptiveOptions {
  /** By how long calls take (`'vegas'`), or by whether they are in time (`'aimd'`). */
  readonly algorithm: AdaptiveAlgorithm;
  /** Where the limit begins [20, or the nearest that `min` and `limit` allow]. From `min` to `limit`. */
  readonly initial?: number | undefined;
  /** What it does not go below [1]. From 1 to `limit`. */
  readonly min?: number | undefined;
  /** How often it moves at most [1 s]. Above 0. */
  readonly window?: Duration | undefined;
  /** Of `'aimd'`: a mean latency above this is too long [5 s]. */
  readonly over?: Duration | undefined;
}

/** Options of `bulkhead`. */
export interface BulkheadOptions {
  /** How many attempts at once; of an adaptive one, how many at most. From 1. */
  readonly limit: number;
  /** How many more may wait [0]. `Infinity` is allowed. */
  readonly queue?: number | undefined;
  /** How long each may wait [no limit]. */
  readonly maxWait?: Duration | undefined;
  /** Who goes first: higher before lower, equal ones first come first served [all equal]. */
  readonly priority?: ((call: Waiting) => number) | undefined;
  /** Has the limit follow how calls fare [it stays]. */
  readonly adaptive?: AdaptiveAlgorithm | AdaptiveOptions | undefined;
  /** Lets everything pass, and tells by its events what it would have refused [false]. Nothing waits then. */
  readonly dryRun?: boolean | undefined;
  /** What `toJSON` gave: how long work takes, and where the limit was [unknown]. */
  readonly restore?: unknown;
  /** For events, errors and `String(policy)` ['bulkhead']. */
  readonly name?: string | undefined;
}

const OPTIONS = ['limit', 'queue', 'maxWait', 'priority', 'adaptive', 'dryRun', 'restore', 'name'] as const;

/** A layer that bounds how many attempts run at once. Made by `bulkhead`; shared by every policy that it is put in. */
export class Bulkhead extends Policy {
  readonly name: string;
  private readonly gate: BulkheadGate;

  /** @internal */
  constructor(gate: BulkheadGate) {
    super([gate]);
    this.gate = gate;
    this.name = gate.name;
  }

  /** How many attempts at once: what was given, or where an adaptive one is now. */
  get limit(): number {
    return this.gate.cell.limit;
  }

  /** Permits that are taken, by abandoned work too; more than `limit` when that has just become less. */
  get inFlight(): number {
    return this.gate.cell.inFlight;
  }

  /** How many wait. */
  get waiting(): number {
    return this.gate.cell.waiting;
  }

  /** What it has learned, to save; `JSON.stringify` calls it. Goes into the option `restore`. */
  toJSON(): BulkheadSnapshot {
    return this.gate.snapshot();
  }
}

interface BulkheadSettings {
  readonly limit: number;
  readonly queue: number;
  readonly maxWaitMs: number;
  readonly priority: BulkheadOptions['priority'];
  readonly adaptive: AdaptiveSettings | null;
  readonly dryRun: boolean;
}

const now = (): number => clock.now();
const random = (): number => clock.random();

/** As for a breaker (P6.6): who gave a call less than that has not waited for an answer. */
const BLAME_AFTER_MS = 100;

class BulkheadGate implements Gate {
  readonly kind = 'gate';
  readonly type = 'bulkhead';
  readonly timesCalls: boolean;
  readonly blames = false;
  readonly hasHook = false;
  readonly name: string;
  readonly cell: BulkheadCell;
  private readonly adaptive: AdaptiveCell | null;
  private readonly settings: BulkheadSettings;
  private readonly queue = new Queue();
  private readonly text: string;

  constructor(settings: BulkheadSettings, name: string, text: string) {
    // In a dry run all are let in; the cell has to count them all the same.
    this.cell = new BulkheadCell(settings);
    this.adaptive = settings.adaptive === null ? null : new AdaptiveCell(settings.adaptive);
    this.timesCalls = settings.adaptive !== null;
    this.settings = settings;
    this.name = name;
    this.text = text;
  }

  toString(): string {
    return this.text;
  }

  enter(attempt: Attempt): undefined | typeof WAIT | Error {
    const { dryRun, queue } = this.settings;
    if (this.cell.inFlight < this.cell.limit) return void this.cell.enter(); // the hot one
    // Asked before a place is taken: it is the user's, and may throw, or have somebody leave who waits.
    const priority = !dryRun && this.cell.waiting < queue ? this.priorityOf(attempt) : 0;
    const answer = this.cell.enter();
    if (answer === 'entered') return undefined; // `priority` has made room
    if (dryRun) return this.letPass(answer);
    return answer === 'full' ? this.refusal('full') : this.queueUp(attempt, priority);
  }

  private priorityOf(attempt: Attempt): number {
    const { priority } = this.settings;
    const level: unknown = priority?.(attempt) ?? 0;
    const isLevel = typeof level === 'number' && !Number.isNaN(level);
    checkOption(isLevel, 'priority', level, 'a function that gives a number');
    return level;
  }

  private letPass(answer: 'queued' | 'full'): undefined {
    const { cell, settings } = this;
    if (answer === 'queued') cell.abandonPlace();
    // Nobody waits in a dry run: those above the limit stand for who would.
    if (cell.inFlight >= cell.limit + settings.queue) void this.refusal('full');
    cell.inFlight++;
    return undefined;
  }

  private queueUp(attempt: Attempt, priority: number): typeof WAIT | Error {
    const { deadlineMs } = attempt.call;
    if (deadlineMs < Infinity) {
      const waitMs = this.cell.expectedWaitMs(this.queue.place(priority));
      if (waitMs > 0 && clock.now() + waitMs > deadlineMs) {
        this.cell.abandonPlace();
        return this.refusal('deadline');
      }
    }
    const waiter = new Waiter(attempt, this, priority);
    this.queue.add(waiter);
    const { maxWaitMs } = this.settings;
    if (maxWaitMs < Infinity) waiter.expireAfter(maxWaitMs);
    attempt.call.awaited = waiter;
    return WAIT;
  }

  private refusal(reason: BulkheadRefusal): Error {
    const { queue, dryRun } = this.settings;
    const { limit } = this.cell;
    if (bulkheadRefused.observed) bulkheadRefused.emit({ name: this.name, limit, queue, reason, dryRun });
    return new BulkheadFullError(this.name, limit, queue, reason);
  }

  /** What the attempt came to moves the limit; its permit follows the work. */
  decided(attempt: Attempt, failed: AttemptRecord | null): void {
    if (this.adaptive !== null) this.adapt(this.adaptive, attempt, failed);
  }

  private adapt(adaptive: AdaptiveCell, attempt: Attempt, failed: AttemptRecord | null): void {
    const dropped = failed !== null && isDropped(attempt, failed);
    if (failed !== null && !dropped) return; // it may have failed sooner than work takes
    const nowMs = clock.now();
    const from = this.cell.limit;
    // Its permit was given back just before.
    if (!adaptive.ended(nowMs - attempt.startedMs!, dropped, this.cell.inFlight + 1, nowMs, random)) return;
    this.resize(adaptive.limit);
    if (bulkheadLimit.observed) bulkheadLimit.emit({ name: this.name, from, to: adaptive.limit });
  }

  private resize(limit: number): void {
    this.cell.resize(limit);
    while (this.cell.admitWaiter()) this.queue.shift().grant();
  }

  release(): void {
    if (this.cell.leave(now)) this.queue.shift().grant();
  }

  snapshot(): BulkheadSnapshot {
    const snapshot = this.cell.snapshot();
    return this.adaptive === null ? snapshot : { ...snapshot, adaptive: this.adaptive.snapshot() };
  }

  /** @throws {TypeError | RangeError} code `BAD_OPTION` */
  restore(snapshot: unknown): void {
    this.cell.restore(snapshot);
    const { adaptive } = snapshot as BulkheadSnapshot;
    if (this.adaptive === null || adaptive === undefined) return;
    this.adaptive.restore(adaptive);
    this.resize(this.adaptive.limit);
  }

  isAtRest(): boolean {
    return this.cell.inFlight === 0; // and then nobody waits
  }

  /** The waiter will not come in. */
  left(waiter: Waiter): void {
    this.queue.remove(waiter);
    this.cell.abandonPlace();
  }

  overdue(waiter: Waiter): Error {
    this.left(waiter);
    return this.refusal('maxWait');
  }
}

/** P7.9. */
function isDropped(attempt: Attempt, failed: AttemptRecord): boolean {
  const effect = effectOf(attempt, failed, BLAME_AFTER_MS);
  const { verdict, code, retryAfterMs } = failed.classification;
  // An error of which nothing is known says nothing of load.
  if (effect === 'failure') return verdict !== 'unknown';
  // A healthy server that was asked too often, or asks to come later.
  return effect === 'success' && (code === '429' || retryAfterMs !== undefined);
}

/**
 * Bounds how many attempts run at once, and how many wait for that, so that one slow dependency does not take everything a program has.
 *
 * A permit follows the work: it is given back when the attempt has settled and unwound, also when its caller was let go before. It goes to the first
 * waiter directly.
 *
 * On abort: a waiter leaves the queue at once.
 *
 * @throws {TypeError | RangeError} code `BAD_OPTION`, when the layer is made
 * @example
 * const database = bulkhead({ limit: 10, queue: 50, name: 'database' });
 * await database.run(() => 'row'); // 'row'
 */
export function bulkhead(options: BulkheadOptions): Bulkhead {
  checkOptions('bulkhead', OPTIONS, options);
  const { limit, queue = 0, maxWait = Infinity, priority, adaptive, dryRun = false, name = 'bulkhead' } = options;
  checkCount('limit', limit, 1);
  checkCount('queue', queue, 0);
  if (priority !== undefined) checkFunction('priority', priority);
  checkOption(typeof dryRun === 'boolean', 'dryRun', dryRun, 'true or false');
  checkOption(typeof name === 'string', 'name', name, 'a string');
  const maxWaitMs = durationOption('maxWait', maxWait);
  const adapts = adaptive === undefined ? null : adaptiveSettings(adaptive, limit);
  const permits = adapts === null ? String(limit) : `${adapts.min}‥${limit}`;
  const text = [
    options.name === undefined ? 'bulkhead' : `bulkhead ${name}`,
    queue === 0 ? permits : `${permits}+${queue}`,
    ...(adapts === null ? [] : [adapts.algorithm]),
  ].join(' ');
  const gate = new BulkheadGate(
    { limit: adapts?.initial ?? limit, queue, maxWaitMs, priority, adaptive: adapts, dryRun },
    name,
    text,
  );
  if (options.restore !== undefined) gate.restore(options.restore);
  return new Bulkhead(gate);
}

const ADAPTIVE_OPTIONS = ['algorithm', 'initial', 'min', 'window', 'over'] as const;

/** A limit that most servers can take, and from which both algorithms are soon where they belong. */
const INITIAL = 20;

function adaptiveSettings(given: AdaptiveAlgorithm | AdaptiveOptions, max: number): AdaptiveSettings {
  const options = typeof given === 'string' ? { algorithm: given } : given;
  checkOptions('adaptive', ADAPTIVE_OPTIONS, options);
  const { algorithm, min = 1, window = 1000, over } = options;
  const isKnown = algorithm === 'vegas' || algorithm === 'aimd';
  const option = typeof given === 'string' ? 'adaptive' : 'adaptive.algorithm';
  checkOption(isKnown, option, algorithm, "'vegas' or 'aimd'");
  checkWhole('adaptive.min', min, 1, max);
  const { initial = Math.min(Math.max(INITIAL, min), max) } = options;
  checkWhole('adaptive.initial', initial, min, max);
  const windowMs = durationOption('adaptive.window', window);
  checkOption(windowMs > 0, 'adaptive.window', window, 'a duration above 0', rangeOf(windowMs));
  checkOption(over === undefined || algorithm === 'aimd', 'adaptive.over', over, "algorithm: 'aimd' beside it");
  return { algorithm, initial, min, max, windowMs, overMs: durationOption('adaptive.over', over ?? 5000) };
}

function checkWhole(option: string, value: unknown, from: number, to: number): void {
  const ok = Number.isSafeInteger(value) && (value as number) >= from && (value as number) <= to;
  checkOption(ok, option, value, `a whole number from ${from}${to === Infinity ? '' : ` to ${to}`}`, rangeOf(value));
}

function checkCount(option: string, value: unknown, from: number): void {
  const ok = value === Infinity || (Number.isSafeInteger(value) && (value as number) >= from);
  checkOption(ok, option, value, `a whole number from ${from}, or Infinity`, rangeOf(value));
}
