/** The layer `rateLimit`: its options, and who waits. What fits is in `cell`. */
import {
  checkOption,
  checkOptions,
  clock,
  durationOption,
  durationText,
  List,
  rangeOf,
  type Duration,
} from '../../foundation/index.ts';
import { refusePromise } from '../../scope/frame.ts';
import type { Scope } from '../../scope/index.ts';
import type { Attempt } from '../run/attempt.ts';
import { WAIT, type Gate } from '../run/layer.ts';
import { Policy } from '../run/policy.ts';
import { RateLimitCell, type RateLimitSettings, type RateLimitSnapshot } from './cell.ts';
import { rateLimitRefused } from './events.ts';
import { RateLimitedError } from './rate-limited-error.ts';
import { Waiter } from './waiter.ts';

/** What `weight` is told of the call: values by `get`, the time that is left. */
export type Weighed = Pick<Scope, 'attempt' | 'previousError' | 'get' | 'timeLeft'>;

/** Options of `rateLimit`. */
export interface RateLimitOptions {
  /** How many attempts may begin in `per`, on average. A whole number from 1. */
  readonly limit: number;
  /** In how long [1 s]. Above 0, finite. */
  readonly per?: Duration | undefined;
  /** How many may begin at once, after a pause [`limit`]. A whole number from 1. */
  readonly burst?: number | undefined;
  /** How much of the limit an attempt takes [1]: a number from 0 to `burst`, or a function that gives one. What weighs 0 is let in always. */
  readonly weight?: number | ((call: Weighed) => number) | undefined;
  /** How long an attempt may have to wait for its turn [0]; who would have to wait longer is refused at once. `Infinity` is allowed. */
  readonly maxWait?: Duration | undefined;
  /** Lets everything pass, and tells by its events what it would have refused [false]. Nothing waits then. */
  readonly dryRun?: boolean | undefined;
  /** What `toJSON` gave, to go on from there [nothing is used up]. */
  readonly restore?: unknown;
  /** For events, errors and `String(policy)` ['rateLimit']. */
  readonly name?: string | undefined;
}

const OPTIONS = ['limit', 'per', 'burst', 'weight', 'maxWait', 'dryRun', 'restore', 'name'] as const;

/** A layer that bounds how many attempts begin in a time. Made by `rateLimit`; shared by every policy that it is put in. */
export class RateLimit extends Policy {
  readonly name: string;
  private readonly gate: RateLimitGate;

  /** @internal */
  constructor(gate: RateLimitGate) {
    super([gate]);
    this.gate = gate;
    this.name = gate.name;
  }

  /** How much may begin at once, from 0 to `burst`, with fractions. Those who wait come first. */
  get tokens(): number {
    return this.gate.cell.tokensAt(clock.now());
  }

  /** How many wait. */
  get waiting(): number {
    return this.gate.cell.waiting;
  }

  /** What to save; `JSON.stringify` calls it. Goes into the option `restore`. */
  toJSON(): RateLimitSnapshot {
    return this.gate.cell.snapshot(clock.now());
  }
}

interface GateSettings extends RateLimitSettings {
  readonly weight: number | ((call: Weighed) => number);
  readonly maxWaitMs: number;
  readonly dryRun: boolean;
}

class RateLimitGate implements Gate {
  readonly kind = 'gate';
  readonly type = 'rate-limit';
  readonly timesCalls = false;
  readonly blames = false;
  readonly hasHook = false;
  readonly name: string;
  readonly cell: RateLimitCell;
  private readonly settings: GateSettings;
  /** First come, first served. */
  private readonly queue = new List();
  private readonly text: string;

  constructor(settings: GateSettings, name: string, text: string) {
    this.cell = new RateLimitCell(settings);
    this.settings = settings;
    this.name = name;
    this.text = text;
  }

  toString(): string {
    return this.text;
  }

  enter(attempt: Attempt): undefined | typeof WAIT | Error {
    const { cell } = this;
    const { maxWaitMs, dryRun } = this.settings;
    // Asked before anything is counted: it is the user's, and may throw, or call this very policy.
    const weight = this.weightOf(attempt);
    if (weight === 0) return undefined; // what takes nothing waits for nobody
    // A timer may be late: whose turn has come goes first.
    this.letIn();
    const nowMs = clock.now();
    const waitMs = cell.enter(weight, nowMs);
    if (waitMs === 0) return undefined;
    // At the deadline itself the timeout, which began before, is first.
    if (waitMs > maxWaitMs || nowMs + waitMs >= attempt.call.deadlineMs) return this.refusal(waitMs);
    if (dryRun) {
      cell.take(weight);
      return undefined;
    }
    cell.join(weight);
    const waiter = new Waiter(attempt, this, weight);
    this.queue.add(waiter);
    if (this.queue.first === waiter) waiter.expectTurn(waitMs);
    attempt.call.awaited = waiter;
    return WAIT;
  }

