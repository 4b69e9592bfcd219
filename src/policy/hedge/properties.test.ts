/**
 * Calls with random latencies, results and aborts, against P11 once more, as a loop over what happens next. No two things happen in one instant:
 * whose order is nobody's promise. The seed is HOLDFAST_SEED, or the same one every day; fast-check prints what brings a failure back.
 */
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { recordEvents, virtualTime } from '../../testing/index.ts';
import { watchAbandonedBodies } from '../../../test/abandoned.ts';
import { CountedController } from '../../../test/listeners.ts';
import { seed } from '../../../test/seed.ts';
import { settle } from '../../../test/settle.ts';
import { watchUnhandledRejections } from '../../../test/unhandled.ts';
import { breaker, budget, hedge, permanent, scope, suppressedErrors, type Scope } from '../../index.ts';

watchUnhandledRejections();
watchAbandonedBodies();

type Kind = 'success' | 'failure' | 'permanent' | 'refusal';

/** What one launch comes to by itself, and whether it listens to its signal. */
interface Script {
  readonly ms: number;
  readonly kind: Kind;
  readonly listens: boolean;
}

interface Case {
  readonly afterMs: number;
  readonly extra: number;
  readonly tokens: number;
  readonly cancelMs: number;
  readonly scripts: readonly Script[];
}

interface Seen {
  readonly beganMs: readonly number[];
  /** Which launch's value or error came out, `'reason'` for the caller's; whose errors are beside it; and when. */
  readonly out: string;
  readonly beside: readonly number[];
  readonly endedMs: number;
  /** Losers that came to an end of their own. */
  readonly late: readonly string[];
  readonly disposed: readonly number[];
  readonly tokens: number;
}

const MOST = 4;

/** The fractions of a millisecond make all times differ. */
const cases: fc.Arbitrary<Case> = fc.record({
  afterMs: fc.oneof(fc.integer({ min: 1, max: 60 }), fc.constant(Infinity)),
  extra: fc.integer({ min: 1, max: MOST - 1 }),
  tokens: fc.integer({ min: 0, max: 3 }),
  cancelMs: fc.oneof(
    { weight: 2, arbitrary: fc.constant(Infinity) },
    fc.nat(200).map((ms) => ms + 1 / 3),
  ),
  scripts: fc
    .array(
      fc.record({
        ms: fc.nat(150),
        kind: fc.oneof(
          { weight: 4, arbitrary: fc.constantFrom('success', 'failure') },
          fc.constantFrom('permanent', 'refusal'),
        ) as fc.Arbitrary<Kind>,
        listens: fc.boolean(),
      }),
      { minLength: MOST, maxLength: MOST },
    )
    .map((scripts) => scripts.map((script, i) => ({ ...script, ms: script.ms + 2 ** i / 64 }))),
});

interface Run extends Script {
  readonly number: number;
  readonly beganMs: number;
  endMs: number;
  /** It ends with the reason of whoever cancelled it. */
  cancelled: boolean;
  failed: boolean;
  over: boolean;
}

