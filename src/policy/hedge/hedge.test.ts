/** What a hedge promises (P11), but for the live percentile (`percentile.test.ts`). On virtual time: an operation answers its n-th call by script. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { describe, expect, test, vi, type MockInstance } from 'vitest';
import {
  after,
  fail,
  recordEvents,
  scripted,
  virtualTime,
  type Scripted,
  type Step,
  type VirtualTime,
} from '../../testing/index.ts';
import { watchAbandonedBodies } from '../../../test/abandoned.ts';
import { CountedController } from '../../../test/listeners.ts';
import { errorOf, settle } from '../../../test/settle.ts';
import { watchUnhandledRejections } from '../../../test/unhandled.ts';
import {
  attemptsOf,
  breaker,
  budget,
  bulkhead,
  constant,
  failWhen,
  fallback,
  hedge,
  layer,
  onEvent,
  permanent,
  policy,
  retry,
  scope,
  stoppedBy,
  suppressedErrors,
  timeout,
  transient,
  type Duration,
  type HedgeOptions,
  type Policy,
  type Scope,
} from '../../index.ts';

watchUnhandledRejections();
const abandonedNow = watchAbandonedBodies();

const first = new Error('first');
const second = new Error('second');
const third = new Error('third');
const reason = new Error('the caller’s reason');

/** Allowed to run twice, and with no budget unless it is the subject. */
const hedged = (options: Partial<HedgeOptions> = {}): Policy =>
  hedge({ after: 50, idempotent: true, budget: false, ...options });

const answers = (steps: readonly Step<unknown>[]): Scripted<unknown> => scripted(steps);

/** Does not listen to its signal. */
const deaf = (time: Duration, result: unknown = 'deaf'): Promise<unknown> =>
  scope(async (own) => {
    await own.sleep(time);
    if (result instanceof Error) throw result;
    return result;
  });

/** An operation whose n-th call is the n-th body. */
function inTurn(...bodies: ((s: Scope) => unknown)[]): ((s: Scope) => unknown) & { calls: number } {
  const op = (s: Scope): unknown => bodies[op.calls++]!(s);
  op.calls = 0;
  return op;
}

const events = (recorded: ReturnType<typeof recordEvents>, subject: string): unknown[] =>
  recorded
    .filter(({ event }) => event.startsWith(subject))
    .map(({ event, at, name, ...fields }) => ({ event, at, ...fields }));

async function inTime<T>(body: (time: VirtualTime) => Promise<T>): Promise<T> {
  return virtualTime(async (time) => {
    const result = await body(time);
    expect(time.pending, 'timers that are left').toBe(0);
    return result;
  });
}

describe('P11.1 another launch', () => {
  test('begins when `after` has passed, and not before', async () => {
    await inTime(async (time) => {
      const op = answers([after(1000, 'slow'), after(20, 'fast')]);
      const call = hedged().run(op);
      await time.advance(49);
      expect(op.calls.length).toBe(1);
      await time.runAll();
      expect(op.calls.map(({ at }) => at)).toEqual([0, 50]);
      expect(await call).toBe('fast');
      expect(time.now()).toBe(70);
    });
  });

  test('does not begin when the first has settled by then', async () => {
    await inTime(async (time) => {
      const op = answers([after(49, 'in time')]);
      const call = hedged().run(op);
      await time.advance(49);
      expect(await call).toBe('in time');
      expect(time.pending).toBe(0);
    });
  });

  test('the first begins at once, within the call of run', async () => {
    const op = answers(['at once']);
    const call = hedged().run(op);
    expect(op.calls.length).toBe(1);
    expect(await call).toBe('at once');
  });

  test('is one by default, however long it takes', async () => {
    await inTime(async (time) => {
      const op = answers([after(1000, 'first'), after(1000, 'second')]);
      const call = hedged().run(op);
      await time.advance(999);
      expect(op.calls.length).toBe(2);
      expect(time.pending).toBe(2); // the operations' own
      await time.advance(1);
      expect(await call).toBe('first');
    });
  });

  test('up to `extra` begin, each `after` after the one before', async () => {
    await inTime(async (time) => {
      const slow = after('1h', 'slow');
      const op = answers([slow, slow, slow, after(7, 'the last')]);
      const call = hedged({ extra: 3 }).run(op);
      await time.runAll();
      expect(await call).toBe('the last');
      expect(op.calls.map(({ at }) => at)).toEqual([0, 50, 100, 150]);
    });
  });

  test('begins at once when one has failed, and `after` counts anew from there', async () => {
    await inTime(async (time) => {
      const op = answers([after(20, fail(first)), after('1h', 'slow'), after(5, 'third')]);
      const call = hedged({ extra: 2 }).run(op);
      await time.runAll();
      expect(await call).toBe('third');
      expect(op.calls.map(({ at }) => at)).toEqual([0, 20, 70]);
    });
  });

  test('when that was the last one, no timer is left', async () => {
    await inTime(async (time) => {
      const call = hedged().run(answers([after(20, fail(first)), after('1h', 'slow')]));
      await time.advance(30);
      expect(time.pending).toBe(1); // the operation's own
      await time.runAll();
      expect(await call).toBe('slow');
    });
  });

  test('when an extra one has failed, the next begins at once beside the first', async () => {
    await inTime(async (time) => {
      const op = answers([after('1h', 'slow'), after(5, fail(second)), after(5, 'third')]);
      const call = hedged({ extra: 2 }).run(op);
      await time.runAll();
      expect(await call).toBe('third');
      expect(op.calls.map(({ at }) => at)).toEqual([0, 50, 55]);
    });
  });

  test('with `after: Infinity` begins after a failure only, without a timer', async () => {
    await inTime(async (time) => {
      const op = answers([after('1h', fail(first)), 'second']);
      const call = hedged({ after: Infinity }).run(op);
      await time.advance(10);
      expect(time.pending).toBe(1); // the operation's own
      await time.runAll();
      expect(await call).toBe('second');
    });
  });

  test('with `after: 0` begins in the next turn of the timers', async () => {
    await inTime(async (time) => {
      const op = answers([after(10, 'first'), after(5, 'second')]);
      const call = hedged({ after: 0 }).run(op);
      expect(op.calls.length).toBe(1);
      await time.runAll();
      expect(await call).toBe('second');
      expect(op.calls.map(({ at }) => at)).toEqual([0, 0]);
    });
  });

  test('an operation that throws at once has failed: the next begins', async () => {
    const op = inTurn(
      () => {
        throw first;
      },
      () => 'second',
    );
    expect(await hedged().run(op)).toBe('second');
  });

  test('an event tells of it: which one, and why', async () => {
    await inTime(async (time) => {
      using recorded = recordEvents();
      const op = answers([after('1h', 'slow'), after(5, fail(second)), after(5, 'third')]);
      await Promise.all([hedged({ extra: 2 }).run(op, { name: 'read' }), time.runAll()]);
      expect(events(recorded, 'hedge:')).toEqual([
        { event: 'hedge:launched', at: 50, launch: 2, reason: 'slow', error: undefined },
        { event: 'hedge:launched', at: 55, launch: 3, reason: 'failed', error: second },
        { event: 'hedge:won', at: 60, launch: 3, launches: 3 },
      ]);
      expect(recorded.every(({ name }) => name === 'read' || name === undefined)).toBe(true);
    });
  });

  test('of a call without an extra launch nothing is told', async () => {
    using recorded = recordEvents();
    await hedged().run(() => 1);
    expect(events(recorded, 'hedge:')).toEqual([]);
  });
});

