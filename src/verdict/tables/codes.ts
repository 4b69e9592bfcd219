/** Tables of codes, written as rows and looked up by code. */
import { classification, type Classification, type Verdict } from '../classification.ts';

/** Codes with a space between them, then what they have in common. */
export type Row = readonly [codes: string, verdict: Verdict, reason: string, health: Classification['health']];

/** @param prefix what all codes begin with, and the rows leave out */
export function tableOf(rows: readonly Row[], prefix = ''): ReadonlyMap<string, Classification> {
  return new Map(
    rows.flatMap(([codes, verdict, reason, health]) =>
      codes.split(' ').map((code) => [prefix + code, classification(verdict, reason, health, prefix + code)] as const),
    ),
  );
}
