/** The event of budgets. */
import { EventType, type HoldfastEvent } from '../foundation/index.ts';

/** A retry, or an extra launch of a hedge, was not made, because the budget `name` was empty. */
export interface BudgetEmptyEvent extends HoldfastEvent {
  readonly event: 'budget:empty';
}

export interface BudgetEvents {
  'budget:empty': BudgetEmptyEvent;
}

export const budgetEmpty: EventType<BudgetEmptyEvent> = /* @__PURE__ */ new EventType('budget:empty');