describe('P11.2 the first success comes out', () => {
  test('and its signal stays alive, also when the others are cancelled', async () => {
    await inTime(async (time) => {
      const signals: AbortSignal[] = [];
      const op = inTurn(
        async (s) => {
          signals.push(s.signal);
          await s.sleep('1h');
        },
        async (s) => {
          signals.push(s.signal);
          await s.sleep(5);
          return s;
        },
      );
      const call = hedged().run(op);
      await time.runAll();
      const won = await call;
      expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
      expect(() => (won as Scope).throwIfAborted()).not.toThrow();
      expect(signals[0]!.reason).toMatchObject({
        name: 'AbortError',
        message: 'Another launch of the hedge came first',
      });
    });
  });

  test('the first launch may win though others have begun', async () => {
    await inTime(async (time) => {
      using recorded = recordEvents();
      const op = answers([after(60, 'first'), after(60, 'second')]);
      const call = hedged().run(op);
      await time.runAll();
      expect(await call).toBe('first');
      expect(events(recorded, 'hedge:won')).toEqual([{ event: 'hedge:won', at: 60, launch: 1, launches: 2 }]);
    });
  });

  test('of two successes in one instant one wins, and the other is a loser’s result', async () => {
    await inTime(async (time) => {
      using recorded = recordEvents();
      const disposed: string[] = [];
      const result = (text: string): Disposable => ({ [Symbol.dispose]: () => disposed.push(text) });
      const [a, b] = [result('a'), result('b')];
      const gate = Promise.withResolvers<void>();
      const op = inTurn(
        () => gate.promise.then(() => a),
        () => gate.promise.then(() => b),
      );
      const call = hedged().run(op);
      await time.advance(50);
      gate.resolve();
      expect(await call).toBe(a);
      await time.advance(0);
      expect(disposed).toEqual(['b']);
      expect(events(recorded, 'hedge:')).toEqual([
        { event: 'hedge:launched', at: 50, launch: 2, reason: 'slow', error: undefined },
        { event: 'hedge:won', at: 50, launch: 1, launches: 2 },
        { event: 'hedge:late', at: 50, launch: 2, ok: true, value: b, error: undefined },
      ]);
    });
  });

  test('a result that both return is not disposed of', async () => {
    await inTime(async (time) => {
      let disposed = 0;
      const shared = { [Symbol.dispose]: () => disposed++ };
      const call = hedged().run(
        inTurn(
          () => deaf(60, shared),
          () => deaf(60, shared),
        ),
      );
      await time.runAll();
      expect(await call).toBe(shared);
      expect(disposed).toBe(0);
    });
  });

  test('the result comes out at once, though a loser does not listen; that is counted until it has ended, and its late result disposed of', async () => {
    await inTime(async (time) => {
      using recorded = recordEvents();
      const disposed: number[] = [];
      const late = { [Symbol.asyncDispose]: async () => void disposed.push(time.now()) };
      const call = hedged().run(
        inTurn(
          () => deaf('1m', late),
          () => deaf(10, 'fast'),
        ),
      );
      await time.advance(60);
      expect(await call).toBe('fast');
      expect(abandonedNow()).toBe(1);
      await time.advance('59s');
      expect([abandonedNow(), disposed.length]).toEqual([1, 0]);
      await time.runAll();
      expect(abandonedNow()).toBe(0);
      expect(disposed).toEqual([60_000]);
      expect(events(recorded, 'hedge:late')).toEqual([
        { event: 'hedge:late', at: 60_000, launch: 1, ok: true, value: late, error: undefined },
      ]);
      expect(events(recorded, 'timeout:')).toEqual([]);
    });
  });

  test('a loser that fails with an error of its own is told of, and is no unhandled rejection', async () => {
    await inTime(async (time) => {
      using recorded = recordEvents();
      const call = hedged().run(
        inTurn(
          () => deaf(100, first),
          () => deaf(10, 'fast'),
        ),
      );
      await time.runAll();
      expect(await call).toBe('fast');
      expect(events(recorded, 'hedge:late')).toEqual([
        { event: 'hedge:late', at: 100, launch: 1, ok: false, value: undefined, error: first },
      ]);
    });
  });

  test('of a loser that ends as it was told to, nothing is told, whoever wraps the reason', async () => {
    await inTime(async (time) => {
      using recorded = recordEvents();
      const wrapping = layer({
        name: 'wrap',
        run: (next) =>
          next().catch((cause: unknown) => {
            throw new Error('wrapped', { cause });
          }),
      });
      const op = answers([after('1h', 'slow'), after(5, 'fast')]);
      const call = policy(hedged(), wrapping).run(op);
      await time.runAll();
      expect(await call).toBe('fast');
      expect(events(recorded, 'hedge:late')).toEqual([]);
      expect(abandonedNow()).toBe(0);
    });
  });

  test('the cleanups of the scopes above wait for a loser, and the result does not', async () => {
    await inTime(async (time) => {
      const log: string[] = [];
      const outer = scope(async (s) => {
        s.defer(() => log.push(`cleaned up at ${time.now()}`));
        await hedged().run(
          inTurn(
            () => deaf(500),
            () => deaf(10, 'fast'),
          ),
          { signal: s },
        );
        log.push(`result at ${time.now()}`);
      });
      await time.runAll();
      await outer;
      expect(log).toEqual(['result at 60', 'cleaned up at 500']);
    });
  });

  test('what a loser deferred has run when it has ended', async () => {
    await inTime(async (time) => {
      const log: string[] = [];
      const op = inTurn(
        async (s) => {
          s.defer(async () => {
            await s.sleep(30);
            log.push(`cleaned up at ${time.now()}`);
          });
          await s.sleep('1h');
        },
        () => deaf(10, 'fast'),
      );
      const call = hedged().run(op);
      await time.advance(60);
      expect(await call).toBe('fast');
      expect([log, abandonedNow()]).toEqual([[], 1]);
      await time.runAll();
      expect([log, abandonedNow()]).toEqual([['cleaned up at 90'], 0]);
    });
  });

  test('permits inside and outside the hedge stay taken until a loser has ended', async () => {
    await inTime(async (time) => {
      const [outside, inside] = [bulkhead({ limit: 5 }), bulkhead({ limit: 5 })];
      const call = policy(outside, hedged(), inside).run(
        inTurn(
          () => deaf(100),
          () => deaf(10, 'fast'),
        ),
      );
      await time.advance(55);
      expect([outside.inFlight, inside.inFlight]).toEqual([1, 2]);
      await time.advance(5);
      expect(await call).toBe('fast');
      expect([outside.inFlight, inside.inFlight]).toEqual([1, 1]);
      await time.runAll();
      expect([outside.inFlight, inside.inFlight]).toEqual([0, 0]);
    });
  });

  test('a loser that waits for a permit leaves the queue at once, and never runs', async () => {
    await inTime(async (time) => {
      const inside = bulkhead({ limit: 1, queue: 2 });
      const op = answers([after(80, 'first')]);
      const call = policy(hedged(), inside).run(op);
      const other = inside.run((s) => s.sleep(40)); // stands before the hedge in the queue
      await time.advance(60);
      expect(inside.waiting).toBe(2);
      await time.advance(20);
      expect(await call).toBe('first');
      expect([inside.waiting, inside.inFlight, abandonedNow()]).toEqual([0, 1, 0]);
      await time.runAll();
      await other;
      expect([inside.inFlight, op.calls.length]).toEqual([0, 1]);
    });
  });
});

