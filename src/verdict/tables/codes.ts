import { classification, type Classification, type Verdict } from '../classification.ts';

/** Rows of a table: codes that are told apart by spaces, then what they mean. */
export type Row = readonly [codes: string, verdict: Verdict, reason: string, health: Classification['health']];

export function byCode(rows: readonly Row[]): ReadonlyMap<string, Classification> {
  return new Map(
    rows.flatMap(([codes, verdict, reason, health]) =>
      codes.split(' ').map((code) => [code, classification(verdict, reason, health, code)] as const),
    ),
  );
}
