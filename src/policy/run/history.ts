/**
 * What a call went through: one record an attempt, and why it gave up. Kept beside the error that came out, in a weak map, as nothing is written
 * to an error. A record is made when an attempt fails, the list of them only when somebody asks.
 */
import { HoldfastError, TimeoutError } from '../../foundation/index.ts';
import { NONE } from '../../scope/frame.ts';
import { classify, type Classification, type Verdict } from '../../verdict/index.ts';

/** Why a call made no further attempt. */
export type StoppedBy =
  | 'attempts'
  | 'verdict'
  | 'ambiguous'
  | 'budget'
  | 'deadline'
  | 'maxElapsed'
  | 'retryAfter'
  | 'cancelled'
  | 'refused';

/** One attempt, as `attemptsOf` tells of it. Frozen. */
export interface AttemptReport {
  /** From 1. */
  readonly number: number;
  /** What ended it; `undefined` when it succeeded. A result that `failWhen` judged a failure stands here too. */
  readonly error: unknown;
  /** On the monotonic clock; `null` when nothing needed the clock: for a first attempt, and one that began without a wait. */
  readonly startedAt: number | null;
  readonly durationMs: number | null;
  /** What was waited before it. */
  readonly delayMs: number;
  readonly verdict: Verdict;
  /** A layer let it not run. */
  readonly refused: boolean;
  /** Its caller was let go while it still ran. */
  readonly abandoned: boolean;
}

const REFUSALS = new Set(['CIRCUIT_OPEN', 'BULKHEAD_FULL', 'RATE_LIMITED']);

const NO_ATTEMPTS: readonly AttemptReport[] = Object.freeze([]);

/** A layer's own error, that says that it let nothing run. */
export function isRefusal(error: unknown): boolean {
  return error instanceof HoldfastError && REFUSALS.has(codeOf(error) as string);
}

/** The `code` that an error has by itself. Survives every value. */
export function codeOf(error: unknown): unknown {
  try {
    return (error as { readonly code?: unknown } | null | undefined)?.code;
  } catch {
    return undefined;
  }
}

/** A retry without end would collect the errors of all its attempts: the newest are kept. */
const MAX_RECORDS = 100;

/** The error is a result that was judged a failure. */
export const JUDGED = 1;
/** A layer of this run let it not run. */
export const REFUSED = 2;
/** Its caller was let go while it still ran. */
export const ABANDONED = 4;
/** A timeout inside the retry had passed. */
export const OVERDUE = 8;
/** And that is what ended it. */
export const TIMED_OUT = 16;
/** The operation had succeeded, and a cleanup of it failed. */
export const CLEANUP = 32;

/** A failed attempt. */
export class AttemptRecord {
  readonly number: number;
  /** What ended it. */
  readonly error: unknown;
  /** `JUDGED` and so on, in one field: there may be a million calls that wait after a failed attempt. */
  private flags: number;
  /** What a hook threw when it was told; `NONE` if none did. */
  thrown: unknown = NONE;
  startedMs: number | null = null;
  durationMs: number | null = null;
  /** What is waited after it, for the next one; and the back-off's part of that. */
  delayAfterMs = 0;
  backoffMs = 0;
  before: AttemptRecord | null;
  private classified: Classification | null = null;

  constructor(number: number, error: unknown, flags: number, before: AttemptRecord | null) {
    this.number = number;
    this.error = error;
    this.flags = flags;
    this.before = before;
    if (number % MAX_RECORDS === 0) this.forgetOldest();
  }

  get judged(): boolean {
    return (this.flags & JUDGED) !== 0;
  }

  get refused(): boolean {
    return (this.flags & REFUSED) !== 0;
  }

  get abandoned(): boolean {
    return (this.flags & ABANDONED) !== 0;
  }

  get overdue(): boolean {
    return (this.flags & OVERDUE) !== 0;
  }

  get timedOut(): boolean {
    return (this.flags & TIMED_OUT) !== 0;
  }

  /** Keeps `MAX_RECORDS` before this one. A walk, and so done once in as many attempts. */
  private forgetOldest(): void {
    let oldest: AttemptRecord = this;
    for (let i = 0; i < MAX_RECORDS && oldest.before !== null; i++) oldest = oldest.before;
    oldest.before = null;
  }

  get classification(): Classification {
    return (this.classified ??= classify(this.error));
  }

  get onlyCleanup(): boolean {
    return (this.flags & CLEANUP) !== 0;
  }

  /** The verdict on the attempt: what is not known of an error that a cleanup threw leaves open what the operation has done. */
  get verdict(): Verdict {
    const { verdict } = this.classification;
    return verdict === 'unknown' && this.onlyCleanup ? 'ambiguous' : verdict;
  }

  private get report(): AttemptReport {
    const { number, error, startedMs, durationMs, refused, abandoned } = this;
    const delayMs = this.before?.delayAfterMs ?? 0;
    const { verdict } = this;
    return Object.freeze({ number, error, startedAt: startedMs, durationMs, delayMs, verdict, refused, abandoned });
  }