describe('P11.3 when all have failed', () => {
  test('the first launch’s error comes out, the same object, with the others in its suppressedErrors', async () => {
    await inTime(async (time) => {
      using recorded = recordEvents();
      const error = errorOf(
        hedged({ extra: 2 }).run(answers([after(200, fail(first)), after(10, fail(second)), after(10, fail(third))])),
      );
      await time.runAll();
      expect(await error).toBe(first);
      expect(events(recorded, 'scope:')).toEqual([]);
      expect(suppressedErrors(first)).toEqual([second, third]);
      expect(time.now()).toBe(200);
    });
  });

  test('an error that is a primitive comes out, and the others are told', async () => {
    using recorded = recordEvents();
    const op = inTurn(
      () => {
        throw undefined;
      },
      () => {
        throw second;
      },
    );
    expect(await settle(() => hedged().run(op))).toEqual({ error: undefined });
    expect(events(recorded, 'scope:discarded')).toMatchObject([{ error: second }]);
  });

  test('one error of both is no company to itself', async () => {
    const shared = new Error('shared');
    const op = (): never => {
      throw shared;
    };
    expect(await errorOf(hedged().run(op))).toBe(shared);
    expect(suppressedErrors(shared)).toEqual([]);
  });

  test('an error before a success is told, as in a race', async () => {
    await inTime(async (time) => {
      using recorded = recordEvents();
      const call = hedged().run(answers([after(10, fail(first)), after(10, 'second')]), { name: 'read' });
      await time.runAll();
      expect(await call).toBe('second');
      expect(events(recorded, 'scope:discarded')).toEqual([{ event: 'scope:discarded', at: 20, error: first }]);
    });
  });

  test('its history is that of the launch that came out, and the reason too', async () => {
    const made = policy(hedged(), retry({ attempts: 2, backoff: constant(0), budget: false }));
    const op = answers([fail(first), fail(first), fail(second), fail(second)]);
    const outcome = await made.settle(op, { idempotent: true });
    expect(outcome).toMatchObject({ ok: false, error: first, stoppedBy: 'attempts' });
    expect(outcome.attempts.map(({ error }) => error)).toEqual([first, first]);
    expect(attemptsOf(first).map(({ error }) => error)).toEqual([first, first]);
    expect(stoppedBy(first)).toBe('attempts');
  });

  test('of a success, the history is that of the launch that won, not of those it left behind', async () => {
    await inTime(async (time) => {
      const made = policy(hedged(), retry({ attempts: 2, backoff: constant(5), budget: false }));
      const op = answers([after('1h', 'slow'), fail(second), 'retried']);
      const outcome = made.settle(op, { idempotent: true });
      await time.runAll();
      const { ok, attempts, stoppedBy: by } = await outcome;
      expect([ok, attempts.map(({ error }) => error), by]).toEqual([true, [second], undefined]);
    });
  });

  test('nor of a loser that ends before anybody looks', async () => {
    await inTime(async (time) => {
      const nothing = layer({ name: 'nothing', run: (next) => next() });
      const between = [nothing, nothing, nothing, nothing, nothing, nothing, nothing, nothing];
      const made = policy(...between, hedged(), retry({ attempts: 2, budget: false }));
      const outcome = made.settle(answers([after('1h', 'slow'), after(5, 'fast')]));
      await time.runAll();
      expect(await outcome).toMatchObject({ ok: true, value: 'fast', attempts: [], stoppedBy: undefined });
    });
  });

  test('nor what another launch went through, when a layer answers before the retry', async () => {
    let asked = 0;
    const cached = layer({ name: 'cached', run: (next) => (asked++ === 0 ? next() : 'cached') });
    const made = policy(hedged(), cached, retry({ attempts: 2, backoff: constant(0), budget: false }));
    const outcome = await made.settle(answers([fail(first), fail(first)]));
    expect(outcome).toMatchObject({ ok: true, value: 'cached', attempts: [], stoppedBy: undefined });
  });

  test('call:end tells one end, with what comes out', async () => {
    await inTime(async (time) => {
      using recorded = recordEvents();
      await Promise.all([hedged().run(answers([after('1h', 'slow'), after(5, 'fast')])), time.runAll()]);
      expect(events(recorded, 'call:')).toEqual([
        { event: 'call:start', at: 0 },
        { event: 'call:end', at: 55, ok: true, error: undefined, stoppedBy: undefined, attempts: 1, durationMs: 55 },
      ]);
      expect(events(recorded, 'attempt:')).toMatchObject([
        { event: 'attempt:start', at: 0, number: 1 },
        { event: 'attempt:start', at: 50, number: 1 },
        { event: 'attempt:end', at: 55, number: 1, ok: true },
        { event: 'attempt:end', at: 55, number: 1, ok: false },
      ]);
    });
  });
});

