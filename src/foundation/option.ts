/** Errors for a caller's mistake: loud, early, and about one option. */

/** What a `TypeError` or `RangeError` for a bad option carries. */
export interface BadOption {
  readonly code: 'BAD_OPTION';
  /** Which option, or which argument. */
  readonly option: string;
  /** The value itself. */
  readonly given: unknown;
  /** What would have been right, in words. */
  readonly expected: string;
}

/** @param ErrorClass `RangeError` for a value of the right type, `TypeError` for the wrong type */
export function badOption(
  ErrorClass: typeof RangeError | typeof TypeError,
  option: string,
  given: unknown,
  expected: string,
): Error & BadOption {
  const error = new ErrorClass(`${option}: expected ${expected}; got ${show(given)}`);
  return Object.assign(error, { code: 'BAD_OPTION', option, given, expected } as const);
}

/** @throws {TypeError} code `BAD_OPTION` unless `value` is a function */
export function functionOption(option: string, value: unknown): void {
  if (typeof value !== 'function') throw badOption(TypeError, option, value, 'a function');
}

/** @throws {TypeError} code `BAD_OPTION` unless `options` is an object whose keys are all `known`: a misspelt option is not ignored */
export function knownOptions(of: string, options: unknown, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null) throw badOption(TypeError, `${of}: options`, options, 'an object');
  for (const key of Object.keys(options)) {
    if (!known.includes(key)) throw badOption(TypeError, key, (options as Record<string, unknown>)[key], `an option of ${of} (${known.join(', ')})`);
  }
}

/** A value in a few characters. Must survive every value: proxies, symbols, objects without a prototype. */
function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 40));
  return (typeof value === 'object' && value !== null) || typeof value === 'function' ? `a value of type ${typeof value}` : String(value);
}