  private weightOf(attempt: Attempt): number {
    const { weight, burst } = this.settings;
    if (typeof weight === 'number') return weight;
    const given: unknown = weight(attempt);
    refusePromise('weight', given);
    checkOption(isWeight(given, burst), 'weight', given, `a function that gives a number from 0 to ${burst} (burst)`);
    return given;
  }

  private refusal(retryAfterMs: number): Error | undefined {
    const { name } = this;
    const { dryRun } = this.settings;
    if (rateLimitRefused.observed) rateLimitRefused.emit({ name, retryAfterMs, dryRun });
    return dryRun ? undefined : new RateLimitedError(name, retryAfterMs);
  }

  /** Lets in those whose turn it is. They begin a turn of the microtask queue later. */
  letIn(): void {
    for (let first = this.queue.first as Waiter | null; first !== null; first = this.queue.first as Waiter | null) {
      const waitMs = this.cell.advance(first.weight, clock.now());
      if (waitMs > 0) return first.expectTurn(waitMs);
      first.leave();
      first.grant();
    }
  }

  /** The waiter will not come in: those behind it move up. */
  left(waiter: Waiter): void {
    waiter.leave();
    this.cell.leave(waiter.weight);
    this.letIn();
  }

  decided(): void {
    // What has begun has used what it weighs, whatever it comes to.
  }

  release(): void {
    // The same: only time gives it back.
  }

  isAtRest(): boolean {
    return this.cell.isAtRest(clock.now());
  }
}

/**
 * Bounds how many attempts begin in a time: what a server allows its clients, say. By GCRA: `limit` in `per` on average, spread evenly, and after a
 * pause up to `burst` at once. It counts what begins, not what runs, so nothing is given back; for that there is `bulkhead`.
 *
 * Who finds it used up waits for its turn if that comes within `maxWait` and before the deadline, first come first served, and is refused at once
 * if not. In no span of time more begins than `burst` and what `limit` allows in that time.
 *
 * On abort: a waiter leaves at once, has taken nothing, and those behind it move up.
 *
 * A refusal is a `RateLimitedError`, which a `retry` outside does not retry, unless its `retryOn` says so; then not before its `retryAfterMs`.
 *
 * Costs a call one look at the clock, about 110 ns in all (Node 24, AMD EPYC), and who waits a promise; one timer is pending while somebody does.
 *
 * @throws {TypeError | RangeError} code `BAD_OPTION`, when the layer is made; and out of a call, when `weight` gives no number from 0 to `burst`
 * @example
 * const api = rateLimit({ limit: 2, per: '1m', name: 'api' });
 * await api.run(() => 'first'); // 'first'
 * await api.run(() => 'second'); // 'second'
 * await api.run(() => 'never called'); // throws RATE_LIMITED
 */
export function rateLimit(options: RateLimitOptions): RateLimit {
  checkOptions('rateLimit', OPTIONS, options);
  const { limit, per = 1000, burst = limit, weight = 1, maxWait = 0, dryRun = false, name = 'rateLimit' } = options;
  checkCount('limit', limit);
  checkCount('burst', burst);
  const perMs = durationOption('per', per);
  checkOption(perMs > 0 && perMs < Infinity, 'per', per, 'a duration above 0, not Infinity', rangeOf(per));
  const isKnown = typeof weight === 'function' || isWeight(weight, burst);
  checkOption(isKnown, 'weight', weight, `a number from 0 to ${burst} (burst), or a function`, rangeOf(weight));
  const maxWaitMs = durationOption('maxWait', maxWait);
  checkOption(typeof dryRun === 'boolean', 'dryRun', dryRun, 'true or false');
  checkOption(typeof name === 'string', 'name', name, 'a string');
  const text = [
    `${options.name === undefined ? 'rateLimit' : `rateLimit ${name}`} ${limit}/${durationText(perMs)}`,
    ...(burst === limit ? [] : [`burst ${burst}`]),
  ].join(', ');
  const gate = new RateLimitGate({ limit, perMs, burst, weight, maxWaitMs, dryRun }, name, text);
  if (options.restore !== undefined) gate.cell.restore(options.restore, clock.now());
  return new RateLimit(gate);
}

function checkCount(option: string, value: unknown): void {
  const ok = Number.isSafeInteger(value) && (value as number) >= 1;
  checkOption(ok, option, value, 'a whole number from 1', rangeOf(value));
}

function isWeight(value: unknown, burst: number): value is number {
  return typeof value === 'number' && value >= 0 && value <= burst;
}