describe('P11.3 results that failWhen judged', () => {
  const bad = (text: string): { text: string; disposed: boolean } & Disposable => ({
    text,
    disposed: false,
    [Symbol.dispose]() {
      this.disposed = true;
    },
  });
  const isBad = failWhen((value) => Object(value) === value);

  test('are failures: the next launch begins, and a result that does not come out is disposed of', async () => {
    const a = bad('a');
    expect(await policy(hedged(), isBad).run(answers([a, 'good']))).toBe('good');
    expect(a.disposed).toBe(true);
  });

  test('the first comes out as the result that it is, the second is disposed of', async () => {
    const [a, b] = [bad('a'), bad('b')];
    const outcome = await policy(hedged(), isBad).settle(answers([a, b]));
    expect(outcome).toMatchObject({ ok: true, value: a, stoppedBy: 'attempts' });
    expect([a.disposed, b.disposed]).toEqual([false, true]);
  });

  test('a retry outside sees a failure', async () => {
    const made = policy(retry({ attempts: 2, backoff: constant(0), budget: false }), hedged(), isBad);
    const [a, b] = [bad('a'), bad('b')];
    expect(await made.run(answers([a, b, 'good']), { idempotent: true })).toBe('good');
    expect([a.disposed, b.disposed]).toEqual([true, true]);
  });

  test('a fallback outside, too; and of a result that won it hears nothing', async () => {
    const made = policy(fallback('instead'), hedged(), isBad);
    expect(await made.run(answers([bad('a'), bad('b')]))).toBe('instead');
    expect(await made.run(answers([bad('a'), 'good']))).toBe('good');
  });

  test('a loser’s is disposed of', async () => {
    await inTime(async (time) => {
      using recorded = recordEvents();
      const late = bad('late');
      const call = policy(hedged(), isBad).run(
        inTurn(
          () => deaf(100, late),
          () => deaf(10, 'fast'),
        ),
      );
      await time.runAll();
      expect(await call).toBe('fast');
      expect(late.disposed).toBe(true);
      expect(events(recorded, 'hedge:late')).toHaveLength(1);
    });
  });
});

describe('P11.4 what a failure means', () => {
  test('a permanent one comes out at once, though another is in flight, and keeps the errors before it', async () => {
    await inTime(async (time) => {
      const stop = permanent(new Error('not found'));
      const op = answers([after('1h', 'slow'), after(5, fail(second)), after(5, fail(stop))]);
      const error = errorOf(hedged({ extra: 2 }).run(op));
      await time.runAll();
      expect(await error).toBe(stop);
      expect(suppressedErrors(stop)).toEqual([second]);
      expect(time.now()).toBe(60);
    });
  });

  test('a permanent first one begins no other', async () => {
    const stop = permanent(new Error('not found'));
    const op = answers([fail(stop)]);
    expect(await errorOf(hedged().run(op))).toBe(stop);
    expect(op.calls.length).toBe(1);
  });

  test('COMMIT_UNKNOWN comes out at once', async () => {
    const unknown = Object.assign(new Error('commit'), { code: 'COMMIT_UNKNOWN' });
    const op = answers([fail(unknown)]);
    expect(await errorOf(hedged().run(op))).toBe(unknown);
    expect(op.calls.length).toBe(1);
  });

  test.each([
    ['transient', transient(new Error('busy'))],
    ['ambiguous', Object.assign(new Error('reset'), { code: 'ECONNRESET' })],
    ['unknown', new Error('anything')],
  ])('a failure that is %s begins the next', async (_, error) => {
    expect(await hedged().run(answers([fail(error), 'second']))).toBe('second');
  });

  test('what a hook inside threw comes out at once', async () => {
    const thrown = new Error('hook');
    const retrying = retry({
      budget: false,
      retryIf: () => {
        throw thrown;
      },
    });
    const op = answers([fail(first)]);
    expect(await errorOf(policy(hedged(), retrying).run(op))).toBe(thrown);
    expect(op.calls.length).toBe(1);
    expect(suppressedErrors(thrown)).toEqual([first]);
  });

  test('and is no failure of the operation for a retry outside', async () => {
    const thrown = new Error('hook');
    const judging = failWhen(() => {
      throw thrown;
    });
    const op = answers(['value']);
    const made = policy(retry({ backoff: constant(0), budget: false }), hedged(), judging);
    expect(await errorOf(made.run(op, { idempotent: true }))).toBe(thrown);
    expect(op.calls.length).toBe(1);
  });

  test('a refusal of an extra launch does not end the first, and begins no other', async () => {
    await inTime(async (time) => {
      using recorded = recordEvents();
      const inside = bulkhead({ limit: 1 });
      const op = answers([after(500, 'first')]);
      const call = policy(hedged({ extra: 3 }), inside).run(op);
      await time.runAll();
      expect(await call).toBe('first');
      expect([op.calls.length, time.now()]).toEqual([1, 500]);
      expect(events(recorded, 'bulkhead:refused')).toHaveLength(1);
    });
  });

  test('as does a timeout inside that passes in a queue: the launch never ran', async () => {
    await inTime(async (time) => {
      using recorded = recordEvents();
      const inside = bulkhead({ limit: 1, queue: 5 });
      const holder = inside.run((s) => s.sleep(500));
      const error = errorOf(policy(hedged({ after: Infinity }), timeout(20), inside).run(() => expect.fail('ran')));
      await time.runAll();
      await holder;
      expect(await error).toMatchObject({ code: 'TIMEOUT' });
      expect(events(recorded, 'hedge:')).toEqual([]);
    });
  });

  test('a refusal of the first comes out, and begins no other', async () => {
    await inTime(async () => {
      using recorded = recordEvents();
      const isolated = breaker();
      isolated.isolate();
      const error = await errorOf(policy(hedged(), isolated).run(() => 1));
      expect(error).toMatchObject({ code: 'CIRCUIT_OPEN' });
      expect(stoppedBy(error)).toBe('refused');
      expect(events(recorded, 'breaker:refused')).toHaveLength(1);
    });
  });

  test('the timeout of a launch begins the next', async () => {
    await inTime(async (time) => {
      const call = policy(hedged({ after: Infinity }), timeout(20)).run(answers([after('1h', 'slow'), 'second']));
      await time.runAll();
      expect(await call).toBe('second');
      expect(time.now()).toBe(20);
    });
  });
});

