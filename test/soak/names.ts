/**
 * A million distinct names, durations, keys, errors, signals and so on through everything that might remember them: the heap is no larger at the end
 * than after the first tenth. What bounds each collection: docs/reference/bounds.md.
 */
import assert from 'node:assert/strict';
import {
  addVerdictRule,
  attemptsOf,
  breaker,
  budget,
  bulkhead,
  classify,
  constant,
  contextKey,
  fallback,
  hedge,
  layer,
  onEvent,
  perKey,
  permanent,
  policy,
  rateLimit,
  retry,
  scope,
  standard,
  suppressedErrors,
  timeout,
} from 'holdfast';
import { collect, finish, scaled } from './lib/soak.ts';

const COUNT = scaled(1_000_000);
/** So many are under way at once, and between two waves the event loop turns. */
const WAVE = 100;
/** By how much the heap may have grown: what compiled code and the tables of the platform come to, whatever the count, and less than any reference for each. */
const GROWTH_KB = 2_048 + (4 * COUNT) / 1_024;

const down = (): never => {
  throw new Error('down');
};

const once = retry({ attempts: 1 });
const shared = new Error('shared by all');
const forever = new AbortController().signal;
const crowd = bulkhead({ limit: 1, queue: WAVE, priority: (call) => call.get(rank) ?? 0 });
const rank = contextKey<number>('rank');
const kept = perKey((key: string) => policy(retry(), breaker({ name: key })), { max: 100 });
const learning = hedge({ after: { percentile: 95 }, idempotent: true });
const window = breaker({ ratio: 1, window: '1h', name: 'window' });

/** What is done with the number of each. */
const SUBJECTS: Record<string, (i: number) => unknown> = {
  callNames: (i) => once.run(() => i, { name: `call ${i}` }),
  scopeNames: (i) => scope({ name: `scope ${i}` }, (s) => s.defer(() => {})),
  timeouts: (i) => timeout(1000 + i).run(() => i),
  exactTimeouts: (i) => timeout(1000 + i, { exact: true, grace: 1 + i }).run(() => i),
  deadlines: (i) => scope({ timeout: 1000 + i }, () => i),
  sleeps: (i) => scope(async (s) => (s.cancel(), s.sleep(1000 + i))).catch(() => {}),
  backOffs: async (i) => {
    const controller = new AbortController();
    const call = retry({ backoff: constant(1000 + i), budget: false }).settle(down, { signal: controller.signal });
    await Promise.resolve();
    controller.abort();
    return call;
  },
  policies: (i) =>
    policy(
      timeout('3s'),
      retry({ budget: budget({ name: `budget ${i}` }) }),
      breaker({ name: `breaker ${i}` }),
      rateLimit({ limit: 1 + i, name: `limit ${i}` }),
      bulkhead({ limit: 1 + i, name: `bulkhead ${i}`, adaptive: 'vegas' }),
      timeout('1s'),
    ).run(() => i),
  standards: (i) => standard({ breaker: { name: `breaker ${i}` } }).run(() => i),
  keys: (i) => kept.get(`key ${i}`).run(() => i),
  priorities: (i) => scope({ values: [[rank, i]] }, (s) => crowd.run(() => Promise.resolve(i), { signal: s })),
  contextKeys: (i) => {
    const key = contextKey<number>(`key ${i}`);
    return scope({ values: [[key, i]] }, (s) => s.get(key));
  },
  latencies: (i) => learning.run(() => i),
  outcomes: (i) => window.settle(i % 2 === 0 ? down : () => i),
  errors: async (i) => attemptsOf(((await once.settle(down)) as { error: unknown }).error).length + i,
  oneError: (i) =>
    once.settle((s) => {
      s.defer(() => down());
      throw i % 2 === 0 ? shared : permanent(shared);
    }),
  primitives: (i) =>
    once.settle(() => {
      throw i; // what cannot be a key of a weak map
    }),
  codes: (i) =>
    classify(Object.assign(new Error(`message ${i}`), { code: `CODE_${i}`, name: `Name${i}Error`, status: i })),
  rules: (i) => {
    using _ = addVerdictRule((error) => (i < 0 ? classify(error) : undefined));
    return classify(new Error('of a rule'));
  },
  listeners: (i) => {
    using _ = onEvent('call:end', () => i);
    return once.run(() => i);
  },
  unknownEvents: (i) => assert.throws(() => onEvent(`event:${i}` as never, () => {}), { code: 'BAD_OPTION' }),
  signals: (i) => once.run(() => i, { signal: new AbortController().signal }),
  oneSignal: (i) => once.run((s) => s.signal.aborted || i, { signal: forever }),
  fallbacks: (i) => fallback(i).run(down),
};

/** A million of something in one call, or in one turn of the event loop: gives the heap after a tenth, and at the end. */
const LONG: Record<string, () => Promise<readonly [before: number, after: number]>> = {
  attempts: () =>
    during((count) =>
      retry({ attempts: Infinity, backoff: constant(0), budget: false }).run(() => {
        if (!count()) throw new Error('another one');
      }),
    ),
  // What a hedge is told of a layer that calls what is inside again and again.
  reports: () =>
    during((count) => {
      const again = layer({
        name: 'again',
        run: async (next) => {
          while (!count()) await next().catch(() => {});
        },
      });
      return policy(hedge({ after: '1h', idempotent: true }), again, retry({ attempts: 1 })).run(down);
    }),
  timeoutsInOneTurn: () =>
    during(async (count) => {
      for (let i = 0; !count(); i++) await timeout(1000 + i).run(() => i);
    }),
};

/** The heap without a turn of the event loop. */
function heap(): number {
  for (let i = 0; i < 3; i++) globalThis.gc!();
  return process.memoryUsage().heapUsed;
}

async function during(work: (count: () => boolean) => Promise<unknown>): Promise<readonly [number, number]> {
  let [left, before, after] = [COUNT, 0, 0];
  await work(() => {
    left--;
    if (left === Math.round(0.9 * COUNT)) before = heap();
    if (left === 0) after = heap();
    return left <= 0;
  });
  return [before, after];
}

async function waves(subject: (i: number) => unknown, from: number, to: number): Promise<void> {
  for (let first = from; first < to; first += WAVE) {
    await Promise.all(Array.from({ length: WAVE }, (_, i) => subject(first + i)));
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function growthOf(before: number, after: number): number {
  return Math.round((after - before) / 1024);
}

const growths: Record<string, number> = {};
for (const [name, subject] of Object.entries(SUBJECTS)) {
  await waves(subject, 0, COUNT / 10);
  const before = await collect();
  await waves(subject, COUNT / 10, COUNT);
  growths[name] = growthOf(before, await collect());
}
assert.ok(suppressedErrors(shared).length <= 100);
for (const [name, subject] of Object.entries(LONG)) growths[name] = growthOf(...(await subject()));

const grown = Object.entries(growths).filter(([, growth]) => growth >= GROWTH_KB);
assert.deepEqual(grown, [], `kB by which the heap grew over ${COUNT} of each`);
finish({ subjects: Object.keys(growths).length, each: COUNT, largestGrowthKb: Math.max(...Object.values(growths)) });
