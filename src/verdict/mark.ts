/**
 * Marks: what the program knows of one error. They are kept in a weak map, so that the error stays the same object, as it was,
 * and a frozen one can be marked too.
 */
import { checkOption, checkOptions, durationOption, type Duration } from '../foundation/index.ts';
import { classification, isObject, type Classification } from './classification.ts';

const marks = /* @__PURE__ */ new WeakMap<object, Classification>();

export function markOf(error: object): Classification | undefined {
  return marks.get(error);
}

/**
 * Marks an error: repeating cannot help. It stays the same object, unchanged, and may be frozen. A mark is found under wrappers
 * too, comes before everything else that is known of the same object, and the newest one counts. Its health is `none`: a
 * refusal that the program foresees opens no breaker.
 *
 * @param error any object; a primitive has no identity to keep a mark by
 * @returns `error` itself
 * @throws {TypeError} code `BAD_OPTION` for a primitive
 * @example
 * const declined = permanent(new Error('card declined'));
 * classify(declined).verdict; // 'permanent'
 */
export function permanent<E>(error: E): E {
  return mark(error, classification('permanent', 'marked permanent', 'none'));
}

/**
 * Marks an error: it may safely be run again as a whole. Otherwise as `permanent`; its health is `down`.
 *
 * @param options `retryAfter`: not before this time has passed; milliseconds from 0, or text such as `'2s'`; no default
 * @returns `error` itself
 * @throws {TypeError | RangeError} code `BAD_OPTION` for a primitive, an unknown option or a bad duration
 * @example
 * const busy = transient(new Error('the export is still being made'), { retryAfter: '30s' });
 * classify(busy).retryAfterMs; // 30000
 */
export function transient<E>(error: E, options: { readonly retryAfter?: Duration } = {}): E {
  checkOptions('transient', ['retryAfter'], options);
  const { retryAfter } = options;
  const retryAfterMs = retryAfter === undefined ? undefined : durationOption('retryAfter', retryAfter);
  return mark(error, classification('transient', 'marked transient', 'down', undefined, retryAfterMs));
}

/**
 * A new error that is transient, of a healthy server: two writers met, and one has to begin again.
 *
 * @example
 * const changed = conflict('order 17 was changed meanwhile');
 * classify(changed).verdict; // 'transient'
 * classify(changed).health; // 'up'
 */
export function conflict(message = 'conflict', options?: ErrorOptions): Error {
  return mark(new Error(message, options), classification('transient', 'conflict', 'up'));
}

function mark<E>(error: E, as: Classification): E {
  checkOption(isObject(error), 'error', error, 'an object');
  marks.set(error, as);
  return error;
}