describe('P11.5 idempotent', () => {
  const quiet = (): MockInstance<typeof console.warn> => vi.spyOn(console, 'warn').mockImplementation(() => {});

  test('unset: nothing extra begins, and the first call is warned of, once for the layer', async () => {
    await inTime(async (time) => {
      using warn = quiet();
      using recorded = recordEvents();
      const hedging = hedge({ after: 50 });
      const op = answers([after(500, 'first'), fail(second)]);
      const call = policy(hedging).run(op, { name: 'read' });
      await time.runAll();
      expect(await call).toBe('first');
      expect(await errorOf(policy(hedging, timeout(10)).run(op))).toBe(second);
      expect(op.calls.length).toBe(2);
      const message =
        'holdfast: read was not hedged, because nobody has said whether the operation may run twice. If it may, say so with { idempotent: true }, on hedge or on run; { idempotent: false } ends this warning.';
      expect(warn.mock.calls).toEqual([[message]]);
      expect(events(recorded, 'policy:warning')).toEqual([
        { event: 'policy:warning', at: 0, warning: 'not-idempotent', message, error: undefined },
      ]);
    });
  });

  test('unset, of a call without a name', async () => {
    using warn = quiet();
    await hedge({ after: 50 }).run(() => 1);
    expect(warn.mock.calls[0]![0]).toMatch(/^holdfast: a call was not hedged, /);
  });

  test('unset, a call that is aborted already is not what is warned of', async () => {
    using warn = quiet();
    const hedging = hedge({ after: 50 });
    expect(await errorOf(hedging.run(() => 1, { signal: AbortSignal.abort(reason) }))).toBe(reason);
    expect(warn).not.toHaveBeenCalled();
  });

  test.each([
    ['the layer', { idempotent: false }, {}],
    ['run', {}, { idempotent: false }],
    ['run, against the layer', { idempotent: true }, { idempotent: false }],
  ])('false, by %s: nothing extra begins, and nobody is warned', async (_, layered, told) => {
    await inTime(async (time) => {
      using warn = quiet();
      const op = answers([after(500, 'first')]);
      const call = hedge({ after: 50, ...layered }).run(op, told);
      await time.runAll();
      expect(await call).toBe('first');
      expect(warn).not.toHaveBeenCalled();
    });
  });

  test.each([
    ['run', {}],
    ['run, against the layer', { idempotent: false }],
  ])('true, by %s', async (_, layered) => {
    await inTime(async (time) => {
      using warn = quiet();
      const call = hedge({ after: 50, ...layered }).run(answers([after('1h', 'first'), 'second']), {
        idempotent: true,
      });
      await time.runAll();
      expect(await call).toBe('second');
      expect(warn).not.toHaveBeenCalled();
    });
  });
});

describe('P11.6 the budget', () => {
  test('an extra launch costs a token; a call without one is a deposit', async () => {
    await inTime(async (time) => {
      const shared = budget({ initial: 5, ratio: 0.5, trickle: 0 });
      const hedging = hedged({ budget: shared });
      await hedging.run(() => 1);
      expect(shared.tokens).toBe(5.5);
      await Promise.all([hedging.run(answers([after(60, 'first'), after(60, 'second')])), time.runAll()]);
      expect(shared.tokens).toBe(4.5);
      await errorOf(hedging.run(() => Promise.reject(permanent(new Error('no')))));
      expect(shared.tokens).toBe(4.5);
    });
  });

  test('when it is empty nothing further begins in this call, and an event tells', async () => {
    await inTime(async (time) => {
      using recorded = recordEvents();
      const op = answers([after(500, fail(first))]);
      const error = errorOf(hedged({ extra: 3, budget: budget({ initial: 0, trickle: 0, name: 'reads' }) }).run(op));
      await time.runAll();
      expect(await error).toBe(first);
      expect(events(recorded, 'budget:')).toEqual([{ event: 'budget:empty', at: 50 }]);
    });
  });

  test('a failure that finds it empty ends the wait for the next launch', async () => {
    await inTime(async (time) => {
      const op = answers([after(500, 'first'), after(10, fail(second))]);
      const call = hedged({ extra: 2, budget: { initial: 1, trickle: 0 } }).run(op);
      await time.advance(70);
      expect(time.pending).toBe(1); // the operation's own
      await time.runAll();
      expect(await call).toBe('first');
    });
  });

  test('a failure finds it empty too: the error comes out', async () => {
    const op = answers([fail(first)]);
    expect(await errorOf(hedged({ budget: { initial: 0, trickle: 0 } }).run(op))).toBe(first);
  });

  test('one of its own, unless it is told otherwise: 100 at first', async () => {
    const hedging = hedge({ after: Infinity, idempotent: true });
    let calls = 0;
    for (let i = 0; i < 150; i++)
      await hedging
        .run(() => {
          calls++;
          throw first;
        })
        .catch(() => {});
    expect(calls).toBeGreaterThanOrEqual(250);
    expect(calls).toBeLessThan(255); // with what has trickled in meanwhile
  });

  test('a token is given back when a layer inside refused what it paid for', async () => {
    await inTime(async (time) => {
      const shared = budget({ initial: 5, ratio: 0, trickle: 0 });
      const call = policy(hedged({ budget: shared }), bulkhead({ limit: 1 })).run(answers([after(100, 'first')]));
      await time.runAll();
      await call;
      expect(shared.tokens).toBe(5);
    });
  });

  test('but none for a first launch that was refused: nothing had paid for it', async () => {
    await inTime(async () => {
      const shared = budget({ initial: 5, ratio: 0, trickle: 0 });
      const isolated = breaker();
      isolated.isolate();
      await errorOf(policy(hedged({ budget: shared }), isolated).run(() => 1));
      expect(shared.tokens).toBe(5);
    });
  });

  test('and when it ended in a queue', async () => {
    await inTime(async (time) => {
      const shared = budget({ initial: 5, ratio: 0, trickle: 0 });
      const inside = bulkhead({ limit: 1, queue: 2 });
      const call = policy(hedged({ budget: shared }), inside).run(answers([after(100, 'first')]));
      const other = inside.run((s) => s.sleep(40));
      await time.advance(60);
      expect(shared.tokens).toBe(4);
      await time.runAll();
      await Promise.all([call, other]);
      expect(shared.tokens).toBe(5);
    });
  });

  test('and when a listener that is told of the launch aborts the call', async () => {
    await inTime(async (time) => {
      const shared = budget({ initial: 5, ratio: 0, trickle: 0 });
      const controller = new AbortController();
      using _ = onEvent('hedge:launched', () => controller.abort(reason));
      const op = answers([after('1h', 'first')]);
      const error = errorOf(hedged({ budget: shared }).run(op, { signal: controller.signal }));
      await time.runAll();
      expect(await error).toBe(reason);
      expect([op.calls.length, shared.tokens]).toEqual([1, 5]);
    });
  });
});

