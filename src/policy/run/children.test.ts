/** Policies and the children of a scope: `go`, `map` and `race` over calls, and a programmer's bug among them. */
import { describe, expect, test } from 'vitest';
import { recordEvents } from '../../testing/index.ts';
import { errorOf, settleInTime } from '../../../test/settle.ts';
import { watchUnhandledRejections } from '../../../test/unhandled.ts';
import { constant, policy, retry, scope, stoppedBy, suppressedErrors, timeout, type Scope } from '../../index.ts';

watchUnhandledRejections();

const own = new Error('own');
const steady = retry({ attempts: 3, backoff: constant(100) });
const throws = (error: unknown) => (): never => {
  throw error;
};

/** A bug: what a misspelt name comes to. */
function bug(): never {
  return (undefined as unknown as { total: () => never }).total();
}

describe('`go` over a call', () => {
  test('is a child like any other: waited for, and its success is its result', async () => {
    const settled = await settleInTime(async (time) => {
      const value = await scope((s) => {
        void s.go((child) => steady.run((attempt) => attempt.sleep(30), { signal: child }));
        return s.go(() => steady.run((attempt) => (attempt.attempt < 3 ? throws(own)() : 'third')));
      });
      return [value, time.now()];
    });
    expect(settled).toEqual({ value: ['third', 200] });
  });

  test('fails its scope when the retries are used up, not before', async () => {
    const settled = await settleInTime(async (time) => {
      const log: unknown[] = [];
      const error = await errorOf(
        scope(async (s) => {
          void s.go(() => steady.run(throws(own)));
          await s.sleep('1h').catch((reason: unknown) => log.push(time.now(), reason));
        }),
      );
      return [error, log];
    });
    expect(settled).toEqual({ value: [own, [200, own]] });
  });

  test('cancels the call with the scope, where the call hangs below the child', async () => {
    const settled = await settleInTime(async (time) => {
      const error = await errorOf(
        scope(async (s) => {
          void s.go((child) => steady.run(throws(new Error('again')), { signal: child }));
          await s.sleep(150);
          s.cancel('reason');
          s.throwIfAborted();
        }),
      );
      return [error, time.now()];
    });
    expect(settled).toEqual({ value: ['reason', 150] });
  });

  test('in an attempt: a call inside a call', async () => {
    const seen: unknown[] = [];
    const value = await settleInTime(() =>
      steady.run(async (s) => {
        const task = s.go((child) =>
          steady.run(
            (inner) => {
              seen.push([s.attempt, inner.attempt]);
              if (s.attempt < 2 || inner.attempt < 2) throw own;
              return 'result';
            },
            { signal: child },
          ),
        );
        return task;
      }),
    );
    expect(value).toEqual({ value: 'result' });
    expect(seen).toEqual([
      [1, 1],
      [1, 2],
      [1, 3],
      [2, 1],
      [2, 2],
    ]);
  });
});

