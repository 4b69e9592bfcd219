/**
 * Verdicts: what an error says about running the operation again, and about the server.
 *
 *   classification   the words: verdict, reason, code, health
 *   classify         looks through an error and what it wraps
 *   mark             what the program says of one error
 *   rule             what the program says of a kind of errors
 *   tables/          what we know, one file for each system
 */
export type { Classification, Verdict } from './classification.ts';
export { classify } from './classify.ts';
export { conflict, permanent, transient } from './mark.ts';
export { addVerdictRule, type VerdictRule } from './rule.ts';