describe('P11.7 an abort', () => {
  /** Aborts at a time, and gives the error that comes out, and when. */
  async function abortedAt(ms: number, op: (s: Scope) => unknown, options?: Partial<HedgeOptions>): Promise<unknown[]> {
    return inTime(async (time) => {
      const controller = new CountedController();
      const call = settle(() => hedged(options).run(op, { signal: controller.signal }));
      const ended = call.then((settled) => [settled, time.now()]);
      await time.advance(ms);
      controller.abort(reason);
      await time.runAll();
      expect(controller.listeners).toBe(0);
      return ended;
    });
  }

  test('before it begins: nothing begins', async () => {
    const op = answers(['never']);
    const error = await errorOf(hedged().run(op, { signal: AbortSignal.abort(reason) }));
    expect([error, op.calls.length]).toEqual([reason, 0]);
  });

  test('while the first is alone', async () => {
    const op = answers([after('1h', 'slow')]);
    expect(await abortedAt(20, op)).toEqual([{ error: reason }, 20]);
    expect(op.calls.length).toBe(1);
  });

  test('while two are in flight: both are aborted', async () => {
    const op = answers([after('1h', 'slow'), after('1h', 'slow')]);
    expect(await abortedAt(60, op)).toEqual([{ error: reason }, 60]);
    expect(op.calls.length).toBe(2);
  });

  test('in the instant of the launch', async () => {
    const op = answers([after('1h', 'slow'), after('1h', 'slow')]);
    expect(await abortedAt(50, op)).toEqual([{ error: reason }, 50]);
  });

  test('all are waited for, and a success that still comes is the success of the call', async () => {
    const op = inTurn(
      () => deaf(200, 'late'),
      (s) => s.sleep('1h'),
    );
    expect(await abortedAt(60, op)).toEqual([{ value: 'late' }, 200]);
  });

  test('an error of a launch’s own comes before the reason, whichever launch it is', async () => {
    const op = inTurn(
      (s) => s.sleep('1h'),
      () => deaf(100, second),
    );
    expect(await abortedAt(60, op)).toEqual([{ error: second }, 150]);
    expect(suppressedErrors(second)).toEqual([]);
  });

  test('of two errors of their own the first launch’s comes out, though the other is permanent', async () => {
    const stop = permanent(new Error('not found'));
    const op = inTurn(
      () => deaf(200, first),
      () => deaf(50, stop),
    );
    expect(await abortedAt(60, op)).toEqual([{ error: first }, 200]);
    expect(suppressedErrors(first)).toContain(stop);
  });

  test('ends the wait for the next launch at once, though the first does not listen', async () => {
    await inTime(async (time) => {
      const shared = budget({ initial: 5, ratio: 0, trickle: 0 });
      const controller = new AbortController();
      const call = hedged({ budget: shared }).run(() => deaf(200), { signal: controller.signal });
      await time.advance(20);
      controller.abort(reason);
      expect(time.pending).toBe(1); // the operation's own
      await time.runAll();
      expect(await call).toBe('deaf');
      expect(shared.tokens).toBe(5);
    });
  });

  test('none begins any more, also after a failure', async () => {
    const op = inTurn(() => deaf(40, first));
    expect(await abortedAt(20, op)).toEqual([{ error: first }, 40]);
  });

  test('by the operation itself, as it begins', async () => {
    await inTime(async (time) => {
      const controller = new AbortController();
      const error = errorOf(
        hedged().run(
          (s) => {
            controller.abort(reason);
            return s.sleep('1h');
          },
          { signal: controller.signal },
        ),
      );
      await time.runAll();
      expect(await error).toBe(reason);
      expect(time.now()).toBe(0);
    });
  });

  test('after it has come out reaches nothing of it', async () => {
    await inTime(async (time) => {
      const controller = new CountedController();
      const op = answers([after('1h', 'slow'), after(5, 'fast')]);
      const call = hedged().run(op, { signal: controller.signal });
      await time.runAll();
      expect(await call).toBe('fast');
      expect(controller.listeners).toBe(0);
      controller.abort(reason);
    });
  });

  test('while a loser is still in flight is not what that failed of', async () => {
    await inTime(async (time) => {
      using recorded = recordEvents();
      const controller = new CountedController();
      const op = inTurn(
        async (s) => {
          await deaf(100);
          s.throwIfAborted();
        },
        () => deaf(10, 'fast'),
      );
      const call = hedged().run(op, { signal: controller.signal });
      await time.advance(60);
      expect(await call).toBe('fast');
      controller.abort(reason);
      await time.runAll();
      expect(controller.listeners).toBe(0);
      expect(events(recorded, 'hedge:late')).toEqual([]);
    });
  });

  test('of a success after it the losers are let go as ever', async () => {
    await inTime(async (time) => {
      using recorded = recordEvents();
      const controller = new AbortController();
      const op = inTurn(
        async (s) => {
          await deaf(300);
          s.throwIfAborted();
        },
        () => deaf(100, 'second'),
      );
      const call = hedged().run(op, { signal: controller.signal });
      await time.advance(60);
      controller.abort(reason);
      await time.advance(90);
      expect(await call).toBe('second');
      expect(abandonedNow()).toBe(1);
      await time.runAll();
      expect(events(recorded, 'hedge:late')).toEqual([]);
    });
  });

  test('the deadline of a scope outside aborts all at once', async () => {
    await inTime(async (time) => {
      const op = answers([after('1h', 'slow'), after('1h', 'slow')]);
      const error = errorOf(scope({ timeout: 80 }, (s) => hedged().run(op, { signal: s })));
      await time.runAll();
      expect(await error).toMatchObject({ code: 'TIMEOUT', timeoutMs: 80 });
      expect(time.now()).toBe(80);
    });
  });
});

