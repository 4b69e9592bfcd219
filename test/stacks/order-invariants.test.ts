/**
 * All ordered pairs and triples of layers with one in it that the reference of the rules does not know (`rateLimit`, `hedge`): whatever the fault,
 * every call settles, every attempt unwinds once, and nothing is left: no permit, no place, no body, no listener, no timer, no rejection.
 * For the others `orders.test.ts` says exactly what happens.
 */
import { getEventListeners } from 'node:events';
import { expect, test } from 'vitest';
import {
  abandoned,
  breaker,
  bulkhead,
  constant,
  fallback,
  hedge,
  layer,
  policy,
  rateLimit,
  retry,
  timeout,
  transient,
  type Policy,
  type Scope,
} from '../../src/index.ts';
import { Bulkhead } from '../../src/policy/bulkhead/bulkhead.ts';
import { RateLimit } from '../../src/policy/rate-limit/rate-limit.ts';
import { virtualTime } from '../../src/testing/index.ts';
import { watchUnhandledRejections } from '../unhandled.ts';

watchUnhandledRejections();

const KNOWN: Readonly<Record<string, (place: number) => Policy<unknown>>> = {
  retry: () => retry({ attempts: 3, backoff: constant(7), idempotent: true, budget: false }),
  timeout: (place) => timeout([300, 140, 60][place]!),
  breaker: () => breaker({ failures: 2, cooldown: 40 }),
  bulkhead: () => bulkhead({ limit: 1, queue: 1 }),
  fallback: () => fallback('instead'),
  layer: () => layer({ name: 'own', run: (next) => next() }),
};
const UNKNOWN: Readonly<Record<string, (place: number) => Policy<unknown>>> = {
  rateLimit: (place) => rateLimit({ limit: 2, per: 20, maxWait: place % 2 === 0 ? 50 : 0 }),
  hedge: () => hedge({ after: 10, extra: 2, idempotent: true, budget: false }),
};
const KINDS = { ...KNOWN, ...UNKNOWN };

const fails = (): never => {
  throw transient(new Error('busy'));
};

/** What the operation does at its n-th run, from 1, in all attempts of all launches of one call. */
const FAULTS: Readonly<Record<string, (s: Scope, run: number) => unknown>> = {
  'succeeds at once': () => 'value',
  'succeeds after a time': (s) => s.sleep(25),
  'fails twice, then succeeds': (_s, run) => (run <= 2 ? fails() : 'value'),
  'always fails': async (s) => {
    await s.sleep(4);
    fails();
  },
  'hangs once, and listens': (s, run) => (run === 1 ? s.sleep('1h') : 'value'),
  'is deaf': () => new Promise((resolve) => later(900, resolve)),
  'cleans up, which takes its time and fails': async (s) => {
    s.defer(async () => {
      await s.sleep(6);
      fails();
    });
    await s.sleep(3);
  },
};

/** After so long, on virtual time, whatever becomes of the operation. */
function later(ms: number, fn: (value: void) => void): void {
  void policy()
    .run((s) => s.sleep(ms))
    .then(fn);
}

function lists(length: number): string[][] {
  if (length === 0) return [[]];
  return lists(length - 1).flatMap((list) => Object.keys(KINDS).map((kind) => [...list, kind]));
}

/** What is wrong, if anything is. */
async function problemOf(kinds: readonly string[], fault: string, cancelAfter: number | undefined): Promise<string[]> {
  const layers = kinds.map((kind, place) => KINDS[kind]!(place));
  const made = policy(...layers);
  const counts = { calls: 0, settled: 0, runs: 0, unwound: 0 };
  const { signal, abort } = cancellable();
  await virtualTime(async (time) => {
    const call = (): void => {
      let run = 0;
      counts.calls++;
      const operation = (s: Scope): unknown => {
        counts.runs++;
        s.defer(() => void counts.unwound++);
        return FAULTS[fault]!(s, ++run);
      };
      void made.settle(operation, { signal }).then(() => counts.settled++);
    };
    for (let i = 0; i < 3; i++) {
      call();
      await time.advance(3);
    }
    if (cancelAfter !== undefined) {
      await time.advance(cancelAfter);
      abort();
    }
    await time.runAll();
    if (cancelAfter === undefined) call(); // it finds what the others have left
    await time.runAll();
  });
  const left = {
    calls: counts.calls - counts.settled,
    cleanups: counts.runs - counts.unwound,
    abandoned: abandoned(),
    permits: sum(layers, (it) => (it instanceof Bulkhead ? it.inFlight : 0)),
    waiting: sum(layers, (it) => (it instanceof Bulkhead || it instanceof RateLimit ? it.waiting : 0)),
    listeners: getEventListeners(signal, 'abort').length,
  };
  return Object.entries(left)
    .filter(([, count]) => count !== 0)
    .map(([what, count]) => `${count} ${what} left`);
}

function cancellable(): { signal: AbortSignal; abort: () => void } {
  const controller = new AbortController();
  return { signal: controller.signal, abort: () => controller.abort(new Error('cancelled')) };
}

function sum(layers: readonly unknown[], of: (layer: unknown) => number): number {
  return layers.reduce<number>((total, layer) => total + of(layer), 0);
}

test.each([
  ['two', 2, 28],
  ['three', 3, 296],
])(
  '%s layers in every order leave nothing behind, whatever the fault',
  { timeout: 300_000 },
  async (_, length, stacks) => {
    const tried = lists(length).filter((kinds) => kinds.some((kind) => kind in UNKNOWN));
    expect(tried).toHaveLength(stacks);
    for (const kinds of tried) {
      for (const fault of Object.keys(FAULTS)) {
        for (const cancelAfter of [undefined, 8]) {
          const problem = await problemOf(kinds, fault, cancelAfter);
          expect(problem, `${kinds.join(' → ')}: ${fault}${cancelAfter === undefined ? '' : ', cancelled'}`).toEqual(
            [],
          );
        }
      }
    }
  },
);
