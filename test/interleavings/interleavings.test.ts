/**
 * Random interleavings in `npm test`: 2,000 programs break no rule; and the rules are able to fail: policies that break one are found. The seed is
 * HOLDFAST_SEED, or the same one every day; longer runs: `node test/interleavings/main.ts`.
 */
import process from 'node:process';
import { expect, test } from 'vitest';
import { clock, Timer } from '../../src/foundation/index.ts';
import { TimeoutError, type RunOptions, type Scope } from '../../src/index.ts';
import { callerStorage } from './caller.ts';
import { interleave, replay } from './interleave.ts';
import { make, type Made, type Make, type Plan } from './plan.ts';

const SEED = process.env['HOLDFAST_SEED'] ?? 'holdfast';
const PROGRAMS = 2000;

test(`calls keep the rules in ${PROGRAMS} random interleavings (seed ${SEED})`, { timeout: 60_000 }, async () => {
  const finding = await interleave({ seed: SEED, count: PROGRAMS });
  if (finding) expect.fail(`program ${finding.index}: ${finding.rule}\n${replay(SEED, finding)}`);
});

/** What the plan says, but for this. */
const plans = (change: (plan: Plan) => Partial<Plan>): Make => {
  return (plan, priority) => make({ ...plan, ...change(plan) }, priority);
};

type Run = (op: (s: Scope) => unknown, options: RunOptions) => Promise<unknown>;

/** Runs in the policy, but does something besides. */
const runs = (change: (run: Run, made: Made) => Run): Make => {
  return (plan, priority) => {
    const made = make(plan, priority);
    const changed = change((op, options) => made.policy.run(op, options), made);
    const policy = {
      run: changed,
      settle: async (op: Parameters<Run>[0], options: RunOptions) => {
        try {
          return { ok: true, value: await changed(op, options) };
        } catch (error) {
          return { ok: false, error };
        }
      },
    };
    return { ...made, policy: policy as unknown as Made['policy'] };
  };
};

class Forgotten extends Timer {
  override fire(): void {}
}

