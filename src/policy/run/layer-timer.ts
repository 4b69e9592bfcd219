/** The timer of a `timeout`: first for its duration, then, when the work has been aborted, for the grace. */
import { Timer, TimeoutError } from '../../foundation/index.ts';
import type { Attempt } from './attempt.ts';
import type { Call } from './call.ts';
import type { TimeoutLayer } from './layer.ts';

export class LayerTimer extends Timer {
  private readonly call: Call;
  /** Whose time it is; `null` for the whole call. */
  private readonly attempt: Attempt | null;
  readonly layer: TimeoutLayer;
  /** The work has been aborted. */
  inGrace = false;
  private error: TimeoutError | null = null;

  constructor(call: Call, attempt: Attempt | null, layer: TimeoutLayer) {
    super();
    this.call = call;
    this.attempt = attempt;
    this.layer = layer;
  }

  /** What it aborts the work with. */
  passed(of: string): TimeoutError {
    return (this.error = new TimeoutError(of, this.layer.timeoutMs));
  }

  /** The work did not settle in its grace. */
  tellAbandoned(): void {
    // The error is the caller's as soon as they are let go; until then it is ours.
    if (this.error !== null) (this.error as { abandoned: boolean }).abandoned = true;
  }

  get deadlineMs(): number {
    return this.startedMs + this.layer.timeoutMs;
  }

  override fire(): void {
    this.call.timerFired(this, this.attempt);
  }
}
