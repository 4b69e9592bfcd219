/** The timer of a `timeout`: first for its duration, then, when the work has been aborted, for the grace. */
import { Timer, TimeoutError } from '../../foundation/index.ts';
import type { Attempt } from './attempt.ts';
import type { Call } from './call.ts';
import type { TimeoutLayer } from './layer.ts';

/** The time that work has to settle after it was aborted. */
export interface Grace {
  /** What it was aborted with, if this timer did it. */
  readonly error: TimeoutError | null;
}

export class LayerTimer extends Timer {
  private readonly call: Call;
  /** Whose time it is; `null` for the whole call. */
  private readonly attempt: Attempt | null;
  /** Once the work has been aborted. */
  grace: Grace | null = null;

  constructor(call: Call, attempt: Attempt | null) {
    super();
    this.call = call;
    this.attempt = attempt;
  }

  get layer(): TimeoutLayer {
    const { stage } = this.call;
    return (this.attempt === null ? stage.timeout : stage.attemptTimeout) as TimeoutLayer;
  }

  /** When it began, on the monotonic clock. */
  get beganMs(): number {
    if (this.startedMs === null) this.layer.timers.read();
    return this.startedMs as unknown as number;
  }

  get deadlineMs(): number {
    return this.beganMs + this.layer.timers.durationMs;
  }

  override fire(): void {
    this.call.timerFired(this, this.attempt);
  }
}
