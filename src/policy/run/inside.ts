/**
 * What an attempt knows of the stage inside, when its operation is a call of that: an abandonment goes down to the innermost call, which
 * knows the body; whether an operation began at all says if a retry cost anything; what a hook throws comes out of every stage; and
 * `failWhen` is asked once, of what the operation returned. A middleware has one too, for the last two.
 */
import { NONE } from '../../scope/frame.ts';
import type { Call } from './call.ts';
import type { AttemptRecord } from './history.ts';
import type { CallOptions } from './layer.ts';

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
  /** Told when one has settled, or a call there has ended. */
  private onReleased: (() => void) | null = null;
  /** The failed attempt whose error came out of it last. */
  failed: AttemptRecord | null = null;
  /** That of the middleware around this one. */
  readonly around: Inside | undefined;
  /** What comes out of it comes out of nothing around it any more: a multiplier has taken what another run came to. */
  isCut = false;

  constructor(around?: Inside) {
    this.around = around;
  }

  /** What came out there comes out here. */
  takeOver(inside: Inside): void {
    this.thrown = inside.thrown;
    this.judged = inside.judged;
    this.failed = inside.failed;
  }

  /** A body there was abandoned. */
  leaveBehind(): void {
    this.running++;
  }

  /** One that was has settled. */
  settled(): void {
    this.running--;
    this.onReleased?.();
  }

  /** The call has ended. */
  left(call: Call): void {
    this.calls.delete(call);
    this.onReleased?.();
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

/** Of the stages around a call that was given `options`: those that are told what comes out of it. */
export function toldBy(options: CallOptions | null): Inside[] {
  const told: Inside[] = [];
  for (let inside = options?.around; inside !== undefined; inside = inside.around) {
    told.push(inside);
    if (inside.isCut) return told;
  }
  const outer = options?.outer?.inside ?? null;
  return outer === null ? told : [...told, outer];
}
