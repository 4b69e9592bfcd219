/** Operations that answer a script. */
import { checkOption, clock, durationOption, type Duration } from '../foundation/index.ts';
import { RunningScope, scope, type Scope } from '../scope/index.ts';

/** A step that throws. */
class Fail {
  readonly error: unknown;

  constructor(error: unknown) {
    this.error = error;
  }
}

/** A step that waits, then answers as another step does. */
class After<T> {
  readonly delayMs: number;
  readonly step: Step<T>;

  constructor(delayMs: number, step: Step<T>) {
    this.delayMs = delayMs;
    this.step = step;
  }
}

/** What a scripted operation does in one call: return this value, `fail(error)`, or `after(time, step)`. */
export type Step<T> = T | Fail | After<T>;

/** One call of a scripted operation. */
export interface ScriptedCall {
  /** When, on the monotonic clock; on virtual time: milliseconds since its start. */
  readonly at: number;
  readonly args: readonly unknown[];
}

/** An operation that answers a script, and what it was asked. */
export interface Scripted<T> {
  (...args: unknown[]): Promise<T>;
  readonly calls: readonly ScriptedCall[];
}

/** A step that throws `error`. */
export function fail(error: unknown): Fail {
  return new Fail(error);
}

/** A step that waits, then does `step`. In a call that is given a scope, cancellation ends the wait; without one the wait is deaf. */
export function after<T>(delay: Duration, step: Step<T>): After<T> {
  return new After(durationOption('after', delay), step);
}

/**
 * An operation whose n-th call does the n-th step. It may be called with any arguments; a scope among them is the one whose cancellation it heeds.
 *
 * @throws (as a rejection) when it is called more often than the script is long
 * @example
 * const op = scripted([fail(new Error('503')), after('50ms', 'ok')]);
 * await op().catch(() => {});
 * await op();      // 'ok', after 50 ms
 * op.calls.length; // 2
 */
export function scripted<T>(steps: readonly Step<T>[]): Scripted<T> {
  checkOption(Array.isArray(steps), 'scripted', steps, 'a list of steps');
  const script = [...steps];
  const calls: ScriptedCall[] = [];
  const operation = async (...args: unknown[]): Promise<T> => {
    calls.push({ at: clock.now(), args });
    if (calls.length > script.length)
      throw new RangeError(`scripted: call ${calls.length}, but the script has ${script.length} steps`);
    return play(
      script[calls.length - 1] as Step<T>,
      args.find((arg) => arg instanceof RunningScope),
    );
  };
  return Object.assign(operation, { calls });
}

async function play<T>(step: Step<T>, s: Scope | undefined): Promise<T> {
  if (step instanceof Fail) throw step.error;
  if (!(step instanceof After)) return step;
  if (s === undefined) await scope((own) => own.sleep(step.delayMs));
  else await s.sleep(step.delayMs);
  return play(step.step, s);
}
