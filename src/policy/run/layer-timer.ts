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
  /** To be called when the work that was abandoned has settled. */
  settled: (() => void) | null = null;

  constructor(call: Call, attempt: Attempt | null, layer: TimeoutLayer) {
    super();
    this.call = call;
    this.attempt = attempt;
    this.layer = layer;
  }

  /** What it aborts the work with. */
  passed(of: string): TimeoutError {
    return (this.error = new TimeoutError(of, this.layer.timers.durationMs));
  }

  /** The work did not settle in its grace. */
  tellAbandoned(): void {
    // The error is the caller's as soon as they are let go; until then it is ours.
    if (this.error !== null) (this.error as { abandoned: boolean }).abandoned = true;
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
