import { classification, type Classification } from '../classification.ts';

export const CANCELLED: Classification = /* @__PURE__ */ classification('permanent', 'cancelled', 'none');

/** What a name tells. It is only a guess where the error has a cause: the cause knows better. */
export function ofName(name: string, message: unknown): Classification | undefined {
  switch (name) {
    case 'AbortError':
      return CANCELLED;
    case 'TimeoutError':
      return classification('ambiguous', 'timeout', 'down');
    case 'NetworkError':
      return classification('ambiguous', 'network failure', 'down');
    case 'SyntaxError':
      return classification('ambiguous', 'not understood: SyntaxError', 'down');
    case 'TypeError':
      if (/fetch|network|terminated|load failed/i.test(String(message)))
        return classification('ambiguous', 'network failure', 'down');
      return classification('permanent', 'a bug: TypeError', 'none');
    case 'RangeError':
    case 'ReferenceError':
    case 'AssertionError':
      return classification('permanent', `a bug: ${name}`, 'none');
  }
}
