/**
 * Calls with random times, weights, deadlines and aborts, against P10 once more: GCRA by its virtual schedule, a list of who waits, and a loop over
 * milliseconds. Nothing happens in the instant of an abort: whose order is nobody's promise. The seed is HOLDFAST_SEED, or the same one every day;
 * fast-check prints what brings a failure back.
 */
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { virtualTime } from '../../testing/index.ts';
import { watchAbandonedBodies } from '../../../test/abandoned.ts';
import { CountedController } from '../../../test/listeners.ts';
import { seed } from '../../../test/seed.ts';
import { watchUnhandledRejections } from '../../../test/unhandled.ts';
import { contextKey, policy, rateLimit, scope, timeout } from '../../index.ts';

watchUnhandledRejections();
watchAbandonedBodies();

interface Call {
  readonly atMs: number;
  readonly weight: number;
  /** How long after it came. */
  readonly abortMs: number | undefined;
  readonly timeoutMs: number | undefined;
}

interface Case {
  readonly limit: number;
  /** T of the algorithm: the milliseconds of a token. */
  readonly t: number;
  readonly burst: number;
  readonly maxWaitMs: number;
  readonly calls: readonly Call[];
}

type Outcome = readonly ['began' | 'aborted', atMs: number] | readonly ['refused', atMs: number, retryAfterMs: number];

/** Calls come at multiples of 4, aborts are at one more, deadlines at two more; and so turns, of whole tokens, are at multiples of 4. */
const cases: fc.Arbitrary<Case> = fc
  .record({
    limit: fc.integer({ min: 1, max: 20 }),
    t: fc.integer({ min: 1, max: 10 }).map((n) => 4 * n),
    burst: fc.integer({ min: 1, max: 5 }),
    maxWaitMs: fc.oneof(fc.constantFrom(0, Infinity, Infinity), fc.nat(600)),
    calls: fc.array(
      fc.record({
        atMs: fc.nat(30).map((n) => 4 * n),
        weight: fc.oneof({ weight: 4, arbitrary: fc.integer({ min: 1, max: 5 }) }, fc.constant(0)),
        abortMs: fc.option(
          fc.nat(80).map((n) => 4 * n + 1),
          { nil: undefined },
        ),
        timeoutMs: fc.option(
          fc.nat(60).map((n) => 4 * n + 2),
          { nil: undefined, freq: 3 },
        ),
      }),
      { minLength: 1, maxLength: 30 },
    ),
  })
  .map(({ calls, ...rest }) => ({
    ...rest,
    calls: calls
      .map((call) => ({ ...call, weight: Math.min(call.weight, rest.burst) }))
      .sort((a, b) => a.atMs - b.atMs),
  }));

/** P10 as a loop. */
class Model {
  readonly outcomes: Outcome[];
  private readonly case: Case;
  private tat = 0;
  private waiting: number[] = [];

  constructor(it: Case) {
    this.case = it;
    this.outcomes = it.calls.map(() => ['refused', NaN, NaN]);
  }

  play(): this {
    const { calls } = this.case;
    for (let nowMs = 0; nowMs < 7_000; nowMs++) {
      this.letIn(nowMs);
      for (const [call, { atMs }] of calls.entries()) if (atMs === nowMs) this.come(call, nowMs);
      for (const [call, { atMs, abortMs }] of calls.entries())
        if (abortMs !== undefined && atMs + abortMs === nowMs) this.abort(call, nowMs);
    }
    if (this.waiting.length > 0) throw new Error(`calls wait for ever: ${String(this.waiting)}`);
    return this;
  }

  private come(call: number, nowMs: number): void {
    const { maxWaitMs, calls, t } = this.case;
    const { weight, timeoutMs = Infinity } = calls[call]!;
    if (weight === 0) {
      this.outcomes[call] = ['began', nowMs];
      return;
    }
    // As if all who wait, and it, came one after another.
    let tat = this.tat;
    for (const ahead of this.waiting) tat = Math.max(tat, nowMs) + calls[ahead]!.weight * t;
    const waitMs = this.fits(tat, weight, nowMs);
    if (waitMs > maxWaitMs || (waitMs > 0 && waitMs >= timeoutMs)) this.outcomes[call] = ['refused', nowMs, waitMs];
    else this.waiting.push(call);
    this.letIn(nowMs);
  }

