/**
 * What layers save, one entry for each file of `saved/`. Every one that was ever released stays, so that what an older version has saved is read by all later ones.
 *
 * `node test/cells/write-saved.ts` writes the files that are missing, by the code of today, on virtual time; a file that is there is never written again.
 * How a version is added: docs/reference/saved-state.md.
 */
import { breaker, budget, bulkhead, constant, hedge, rateLimit, retry, type Policy } from '../../src/index.ts';
import type { VirtualTime } from '../../src/testing/index.ts';

/** What can be saved: `JSON.stringify` calls `toJSON`. */
export interface Savable {
  toJSON(): { readonly version: number };
}

export interface Saved<T extends Savable = Savable> {
  /** Of `saved/NAME.json`: the layer, the version, and what is special. */
  readonly file: string;
  /** One that has been through something. Left out once the code of today writes it differently: then a newer entry has it. */
  readonly make?: (time: VirtualTime) => Promise<T>;
  /** A new one that goes on from what was saved; without that, a new one. */
  readonly read: (saved?: unknown) => T;
  /** What it must know then. It may be asked once. */
  knows(restored: T): unknown;
  readonly known: unknown;
}

const fails = (): never => {
  throw new Error('down');
};

/** Calls, one after the other. */
async function calls(policy: Policy<unknown>, count: number, operation: () => unknown): Promise<void> {
  for (let i = 0; i < count; i++) await policy.settle(operation);
}

/** Each takes so many milliseconds. */
async function callsOf(time: VirtualTime, policy: Policy<unknown>, spansMs: readonly number[]): Promise<void> {
  const all = spansMs.map((ms) => policy.settle((s) => s.sleep(ms)));
  await time.runAll();
  await Promise.all(all);
}

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

const openBreaker = (restore?: unknown) => breaker({ failures: 2, cooldown: (opens) => 10_000 * opens, restore });
const ratioBreaker = (restore?: unknown) => breaker({ ratio: 0.5, lastCalls: 8, minCalls: 8, restore });
const windowBreaker = (restore?: unknown) => breaker({ ratio: 0.5, window: '10s', minCalls: 6, restore });
const plainBulkhead = (restore?: unknown) => bulkhead({ limit: 1, queue: 20, restore });
const adaptiveBulkhead = (restore?: unknown) =>
  bulkhead({ limit: 100, adaptive: { algorithm: 'vegas', initial: 4, window: '1ms' }, restore });
const percentileHedge = (restore?: unknown) => hedge({ after: { percentile: 90 }, idempotent: true, restore });
const smallRateLimit = (restore?: unknown) => rateLimit({ limit: 10, per: '1s', restore });
const smallBudget = (restore?: unknown) => {
  const made = budget({ initial: 10, cap: 20, trickle: 0 });
  if (restore !== undefined) made.restore(restore);
  return made;
};

/** The state after each of so many failures. */
async function statesOf(made: ReturnType<typeof breaker>, failures: number): Promise<string[]> {
  const states: string[] = [made.state];
  for (let i = 0; i < failures; i++) {
    await made.settle(fails);
    states.push(made.state);
  }
  return states;
}

/** For `knows` to be given what `read` makes. */
const entry = <T extends Savable>(it: Saved<T>): Saved => it;

export const SAVED: readonly Saved[] = [
  entry({
    file: 'breaker-1-open',
    make: async (time) => {
      const made = openBreaker();
      await calls(made, 2, fails);
      await time.advance(3000);
      return made;
    },
    read: openBreaker,
    knows: async (restored) => {
      const { error } = (await restored.settle(fails)) as { error: object };
      return { ...error, code: (error as { code: string }).code };
    },
    known: { code: 'CIRCUIT_OPEN', breaker: 'breaker', state: 'open', retryAfterMs: 7000 },
  }),
  entry({
    file: 'breaker-1-closed',
    make: async () => {
      const made = openBreaker();
      await calls(made, 1, fails);
      return made;
    },
    read: openBreaker,
    knows: (restored) => statesOf(restored, 1),
    known: ['closed', 'open'],
  }),
  entry({
    file: 'breaker-1-last-calls',
    make: async () => {
      const made = ratioBreaker();
      await calls(made, 4, () => 'well');
      await calls(made, 3, fails);
      return made;
    },
    read: ratioBreaker,
    knows: (restored) => statesOf(restored, 1),
    known: ['closed', 'open'],
  }),
  entry({
    file: 'breaker-1-window',
    make: async (time) => {
      const made = windowBreaker();
      await calls(made, 3, () => 'well');
      await time.advance(2500);
      await calls(made, 2, fails);
      return made;
    },
    read: windowBreaker,
    knows: (restored) => statesOf(restored, 1),
    known: ['closed', 'open'],
  }),
  entry({
    file: 'bulkhead-1',
    make: async (time) => {
      const made = plainBulkhead();
      await callsOf(
        time,
        made,
        range(12).map(() => 100),
      );
      return made;
    },
    read: plainBulkhead,
    knows: (restored) => restored.toJSON(),
    known: { version: 1, serviceMs: 100, intervals: 10, departures: 1 },
  }),
  entry({
    file: 'bulkhead-1-adaptive',
    make: async (time) => {
      const made = adaptiveBulkhead();
      for (let i = 0; i < 40; i++) await callsOf(time, made, [10, 10]);
      return made;
    },
    read: adaptiveBulkhead,
    knows: (restored) => ({
      limit: restored.limit,
      baseMs: restored.toJSON().adaptive?.base?.ms,
    }),
    known: { limit: 10, baseMs: 10 },
  }),
  entry({
    file: 'hedge-1',
    make: async (time) => {
      const made = percentileHedge();
      await callsOf(
        time,
        made,
        range(60).map((i) => i + 1),
      );
      return made;
    },
    read: percentileHedge,
    knows: (restored) => Math.round(restored.afterMs!),
    known: 54,
  }),
  entry({
    file: 'rate-limit-1',
    make: async (time) => {
      const made = smallRateLimit();
      await calls(made, 7, () => 'well');
      await time.advance(100);
      return made;
    },
    read: smallRateLimit,
    knows: (restored) => restored.tokens,
    known: 4,
  }),
  entry({
    file: 'budget-1',
    make: async () => {
      const made = smallBudget();
      const once = retry({ attempts: 2, backoff: constant(0), budget: made });
      await calls(once, 3, fails);
      await calls(once, 1, () => 'well');
      return made;
    },
    read: smallBudget,
    knows: (restored) => restored.tokens,
    known: 7.2,
  }),
];
