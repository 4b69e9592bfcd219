/** The layer `retry`: its options. How it decides is in `decide`. */
import {
  checkFunction,
  checkOption,
  checkOptions,
  durationOption,
  durationText,
  rangeOf,
  type Duration,
} from '../../foundation/index.ts';
import { Budget, budget as newBudget, type BudgetOptions } from '../../budget/index.ts';
import type { Verdict } from '../../verdict/index.ts';
import { Policy } from '../run/policy.ts';
import { exponential, type Backoff } from './backoff.ts';
import { RetryDecision, type RetrySettings } from './decide.ts';

/** What `retryIf` and `onRetry` are told besides the error. Frozen. */
export interface RetryContext {
  /** Number of the attempt that failed, from 1. */
  readonly attempt: number;
  /** What `classify` says of its error. */
  readonly verdict: Verdict;
  /** As declared; `undefined` is unknown. */
  readonly idempotent: boolean | undefined;
  /** Of the call. */
  readonly name: string | undefined;
}

/** What `onRetry` is told. Frozen. */
export interface RetryScheduled extends RetryContext {
  readonly error: unknown;
  /** What is waited before the next attempt. */
  readonly delayMs: number;
}

/** An error class, or the `code` of an error. */
export type RetryMatch = string | (abstract new (...args: never[]) => unknown);

/** Options of `retry`. */
export interface RetryOptions {
  /** How many attempts at most, the first one included [3]. From 1; `Infinity` is allowed. */
  readonly attempts?: number | undefined;
  /** What to wait after a failed attempt [`exponential('100ms')`: full jitter, at most 10 s]. A function of one's own gives milliseconds. */
  readonly backoff?: Backoff | undefined;
  /** Decides on an error: `true` retries it, `false` does not, `undefined` leaves it to `retryOn` and the verdict [nothing]. */
  readonly retryIf?: ((error: unknown, context: RetryContext) => boolean | undefined) | undefined;
  /** Only these are retried, by class or code [everything that the verdict allows]. */
  readonly retryOn?: readonly RetryMatch[] | undefined;
  /** Whether the operation may run twice [unknown]. `run` may say otherwise for a call. */
  readonly idempotent?: boolean | undefined;
  /** What bounds the retries of all calls together [one of its own, with the defaults of `budget`]; one that several layers share; `false` for none. */
  readonly budget?: BudgetOptions | Budget | false | undefined;
  /** No attempt begins later than this after the start of the call [no limit]. */
  readonly maxElapsed?: Duration | undefined;
  /** An attempt that would have less time than this before the deadline is not begun [10 ms]. */
  readonly minAttemptTime?: Duration | undefined;
  /** A server that asks to wait longer than this ends the call [60 s]. */
  readonly maxRetryAfter?: Duration | undefined;
  /** Called before each wait. A promise that it returns is not waited for; what that rejects with is told by `scope:discarded`. */
  readonly onRetry?: ((retry: RetryScheduled) => void) | undefined;
}

const OPTIONS = [
  'attempts',
  'backoff',
  'retryIf',
  'retryOn',
  'idempotent',
  'budget',
  'maxElapsed',
  'minAttemptTime',
  'maxRetryAfter',
  'onRetry',
] as const;

/**
 * Runs the operation again when it failed and that may help. Each attempt has a scope of its own, which has unwound before the wait begins.
 *
 * Whether an error is retried is said by its verdict (`classify`): transient and unknown ones are, permanent ones are not, and those that
 * leave open whether it happened only if the operation is declared `idempotent`. All retries of a layer draw on its `budget`.
 *
 * Waits for: the attempt in flight, then the back-off. On abort: the wait ends at once, and no attempt begins.
 *
 * @throws {TypeError | RangeError} code `BAD_OPTION`, when the layer is made
 * @example
 * const calls = scripted([fail(new Error('busy')), 'done']);
 * await retry({ attempts: 3, backoff: constant(0) }).run(calls); // 'done'
 */
export function retry(options: RetryOptions = {}): Policy {
  checkOptions('retry', OPTIONS, options);
  const { attempts = 3, backoff = exponential('100ms'), retryIf, retryOn, idempotent, onRetry, budget = {} } = options;
  const { maxElapsed = Infinity, minAttemptTime = 10, maxRetryAfter = 60_000 } = options;
  const whole = attempts === Infinity || (Number.isInteger(attempts) && attempts >= 1);
  checkOption(whole, 'attempts', attempts, 'a whole number from 1, or Infinity', rangeOf(attempts));
  checkFunction('backoff', backoff);
  if (retryIf !== undefined) checkFunction('retryIf', retryIf);
  if (onRetry !== undefined) checkFunction('onRetry', onRetry);
  checkOption(idempotent === undefined || typeof idempotent === 'boolean', 'idempotent', idempotent, 'true or false');
  checkOption(
    retryOn === undefined ||
      (Array.isArray(retryOn) && retryOn.every((match) => typeof match === 'string' || isClass(match))),
    'retryOn',
    retryOn,
    'a list of error classes and codes',
  );
  const settings: RetrySettings = {
    attempts,
    backoff,
    retryIf,
    retryOn: retryOn?.slice(),
    idempotent,
    onRetry,
    budget: budget === false ? null : budget instanceof Budget ? budget : newBudget(budget),
    maxElapsedMs: durationOption('maxElapsed', maxElapsed),
    minAttemptMs: durationOption('minAttemptTime', minAttemptTime),
    maxRetryAfterMs: durationOption('maxRetryAfter', maxRetryAfter),
  };
  return new Policy([new RetryDecision(settings, `retry ×${attempts} (${describe(settings)})`)]);
}

/** `instanceof` throws for a function without a prototype, such as an arrow function that was meant for `retryIf`. */
function isClass(value: unknown): boolean {
  return typeof value === 'function' && typeof value.prototype === 'object';
}

function describe({ backoff, budget, maxElapsedMs }: RetrySettings): string {
  const shown = Object.hasOwn(backoff, 'toString') ? String(backoff) : 'own back-off';
  return [
    shown,
    ...(budget === null ? [] : ['budget']),
    ...(maxElapsedMs < Infinity ? [`within ${durationText(maxElapsedMs)}`] : []),
  ].join(', ');
}
