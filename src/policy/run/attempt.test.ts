/** The scope of an attempt (P1.3, P1.4): what it is told, what it waits for, when its cleanups run, and what hangs below it. */
import { transient } from '../../verdict/index.ts';
import { describe, expect, test } from 'vitest';
import { virtualTime } from '../../testing/index.ts';
import { CountedController } from '../../../test/listeners.ts';
import { errorInTime, errorOf, settleInTime } from '../../../test/settle.ts';
import { watchUnhandledRejections } from '../../../test/unhandled.ts';
import {
  bulkhead,
  constant,
  contextKey,
  policy,
  retry,
  scope,
  ScopeEndedError,
  suppressedErrors,
  timeout,
  type Scope,
} from '../../index.ts';

watchUnhandledRejections();

const zero = constant(0);
const twice = retry({ attempts: 2, backoff: zero });
const thrice = retry({ attempts: 3, backoff: zero });
const failed = new Error('failed');

const throws = (error: unknown) => (): never => {
  throw error;
};

describe('P1.3 every attempt', () => {
  test('runs in a scope of its own', async () => {
    const scopes = new Set<Scope>();
    await errorOf(
      thrice.run((s) => {
        scopes.add(s);
        throw failed;
      }),
    );
    expect(scopes.size).toBe(3);
  });

  test('is told its number, from 1, and what ended the one before', async () => {
    const seen: unknown[] = [];
    const errors = ['first', undefined, failed];
    await errorOf(
      retry({ attempts: 4, backoff: zero }).run((s) => {
        seen.push([s.attempt, s.previousError]);
        throw errors[s.attempt - 1];
      }),
    );
    expect(seen).toEqual([
      [1, undefined],
      [2, 'first'],
      [3, undefined],
      [4, failed],
    ]);
  });

  test('is told so for as long as it lives: in its cleanups, and after the next one has begun', async () => {
    const seen: unknown[] = [];
    const scopes: Scope[] = [];
    const tell = (s: Scope): void => void seen.push([s.attempt, s.previousError]);
    await errorOf(
      thrice.run((s) => {
        scopes.push(s);
        s.defer(() => tell(s));
        throw `error ${s.attempt}`;
      }),
    );
    scopes.forEach(tell);
    const told = [
      [1, undefined],
      [2, 'error 1'],
      [3, 'error 2'],
    ];
    expect(seen).toEqual([...told, ...told]);
  });

  test('runs what it deferred, last in first out, before the next one begins, and on the last one too', async () => {
    const log: unknown[] = [];
    await errorOf(
      twice.run((s) => {
        log.push(`begins ${s.attempt}`);
        s.defer((exit) => log.push([`first of ${s.attempt}`, exit.ok, exit.error, exit.cancelled]));
        s.defer(() => log.push(`last of ${s.attempt}`));
        throw failed;
      }),
    );
    expect(log).toEqual([
      'begins 1',
      'last of 1',
      ['first of 1', false, failed, false],
      'begins 2',
      'last of 2',
      ['first of 2', false, failed, false],
    ]);
  });

  test('likewise when it succeeds: its cleanups have run when the call settles', async () => {
    const log: unknown[] = [];
    const value = await twice.run((s) => {
      s.defer(async (exit) => {
        await Promise.resolve();
        log.push([exit.ok, exit.value]);
      });
      return 17;
    });
    expect([value, log]).toEqual([17, [[true, 17]]]);
  });

  test('has unwound before the back-off begins', async () => {
    const begins: number[] = [];
    await settleInTime((time) =>
      retry({ attempts: 2, backoff: constant(100) }).run((s) => {
        begins.push(time.now());
        s.defer(() => s.sleep(30));
        s.defer(() => s.sleep(20));
        throw failed;
      }),
    );
    expect(begins).toEqual([0, 150]);
  });

  test('has unwound before its permit is given back', async () => {
    await virtualTime(async (time) => {
      const gate = bulkhead({ limit: 1, queue: 1 });
      const log: unknown[] = [];
      const first = policy(gate).run((s) => {
        s.defer(async () => {
          await s.sleep(10);
          log.push(['cleanup of the first', gate.inFlight, gate.waiting]);
        });
      });
      const second = policy(gate).run(() => void log.push(['second', time.now()]));
      await time.runAll();
      await Promise.all([first, second]);
      expect(log).toEqual([
        ['cleanup of the first', 1, 1],
        ['second', 10],
      ]);
    });
  });

  test('fails if a cleanup fails, and is made again where it may happen twice, or the error says that it may', async () => {
    for (const [error, idempotent] of [
      [failed, true],
      [transient(new Error('conflict')), false],
    ] as const) {
      const value = await twice.run(
        (s) => {
          if (s.attempt === 1) s.defer(throws(error));
          return s.previousError;
        },
        { idempotent },
      );
      expect(value).toBe(error);
    }
  });

  test('P3.4 that has succeeded, and whose cleanup failed, is ambiguous: it is not made again, and its result is disposed of', async () => {
    let runs = 0;
    const disposed: number[] = [];
    const outcome = await twice.settle(
      (s) => {
        s.defer(async () => throws(failed)());
        const run = ++runs;
        return { [Symbol.dispose]: () => void disposed.push(run) };
      },
      { idempotent: false },
    );
    expect(outcome).toMatchObject({
      ok: false,
      error: failed,
      stoppedBy: 'ambiguous',
      attempts: [{ verdict: 'ambiguous' }],
    });
    expect([runs, disposed]).toEqual([1, [1]]);
  });

  test('keeps the error of a cleanup beside its own', async () => {
    const cleanup = new Error('cleanup');
    const error = await errorOf(
      policy().run((s) => {
        s.defer(async () => throws(cleanup)());
        throw failed;
      }),
    );
    expect(error).toBe(failed);
    expect(suppressedErrors(failed)).toEqual([cleanup]);
  });

  test('may be recovered by a cleanup, which is a success; changed, and failed with another error', async () => {
    const recovered = twice.run((s) => {
      s.defer((exit) => exit.recover(`${String(exit.error)}, attempt ${s.attempt}`));
      throw failed;
    });
    expect(await recovered).toBe('Error: failed, attempt 1');
    const changed = twice.run((s) => {
      s.defer(async (exit) => {
        await Promise.resolve();
        exit.set('set');
      });
      return 'returned';
    });
    expect(await changed).toBe('set');
    const other = new Error('other');
    const replaced = policy().run((s) => {
      s.defer((exit) => exit.fail(other));
      throw new Error('own');
    });
    expect(await errorOf(replaced)).toBe(other);
    expect(suppressedErrors(other)).toEqual([new Error('own')]);
  });

  test('is over when its call settles: what is deferred then runs at once, and is refused', async () => {
    const scopes: Scope[] = [];
    const log: unknown[] = [];
    await twice.run((s) => void scopes.push(s), { name: 'query' });
    const [s] = scopes as [Scope];
    expect(() => s.defer((exit) => log.push(exit.ok))).toThrow(ScopeEndedError);
    expect(() => s.defer(() => {})).toThrow(expect.objectContaining({ scope: 'query' }));
    expect(() => s.go(() => {})).toThrow(ScopeEndedError);
    expect(await errorOf(s.sleep(1))).toBeInstanceOf(ScopeEndedError);
    expect(log).toEqual([true]);
    s.cancel();
    expect(s.signal.aborted).toBe(false);
  });

  test('ended by its own cancel fails with that reason, and is not made again', async () => {
    const reason = new DOMException('gives up', 'AbortError');
    const seen: unknown[] = [];
    const error = await errorInTime(() =>
      thrice.run((s) => {
        seen.push(s.attempt);
        s.defer((exit) => seen.push(exit.cancelled, exit.recover()));
        s.cancel(reason);
        return s.sleep('1h');
      }),
    );
    expect(error).toBe(reason);
    expect(seen).toEqual([1, true, undefined]);
  });
});