  /** The attempts up to this one, the first one first. */
  static list(newest: AttemptRecord | null): readonly AttemptReport[] {
    const reports: AttemptReport[] = [];
    for (let at = newest; at !== null && reports.length < MAX_RECORDS; at = at.before) reports.push(at.report);
    return Object.freeze(reports.reverse());
  }
}

interface Report {
  readonly history: AttemptRecord | null;
  readonly stoppedBy: StoppedBy;
}

const reports = /* @__PURE__ */ new WeakMap<object, Report>();

/** Remembers what the call went through that `error` comes out of. */
export function report(error: unknown, history: AttemptRecord | null, stoppedBy: StoppedBy): void {
  if (Object(error) === error) reports.set(error as object, { history, stoppedBy });
}

/** An error that takes the place of another one tells what that has told. */
export function handOn(from: unknown, to: unknown, stoppedBy?: StoppedBy): void {
  const known = reports.get(from as object);
  if (known !== undefined) report(to, known.history, stoppedBy ?? known.stoppedBy);
  else if (isRefusal(from)) report(to, new AttemptRecord(1, from, REFUSED, null), stoppedBy ?? 'refused');
}

/** What was remembered last. */
export function reported(error: unknown): StoppedBy | undefined {
  return reports.get(error as object)?.stoppedBy;
}

/** A deadline has passed: that of a layer or scope, or of `AbortSignal.timeout`. */
export function isDeadline(error: unknown): boolean {
  if (error instanceof TimeoutError) return true;
  try {
    return typeof DOMException === 'function' && error instanceof DOMException && error.name === 'TimeoutError';
  } catch {
    return false; // a proxy that does not want to be looked at
  }
}

/** What an error tells by itself, when no retry has reported it. */
export function stoppedByItself(error: unknown): StoppedBy | undefined {
  if (isRefusal(error)) return 'refused';
  return isDeadline(error) ? 'deadline' : undefined;
}

/**
 * The attempts of the call that `error` came out of, the first one first, the newest hundred; empty for an error that came out of no policy. An
 * error that several calls share tells of the last one, and a primitive of none: ask `settle` there.
 *
 * @example
 * const error = await retry({ attempts: 2, backoff: constant(0) }).run(() => { throw new Error('down'); }).catch((e) => e);
 * attemptsOf(error).map(({ number, error }) => [number, String(error)]); // [[1, 'Error: down'], [2, 'Error: down']]
 */
export function attemptsOf(error: unknown): readonly AttemptReport[] {
  const known = reports.get(error as object);
  if (known !== undefined) return AttemptRecord.list(known.history);
  return isRefusal(error) ? AttemptRecord.list(new AttemptRecord(1, error, REFUSED, null)) : NO_ATTEMPTS;
}

/** Why the call that `error` came out of made no further attempt; `undefined` for an error that came out of no policy. */
export function stoppedBy(error: unknown): StoppedBy | undefined {
  return reports.get(error as object)?.stoppedBy ?? stoppedByItself(error);
}

const BECAUSE: Record<StoppedBy, string> = {
  attempts: 'the attempts were used up',
  verdict: 'repeating could not help',
  ambiguous: 'it may have happened, and the operation is not declared idempotent',
  budget: 'the retry budget was empty',
  deadline: 'the deadline left no time for another attempt',
  maxElapsed: 'another attempt would have passed maxElapsed',
  retryAfter: 'the server asked to wait longer than maxRetryAfter',
  cancelled: 'the caller cancelled',
  refused: 'a layer refused to let it run',
};

/**
 * A text for people: each attempt, and why there was no other.
 *
 * @example
 * const error = await retry({ attempts: 2, backoff: constant(0) }).run(() => { throw new Error('down'); }).catch((e) => e);
 * explain(error);
 * // gave up after 2 attempts, because the attempts were used up
 * //   1. Error: down (unknown)
 * //   2. Error: down (unknown)
 */
export function explain(error: unknown): string {
  const reason = stoppedBy(error);
  if (reason === undefined) return `${text(error)}: it came out of no policy`;
  const attempts = attemptsOf(error);
  const count = attempts.at(-1)?.number ?? 0;
  return [
    `gave up after ${count} attempt${count === 1 ? '' : 's'}, because ${BECAUSE[reason]}`,
    ...(count > attempts.length ? ['  …'] : []),
    ...attempts.map(line),
  ].join('\n');
}

function line({ number, error, delayMs, durationMs, verdict, refused, abandoned }: AttemptReport): string {
  const facts = [
    refused ? 'refused' : verdict,
    ...(abandoned ? ['still running when it was given up'] : []),
    ...(delayMs > 0 ? [`after ${Math.round(delayMs)} ms`] : []),
    ...(durationMs === null ? [] : [`took ${Math.round(durationMs)} ms`]),
  ];
  return `  ${number}. ${text(error)} (${facts.join(', ')})`;
}

/** Must survive every value that can be thrown. */
function text(error: unknown): string {
  try {
    return String(error);
  } catch {
    return typeof error;
  }
}
