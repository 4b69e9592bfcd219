import { Watcher, type Context } from '../../scope/context.ts';
import { NONE } from '../../scope/frame.ts';
import type { Call } from './call.ts';

/** Where the call hangs in the cancellation tree. */
export class CallLink extends Watcher {
  private readonly call: Call;
  /** What the caller gave. It may have ended meanwhile: then the link hangs further up. */
  readonly outer: Context;

  constructor(call: Call, outer: Context) {
    super();
    this.call = call;
    this.outer = outer;
  }

  /** @returns why that is aborted, or `NONE` */
  hang(): unknown {
    const above = this.outer.inForce;
    if (above === null) return NONE;
    if (above.reason === NONE) above.add(this);
    return above.reason;
  }

  override abort(reason: unknown): void {
    this.call.abort(reason);
  }
}
