/**
 * What a layer is to the run: the one small interface between them. A run knows no layer by name, so that a bundle with `retry`
 * alone does not carry the breaker; and layers do not know each other.
 */
import type { FixedTimers } from '../../foundation/index.ts';
import type { Body, Scope } from '../../scope/contract.ts';
import type { Attempt } from './attempt.ts';
import type { Call } from './call.ts';
import type { Inside } from './inside.ts';
import type { AttemptRecord, StoppedBy } from './history.ts';
import type { Stage } from './stage.ts';

/** One layer. Immutable; what has state is a gate, or in a retry's budget. */
export type Layer = TimeoutLayer | RetryLayer | Gate | Middleware | Multiplier | Judge;

interface Described {
  /** As `String(policy)` shows it. */
  toString(): string;
}

export interface TimeoutLayer extends Described {
  readonly kind: 'timeout';
  /** Of its duration. */
  readonly timers: FixedTimers;
  readonly graceMs: number;
  readonly detach: boolean;
}

export interface RetryLayer extends Described {
  readonly kind: 'retry';
  /** At most, the first one included. */
  readonly attempts: number;
  /** Its user has said what to do after a failure that leaves open whether it happened. */
  readonly decidesAmbiguous: boolean;
  /** It needs to know when the call began. */
  readonly timesCalls: boolean;
  /**
   * What comes after a failed attempt: the milliseconds to wait for the next one, or the reason why there is none. What it throws ends the call
   * in place of the failure.
   */
  next(call: Call, failed: AttemptRecord): number | StoppedBy;
  /** Whether an attempt may follow one that was abandoned: then not the operation but a timer sets off what comes next. */
  followsAbandoned(call: Call): boolean;
  /** The call succeeded at its first attempt. */
  succeededAtOnce(): void;
  /** The retry that was scheduled never started, or was refused. */
  giveBack(): void;
}

/** Has the attempt wait: the gate will call `call.admitted(attempt)` or `call.refused(attempt, error)`. */
export const WAIT: unique symbol = Symbol('wait');

/** Lets attempts in, or refuses them. */
export interface Gate extends Described {
  readonly kind: 'gate';
  /** What it is. A flat run has at most one of each. */
  readonly type: string;
  /** It needs to know when the attempts began. */
  readonly timesCalls: boolean;
  /** It needs to know how long an attempt had that was ended from outside. */
  readonly blames: boolean;
  /** It calls a function of its user when it is told what an attempt came to. */
  readonly hasHook: boolean;
  /** `undefined`: it is in. An error: it is refused. */
  enter(attempt: Attempt): undefined | typeof WAIT | Error;
  /** What the attempt came to is known, for its caller at least: `failed` is how it failed, `null` that it succeeded. */
  decided(attempt: Attempt, failed: AttemptRecord | null): void;
  /** The work of the attempt has ended, which may be long after. */
  release(): void;
  /** Nothing is under way in it, and it would not refuse what another one, made anew, would let in. */
  isAtRest(): boolean;
}

/** Runs around the layers inside it, in a scope of its own. */
export interface Middleware extends Described {
  readonly kind: 'middleware';
  readonly name: string | undefined;
  /** `call`: the name of the call, for events. */
  run(next: () => Promise<unknown>, s: Scope, inside: Inside, call: string | undefined): unknown;
}

/** Runs the layers inside it more than once, and decides what comes out: a stage of its own. */
export interface Multiplier extends Described {
  readonly kind: 'multiplier';
  around(inner: Stage): Stage;
}

/** Judges results. */
export interface Judge extends Described {
  readonly kind: 'judge';
  isFailure(value: unknown): boolean;
}

/** What a call was told besides its operation. */
export interface RunOptions {
  /**
   * What cancels the call [nothing]: an `AbortSignal`, or a scope, whose deadline and values the attempts get besides. A call that is given
   * an aborted one starts nothing.
   */
  readonly signal?: AbortSignal | Scope | undefined;
  /**
   * Whether the operation may run twice [what the layer says, else unknown]: errors that leave open whether it happened are retried
   * only if this is true.
   */
  readonly idempotent?: boolean | undefined;
  /** For events, messages and `explain`. */
  readonly name?: string | undefined;
}

/** Of a call, handed on from stage to stage. */
export interface CallOptions {
  readonly idempotent: boolean | undefined;
  readonly name: string | undefined;
  /** Told what became of the call: by the stage that reports it; and by those around it, for which nothing may have come so far. */
  readonly onReport:
    | ((history: AttemptRecord | null, stoppedBy: StoppedBy | undefined, reports: boolean) => void)
    | undefined;
  /** The attempt of the stage outside, whose operation this call is. */
  readonly outer?: Attempt | undefined;
  /** Of the middleware or multiplier around it, inside of that. */
  readonly around?: Inside | undefined;
}

/** Of a call that was told nothing. */
export const NO_OPTIONS: CallOptions = { idempotent: undefined, name: undefined, onReport: undefined };

export type Operation = Body<unknown>;
