/**
 * Chance without a sequence: every question has its own number, so it does not matter who asks first, or what else is asked.
 *
 * That is what lets sixteen orders side by side meet the same weather as one after the other, and a new column in the order
 * file leave the others as they are.
 */
import { createHash } from 'node:crypto';

/** A number in [0, 1) that belongs to this seed and these words. */
export function chance(seed: number, ...words: string[]): number {
  return (
    createHash('sha256')
      .update([seed, ...words].join('/'))
      .digest()
      .readUIntBE(0, 6) /
    2 ** 48
  );
}
