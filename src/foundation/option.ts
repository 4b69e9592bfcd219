/** Errors for a caller's mistake: loud, early, and about one option. */

/** What a `TypeError` or `RangeError` for a bad option carries. */
export interface BadOption {
  readonly code: 'BAD_OPTION';
  /** Which option, or which argument. */
  readonly option: string;
  /** The value itself. Not enumerable: loggers leave it out. */
  readonly given: unknown;
  /** What would have been right, in words. */
  readonly expected: string;
}

/** Of the right kind, but not in the range: what is thrown for a number where numbers are taken. */
export function rangeOf(given: unknown): typeof RangeError | typeof TypeError {
  return typeof given === 'number' ? RangeError : TypeError;
}

export function badOption(
  option: string,
  given: unknown,
  expected: string,
  ErrorClass: typeof RangeError | typeof TypeError = TypeError,
): Error & BadOption {
  const error = new ErrorClass(`${option}: expected ${expected}; got ${show(given)}`);
  // Not for a log: it may be large, secret, or refer to itself.
  Object.defineProperty(error, 'given', { value: given });
  return Object.assign(error, { code: 'BAD_OPTION', option, expected } as const) as Error & BadOption;
}

/** @throws {TypeError | RangeError} code `BAD_OPTION` unless `ok` */
export function checkOption(
  ok: boolean,
  option: string,
  given: unknown,
  expected: string,
  ErrorClass?: typeof RangeError | typeof TypeError,
): asserts ok {
  if (!ok) throw badOption(option, given, expected, ErrorClass);
}

/** @throws {TypeError | RangeError} code `BAD_OPTION` unless `given` is a function */
export function checkFunction(option: string, given: unknown): void {
  checkOption(typeof given === 'function', option, given, 'a function');
}

/**
 * Takes apart the arguments of a function that is called with options and a body, or with a body alone.
 *
 * @param known all options there are: a misspelt one is not ignored
 * @throws {TypeError | RangeError} code `BAD_OPTION`
 */
export function optionsAndBody<O extends object, B extends (...args: never[]) => unknown>(
  of: string,
  known: readonly (keyof O)[],
  first: O | B,
  second: B | undefined,
): [Partial<O>, B] {
  if (typeof first === 'function' && second === undefined) return [{}, first];
  checkOptions(of, known, first);
  checkFunction(of, second);
  return [first as O, second as B];
}

/** @throws {TypeError | RangeError} code `BAD_OPTION` unless `options` is an object whose keys are all `known` */
export function checkOptions(of: string, known: readonly PropertyKey[], options: unknown): void {
  checkOption(typeof options === 'object' && options !== null, of, options, 'an object with options');
  for (const key in options) {
    if (known.includes(key)) continue;
    throw badOption(key, (options as Record<string, unknown>)[key], `an option of ${of}: ${known.join(', ')}`);
  }
}

/** A value in a few characters. Must survive every value: proxies, symbols, objects without a prototype. */
function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 40));
  return Object(value) === value ? typeof value : String(value);
}
