import { LeanError } from '../../foundation/index.ts';

/** Why a bulkhead refused: no place was left; the deadline would have come before the permit; `maxWait` has passed. */
export type BulkheadRefusal = 'full' | 'deadline' | 'maxWait';

const SAYS: Record<BulkheadRefusal, string> = {
  full: 'all are taken',
  deadline: 'the wait would be longer than the deadline allows',
  maxWait: 'none came free within maxWait',
};

/**
 * A bulkhead refused to let the call run. Nothing was sent.
 *
 * Code `BULKHEAD_FULL`. `bulkhead` is its name, `limit` and `queue` its size, `reason` why.
 */
export class BulkheadFullError extends LeanError {
  static override readonly code = 'BULKHEAD_FULL';
  readonly code = 'BULKHEAD_FULL';
  readonly bulkhead: string;
  readonly limit: number;
  readonly queue: number;
  readonly reason: BulkheadRefusal;

  constructor(bulkhead: string, limit: number, queue: number, reason: BulkheadRefusal) {
    super(`${bulkhead} has ${count(limit, 'permit')} and ${count(queue, 'place')} to wait: ${SAYS[reason]}`);
    this.bulkhead = bulkhead;
    this.limit = limit;
    this.queue = queue;
    this.reason = reason;
  }

  override get name(): string {
    return 'BulkheadFullError';
  }
}

const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;