describe('`map` over calls', () => {
  test('retries each item by itself', async () => {
    const attempts = new Map<number, number>();
    const settled = await settleInTime(() =>
      scope((s) =>
        s.map([1, 2, 3], { concurrency: 2 }, (item, child) =>
          steady.run(
            (attempt) => {
              attempts.set(item, attempt.attempt);
              if (attempt.attempt < item) throw own;
              return item * 10;
            },
            { signal: child },
          ),
        ),
      ),
    );
    expect(settled).toEqual({ value: [10, 20, 30] });
    expect([...attempts]).toEqual([
      [1, 1],
      [2, 2],
      [3, 3],
    ]);
  });

  test('surfaces a bug at once, with its own stack: it is not retried, and the siblings are cancelled', async () => {
    const log: unknown[] = [];
    let runs = 0;
    const settled = await settleInTime(async (time) => {
      const error = await errorOf(
        scope((s) =>
          s.map(['slow', 'bug', 'slow'], { concurrency: 3 }, (item, child) =>
            steady.run(
              async (attempt) => {
                attempt.defer((exit) => log.push([item, exit.cancelled]));
                if (item === 'slow') return attempt.sleep('1h');
                runs++;
                await attempt.sleep(10);
                return bug();
              },
              { signal: child },
            ),
          ),
        ),
      );
      return [error, time.now()];
    });
    const [error, endedAt] = (settled as { value: [TypeError, number] }).value;
    expect(error).toBeInstanceOf(TypeError);
    expect(error.stack).toMatch(/\bbug\b/);
    expect([endedAt, runs, stoppedBy(error), suppressedErrors(error)]).toEqual([10, 1, 'verdict', []]);
    expect(log).toEqual([
      ['bug', false],
      ['slow', true],
      ['slow', true],
    ]);
  });

  test('ends back-offs of the siblings too', async () => {
    const settled = await settleInTime(async (time) => {
      const error = await errorOf(
        scope((s) =>
          s.map([1, 2], { concurrency: 2 }, (item, child) =>
            retry({ backoff: constant('1h') }).run(
              async (attempt) => {
                if (item === 1) throw own;
                await attempt.sleep(10);
                return bug();
              },
              { signal: child },
            ),
          ),
        ),
      );
      return [error.constructor, time.now()];
    });
    expect(settled).toEqual({ value: [TypeError, 10] });
  });

  test('retries a bug where retryIf says so', async () => {
    let runs = 0;
    const stubborn = retry({
      attempts: 3,
      backoff: constant(0),
      retryIf: (error) => (error instanceof TypeError ? true : undefined),
    });
    const settled = await settleInTime(() =>
      scope((s) =>
        s.map([1], { concurrency: 1 }, (_, child) =>
          stubborn.run(() => (++runs < 3 ? bug() : runs), { signal: child }),
        ),
      ),
    );
    expect(settled).toEqual({ value: [3] });
  });
});

describe('`race` over calls', () => {
  const contender =
    (ms: number, end: () => unknown) =>
    (s: Scope): Promise<unknown> =>
      policy(retry({ attempts: 2, backoff: constant(100) }), timeout('1h')).run(
        (attempt) => attempt.sleep(ms).then(end),
        {
          signal: s,
        },
      );

  test('is won by the first call that succeeds, retries included; the others are cancelled', async () => {
    const settled = await settleInTime(async (time) => {
      const prize = await scope((s) =>
        s.race([contender(10, throws(own)), contender(50, () => 'won'), contender(60, () => 'late')]),
      );
      return [prize, time.now()];
    });
    expect(settled).toEqual({ value: ['won', 50] });
  });

  test('ends the back-off of a loser at once, and tells of none that was only cancelled', async () => {
    using events = recordEvents();
    const settled = await settleInTime(async (time) => {
      await scope((s) => s.race([contender(10, throws(own)), contender(50, () => 'won')]));
      return time.pending;
    });
    expect(settled).toEqual({ value: 0 });
    expect(events.filter(({ event }) => event.startsWith('scope:'))).toEqual([]);
  });

  test('has one contender less where a bug ends one at once: the others go on', async () => {
    let runs = 0;
    const settled = await settleInTime(async (time) => {
      const buggy = contender(0, () => (runs++, bug()));
      return [await scope((s) => s.race([buggy, contender(50, () => 'won')])), time.now()];
    });
    expect(settled).toEqual({ value: ['won', 50] });
    expect(runs).toBe(1);
  });

  test('that all lose fails with the error of the first call, the others beside it', async () => {
    const [a, b] = [new Error('a'), new TypeError('b')];
    const settled = await settleInTime(async (time) => [
      await errorOf(scope((s) => s.race([contender(10, throws(a)), contender(5, throws(b))]))),
      time.now(),
    ]);
    expect(settled).toEqual({ value: [a, 120] });
    expect(suppressedErrors(a)).toEqual([b]);
  });
});