/** Each breaks a rule: what is found is told in these words. */
const BROKEN: Record<string, readonly [Make, RegExp]> = {
  'P2.1: a result of another': [
    runs((run) => async (op, options) => ({ not: await run(op, options) })),
    /gives what its last attempt did not/,
  ],
  'P2.2: a wrapped error': [
    runs(
      (run) => (op, options) =>
        run(op, options).catch((cause: unknown) => Promise.reject(new Error('failed', { cause }))),
    ),
    /throws what is not its own/,
  ],
  'P2.3: a timeout for who was cancelled': [
    runs((run) => async (op, options) => {
      try {
        return await run(op, options);
      } catch (error) {
        if ((options.signal as AbortSignal | undefined)?.aborted === true) throw new TimeoutError('the call', 10);
        throw error;
      }
    }),
    /was aborted, and throws a timeout|throws what is not its own/,
  ],
  'P2.4: a caller who cannot cancel': [
    runs(
      (run) =>
        (op, { signal, ...options }) =>
          run(op, signal instanceof AbortSignal ? options : { ...options, signal }),
    ),
    /starts for an aborted caller|is not told/,
  ],
  'P2.7: the async context of nobody': [
    runs((run) => (op, options) => run((s) => callerStorage.exit(() => op(s)), options)),
    /in the async context of another/,
  ],
  'P3.2: an attempt too many': [
    plans(({ retry }) => ({ retry: retry && { ...retry, attempts: retry.attempts + 1 } })),
    /is attempt \d/,
  ],
  'P3.3: taken for idempotent': [
    runs((run) => (op, options) => run(op, { ...options, idempotent: true })),
    /starts beside the one before/,
  ],
  'P4: no budget': [
    plans(({ retry }) => ({ retry: retry && { ...retry, tokens: retry.tokens === null ? null : 1000 } })),
    /the budget has/,
  ],
  'P4: a token too many': [
    plans(({ retry }) => ({ retry: retry && { ...retry, tokens: retry.tokens === null ? null : retry.tokens + 1 } })),
    /the budget has/,
  ],
  'P5.1: no timeout of the whole call': [
    plans(({ timeout }) => ({ timeout: timeout && { ...timeout, ms: 10 * timeout.ms } })),
    /starts after its deadline/,
  ],
  'P5.5: nobody waits for what was abandoned': [
    plans(({ timeout, attemptTimeout, order }) => ({
      timeout: timeout && { ...timeout, detach: true },
      attemptTimeout: attemptTimeout && { ...attemptTimeout, detach: true },
      bulkhead: undefined,
      order: order.filter((it) => it !== 'bulkhead'),
    })),
    /cleans up while its operation is at work/,
  ],
  'P6.2: it never opens': [
    (plan, priority) => {
      const made = make(plan, priority);
      made.breaker?.isolate();
      return {
        ...made,
        policy: make({ ...plan, breaker: undefined, order: plan.order.filter((it) => it !== 'breaker') }, priority)
          .policy,
      };
    },
    /though the breaker is/,
  ],
  'P6.3: a probe too many': [
    plans(({ breaker }) => ({ breaker: breaker && { ...breaker, probes: breaker.probes + 1 } })),
    /at a time|after its probes have succeeded/,
  ],
  'P7.1: a permit too many': [
    plans(({ bulkhead }) => ({ bulkhead: bulkhead && { ...bulkhead, limit: bulkhead.limit + 1 } })),
    /in flight, of/,
  ],
  'P7.1: a place too many': [
    plans(({ bulkhead }) => ({ bulkhead: bulkhead && { ...bulkhead, queue: bulkhead.queue + 1 } })),
    /wait, in/,
  ],
  'P7.2: a permit that is not given back': [
    runs((run, { bulkhead }) => (op, options) => {
      bulkhead?.run(() => new Promise(() => {})).catch(() => {});
      return run(op, options);
    }),
    /permits are not given back|nothing is under way|wait beside|wait, in/,
  ],
  'P7.3: last come first served': [
    (plan, priority) => {
      let arrivals = 0;
      return make(plan, (call) => priority(call) + 10 * ++arrivals);
    },
    /was overtaken/,
  ],
  'a listener that stays': [
    runs((run) => (op, options) => {
      (options.signal as AbortSignal | undefined)?.addEventListener?.('abort', () => {});
      return run(op, options);
    }),
    /listeners are left/,
  ],
  'a timer that stays': [
    runs((run) => (op, options) => {
      clock.start(new Forgotten(), 3_600_000);
      return run(op, options);
    }),
    /timers are left/,
  ],
  'a rejection that nobody handles': [
    runs((run) => (op, options) => {
      const call = run(op, options);
      void call.then(() => {});
      return call;
    }),
    /nobody handles/,
  ],
  'a result that is disposed of': [
    runs((run) => async (op, options) => {
      using result = (await run(op, options)) as Disposable;
      return result;
    }),
    /though somebody has it/,
  ],
  'a late result that is kept': [
    runs(
      (run) => (op, options) =>
        run(async (s) => {
          await op(s);
          return undefined;
        }, options),
    ),
    /gives what its last attempt did not|the late result/,
  ],
  'a call that never settles': [
    runs((run) => async (op, options) => {
      await run(op, options);
      return new Promise(() => {});
    }),
    /nothing is under way/,
  ],
};

test.each(Object.entries(BROKEN))('a policy that breaks a rule is found: %s', async (_, [make, rule]) => {
  const finding = await interleave({ seed: SEED, count: PROGRAMS, make });
  if (!finding) return expect.fail(`not found in ${PROGRAMS} programs`);
  expect(finding.rule).toMatch(rule);
  // The same again, alone, with each step told of.
  const steps: string[] = [];
  const again = await interleave({ seed: SEED, from: finding.index, count: 1, make, tell: (step) => steps.push(step) });
  expect(again).toEqual(finding);
  expect(steps.length).toBeGreaterThan(2);
});
