/** The budget: what bounds the retries of many calls together. */
import { checkOption, checkOptions, clock, rangeOf } from '../foundation/index.ts';
import { BudgetCell, type BudgetSettings, type BudgetSnapshot } from './cell.ts';
import { budgetEmpty } from './events.ts';

/** Options of `budget`. All in tokens: a retry costs one. */
export interface BudgetOptions {
  /** What a call that succeeds at its first attempt adds [0.2]: so many retries for each such call, in the long run. From 0. */
  readonly ratio?: number | undefined;
  /** What it begins with [100, or `cap` if that is less]. From 0 to `cap`. */
  readonly initial?: number | undefined;
  /** The most it holds [100]. From 1. */
  readonly cap?: number | undefined;
  /** What is added every second, so that a program with few calls can retry at all [1]. From 0. */
  readonly trickle?: number | undefined;
  /** For events. */
  readonly name?: string | undefined;
}

/** A budget: give it to several `retry` layers, and it bounds them together. Made by `budget`. */
export class Budget {
  readonly name: string | undefined;
  private readonly cell: BudgetCell;

  /** @internal */
  constructor(settings: BudgetSettings, name: string | undefined) {
    this.cell = new BudgetCell(settings);
    this.cell.tokensAt(clock.now()); // it trickles from now on
    this.name = name;
  }

  /** How many tokens there are now. */
  get tokens(): number {
    return this.cell.tokensAt(clock.now());
  }

  /** What to save; `JSON.stringify` calls it. */
  toJSON(): BudgetSnapshot {
    return this.cell.snapshot(clock.now());
  }

  /**
   * Goes on where `toJSON` was, at most with this budget's `cap`.
   *
   * @throws {TypeError | RangeError} code `BAD_OPTION` for something else
   */
  restore(snapshot: unknown): void {
    this.cell.restore(snapshot, clock.now());
  }

  /** A call succeeded at its first attempt. @internal */
  deposit(): void {
    this.cell.deposit();
  }

  /** @internal @returns whether there was a token for a retry */
  withdraw(): boolean {
    if (this.cell.withdraw(clock.now())) return true;
    if (budgetEmpty.observed) budgetEmpty.emit({ name: this.name });
    return false;
  }

  /** The retry that was paid for did not run. @internal */
  giveBack(): void {
    this.cell.giveBack();
  }
}

/**
 * A budget for retries. When a server fails, retries multiply its load just when it can bear it least; a budget lets through a few for each call that
 * succeeds, so that a total failure ends the retries. That it is funded by successes, not by requests, decides whether a service comes
 * back after an outage (M. Brooker, "Fixing retries with token buckets and circuit breakers", 2022; our figures are in the guide).
 *
 * @throws {TypeError | RangeError} code `BAD_OPTION`
 * @example
 * const shared = budget({ ratio: 0.1, name: 'inventory' });
 * const read = retry({ attempts: 3, budget: shared });
 * const write = retry({ attempts: 2, budget: shared });
 * shared.tokens; // 100
 */
export function budget(options: BudgetOptions = {}): Budget {
  checkOptions('budget', ['ratio', 'initial', 'cap', 'trickle', 'name'], options);
  const { ratio = 0.2, cap = 100, trickle = 1, name } = options;
  checkTokens('ratio', ratio, 0, Number.MAX_SAFE_INTEGER);
  checkTokens('cap', cap, 1, Number.MAX_SAFE_INTEGER);
  const { initial = Math.min(100, cap) } = options;
  checkTokens('initial', initial, 0, cap);
  checkTokens('trickle', trickle, 0, Number.MAX_SAFE_INTEGER);
  checkOption(name === undefined || typeof name === 'string', 'name', name, 'a string');
  return new Budget({ ratio, cap, initial, trickle }, name);
}

function checkTokens(option: string, value: unknown, from: number, to: number): void {
  const ok = typeof value === 'number' && value >= from && value <= to;
  checkOption(ok, option, value, `a number of tokens from ${from} to ${to}`, rangeOf(value));
}