/** P11, read to the letter. */
function expected({ afterMs, extra, tokens, cancelMs, scripts }: Case): Seen {
  const runs: Run[] = [];
  let most = 1 + extra;
  let nextMs = Infinity;
  let nowMs = 0;
  let cancelled = false;
  const begin = (): void => {
    const script = scripts[runs.length]!;
    const ends = { endMs: nowMs + script.ms, cancelled: false, failed: false, over: false };
    runs.push({ ...script, number: runs.length + 1, beganMs: nowMs, ...ends });
    nextMs = runs.length < most ? nowMs + afterMs : Infinity; // P11.1
  };
  const beginNoMore = (): void => {
    most = runs.length;
    nextMs = Infinity;
  };
  const beginExtra = (): void => {
    if (runs.length >= most) return;
    if (tokens < 1) return beginNoMore(); // P11.6
    tokens--;
    begin();
  };
  const cancel = (some: readonly Run[]): void => {
    for (const run of some) {
      if (!run.listens) continue;
      run.cancelled = true;
      run.endMs = nowMs;
    }
  };
  const inFlight = (): Run[] => runs.filter((run) => !run.over);
  const own = (): Run[] => runs.filter((run) => run.failed && !run.cancelled);

  /** Everything until something comes out. */
  const outcome = (): { out: string; beside: readonly Run[] } => {
    for (;;) {
      const ending = inFlight().reduce((a, b) => (b.endMs < a.endMs ? b : a));
      if (!cancelled && cancelMs < Math.min(ending.endMs, nextMs)) {
        nowMs = cancelMs;
        cancelled = true;
        cancel(inFlight());
        beginNoMore(); // P11.7
        continue;
      }
      if (nextMs < ending.endMs) {
        nowMs = nextMs;
        beginExtra();
        continue;
      }
      nowMs = ending.endMs;
      ending.over = true;
      if (ending.kind === 'success' && !ending.cancelled) return { out: `value ${ending.number}`, beside: [] };
      ending.failed = true;
      if (!cancelled) {
        if (ending.kind === 'permanent')
          return { out: `error ${ending.number}`, beside: own().filter((run) => run !== ending) }; // P11.4
        if (ending.kind === 'failure') beginExtra();
        else beginNoMore();
      }
      if (inFlight().length > 0) continue;
      const [first, ...others] = own();
      return first === undefined ? { out: 'reason', beside: [] } : { out: `error ${first.number}`, beside: others };
    }
  };
  begin();
  const { out, beside } = outcome();
  const endedMs = nowMs;
  const losers = inFlight().filter((run) => !run.listens && !run.cancelled); // P11.2
  losers.sort((a, b) => a.endMs - b.endMs);
  const late = losers.map(({ number, kind, endMs }) => `${number} ${kind === 'success'} ${endMs}`);
  const disposed = losers.filter(({ kind }) => kind === 'success').map(({ number }) => number);
  const beganMs = runs.map((run) => run.beganMs);
  return { beganMs, out, beside: beside.map(({ number }) => number), endedMs, late, disposed, tokens };
}

/** The same with the real one. */
function seen({ afterMs, extra, tokens, cancelMs, scripts }: Case): Promise<Seen> {
  return virtualTime(async (time) => {
    using recorded = recordEvents();
    const [controller, reason] = [new CountedController(), new Error('the reason')];
    const account = budget({ initial: tokens, ratio: 0, trickle: 0 });
    const beganMs: number[] = [];
    const disposed: number[] = [];
    const values = scripts.map((_, i) => ({ [Symbol.dispose]: () => disposed.push(i + 1) }));
    const errors: unknown[] = await Promise.all(scripts.map(errorFor));
    const op = async (s: Scope): Promise<unknown> => {
      const launch = beganMs.push(time.now()) - 1;
      const { ms, kind, listens } = scripts[launch]!;
      if (listens) await s.sleep(ms);
      else await scope((own) => own.sleep(ms));
      if (kind === 'success') return values[launch];
      throw errors[launch];
    };
    const call = settle(() =>
      hedge({ after: afterMs, extra, idempotent: true, budget: account }).run(op, { signal: controller.signal }),
    ).then((settled) => [settled, time.now()] as const);
    if (cancelMs < Infinity) {
      await time.advance(cancelMs);
      controller.abort(reason);
    }
    await time.runAll();
    const [settled, endedMs] = await call;
    expect(controller.listeners).toBe(0);
    const out =
      'value' in settled
        ? `value ${values.indexOf(settled.value as (typeof values)[number]) + 1}`
        : settled.error === reason
          ? 'reason'
          : `error ${errors.indexOf(settled.error) + 1}`;
    const beside = 'error' in settled ? suppressedErrors(settled.error).map((error) => errors.indexOf(error) + 1) : [];
    const late = recorded
      .filter(({ event }) => event === 'hedge:late')
      .map(({ launch, ok, at }) => `${String(launch)} ${String(ok)} ${at}`);
    return { beganMs, out, beside, endedMs, late, disposed, tokens: account.tokens };
  });
}

async function errorFor({ kind }: Script, i: number): Promise<unknown> {
  if (kind === 'permanent') return permanent(new Error(`permanent ${i + 1}`));
  if (kind !== 'refusal') return new Error(`failure ${i + 1}`);
  const isolated = breaker();
  isolated.isolate();
  return isolated.run(() => 1).catch((error: unknown) => error);
}

test(`a hedge does what P11 says, with random launches (seed ${seed})`, { timeout: 60_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(cases, async (it) => {
      expect(await seen(it)).toEqual(expected(it));
    }),
    { seed, numRuns: 3000 },
  );
});
