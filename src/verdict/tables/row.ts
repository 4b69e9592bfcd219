/** How the tables are written: rows of a pattern and what it means. The first row that matches counts. */
import { classification, type Classification, type Verdict } from '../classification.ts';

export type Row = readonly [pattern: RegExp, verdict: Verdict, health: Classification['health'], reason?: string];

/** @param words the reason, where the row has none */
export function lookUp(
  rows: readonly Row[],
  text: string,
  words: string,
  code?: string,
  retryAfterMs?: number,
): Classification | undefined {
  for (const [pattern, verdict, health, reason = words] of rows) {
    if (pattern.test(text)) return classification(verdict, reason, health, code, retryAfterMs);
  }
}
