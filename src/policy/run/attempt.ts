/**
 * An attempt: the scope that one run of the operation gets.
 *
 * Its context, which hangs directly below the caller's, is made only when somebody asks for it: the signal is read, a child started, or
 * the attempt aborted. The straight path makes none.
 */
import type { Context } from '../../scope/context.ts';
import type { Values } from '../../scope/context-key.ts';
import { ENDED } from '../../scope/frame.ts';
import { RunningScope } from '../../scope/scope.ts';
import type { Call } from './call.ts';
import type { Inside } from './inside.ts';
import type { LayerTimer } from './layer-timer.ts';

export class Attempt extends RunningScope {
  private readonly number: number;
  /** The timer of the timeout inside the retry, if there is one. */
  timer: LayerTimer | null = null;
  /** If its operation is a call of the stage inside. */
  inside: Inside | null = null;
  /** What the breaker gave it. */
  ticket = 0;
  /** When it was let in, on the monotonic clock; `null` when nothing needed the clock. */
  startedMs: number | null = null;

  constructor(call: Call, number: number) {
    super(call);
    this.number = number;
  }

  /** A scope is told its settings; those of an attempt are its call's. One field less in every attempt. */
  get call(): Call {
    return this.settings as Call;
  }

  override get attempt(): number {
    return this.counted.number;
  }

  override get previousError(): unknown {
    const { call, number } = this.counted;
    let record = call.history;
    while (record !== null && record.number >= number) record = record.before;
    return record?.error;
  }

  /** The attempt of the nearest retry, which may stand in a stage outside: the one that an operation counts. */
  get counted(): Attempt {
    const { stage, options } = this.call;
    return (stage.retry === null ? options?.outer?.counted : undefined) ?? this;
  }

  override get context(): Context {
    if (this.ownContext === null) {
      const made = super.context;
      this.call.hang(made);
      if (this.phase === ENDED) made.end(this.label); // what is linked to it hangs further up
      else this.showDeadline(made);
    }
    return this.ownContext as unknown as Context;
  }

  protected override get above(): Context | null {
    return this.call.above;
  }

  protected override get values(): Values | null {
    return this.ownContext?.values ?? this.call.outerValues;
  }

  /** The nearer one of the two that the layers keep. */
  private showDeadline(context: Context): void {
    const { timer } = this.call;
    const own = this.timer;
    const nearer = own !== null && (timer === null || own.deadlineMs < timer.deadlineMs) ? own : timer;
    if (nearer !== null) context.expectWithin(nearer.layer.timers.durationMs, nearer.beganMs);
  }
}