describe('P11.9 the layers around and inside', () => {
  test('a timeout outside bounds all launches, and none begins in its grace', async () => {
    await inTime(async (time) => {
      const op = answers([after('1h', 'slow'), after('1h', 'slow')]);
      const error = errorOf(policy(timeout(70), hedged({ extra: 5 })).run(op));
      await time.runAll();
      expect(await error).toMatchObject({ code: 'TIMEOUT', timeoutMs: 70, abandoned: false });
      expect([op.calls.length, time.now()]).toEqual([2, 70]);
    });
  });

  test('and lets go of launches that do not listen: each is abandoned, and its permit stays taken', async () => {
    await inTime(async (time) => {
      using recorded = recordEvents();
      const inside = bulkhead({ limit: 5 });
      const made = policy(timeout(70, { grace: 10 }), hedged(), inside);
      const error = errorOf(
        made.run(
          inTurn(
            () => deaf(500),
            () => deaf(500),
          ),
        ),
      );
      await time.advance(80);
      expect(await error).toMatchObject({ code: 'TIMEOUT', abandoned: true });
      expect([abandonedNow(), inside.inFlight]).toEqual([2, 2]);
      await time.runAll();
      expect([abandonedNow(), inside.inFlight]).toEqual([0, 0]);
      expect(events(recorded, 'timeout:late')).toHaveLength(2);
      expect(events(recorded, 'hedge:late')).toEqual([]);
    });
  });

  test('a timeout inside abandons a loser that does not listen, which is counted once', async () => {
    await inTime(async (time) => {
      const made = policy(hedged(), timeout('1h', { grace: 10 }));
      const call = made.run(
        inTurn(
          () => deaf(500),
          () => deaf(10, 'fast'),
        ),
      );
      await time.advance(60);
      expect(await call).toBe('fast');
      expect(abandonedNow()).toBe(1);
      await time.advance(100);
      expect(abandonedNow()).toBe(1);
      await time.runAll();
      expect(abandonedNow()).toBe(0);
    });
  });

  test('in a retry: the launches of one attempt share its number, and the retry sees one failure for them', async () => {
    await inTime(async (time) => {
      const seen: [number, unknown][] = [];
      const made = policy(retry({ attempts: 2, backoff: constant(100), budget: false }), hedged());
      const op = async (s: Scope): Promise<string> => {
        seen.push([s.attempt, s.previousError]);
        if (seen.length === 4) return 'fourth';
        throw [first, second, third][seen.length - 1]!;
      };
      const call = made.run(op, { idempotent: true });
      await time.runAll();
      expect(await call).toBe('fourth');
      expect(seen).toEqual([
        [1, undefined],
        [1, undefined],
        [2, first],
        [2, first],
      ]);
    });
  });

  test('around a retry: each launch has attempts of its own, and a loser’s back-off ends at once', async () => {
    await inTime(async (time) => {
      const seen: number[] = [];
      const made = policy(hedged(), retry({ attempts: 3, backoff: constant(60), budget: false }));
      const call = made.run((s) => {
        seen.push(s.attempt);
        if (seen.length < 2) throw first;
        return 'second';
      });
      await time.runAll();
      expect(await call).toBe('second');
      expect([seen, time.now()]).toEqual([[1, 1], 50]);
    });
  });

  test('a breaker inside: the winner is a success, the loser neither', async () => {
    await inTime(async (time) => {
      const inside = breaker({ ratio: 0.01, lastCalls: 10, minCalls: 1 });
      const call = policy(hedged(), inside).run(answers([after('1h', 'slow'), after(200, 'fast')]));
      await time.runAll();
      expect(await call).toBe('fast');
      expect(inside.state).toBe('closed');
    });
  });

  test('a probe that lost gives its place back', async () => {
    await inTime(async (time) => {
      const inside = breaker({ failures: 1, cooldown: 100, probes: 2 });
      await errorOf(inside.run(() => Promise.reject(Object.assign(new Error('down'), { code: 'ECONNREFUSED' }))));
      expect(inside.state).toBe('open');
      await time.advance(100);
      const call = policy(hedged(), inside).run(answers([after('1h', 'slow'), after(5, 'fast')]));
      await time.runAll();
      expect(await call).toBe('fast');
      expect(inside.state).toBe('half-open');
      await inside.run(() => 1);
      expect(inside.state).toBe('closed');
    });
  });

  test('a breaker outside sees one call', async () => {
    await inTime(async (time) => {
      const outside = breaker({ failures: 2 });
      const down = (): never => {
        throw Object.assign(new Error('down'), { code: 'ECONNREFUSED' });
      };
      await errorOf(policy(outside, hedged()).run(down));
      expect(outside.state).toBe('closed');
      await errorOf(policy(outside, hedged()).run(down));
      expect(outside.state).toBe('open');
      await time.runAll();
    });
  });

  test('a refusal inside is one for a retry outside, which does not count it as work', async () => {
    await inTime(async () => {
      const full = breaker();
      full.isolate();
      const made = policy(retry({ attempts: 3, backoff: constant(0), budget: false }), hedged(), full);
      const outcome = await made.settle(() => 1, { idempotent: true });
      expect(outcome).toMatchObject({ ok: false, stoppedBy: 'refused' });
      expect(outcome.attempts).toMatchObject([{ refused: true }]);
    });
  });

  test('what a hook of a loser throws is not mistaken for what came out, however many layers stand between', async () => {
    await inTime(async (time) => {
      const thrown: Error[] = [];
      const judge = (): never => {
        const error = new Error(`hook ${thrown.length + 1}`);
        thrown.push(error);
        throw error;
      };
      const nothing = layer({ name: 'nothing', run: (next) => next() });
      const between = [nothing, nothing, nothing, nothing, nothing, nothing, nothing, nothing];
      const again = retry({ attempts: 2, backoff: constant(0), budget: false });
      const op = answers([after('1h', 'slow'), after(5, fail(second))]);
      const error = errorOf(policy(again, ...between, hedged(), breaker({ judge })).run(op, { idempotent: true }));
      await time.runAll();
      expect(await error).toBe(thrown[0]);
      expect([thrown.length, op.calls.length]).toEqual([2, 2]);
    });
  });

  test('in a scope that has ended', async () => {
    let ended: Scope | undefined;
    await scope((s) => {
      ended = s;
    });
    expect(await hedged().run(() => 1, { signal: ended! })).toBe(1);
  });

  test('a hedge in a hedge multiplies', async () => {
    await inTime(async (time) => {
      const slow = after('1h', 'slow');
      const op = answers([slow, slow, slow, after(5, 'fourth')]);
      const call = policy(hedged({ after: 50 }), hedged({ after: 20 })).run(op);
      await time.runAll();
      expect(await call).toBe('fourth');
      expect(op.calls.map(({ at }) => at)).toEqual([0, 20, 50, 70]);
    });
  });

  test('values and deadline of the caller’s scope reach every launch', async () => {
    await inTime(async (time) => {
      const seen: number[] = [];
      const op = async (s: Scope): Promise<string> => {
        seen.push(s.timeLeft());
        await s.sleep(seen.length === 1 ? 500 : 5);
        return 'done';
      };
      const call = scope({ timeout: 100 }, (s) => hedged().run(op, { signal: s }));
      await time.runAll();
      expect(await call).toBe('done');
      expect(seen).toEqual([100, 50]);
    });
  });

  test('a call that is linked to the winner is still reached by the caller afterwards', async () => {
    await inTime(async (time) => {
      const controller = new AbortController();
      let kept: Scope | undefined;
      const call = hedged().run(
        (s) => {
          kept = s;
          return 'done';
        },
        { signal: controller.signal },
      );
      expect(await call).toBe('done');
      const linked = errorOf(scope({ signal: kept! }, (s) => s.sleep('1h')));
      await time.advance(5);
      controller.abort(reason);
      expect(await linked).toBe(reason);
    });
  });
});

