import { LeanError } from '../../foundation/index.ts';
import type { BreakerState } from './cell.ts';

/**
 * A breaker refused to let the call run. Nothing was sent.
 *
 * Code `CIRCUIT_OPEN`. `breaker` is its name, `state` the state it is in, `retryAfterMs` when it is worth trying again (`Infinity` when isolated).
 */
export class CircuitOpenError extends LeanError {
  static override readonly code = 'CIRCUIT_OPEN';
  readonly code = 'CIRCUIT_OPEN';
  readonly breaker: string;
  readonly state: BreakerState;
  readonly retryAfterMs: number;

  constructor(breaker: string, state: BreakerState, retryAfterMs: number) {
    const when = retryAfterMs === Infinity ? 'when it is reset' : `in ${Math.ceil(retryAfterMs)} ms`;
    super(`${breaker} is ${state}: worth trying again ${when}`);
    this.breaker = breaker;
    this.state = state;
    this.retryAfterMs = retryAfterMs;
  }

  override get name(): string {
    return 'CircuitOpenError';
  }
}
