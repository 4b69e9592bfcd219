/**
 * The bucket of tokens that retries draw on, and that several layers may share.
 *
 *   cell     the arithmetic, over plain numbers
 *   budget   the instance that users make
 *   events   that it was empty
 */
export { budget, Budget, type BudgetOptions } from './budget.ts';
export type { BudgetSnapshot } from './cell.ts';
export type { BudgetEmptyEvent, BudgetEvents } from './events.ts';
