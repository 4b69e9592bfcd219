/**
 * Base of the library's own errors.
 *
 * An error is told by its `code`, which is stable, and by a brand from the global symbol registry. `instanceof` looks at
 * those two, so it also holds for an error of another copy of the package in the same process.
 */
const BRAND = Symbol.for('holdfast.error');

export abstract class HoldfastError extends Error {
  abstract readonly code: string;

  /** The code that instances of a class have. A subclass made by a user has none of its own and is compared as usual. */
  declare static readonly code?: string;

  /** @param lean leaves the stack out: for errors that a timer or a counter decides on, whose stack says nothing and costs 2 µs */
  constructor(message: string, options?: ErrorOptions, lean = false) {
    const limit = Error.stackTraceLimit;
    if (lean) Error.stackTraceLimit = 0;
    super(message, options);
    if (lean) Error.stackTraceLimit = limit;
  }

  get [BRAND](): true {
    return true;
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    if (typeof value !== 'object' || value === null) return false;
    if (this === HoldfastError) return BRAND in value;
    if (!Object.hasOwn(this, 'code')) return Function.prototype[Symbol.hasInstance].call(this, value);
    return BRAND in value && (value as HoldfastError).code === this.code;
  }
}

/**
 * A deadline passed.
 *
 * Code `TIMEOUT`. `timeoutMs` is the span that was allowed, `of` the name of the scope or layer that allowed it.
 * `abandoned` tells whether the work was still unsettled when its caller was let go.
 */
export class TimeoutError extends HoldfastError {
  static override readonly code = 'TIMEOUT';
  readonly code = 'TIMEOUT';
  readonly timeoutMs: number;
  readonly of: string;
  readonly abandoned: boolean;

  constructor(of: string, timeoutMs: number, abandoned = false) {
    super(`${of} did not end within ${timeoutMs} ms`, undefined, true);
    this.timeoutMs = timeoutMs;
    this.of = of;
    this.abandoned = abandoned;
  }

  override get name(): string {
    return 'TimeoutError';
  }
}
