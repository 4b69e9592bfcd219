import { LeanError } from '../../foundation/index.ts';

/**
 * A rate limit refused to let the call run. Nothing was sent.
 *
 * Code `RATE_LIMITED`. `limiter` is its name, `retryAfterMs` how long it would have had to wait: after that it is let in, if nobody else came meanwhile.
 */
export class RateLimitedError extends LeanError {
  static override readonly code = 'RATE_LIMITED';
  readonly code = 'RATE_LIMITED';
  readonly limiter: string;
  readonly retryAfterMs: number;

  constructor(limiter: string, retryAfterMs: number) {
    super(`${limiter} is used up: worth trying again in ${retryAfterMs} ms`);
    this.limiter = limiter;
    this.retryAfterMs = retryAfterMs;
  }

  override get name(): string {
    return 'RateLimitedError';
  }
}
