/**
 * Our own errors, told by brand and code as everywhere, so that those of another copy of the package are told too.
 * The classes stand in folders that must not be imported here. `BAD_OPTION` needs no row: it is a TypeError or RangeError.
 */
import { delayOf, type Classification } from '../classification.ts';
import { lookUp, type Row } from './row.ts';

/** As in `foundation/error.ts`. */
const BRAND = Symbol.for('holdfast.error');

/** Over the code, which is the reason too: 'circuit open'. */
const rows: readonly Row[] = [
  [/^(TIMEOUT|COMMIT_UNKNOWN)$/, 'ambiguous', 'down'],
  [/^(CIRCUIT_OPEN|BULKHEAD_FULL|RATE_LIMITED)$/, 'transient', 'none'],
  [/^SCOPE_ENDED$/, 'permanent', 'none'],
];

export function ownError(error: { readonly retryAfterMs?: unknown }, code: string): Classification | undefined {
  if ((error as { [BRAND]?: unknown })[BRAND] !== true) return;
  return lookUp(rows, code, code.toLowerCase().replace('_', ' '), code, delayOf(error.retryAfterMs));
}
