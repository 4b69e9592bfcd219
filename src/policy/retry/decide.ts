/**
 * What comes after a failed attempt. Asked in the order of P3 (docs/reference/policies.md), a chain of single reasons: the first that applies
 * ends the call.
 */
import { checkOption, clock, rangeOf } from '../../foundation/index.ts';
import type { Budget } from '../../budget/index.ts';
import { discarded } from '../../scope/events.ts';
import { isThenable, refusePromise } from '../../scope/frame.ts';
import { Attempt } from '../run/attempt.ts';
import type { Call } from '../run/call.ts';
import { codeOf, isRefusal, type AttemptRecord, type StoppedBy } from '../run/history.ts';
import type { RetryLayer } from '../run/layer.ts';
import { NotIdempotentWarning } from '../run/not-idempotent.ts';
import type { Backoff } from './backoff.ts';
import { retryGaveUp, retryNested, retryScheduled } from './events.ts';
import type { RetryContext, RetryMatch, RetryOptions } from './retry.ts';

export interface RetrySettings extends Pick<RetryOptions, 'retryIf' | 'onRetry' | 'idempotent'> {
  readonly attempts: number;
  readonly backoff: Backoff;
  readonly retryOn: readonly RetryMatch[] | undefined;
  readonly budget: Budget | null;
  readonly maxElapsedMs: number;
  readonly minAttemptMs: number;
  readonly maxRetryAfterMs: number;
}

export class RetryDecision implements RetryLayer {
  readonly kind = 'retry';
  private readonly settings: RetrySettings;
  private readonly text: string;
  /** P3.10. */
  private readonly warning = new NotIdempotentWarning();

  constructor(settings: RetrySettings, text: string) {
    this.settings = settings;
    this.text = text;
  }

  get attempts(): number {
    return this.settings.attempts;
  }

  get decidesAmbiguous(): boolean {
    return this.settings.idempotent !== undefined || this.settings.retryIf !== undefined;
  }

  get timesCalls(): boolean {
    return this.settings.maxElapsedMs < Infinity;
  }

  toString(): string {
    return this.text;
  }

  followsAbandoned(call: Call): boolean {
    return this.idempotent(call) === true;
  }

  succeededAtOnce(): void {
    this.settings.budget?.deposit();
  }

  giveBack(): void {
    this.settings.budget?.giveBack();
  }

  next(call: Call, failed: AttemptRecord): number | StoppedBy {
    if (failed.number === 1 && retryNested.observed) tellNested(call, this.settings.attempts);
    const next = this.verdictOn(call, failed) ?? this.delayAfter(call, failed);
    if (typeof next === 'string') {
      if (retryGaveUp.observed)
        retryGaveUp.emit({ name: call.name, error: failed.error, attempts: failed.number, stoppedBy: next });
    } else if (retryScheduled.observed) {
      retryScheduled.emit({ name: call.name, error: failed.error, attempt: failed.number, delayMs: next });
    }
    return next;
  }

  /** Whether another attempt may be made at all. `undefined`: it may. */
  private verdictOn(call: Call, failed: AttemptRecord): StoppedBy | undefined {
    const { attempts, retryIf, retryOn } = this.settings;
    if (failed.number >= attempts) return 'attempts';
    if (failed.abandoned && this.idempotent(call) !== true) return this.ambiguous(call, failed);
    const { verdict } = failed;
    const { code } = failed.classification;
    if (code === 'COMMIT_UNKNOWN') return 'ambiguous'; // whatever anybody says
    const said = retryIf?.(failed.error, this.context(call, failed));
    if (said !== undefined) {
      refusePromise('retryIf', said);
      checkOption(typeof said === 'boolean', 'retryIf', said, 'a function that gives true, false or undefined');
      return said ? undefined : 'verdict';
    }
    const named = retryOn?.some((match) => matches(match, failed.error, code)) ?? false;
    if (isRefusal(failed.error)) return named ? undefined : 'refused';
    if (retryOn !== undefined && !named) return 'verdict';
    if (verdict === 'permanent') return named ? undefined : 'verdict';
    // What a layer did not let run has certainly not happened.
    if (verdict === 'ambiguous' && !failed.refused && this.idempotent(call) !== true)
      return this.ambiguous(call, failed);
    return undefined;
  }

