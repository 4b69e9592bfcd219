/**
 * What an attempt knows of the stage inside, when its operation is a call of that: an abandonment goes down to the innermost call, which
 * knows the body; whether an operation began at all says if a retry cost anything; what a hook throws comes out of every stage; and
 * `failWhen` is asked once, of what the operation returned. A middleware has one too, for the last two.
 */
import { NONE } from '../../scope/frame.ts';
import type { Call } from './call.ts';
import type { AttemptRecord } from './history.ts';

export class Inside {
  /** Those under way: a layer of one's own may call `next` more than once, and for ever. */
  readonly calls: Set<Call> = new Set();
  /** An operation was called, at whatever depth. */
  begun = false;
  /** What a hook or predicate of a layer there threw last: it ends the call (P2.5), so no layer around takes it for a failure of the operation. */
  thrown: unknown = NONE;
  /** The result that came out of it last though it had been judged a failure. */
  judged: unknown = NONE;
  /** How many bodies that calls there have abandoned still run. */
  private running = 0;
  /** Told when none does any more, and no call is under way. */
  private onReleased: (() => void) | null = null;
  /** The failed attempt whose error came out of it last. */
  failed: AttemptRecord | null = null;
  /** That of the middleware around this one. */
  readonly around: Inside | undefined;

  constructor(around?: Inside) {
    this.around = around;
  }

  /** A body there was abandoned. */
  leaveBehind(): void {
    this.running++;
  }

  /** One that was has settled. */
  settled(): void {
    this.running--;
    if (!this.isUsed) this.onReleased?.();
  }

  /** The call has ended. */
  left(call: Call): void {
    this.calls.delete(call);
    if (!this.isUsed) this.onReleased?.();
  }

  /** An abandoned body runs there. */
  get hasAbandoned(): boolean {
    return this.running > 0;
  }

  /** `undefined` if nothing runs there; else a promise of the moment when that may have changed. */
  released(): Promise<void> | undefined {
    return this.isUsed ? new Promise((resolve) => (this.onReleased = resolve)) : undefined;
  }

  private get isUsed(): boolean {
    return this.hasAbandoned || this.calls.size > 0;
  }
}