describe('P1.3 children of an attempt', () => {
  test('are waited for before its cleanups run', async () => {
    const log: unknown[] = [];
    const settled = await settleInTime(async (time) => {
      const value = await twice.run((s) => {
        s.defer(() => log.push(['cleanup', time.now()]));
        void s.go(async (child) => {
          await child.sleep(10);
          void s.go((other) => other.sleep(20));
        });
        return 'result';
      });
      return [value, time.now()];
    });
    expect(settled).toEqual({ value: ['result', 30] });
    expect(log).toEqual([['cleanup', 30]]);
  });

  test('fail it, and it is made again', async () => {
    const log: unknown[] = [];
    const value = await twice.run(async (s) => {
      if (s.attempt === 2) return s.previousError;
      void s.go((sibling) => sibling.sleep('1h').catch((error: unknown) => log.push(error)));
      void s.go(throws(failed));
      return 'result';
    });
    expect(value).toBe(failed);
    expect(log).toEqual([failed]);
  });

  test('are cancelled and waited for when it fails', async () => {
    const log: unknown[] = [];
    const error = await errorInTime((time) =>
      policy().run((s) => {
        void s.go(async (child) => {
          log.push(await errorOf(child.sleep('1h')));
          await scope((own) => own.sleep(50));
          log.push(time.now());
        });
        throw failed;
      }),
    );
    expect(error).toBe(failed);
    expect(log).toEqual([failed, 50]);
  });

  test('run in `map` and `race` as in any scope', async () => {
    const settled = await settleInTime(() =>
      twice.run(async (s) => [
        await s.map([3, 1, 2], { concurrency: 2 }, (item, child) => child.sleep(item).then(() => item * 2)),
        await s.race([(child) => child.sleep(20).then(() => 'slow'), (child) => child.sleep(10).then(() => 'fast')]),
      ]),
    );
    expect(settled).toEqual({ value: [[6, 2, 4], 'fast'] });
  });
});

