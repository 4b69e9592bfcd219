/**
 * What an attempt knows of the stage inside, when its operation is a call of that: an abandonment goes down to the innermost call, which
 * knows the body; whether an operation began at all says if a retry cost anything; and what a hook throws comes out of every stage.
 */
import { NONE } from '../../scope/frame.ts';
import type { Call } from './call.ts';

export class Inside {
  /** Those that the attempt has made, under way or not: a layer of one's own may call `next` more than once. */
  readonly calls: Call[] = [];
  /** An operation was called, at whatever depth. */
  begun = false;
  /** What a hook or predicate of a layer there threw last: it ends the call (P2.5), so no layer around takes it for a failure of the operation. */
  thrown: unknown = NONE;
}
