/** Rules that a program adds for the errors of its own drivers and services. */
import { addSuppressed, badOption, checkFunction } from '../foundation/index.ts';
import { classification, type Classification } from './classification.ts';

/** Says what it knows of one error, or `undefined`. It is asked for each object in the cause chain, outermost first. */
export type VerdictRule = (error: object) => Classification | undefined;

/** Newest first. Replaced, never changed: a rule may add or remove rules while they are asked. */
let rules: readonly { readonly ask: VerdictRule }[] = [];

/** Adds a rule until disposed of. */
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

/** The answer of the newest rule that has one. */
export function askRules(error: object): Classification | undefined {
  for (const { ask } of rules) {
    try {
      const said = ask(error);
      if (said !== undefined) return checked(said);
    } catch (failure) {
      // The error being classified may be hostile, and the process must live on. What the rule threw is kept beside it.
      addSuppressed(error, failure);
    }
  }
}

function checked({ verdict, reason, health, code, retryAfterMs }: Classification): Classification {
  const wellFormed =
    /^(transient|permanent|ambiguous|unknown)$/.test(verdict) &&
    /^(up|down|none)$/.test(health) &&
    typeof reason === 'string' &&
    (code === undefined || typeof code === 'string') &&
    (retryAfterMs === undefined || retryAfterMs >= 0);
  if (!wellFormed) throw badOption('rule', verdict, 'a function that returns a Classification or undefined');
  return classification(verdict, reason, health, code, retryAfterMs);
}