describe('P1.3 an attempt below the scope of the caller', () => {
  const traceId = contextKey<string>('trace_id');

  for (const [what, signalOf] of [
    ['a scope', (s: Scope) => s],
    ['the signal of a scope', (s: Scope) => s.signal],
  ] as const) {
    test(`sees the values and the deadline of the caller, who gave ${what}`, async () => {
      const settled = await settleInTime(() =>
        scope({ timeout: 1000, values: [[traceId, 'a1']] }, (s) =>
          retry({ attempts: 2, backoff: constant(100) }).run(
            (attempt) => {
              if (attempt.attempt === 1) throw failed;
              return [attempt.get(traceId), attempt.timeLeft(), attempt.deadline, attempt.signal.aborted];
            },
            { signal: signalOf(s) },
          ),
        ),
      );
      expect(settled).toEqual({ value: ['a1', 900, 1000, false] });
    });
  }

  test('sees a value also once something hangs below it', async () => {
    const value = await scope({ values: [[traceId, 'a1']] }, (s) =>
      policy().run(
        (attempt) => {
          const before = attempt.get(traceId);
          void attempt.signal;
          return attempt.go((child) => [before, attempt.get(traceId), child.get(traceId)]);
        },
        { signal: s },
      ),
    );
    expect(value).toEqual(['a1', 'a1', 'a1']);
  });

  test('without a caller’s scope sees no value and no deadline', async () => {
    const seen = (s: Scope): unknown[] => [s.get(traceId), s.deadline, s.timeLeft()];
    expect(await policy().run(seen)).toEqual([undefined, Infinity, Infinity]);
    const { signal } = new AbortController();
    expect(await policy().run(seen, { signal })).toEqual([undefined, Infinity, Infinity]);
  });

  test('runs below a scope that has ended, if nothing above it was cancelled', async () => {
    let over: Scope | undefined;
    await scope({ values: [[traceId, 'a1']] }, (s) => void (over = s));
    expect(await twice.run((attempt) => attempt.get(traceId), { signal: over as Scope })).toBe('a1');
  });

  test('is not waited for by that scope, which it may outlive: cancellation from above still reaches it', async () => {
    await virtualTime(async (time) => {
      const controller = new AbortController();
      let call: Promise<unknown> | undefined;
      await scope({ signal: controller.signal }, (s) => {
        call = twice.run((attempt) => attempt.sleep('1h'), { signal: s });
      });
      const ended = errorOf(call as Promise<unknown>);
      await time.advance(10);
      controller.abort('reason');
      expect(await ended).toBe('reason');
    });
  });

  test('hangs there again in each attempt, though that scope ended during the back-off', async () => {
    await virtualTime(async (time) => {
      const controller = new AbortController();
      let call: Promise<unknown> | undefined;
      await scope({ signal: controller.signal, values: [[traceId, 'a1']] }, (s) => {
        call = retry({ backoff: constant(10) }).run(
          (attempt) => {
            if (attempt.attempt === 1) throw failed;
            expect(attempt.get(traceId)).toBe('a1');
            return attempt.sleep('1h');
          },
          { signal: s },
        );
      });
      const ended = errorOf(call as Promise<unknown>);
      await time.advance(20);
      controller.abort('reason');
      expect(await ended).toBe('reason');
    });
  });

  test('in a cleanup hangs below that cleanup, out of reach of the cancellation', async () => {
    const log: unknown[] = [];
    const error = await errorOf(
      scope((s) => {
        s.defer(async () => log.push(await twice.run((attempt) => attempt.signal.aborted, { signal: s })));
        s.cancel('reason');
        s.throwIfAborted();
      }),
    );
    expect([error, log]).toEqual(['reason', [false]]);
  });
});

