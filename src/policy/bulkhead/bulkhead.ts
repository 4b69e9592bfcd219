/** The layer `bulkhead`: its options, and who waits. The counts are in `cell`, the queue in `queue`. */
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
import { WAIT, type Gate } from '../run/layer.ts';
import { Policy } from '../run/policy.ts';
import { BulkheadFullError, type BulkheadRefusal } from './bulkhead-full-error.ts';
import { BulkheadCell, type BulkheadSnapshot } from './cell.ts';
import { bulkheadRefused } from './events.ts';
import { Queue, Waiter } from './queue.ts';

/** What `priority` is told of the call: values by `get`, the time that is left. */
export type Waiting = Pick<Scope, 'attempt' | 'previousError' | 'get' | 'timeLeft'>;

/** Options of `bulkhead`. */
export interface BulkheadOptions {
  /** How many attempts at once. From 1. */
  readonly limit: number;
  /** How many more may wait [0]. `Infinity` is allowed. */
  readonly queue?: number | undefined;
  /** How long each may wait [no limit]. */
  readonly maxWait?: Duration | undefined;
  /** Who goes first: higher before lower, equal ones first come first served [all equal]. */
  readonly priority?: ((call: Waiting) => number) | undefined;
  /** Lets everything pass, and tells by its events what it would have refused [false]. Nothing waits then. */
  readonly dryRun?: boolean | undefined;
  /** What `toJSON` gave: how long work takes [unknown]. */
  readonly restore?: unknown;
  /** For events, errors and `String(policy)` ['bulkhead']. */
  readonly name?: string | undefined;
}

const OPTIONS = ['limit', 'queue', 'maxWait', 'priority', 'dryRun', 'restore', 'name'] as const;

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

  /** Permits that are taken, by abandoned work too. */
  get inFlight(): number {
    return this.gate.cell.inFlight;
  }

  /** How many wait. */
  get waiting(): number {
    return this.gate.cell.waiting;
  }

  /** What it has learned, to save; `JSON.stringify` calls it. Goes into the option `restore`. */
  toJSON(): BulkheadSnapshot {
    return this.gate.cell.snapshot();
  }
}

interface BulkheadSettings {
  readonly limit: number;
  readonly queue: number;
  readonly maxWaitMs: number;
  readonly priority: BulkheadOptions['priority'];
  readonly dryRun: boolean;
}

const now = (): number => clock.now();

class BulkheadGate implements Gate {
  readonly kind = 'gate';
  readonly type = 'bulkhead';
  readonly timesCalls = false;
  readonly blames = false;
  readonly hasHook = false;
  readonly name: string;
  readonly cell: BulkheadCell;
  private readonly settings: BulkheadSettings;
  private readonly queue = new Queue();
  private readonly text: string;

  constructor(settings: BulkheadSettings, name: string, text: string) {
    // In a dry run all are let in; the cell has to count them all the same.
    this.cell = new BulkheadCell(settings);
    this.settings = settings;
    this.name = name;
    this.text = text;
  }

  toString(): string {
    return this.text;
  }

  enter(attempt: Attempt): undefined | typeof WAIT | Error {
    const { dryRun, limit, queue } = this.settings;
    if (this.cell.inFlight < limit) return void this.cell.enter(); // the hot one
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
    if (cell.inFlight >= settings.limit + settings.queue) void this.refusal('full');
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
    const { limit, queue, dryRun } = this.settings;
    if (bulkheadRefused.observed) bulkheadRefused.emit({ name: this.name, limit, queue, reason, dryRun });
    return new BulkheadFullError(this.name, limit, queue, reason);
  }

  decided(): void {
    // The permit follows the work.
  }

  release(): void {
    if (this.cell.leave(now)) this.queue.shift().grant();
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
  const { limit, queue = 0, maxWait = Infinity, priority, dryRun = false, name = 'bulkhead' } = options;
  checkCount('limit', limit, 1);
  checkCount('queue', queue, 0);
  if (priority !== undefined) checkFunction('priority', priority);
  checkOption(typeof dryRun === 'boolean', 'dryRun', dryRun, 'true or false');
  checkOption(typeof name === 'string', 'name', name, 'a string');
  const maxWaitMs = durationOption('maxWait', maxWait);
  const text = `${options.name === undefined ? 'bulkhead' : `bulkhead ${name}`} ${limit}${queue === 0 ? '' : `+${queue}`}`;
  const gate = new BulkheadGate({ limit, queue, maxWaitMs, priority, dryRun }, name, text);
  if (options.restore !== undefined) gate.cell.restore(options.restore);
  return new Bulkhead(gate);
}

function checkCount(option: string, value: unknown, from: number): void {
  const ok = value === Infinity || (Number.isSafeInteger(value) && (value as number) >= from);
  checkOption(ok, option, value, `a whole number from ${from}, or Infinity`, rangeOf(value));
}
