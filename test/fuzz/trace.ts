/**
 * What a program did, in a form in which two interpreters can be compared: the trace.
 *
 * A trace is one list of entries per site (frame, script, watcher), not one list for all: the order of things between scopes that
 * move within one instant is nobody's promise, the order within a scope is. Times are virtual milliseconds since the program began.
 *
 * Errors are `Fault`s. One that the program made has its site as id and is compared by it. One that the library made (an AbortError, a
 * TimeoutError) has no name of its own; what is compared is *which places show the same one*, by a bijection between both traces.
 * After the lists, what `suppressedErrors` says of every error that either trace knows is compared too.
 */

const NONE: readonly unknown[] = [];

export class Fault {
  readonly kind: string;
  /** The site that made it; 0 for an error made by the library. */
  readonly id: number;
  /** The next link of the chain; `undefined` where there is none. */
  cause: unknown;
  suppressed: readonly unknown[] = NONE;

  constructor(kind: string, id = 0, cause?: unknown) {
    this.kind = kind;
    this.id = id;
    this.cause = cause;
  }
}

/** Stands for anything, where the rules leave the value open. */
export const ANY: unique symbol = Symbol('any');

/** Time, kind of entry, then values, faults and flags. */
export type Entry = readonly unknown[];

export class Trace {
  /** By site. */
  readonly lists: (Entry[] | undefined)[] = [];
  /** What each scope came to, by site. Apart from its list: between its end and the moment when its caller hears of it others may move. */
  readonly outcomes: (Entry | undefined)[] = [];
  readonly events: Entry[] = [];
  /** Every error that the program made, by site. */
  readonly made: (Fault | undefined)[] = [];
  /** When the last timer fired, or the last task ended. */
  end = 0;
  /** What no program may leave behind (timers, listeners, unhandled rejections). */
  readonly leaks: string[] = [];
  /** Of the reference: why this program says nothing (two timers at one instant, something the rules leave open, a hang). */
  skip: string | undefined;
  /** Of the reference: several strands were ready at once, so that another order within an instant may give another trace. */
  raced = false;

  note(site: number, entry: Entry): void {
    const list = this.lists[site];
    if (list) list.push(entry);
    else this.lists[site] = [entry];
  }
}

/** The bijection between the faults of two traces. */
class Pairs {
  readonly #there = new Map<Fault, Fault>();
  readonly #back = new Map<Fault, Fault>();
  /** Pairs whose suppressed errors have not been compared. */
  readonly open: [Fault, Fault][] = [];

  match(a: unknown, b: unknown): boolean {
    if (a instanceof Fault && b instanceof Fault) return this.#pair(a, b);
    return Object.is(a, b) || a === ANY || b === ANY;
  }

  matchAll(a: readonly unknown[], b: readonly unknown[]): boolean {
    if (a.length !== b.length) return false;
    for (let i = 0; i < a.length; i++) if (!this.match(a[i], b[i])) return false;
    return true;
  }

  #pair(a: Fault, b: Fault): boolean {
    if (a.kind !== b.kind || a.id !== b.id) return false;
    const known = this.#there.get(a);
    if (known || this.#back.has(b)) return known === b;
    this.#there.set(a, b);
    this.#back.set(b, a);
    this.open.push([a, b]);
    return true;
  }
}

/** By time, then by what can be told without the bijection; the order between scopes within an instant is open. */
function byTimeAndName(a: Entry, b: Entry): number {
  return (a[0] as number) - (b[0] as number) || (eventName(a) < eventName(b) ? -1 : 1);
}

function eventName(entry: Entry): string {
  const error = entry[2];
  return `${String(entry[1])} ${String(entry[3])} ${error instanceof Fault ? `${error.id} ${error.kind}` : String(error)}`;
}