describe('P2.7 the async context', () => {
  test('of the call is that of every launch, whoever began it', async () => {
    await inTime(async (time) => {
      const storage = new AsyncLocalStorage<string>();
      const hedging = hedged({ extra: 2 });
      const seen: string[] = [];
      const calls = ['a', 'b'].map((store) =>
        storage.run(store, () => {
          const note = (text: string): void => void seen.push(`${store} ${text}: ${storage.getStore()}`);
          return hedging.run(
            inTurn(
              (s) => {
                note('first');
                return s.sleep('1h');
              },
              async (s) => {
                note('by a timer');
                await s.sleep(5);
                throw second;
              },
              () => note('by a failure'),
            ),
          );
        }),
      );
      await storage.run('nobody', () => time.runAll());
      await Promise.all(calls);
      expect(seen.toSorted()).toEqual([
        'a by a failure: a',
        'a by a timer: a',
        'a first: a',
        'b by a failure: b',
        'b by a timer: b',
        'b first: b',
      ]);
    });
  });
});

describe('P1.2 the options', () => {
  const bad = (option: string, given: unknown, expected: string): unknown =>
    expect.objectContaining({ code: 'BAD_OPTION', option, given, expected });
  const durationText = "milliseconds from 0, or a text such as '250ms', '1.5s', '2m', '12h', '25d'";

  test.each([
    [{ after: 50 }, 'hedge +1 (after 50ms, budget)'],
    [{ after: '2s', extra: 2, budget: false }, 'hedge +2 (after 2s)'],
    [{ after: Infinity }, 'hedge +1 (after a failure, budget)'],
    [{ after: { percentile: 95 } }, 'hedge +1 (after p95, budget)'],
    [{ after: { percentile: 99.5, min: '10ms', max: '1s' } }, 'hedge +1 (after p99.5, 10ms‥1s, budget)'],
    [{ after: { percentile: 1, min: '10ms' } }, 'hedge +1 (after p1, from 10ms, budget)'],
    [{ after: { percentile: 95, max: '2s' } }, 'hedge +1 (after p95, to 2s, budget)'],
  ] as const)('%j reads %s', (options, text) => {
    expect(String(hedge(options))).toBe(text);
  });

  test.each([
    ['after', { after: -1 }, -1, durationText],
    ['after', { after: '5' }, '5', durationText],
    ['after', {}, undefined, durationText],
    ['after', { after: null }, null, durationText],
    ['extra', { after: 1, extra: 0 }, 0, 'a whole number from 1'],
    ['extra', { after: 1, extra: 1.5 }, 1.5, 'a whole number from 1'],
    ['extra', { after: 1, extra: Infinity }, Infinity, 'a whole number from 1'],
    ['extra', { after: 1, extra: '2' }, '2', 'a whole number from 1'],
    ['idempotent', { after: 1, idempotent: 1 }, 1, 'true or false'],
    ['percentile', { after: {} }, undefined, 'a number from 1 to 99.5'],
    ['percentile', { after: { percentile: 0.5 } }, 0.5, 'a number from 1 to 99.5'],
    ['percentile', { after: { percentile: 99.6 } }, 99.6, 'a number from 1 to 99.5'],
    ['percentile', { after: { percentile: NaN } }, NaN, 'a number from 1 to 99.5'],
    ['percentile', { after: { percentile: '95' } }, '95', 'a number from 1 to 99.5'],
    ['min', { after: { percentile: 95, min: -1 } }, -1, durationText],
    ['max', { after: { percentile: 95, max: 'soon' } }, 'soon', durationText],
    ['max', { after: { percentile: 95, min: 2, max: 1 } }, 1, 'a duration from min'],
    ['p', { after: { p: 95 } }, 95, 'an option of after: percentile, min, max'],
    ['delay', { after: 1, delay: 2 }, 2, 'an option of hedge: after, extra, idempotent, budget, restore'],
    ['restore', { after: 1, restore: {} }, {}, 'a percentile beside it'],
    ['restore', { after: { percentile: 95 }, restore: {} }, {}, 'a snapshot of a hedge, version 1'],
  ])('%s is refused: %j', (option, options, given, expected) => {
    const make = (): unknown => hedge(options as unknown as HedgeOptions);
    expect(make).toThrow(bad(option, given, expected));
    expect(make).toThrow(
      typeof given === 'number' && !['p', 'delay', 'idempotent'].includes(option) ? RangeError : TypeError,
    );
  });

  test('something that is no object is refused', () => {
    expect(() => hedge(50 as unknown as HedgeOptions)).toThrow(bad('hedge', 50, 'an object with options'));
  });
});