  /** When the next attempt may begin, and what forbids it. */
  private delayAfter(call: Call, failed: AttemptRecord): number | StoppedBy {
    const { backoff, budget, maxElapsedMs, minAttemptMs, maxRetryAfterMs } = this.settings;
    const floorMs = failed.classification.retryAfterMs ?? 0;
    if (floorMs > maxRetryAfterMs || floorMs === Infinity) return 'retryAfter';
    const backoffMs = backoff(failed.number, failed.before?.backoffMs ?? 0, clock.random());
    checkOption(
      typeof backoffMs === 'number' && backoffMs >= 0 && backoffMs < Infinity,
      'backoff',
      backoffMs,
      'a function that gives milliseconds from 0',
      rangeOf(backoffMs),
    );
    const delayMs = floorMs + backoffMs;
    if (call.startedMs !== null && clock.now() + delayMs > call.startedMs + maxElapsedMs) return 'maxElapsed';
    const { deadlineMs } = call;
    if (deadlineMs < Infinity && clock.now() + delayMs + minAttemptMs > deadlineMs) return 'deadline';
    if (budget !== null && !budget.withdraw()) return 'budget';
    failed.backoffMs = backoffMs;
    failed.delayAfterMs = delayMs;
    this.tell(call, failed, delayMs);
    return delayMs;
  }

  private tell(call: Call, failed: AttemptRecord, delayMs: number): void {
    const { onRetry } = this.settings;
    if (onRetry === undefined) return;
    try {
      const answer: unknown = onRetry(Object.freeze({ ...this.context(call, failed), error: failed.error, delayMs }));
      // Nobody waits for it; what it rejects with is told.
      if (isThenable(answer)) {
        answer.then(undefined, (error: unknown) => {
          if (discarded.observed) discarded.emit({ name: call.name, error });
        });
      }
    } catch (error) {
      this.giveBack();
      throw error;
    }
  }

  private context(call: Call, { number, verdict }: AttemptRecord): RetryContext {
    const idempotent = this.idempotent(call);
    return Object.freeze({ attempt: number, verdict, idempotent, name: call.name });
  }

  private idempotent({ options }: Call): boolean | undefined {
    return options?.idempotent ?? this.settings.idempotent;
  }

  /** It may have happened, so it is not done again: that it stops a retry nobody had thought of is said once. */
  private ambiguous(call: Call, failed: AttemptRecord): StoppedBy {
    if (this.idempotent(call) === undefined) {
      const message = `${call.label} was not retried after "${failed.classification.reason}", because it may have happened. If the operation may run twice, say so with { idempotent: true }, on retry or on run; { idempotent: false } ends this warning.`;
      this.warning.give(call.name, message, failed.error);
    }
    return 'ambiguous';
  }
}

/** `code` is that of the error that decided the verdict, perhaps one that `error` wraps. Survives every error. */
function matches(match: RetryMatch, error: unknown, code: string | undefined): boolean {
  if (typeof match === 'string') return match === code || match === codeOf(error);
  try {
    return error instanceof match;
  } catch {
    return false;
  }
}

/** The call is linked, at some distance, to an attempt of another retry: their attempts multiply. */
function tellNested(call: Call, attempts: number): void {
  let product = attempts;
  let nested = false;
  for (let at = call.above; at !== null; at = at.above) {
    if (!(at.owner instanceof Attempt)) continue;
    const outer = at.owner.call.stage.retry;
    if (!(outer instanceof RetryDecision) || outer.attempts === 1) continue;
    product *= outer.attempts;
    nested = true;
  }
  if (nested) retryNested.emit({ name: call.name, product });
}
