/**
 * Our own errors, told by brand and code as everywhere, so that those of another copy of the package are told too.
 * The classes stand in folders that must not be imported here. `BAD_OPTION` needs no row: it is a TypeError or RangeError.
 */
import { classification, type Classification } from '../classification.ts';
import { isDelay } from '../rule.ts';
import { tableOf } from './codes.ts';

/** As in `foundation/error.ts`. */
const BRAND = Symbol.for('holdfast.error');

const table = /* @__PURE__ */ tableOf([
  ['TIMEOUT', 'ambiguous', 'timeout', 'down'],
  ['COMMIT_UNKNOWN', 'ambiguous', 'commit unknown', 'down'],
  ['SCOPE_ENDED', 'permanent', 'a bug: the scope has ended', 'none'],
  ['CIRCUIT_OPEN BULKHEAD_FULL RATE_LIMITED', 'transient', 'refused here', 'none'],
]);

export function ownError(
  error: { readonly [BRAND]?: unknown; readonly retryAfterMs?: unknown },
  code: unknown,
): Classification | undefined {
  if (error[BRAND] !== true) return;
  const said = table.get(code as string);
  if (said?.verdict !== 'transient') return said;
  const { retryAfterMs } = error;
  return isDelay(retryAfterMs) ? classification(said.verdict, said.reason, said.health, said.code, retryAfterMs) : said;
}
