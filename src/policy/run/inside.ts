/**
 * What an attempt knows of the stage inside, when its operation is a call of that: an abandonment goes down to the innermost call, which
 * knows the body, and whether an operation began at all says if a retry cost anything.
 */
import type { Call } from './call.ts';

export class Inside {
  /** Those that the attempt has made, under way or not: a layer of one's own may call `next` more than once. */
  readonly calls: Call[] = [];
  /** An operation was called, at whatever depth. */
  begun = false;
}