  /** In how many milliseconds. */
  private fits(tat: number, weight: number, nowMs: number): number {
    const { burst, t } = this.case;
    for (let waitMs = 0; ; waitMs++) {
      // The last of its cells conforms: its TAT is weight − 1 later than that of the first.
      if (Math.max(tat, nowMs + waitMs) + (weight - 1) * t <= nowMs + waitMs + (burst - 1) * t) return waitMs;
    }
  }

  private letIn(nowMs: number): void {
    for (let call = this.waiting[0]; call !== undefined; call = this.waiting[0]) {
      const { weight } = this.case.calls[call]!;
      if (this.fits(this.tat, weight, nowMs) > 0) return;
      this.waiting.shift();
      this.tat = Math.max(this.tat, nowMs) + weight * this.case.t;
      this.outcomes[call] = ['began', nowMs];
    }
  }

  private abort(call: number, nowMs: number): void {
    if (!this.waiting.includes(call)) return;
    this.waiting = this.waiting.filter((it) => it !== call);
    this.outcomes[call] = ['aborted', nowMs];
    this.letIn(nowMs);
  }
}

const weightKey = contextKey<number>('weight');

async function played(it: Case): Promise<Outcome[]> {
  const { limit, t, burst, maxWaitMs, calls } = it;
  return virtualTime(async (time) => {
    const limiter = rateLimit({
      limit,
      per: limit * t,
      burst,
      maxWait: maxWaitMs,
      weight: (call) => call.get(weightKey)!,
    });
    const outcomes: Outcome[] = [];
    const reason = new Error('enough');
    const start = async (call: Call): Promise<Outcome> => {
      const { atMs, weight, abortMs, timeoutMs } = call;
      await scope((s) => s.sleep(atMs));
      const controller = new CountedController();
      const layers = timeoutMs === undefined ? limiter : policy(timeout(timeoutMs), limiter);
      const aborts = scope(async (s) => {
        if (abortMs === undefined) return;
        await s.sleep(abortMs);
        controller.abort(reason);
      });
      try {
        return await scope({ values: [[weightKey, weight]], signal: controller.signal }, (s) =>
          layers.run(() => ['began', time.now()] as const, { signal: s }),
        );
      } catch (error) {
        if (error === reason) return ['aborted', time.now()];
        const { code, retryAfterMs } = error as { code?: unknown; retryAfterMs: number };
        expect(code, String(error)).toBe('RATE_LIMITED');
        return ['refused', time.now(), retryAfterMs];
      } finally {
        await aborts;
        expect(controller.listeners).toBe(0);
      }
    };
    const all = calls.map(async (call, i) => {
      outcomes[i] = await start(call);
    });
    await time.runAll();
    await Promise.all(all);
    expect([limiter.waiting, time.pending, limiter.tokens]).toEqual([0, 0, expect.any(Number)]);
    return outcomes;
  });
}

test(`calls begin, are refused and leave as P10 says (seed ${seed})`, { timeout: 60_000 }, async () => {
  const seen = { began: 0, waited: 0, refused: 0, aborted: 0 };
  await fc.assert(
    fc.asyncProperty(cases, async (it) => {
      const { outcomes } = new Model(it).play();
      expect(await played(it)).toEqual(outcomes);
      for (const [call, [kind, atMs]] of outcomes.entries()) {
        seen[kind]++;
        if (kind === 'began' && atMs > it.calls[call]!.atMs) seen.waited++;
      }
    }),
    { seed, numRuns: 500 },
  );
  // All of it happens.
  for (const [kind, count] of Object.entries(seen)) expect(count, kind).toBeGreaterThan(100);
});
