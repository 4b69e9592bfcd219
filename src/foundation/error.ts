/**
 * Base of the library's own errors.
 *
 * An error is told by its `code`, which is stable, and by a brand from the global symbol registry. `instanceof` looks at
 * those two, so it also holds for an error of another copy of the package in the same process.
 */
const BRAND = Symbol.for('holdfast.error');

export abstract class HoldfastError extends Error {
  /** The code that instances of a class have. A subclass made by a user has none of its own and is compared as usual. */
  declare static readonly code?: string;

  abstract readonly code: string;

  static {
    Object.defineProperty(this.prototype, BRAND, { value: true });
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    if (!Object.hasOwn(this, 'code') && this !== HoldfastError) return super[Symbol.hasInstance](value);
    try {
      const branded = typeof value === 'object' && value !== null && BRAND in value;
      return branded && (this === HoldfastError || (value as { code?: unknown }).code === this.code);
    } catch {
      return false; // a hostile value: a proxy or a getter that throws
    }
  }
}

/**
 * An error that the library decides on: a timer's, or a layer's that refuses. Its stack would say nothing, and cost 2 µs, when such errors come
 * by the thousand.
 */
export abstract class LeanError extends HoldfastError {
  constructor(message: string) {
    // Only V8 asks for the limit. Where somebody has frozen `Error`, an assignment would throw, out of a timer.
    const limit: unknown = Reflect.get(Error, 'stackTraceLimit');
    Reflect.set(Error, 'stackTraceLimit', 0);
    super(message);
    Reflect.set(Error, 'stackTraceLimit', limit);
  }
}

/**
 * A deadline passed.
 *
 * Code `TIMEOUT`. `timeoutMs` is the span that was allowed, `of` the name of the scope or layer that allowed it.
 * `abandoned` tells whether the work was still unsettled when its caller was let go.
 */
export class TimeoutError extends LeanError {
  static override readonly code = 'TIMEOUT';
  readonly code = 'TIMEOUT';
  readonly timeoutMs: number;
  readonly of: string;
  readonly abandoned: boolean;

  constructor(of: string, timeoutMs: number, abandoned = false) {
    super(`${of} did not end within ${timeoutMs} ms`);
    this.timeoutMs = timeoutMs;
    this.of = of;
    this.abandoned = abandoned;
  }

  override get name(): string {
    return 'TimeoutError';
  }
}
