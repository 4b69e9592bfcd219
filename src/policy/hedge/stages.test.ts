/**
 * A hedge that may not launch anything extra yet, at any place among other layers, changes nothing: what comes out, what is told of it, events, times, what
 * is left. It is compared with a layer of one's own that does nothing, at the same place. One that launches as much
 * as it can, at any place, leaves nothing behind. The seed is HOLDFAST_SEED, or the same one every day.
 */
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { after, fail, recordEvents, scripted, virtualTime, type Step } from '../../testing/index.ts';
import { watchAbandonedBodies } from '../../../test/abandoned.ts';
import { CountedController } from '../../../test/listeners.ts';
import { seed } from '../../../test/seed.ts';
import { watchUnhandledRejections } from '../../../test/unhandled.ts';
import {
  breaker,
  bulkhead,
  constant,
  failWhen,
  fallback,
  hedge,
  layer,
  permanent,
  policy,
  retry,
  timeout,
  transient,
  type Bulkhead,
  type Policy,
} from '../../index.ts';

watchUnhandledRejections();
watchAbandonedBodies();

const nothing = (): Policy => layer({ name: 'nothing', run: (next) => next() });
const cold = (): Policy => hedge({ after: { percentile: 95 }, budget: false });
const hot = (): Policy => hedge({ after: 4, extra: 3, budget: false });

const LAYERS: Record<string, () => Policy<unknown>> = {
  fallback: () => fallback('instead'),
  timeout: () => timeout(100),
  shortTimeout: () => timeout(25, { grace: 5 }),
  hardTimeout: () => timeout(40, { grace: 0 }),
  retry: () => retry({ attempts: 3, backoff: constant(10) }),
  retryRefused: () => retry({ attempts: 3, backoff: constant(7), retryOn: ['CIRCUIT_OPEN', 'BULKHEAD_FULL', 'E'] }),
  retryWithin: () => retry({ attempts: 4, backoff: constant(10), maxElapsed: 35 }),
  breaker: () => breaker({ failures: 2, cooldown: 30 }),
  bulkhead: () => bulkhead({ limit: 1, queue: 1 }),
  fullBulkhead: () => bulkhead({ limit: 1 }),
  nothing,
};

const bad = { bad: true };
const step: fc.Arbitrary<Step<unknown>> = fc
  .tuple(
    fc.constantFrom<Step<unknown>>(
      'value',
      bad,
      undefined,
      fail(Object.assign(new Error('own'), { code: 'E' })),
      fail(transient(new Error('busy'))),
      fail(permanent(new Error('no'))),
      fail(Object.assign(new Error('down'), { code: 'ECONNRESET' })),
    ),
    fc.constantFrom(0, 0, 3, 30, 200),
  )
  .map(([it, ms]) => (ms === 0 ? it : after(ms, it)));

interface Case {
  readonly layers: readonly string[];
  readonly place: number;
  readonly judges: boolean;
  readonly calls: readonly { readonly steps: readonly Step<unknown>[]; readonly listens: boolean }[];
  readonly cancelMs: number | undefined;
}

const cases: fc.Arbitrary<Case> = fc.record({
  layers: fc.array(fc.constantFrom(...Object.keys(LAYERS)), { minLength: 1, maxLength: 4 }),
  place: fc.nat(4),
  judges: fc.boolean(),
  calls: fc.array(fc.record({ steps: fc.array(step, { minLength: 9, maxLength: 9 }), listens: fc.boolean() }), {
    minLength: 1,
    maxLength: 2,
  }),
  cancelMs: fc.oneof(fc.constant(undefined), fc.integer({ min: 1, max: 60 })),
});

/** That are taken, or waited for. */
function permitsOf(it: Policy<unknown>): number {
  const { inFlight = 0, waiting = 0 } = it as Partial<Bulkhead>;
  return inFlight + waiting;
}

interface Played {
  readonly outcomes: unknown;
  readonly told: readonly { readonly event: string }[];
  readonly left: number;
}

async function play({ layers, place, judges, calls, cancelMs }: Case, between: Policy): Promise<Played> {
  return virtualTime(async (time) => {
    using recorded = recordEvents();
    const controller = new CountedController();
    const reason = new Error('the reason');
    const stack = layers.map((name) => LAYERS[name]!()).toSpliced(place, 0, between);
    const made = policy(...stack, ...(judges ? [failWhen((value) => value === bad)] : []));
    const outcomes = calls.map(async ({ steps, listens }, i) => {
      const op = scripted([...steps, ...Array.from({ length: 20 }, () => fail('no more'))]);
      const options = { signal: controller.signal, idempotent: true, name: `call ${i}` };
      const outcome = await made.settle((s) => (listens ? op(s) : op()), options);
      return { outcome, at: time.now(), calls: op.calls.map(({ at }) => at) };
    });
    if (cancelMs !== undefined) {
      await time.advance(cancelMs);
      controller.abort(reason);
    }
    await time.runAll();
    const told = recorded.filter(({ event }) => event !== 'policy:warning');
    return {
      outcomes: await Promise.all(outcomes),
      told: told.map((event) => ({ ...event })),
      left: controller.listeners + stack.reduce((sum, it) => sum + permitsOf(it), 0),
    };
  });
}

test(
  `P11.9 a hedge that launches nothing extra is as no hedge, wherever it stands (seed ${seed})`,
  { timeout: 60_000 },
  async () => {
    await fc.assert(
      fc.asyncProperty(cases, async (it) => {
        expect(await play(it, cold())).toEqual(await play(it, nothing()));
      }),
      { seed, numRuns: 3000 },
    );
  },
);

test(
  `P11.2 no listener, timer or permit is left of launches, wherever the hedge stands (seed ${seed})`,
  { timeout: 60_000 },
  async () => {
    let launched = 0;
    await fc.assert(
      fc.asyncProperty(cases, async (it) => {
        const { told, left } = await play(it, hot());
        expect(left).toBe(0);
        launched += told.filter(({ event }) => event === 'hedge:launched').length;
      }),
      { seed, numRuns: 3000 },
    );
    expect(launched).toBeGreaterThan(3000);
  },
);
