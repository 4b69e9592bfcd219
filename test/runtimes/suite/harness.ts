/**
 * A test runner of one page, for what has no other: it needs nothing that a browser and a worker do not have, starts nothing when it is
 * loaded, and keeps what it finds in an object that goes through JSON.
 */

/** What only some runtimes have. A group of tests may need one. */
export type Feature = 'async context' | 'diagnostics_channel' | 'DisposableStack';

/** What the place that the tests run in has to offer. */
export interface Here {
  /** A URL at which nobody listens. */
  readonly unreachable: string;
  /** Calls one of the handlers in `requests.ts` in a request of its own, where the runtime has such a thing. */
  request(name: string): Promise<string>;
}

/** Tests by title. A title is a clause of what the library promises. */
export interface Group {
  readonly about: string;
  readonly needs?: Feature;
  readonly tests: Readonly<Record<string, (here: Here) => unknown>>;
}

/** What became of the tests. `lacks`: which tests did not apply, by what is missing. */
export interface Report {
  readonly userAgent: string;
  readonly passed: string[];
  readonly failed: { readonly title: string; readonly error: string }[];
  readonly lacks: Partial<Record<Feature, string[]>>;
}

/** Of some platforms, and so not known to the type checker for all. */
interface Global {
  readonly process?: {
    getBuiltinModule?(name: string): unknown;
    on?(event: 'unhandledRejection', listener: (reason: unknown) => void): unknown;
  };
  readonly navigator: { readonly userAgent: string };
  readonly DisposableStack?: unknown;
  addEventListener?(
    event: 'unhandledrejection',
    listener: (event: { reason: unknown; preventDefault(): void }) => void,
  ): void;
}

const platform = globalThis as unknown as Global;

/** A built-in module of Node, where the runtime has it. */
export const builtin = (name: string): unknown => platform.process?.getBuiltinModule?.(name);

const features: Readonly<Record<Feature, () => boolean>> = {
  'async context': () => builtin('async_hooks') !== undefined,
  diagnostics_channel: () => builtin('diagnostics_channel') !== undefined,
  DisposableStack: () => platform.DisposableStack !== undefined,
};

/** Rejections that nobody has handled, since this was last emptied. */
export const unhandled: unknown[] = [];
let watching = false;

function watch(): void {
  if (watching) return;
  watching = true;
  if (platform.process?.on !== undefined) {
    platform.process.on('unhandledRejection', (reason) => unhandled.push(reason));
  } else {
    platform.addEventListener!('unhandledrejection', (event) => {
      event.preventDefault();
      unhandled.push(event.reason);
    });
  }
}

/** On the platform's own timers: those of the library are what is tested. */
export const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** @param limitMs how long each may take */
export async function runTests(groups: readonly Group[], here: Here, limitMs = 10_000): Promise<Report> {
  watch();
  const report: Report = { userAgent: platform.navigator.userAgent, passed: [], failed: [], lacks: {} };
  const seen = new Set<string>();
  for (const { about, needs, tests } of groups) {
    for (const [clause, test] of Object.entries(tests)) {
      const title = `${about}: ${clause}`;
      if (seen.has(title)) throw new Error(`two tests are called '${title}'`);
      seen.add(title);
      if (needs !== undefined && !features[needs]()) {
        (report.lacks[needs] ??= []).push(title);
        continue;
      }
      const problem = await problemOf(() => test(here), limitMs);
      if (problem === undefined) report.passed.push(title);
      else report.failed.push({ title, error: problem });
    }
  }
  return report;
}

async function problemOf(test: () => unknown, limitMs: number): Promise<string | undefined> {
  unhandled.length = 0;
  let overdue;
  try {
    await Promise.race([
      (async () => test())(),
      new Promise((_, reject) => {
        overdue = setTimeout(() => reject(new Error(`has not ended after ${limitMs} ms`)), limitMs);
      }),
    ]);
    await wait(1); // the platform tells of rejections when the microtasks are done
    if (unhandled.length > 0) return `unhandled rejections: ${unhandled.map(String).join(', ')}`;
  } catch (error) {
    return textOf(error);
  } finally {
    clearTimeout(overdue);
  }
  return undefined;
}

/** The stack begins with the message in some engines only. */
function textOf(error: unknown): string {
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  return stack.includes(String(error)) ? stack : `${String(error)}\n${stack}`.trimEnd();
}

/** What is thrown here is caught by `runTests`. */
export function equal(actual: unknown, expected: unknown, what = 'value'): void {
  if (!same(actual, expected)) throw new Error(`${what}: expected ${show(expected)}, got ${show(actual)}`);
}

export function ok(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(`not so: ${what}`);
}

/** What a promise is rejected with. */
export async function rejection(promise: PromiseLike<unknown>): Promise<any> {
  let value;
  try {
    value = await promise;
  } catch (error) {
    return error;
  }
  throw new Error(`expected a rejection, got ${show(value)}`);
}

/** What a function throws. */
export function thrown(fn: () => unknown): any {
  let value;
  try {
    value = fn();
  } catch (error) {
    return error;
  }
  throw new Error(`expected a throw, got ${show(value)}`);
}

/** Lists and plain objects are compared by what is in them, everything else by identity. */
function same(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (!isPlain(a) || !isPlain(b) || Array.isArray(a) !== Array.isArray(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && same(a[key], b[key]));
}

function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  return Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype;
}

function show(value: unknown): string {
  return isPlain(value) ? JSON.stringify(value) : String(value);
}
