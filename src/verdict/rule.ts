/** Rules: what a program, or a driver's table, says of a kind of errors. */
import { addSuppressed, checkFunction, checkOption } from '../foundation/index.ts';
import { classification, delayOf, VERDICTS, type Classification } from './classification.ts';

/**
 * Says what it knows of one object, or `undefined`. It is asked for each object in the cause chain, outermost first, errors and
 * others: it looks at fields that no other kind of error has, and expects nothing of their types.
 */
export type VerdictRule = (error: object) => Classification | undefined;

/** Newest first. Replaced, never changed: a rule may add and remove rules while they are asked. */
let rules: readonly { readonly ask: VerdictRule }[] = [];

/**
 * Adds a rule, for the whole process, until the result is disposed of. Rules are asked before our own tables, the newest
 * first; marks come before rules. `classify` may be called inside a rule, for something that only this rule knows how to
 * unwrap; its look counts towards the limits of the one under way.
 *
 * A rule that throws, or returns something else than a `Classification`, is passed over: the failure that is being classified
 * matters more. What it threw is kept in `suppressedErrors` of the error that `classify` was given.
 *
 * @throws {TypeError} code `BAD_OPTION` if `rule` is no function
 * @example
 * class PaymentError extends Error {}
 * using _rule = addVerdictRule((error) =>
 *   error instanceof PaymentError ? { verdict: 'permanent', reason: 'card declined', health: 'up' } : undefined,
 * );
 * classify(new Error('order 17', { cause: new PaymentError('declined') })).reason; // 'card declined'
 */
export function addVerdictRule(rule: VerdictRule): Disposable {
  checkFunction('rule', rule);
  const own = { ask: rule };
  rules = [own, ...rules];
  return {
    [Symbol.dispose]: () => {
      rules = rules.filter((other) => other !== own);
    },
  };
}

/**
 * The answer of the newest rule that has one.
 *
 * @param outermost the error that `classify` was given: who looks for what a rule threw has this one in hand
 */
export function askRules(error: object, outermost: unknown): Classification | undefined {
  for (const { ask } of rules) {
    try {
      const said = ask(error);
      if (said !== undefined) return checked(said);
    } catch (failure) {
      // Not thrown, nor made an uncaught exception: a rule may fail on a hostile error only, and that must be survived.
      addSuppressed(outermost, failure);
    }
  }
}

/** A copy: frozen, and with nothing in it that the rule could change later. */
function checked({ verdict, reason, health, code, retryAfterMs }: Classification): Classification {
  const wellFormed =
    VERDICTS.includes(verdict) &&
    ['up', 'down', 'none'].includes(health) &&
    typeof reason === 'string' &&
    typeof (code ?? '') === 'string' &&
    delayOf(retryAfterMs) === retryAfterMs;
  checkOption(wellFormed, 'rule', verdict, 'a Classification or undefined as its result');
  return classification(verdict, reason, health, code, retryAfterMs);
}
