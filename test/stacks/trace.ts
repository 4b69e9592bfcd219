/**
 * What came of a script, in a form in which two interpreters can be compared: for each caller, breaker, bulkhead and budget, a list of
 * lines, in the order of time. Errors and values are named by the place in the script that made them (`unknown@2.1`: what attempt 1 of
 * caller 2 threw), so the same name is the same object.
 */
export class Trace {
  readonly lists = new Map<string, string[]>();
  /** Of the reference: why this script says nothing. */
  skip: string | undefined;
  /** Of the reference: another order within an instant may give another trace. */
  raced = false;

  note(list: string, line: string): void {
    const lines = this.lists.get(list);
    if (lines) lines.push(line);
    else this.lists.set(list, [line]);
  }
}

/**
 * To the millionth of a millisecond: sums in another order differ in the last bits. A bit is added, so that what lies in the middle
 * between two millionths (many do, fractions of 1/1024) is rounded to the same one.
 */
export function time(ms: number): string {
  return String(Math.round(ms * 1e6 + 0.1) / 1e6);
}

/** At the end of a line of the reference: the rules leave open what stands there. */
export const ANYTHING = '*';

/** Whether both did the same. `undefined`, or the first list that differs. */
export function difference(expected: Trace, actual: Trace): string | undefined {
  for (const list of new Set([...expected.lists.keys(), ...actual.lists.keys()])) {
    const [these, those] = [expected.lists.get(list) ?? [], actual.lists.get(list) ?? []];
    if (these.length !== those.length || !these.every((line, i) => matches(line, String(those[i])))) return list;
  }
  return undefined;
}

function matches(expected: string, actual: string): boolean {
  return expected.endsWith(ANYTHING) ? actual.startsWith(expected.slice(0, -1)) : actual === expected;
}

/** Two traces, for people: lists that are the same once; of others both. */
export function both(a: Trace, b: Trace, titles: readonly [string, string]): string {
  const text: string[] = [];
  for (const list of [...new Set([...a.lists.keys(), ...b.lists.keys()])].sort()) {
    const [left, right] = [a.lists.get(list) ?? [], b.lists.get(list) ?? []];
    text.push(`${list}:`);
    let from = 0;
    while (from < left.length && matches(String(left[from]), String(right[from]))) text.push(`    ${left[from++]}`);
    for (const line of left.slice(from)) text.push(`  ${titles[0]}: ${line}`);
    for (const line of right.slice(from)) text.push(`  ${titles[1]}: ${line}`);
  }
  return text.join('\n');
}
