/**
 * Marks: what the program itself knows of an error. They are kept in a weak map, so that the error stays as it is, the same
 * object, and a frozen one can be marked too.
 */
import { checkOption, checkOptions, durationOption, type Duration } from '../foundation/index.ts';
import { classification, isObject, type Classification } from './classification.ts';

const marks = /* @__PURE__ */ new WeakMap<object, Classification>();

export function markOf(error: object): Classification | undefined {
  return marks.get(error);
}

function mark<E>(error: E, as: Classification): E {
  checkOption(isObject(error), 'error', error, 'an object: a primitive has no identity to keep a mark by');
  marks.set(error, as);
  return error;
}

/** Marks an error: repeating cannot help. */
export function permanent<E>(error: E): E {
  return mark(error, classification('permanent', 'marked permanent', 'none'));
}

/** Marks an error: it may safely be run again as a whole. */
export function transient<E>(error: E, options: { retryAfter?: Duration } = {}): E {
  checkOptions('transient', ['retryAfter'], options);
  const { retryAfter } = options;
  const retryAfterMs = retryAfter === undefined ? undefined : durationOption('retryAfter', retryAfter);
  return mark(error, classification('transient', 'marked transient', 'down', undefined, retryAfterMs));
}

/** A new error that is transient and whose server is healthy: two writers met, one has to begin again. */
export function conflict(message = 'conflict', options?: ErrorOptions): Error {
  return mark(new Error(message, options), classification('transient', 'conflict', 'up'));
}
