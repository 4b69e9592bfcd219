/**
 * Verdicts: what an error says about running the operation again, and about the server.
 *
 *   classification   the words: verdict, reason, code, health
 *   mark             what the program says of one error
 *   rule             what the program says of a kind of errors
 *   tables/          what we say, one file for each system; `codes` is how they are written
 *   classify         asks all of these of an error and of what it wraps
 *
 * A further system is a file in `tables/` and a line in `classify`, or a rule that its subpath adds.
 */
export type { Classification, Verdict } from './classification.ts';
export { classify } from './classify.ts';
export { conflict, permanent, transient } from './mark.ts';
export { addVerdictRule, type VerdictRule } from './rule.ts';
