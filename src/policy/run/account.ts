/** What a call went through, put together from what its stages report: for `settle`, and for the events of calls. */
import { clock } from '../../foundation/index.ts';
import type { Context } from '../../scope/context.ts';
import { NONE } from '../../scope/frame.ts';
import { callEnd, callStart } from './events.ts';
import { AttemptRecord, isDeadline, stoppedByItself, type AttemptReport, type StoppedBy } from './history.ts';
import { NO_OPTIONS, type CallOptions, type Operation } from './layer.ts';
import type { Stage } from './stage.ts';

export class Account {
  /** The newest failed attempt. */
  private history: AttemptRecord | null = null;
  /** Why there was no further attempt. Of a call that came out well: why a fallback had to step in, or that a judged result came out. */
  stoppedBy: StoppedBy | undefined;
  private isTold = false;
  private readonly outer: Context | null;
  private readonly onReport: CallOptions['onReport'];

  constructor(outer: Context | null, options: CallOptions | null) {
    this.outer = outer;
    this.onReport = options?.onReport;
  }

  /** What the stages of the call are to be told, so that they report to this. */
  options(given: CallOptions | null): CallOptions {
    return {
      ...NO_OPTIONS,
      ...given,
      onReport: (history, by, reports) => {
        this.onReport?.(history, by, reports);
        if (this.isTold && !reports) return;
        this.isTold = true;
        this.history = history;
        this.stoppedBy = by;
      },
    };
  }

  /** Whether the caller's signal or scope was aborted. */
  get cancelled(): boolean {
    return this.reason !== NONE;
  }

  private get reason(): unknown {
    return this.outer === null || this.outer.inForce === null ? NONE : this.outer.inForce.reason;
  }

  /** Why the call ended with this error. */
  stoppedWith(error: unknown): StoppedBy {
    // What ends the call from outside may have come when the stage that reports was ended by something else.
    if (this.cancelled && this.reason === error) return isDeadline(error) ? 'deadline' : 'cancelled';
    return this.stoppedBy ?? stoppedByItself(error) ?? (this.cancelled ? 'cancelled' : 'attempts');
  }

  /** The failed attempts, the first one first. */
  list(): readonly AttemptReport[] {
    return AttemptRecord.list(this.history);
  }

  /** How many attempts there were. */
  get attempts(): number {
    return (this.history?.number ?? 0) + (this.stoppedBy === undefined ? 1 : 0);
  }

  /** The result was judged a failure, and came out since there was no further attempt. */
  isJudged(value: unknown): boolean {
    return this.stoppedBy !== undefined && this.history?.judged === true && Object.is(this.history.error, value);
  }
}

/** Whether somebody listens to the events of calls. */
export function areCallsObserved(): boolean {
  return callStart.observed || callEnd.observed;
}

/** One call, with its two events. The promise has to be the last one: who gets it decides whether a rejection is handled. */
export function startObserved(
  stage: Stage,
  op: Operation,
  outer: Context | null,
  options: CallOptions | null,
): Promise<unknown> {
  const name = options?.name;
  const startedMs = clock.now();
  const account = new Account(outer, options);
  const ended = (failed: boolean, error: unknown): void => {
    if (!callEnd.observed) return;
    const durationMs = clock.now() - startedMs;
    const stoppedBy = failed ? account.stoppedWith(error) : undefined;
    callEnd.emit({ name, ok: !failed, error, stoppedBy, attempts: account.attempts, durationMs });
  };
  if (callStart.observed) callStart.emit({ name });
  outer?.look(); // a listener may have aborted it
  return stage.start(op, outer, account.options(options)).then(
    (value) => {
      if (account.isJudged(value)) ended(true, value);
      else ended(false, undefined);
      return value;
    },
    (error: unknown) => {
      ended(true, error);
      throw error;
    },
  );
}