describe('what is linked to an attempt', () => {
  test('is cancelled with it', async () => {
    const controller = new AbortController();
    const seen = policy().run(
      async (s) => {
        const linked = errorOf(scope({ signal: s }, (inner) => inner.sleep('1h')));
        controller.abort('reason');
        return linked;
      },
      { signal: controller.signal },
    );
    expect(await seen).toBe('reason');
  });

  test('sees the deadline of a timeout around the attempt, or around the call', async () => {
    const settled = await settleInTime(() =>
      policy(timeout(1000), retry({ attempts: 2, backoff: constant(300) }), timeout(500)).run((s) => {
        if (s.attempt === 1) throw failed;
        return scope({ signal: s.signal }, (linked) => [s.timeLeft(), linked.timeLeft()]);
      }),
    );
    expect(settled).toEqual({ value: [500, 500] });
    const outer = await settleInTime(() => policy(timeout(200), timeout(500)).run((s) => s.timeLeft()));
    expect(outer).toEqual({ value: 200 });
  });

  for (const touched of [true, false]) {
    const which = touched ? 'that had something below it' : 'that never had anything below it';
    test(`after it has ended hangs further up (R12): an attempt ${which}`, async () => {
      const controller = new CountedController();
      const kept = await twice.run(
        (s) => {
          if (touched) void s.signal;
          return { s };
        },
        { signal: controller.signal },
      );
      const link = (body: (s: Scope) => unknown): Promise<unknown> => scope({ signal: kept.s }, body);
      expect(await link((inner) => inner.deadline)).toBe(Infinity);
      expect(controller.listeners).toBe(0);
      const linked = errorOf(link((inner) => inner.sleep('1h')));
      controller.abort('reason');
      expect(await linked).toBe('reason');
      expect(await errorOf(link(() => expect.fail('ran')))).toBe('reason');
      expect(kept.s.timeLeft()).toBe(Infinity);
    });
  }
});

describe('P1.4 after the cancellation of the caller', () => {
  test('nothing is recovered in the attempt, which knows that it is cancelled', async () => {
    const controller = new AbortController();
    const seen: unknown[] = [];
    const call = policy().run(
      async (s) => {
        s.defer((exit) => seen.push(exit.cancelled, exit.recover('recovered')));
        await s.sleep('1h');
      },
      { signal: controller.signal },
    );
    controller.abort('reason');
    expect(await errorOf(call)).toBe('reason');
    expect(seen).toEqual([true, undefined]);
  });

  test('its cleanups are shielded, and run to their end', async () => {
    const log: unknown[] = [];
    const error = await errorInTime(async (time) => {
      const controller = new AbortController();
      const call = policy().run(
        async (s) => {
          s.defer(async () => {
            log.push(s.signal.aborted);
            await s.sleep(50);
            log.push(time.now());
          });
          await s.sleep('1h');
        },
        { signal: controller.signal },
      );
      controller.abort('reason');
      return call;
    });
    expect([error, log]).toEqual(['reason', [false, 50]]);
  });
});
