/** Typed values that a tree of scopes carries: Go's `context.WithValue`. */
import { checkOption } from '../foundation/index.ts';

declare const valueType: unique symbol;

/** A key for values of type `V`. Two keys are never the same, even under one name. */
export interface ContextKey<V> {
  readonly name: string;
  readonly [valueType]?: (value: V) => V;
}

/**
 * Makes a key. Keep it in one module and import it from there.
 *
 * @param name for people; it does not identify the key
 * @throws {TypeError | RangeError} code `BAD_OPTION` if the name is no text
 * @example
 * const traceId = contextKey<string>('trace_id');
 * await scope({ values: [[traceId, 'a1']] }, (s) => s.go((child) => child.get(traceId))); // 'a1'
 */
export function contextKey<V>(name: string): ContextKey<V> {
  checkOption(typeof name === 'string', 'contextKey', name, 'a string');
  return { name };
}

/** The values in force somewhere: each scope puts its own in front of those above it. */
export class Values {
  private readonly key: unknown;
  private readonly value: unknown;
  private readonly outer: Values | null;

  constructor(key: unknown, value: unknown, outer: Values | null) {
    this.key = key;
    this.value = value;
    this.outer = outer;
  }

  static find(values: Values | null, key: unknown): unknown {
    for (let at = values; at !== null; at = at.outer) if (at.key === key) return at.value;
    return undefined;
  }
}