/** Whether both did the same. `undefined`, or what differs first. */
export function difference(a: Trace, b: Trace): string | undefined {
  if (a.leaks.length + b.leaks.length > 0) return 'something was left behind';
  const pairs = new Pairs();
  for (let site = Math.max(a.lists.length, b.lists.length) - 1; site >= 0; site--) {
    const [x, y] = [a.lists[site] ?? NONE, b.lists[site] ?? NONE];
    if (x.length !== y.length) return `site ${site}: ${x.length} entries against ${y.length}`;
    for (let i = 0; i < x.length; i++)
      if (!pairs.matchAll(x[i] as Entry, y[i] as Entry)) return `site ${site}, entry ${i}`;
  }
  for (let site = Math.max(a.outcomes.length, b.outcomes.length) - 1; site >= 0; site--) {
    if (!pairs.matchAll(a.outcomes[site] ?? NONE, b.outcomes[site] ?? NONE)) return `outcome of ${site}`;
  }
  if (!sameEvents(a, b, pairs)) return 'events';
  for (let id = Math.max(a.made.length, b.made.length) - 1; id > 0; id--)
    if (!pairs.match(a.made[id], b.made[id])) return `error ${id}`;
  for (let next = pairs.open.pop(); next; next = pairs.open.pop()) {
    const [x, y] = next;
    if (!pairs.matchAll(x.suppressed, y.suppressed)) return `suppressed errors of ${faultName(x)}`;
    if (x.id === 0 && !pairs.match(x.cause, y.cause)) return `cause of ${faultName(x)}`;
  }
  return a.end === b.end ? undefined : 'end';
}

function sameEvents(a: Trace, b: Trace, pairs: Pairs): boolean {
  if (a.events.length !== b.events.length) return false;
  if (a.events.length > 1) {
    a.events.sort(byTimeAndName);
    b.events.sort(byTimeAndName);
  }
  return a.events.every((event, i) => pairs.matchAll(event, b.events[i] as Entry));
}

function faultName(value: unknown): string {
  if (value instanceof Fault) return value.id > 0 ? `e${value.id}` : value.kind;
  if (value === undefined) return '-';
  if (value === Infinity) return 'Infinity';
  if (typeof value === 'symbol') return '*';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** A trace as text, for people: one line per entry, in time, errors of the library numbered as they appear. */
export function render(trace: Trace): string[] {
  const numbers = new Map<Fault, number>();
  const show = (value: unknown): string => {
    if (!(value instanceof Fault) || value.id > 0) return faultName(value);
    if (!numbers.has(value)) numbers.set(value, numbers.size + 1);
    return `${value.kind}#${numbers.get(value)}`;
  };
  const lines = [...trace.lists.entries()].flatMap(([site, list]) =>
    (list ?? []).map((entry) => ({ site: `@${site}`, entry })),
  );
  trace.outcomes.forEach((entry, site) => entry && lines.push({ site: `@${site}`, entry }));
  lines.push(...trace.events.map((entry) => ({ site: 'event', entry })));
  lines.sort((a, b) => (a.entry[0] as number) - (b.entry[0] as number));
  const text = lines.map(({ site, entry }) => `${String(entry[0])}ms ${site} ${entry.slice(1).map(show).join(' ')}`);
  const known = [...trace.made.filter((fault) => fault !== undefined), ...numbers.keys()];
  for (const fault of known) {
    if (fault.suppressed.length > 0) text.push(`suppressed(${show(fault)}) = ${fault.suppressed.map(show).join(', ')}`);
    if (fault.id === 0 && fault.cause !== undefined) text.push(`cause(${show(fault)}) = ${show(fault.cause)}`);
  }
  return [...text, `end ${trace.end}ms`, ...trace.leaks.map((leak) => `LEFT: ${leak}`)];
}

/** Two traces beside each other; lines that only one has are marked. */
export function sideBySide(a: Trace, b: Trace, titles: readonly [string, string]): string {
  const [left, right] = [render(a), render(b)];
  const width = Math.min(76, Math.max(titles[0].length, ...left.map((line) => line.length)));
  const rows = [`  ${titles[0].padEnd(width)} | ${titles[1]}`];
  for (let i = 0, j = 0; i < left.length || j < right.length;) {
    const [x, y] = [left[i], right[j]];
    if (x === y) rows.push(`  ${(x ?? '').padEnd(width)} | ${y}`);
    const onlyLeft = x !== y && x !== undefined && !right.slice(j).includes(x);
    const onlyRight = x !== y && y !== undefined && !left.slice(i).includes(y);
    const both = x !== y && !onlyLeft && !onlyRight;
    if (x !== y)
      rows.push(`! ${(onlyLeft || both ? (x ?? '') : '').padEnd(width)} | ${onlyRight || both ? (y ?? '') : ''}`);
    if (x === y || onlyLeft || both) i++;
    if (x === y || onlyRight || both) j++;
  }
  return rows.join('\n');
}
