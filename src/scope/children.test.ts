/** Children (2.5, R1, R3, R4, R5 of docs/reference/semantics.md): who waits for whom, whose failure is whose, and what a `Task` is. `race` and `map` have tests of their own. */
import { describe, expect, test } from 'vitest';
import { nextTurn } from '../foundation/index.ts';
import { recordEvents } from '../testing/index.ts';
import { errorInTime, errorOf, settleInTime } from '../../test/settle.ts';
import { watchUnhandledRejections } from '../../test/unhandled.ts';
import { contextKey, scope, suppressedErrors, TimeoutError } from '../index.ts';
import type { Scope, Task } from '../index.ts';

watchUnhandledRejections();

const fails = (error: unknown) => (): never => {
  throw error;
};

/** A child that fails after `ms`, whatever is cancelled meanwhile. */
const failsAfter = (ms: number, error: unknown) => async (): Promise<never> => {
  await scope((own) => own.sleep(ms));
  throw error;
};

const sleeper = (s: Scope): Promise<void> => s.sleep('1h');

describe('2.5 go', () => {
  test('starts the child within the call', async () => {
    await scope((s) => {
      let started = false;
      void s.go(() => void (started = true));
      expect(started).toBe(true);
    });
  });

  test('gives a task: a native promise of what the child comes to', async () => {
    await scope(async (s) => {
      const task = s.go(async () => 'result');
      expect(task).toBeInstanceOf(Promise);
      expect(await task).toBe('result');
    });
  });

  test('does not throw what the child throws within the call: the task rejects', async () => {
    const error = new Error('at once');
    let caught: unknown;
    const thrown = await errorOf(
      scope(async (s) => {
        caught = await errorOf(s.go(fails(error)));
      }),
    );
    expect(caught).toBe(error);
    expect(thrown).toBe(error);
  });

  test('gives the child cleanups, values, a deadline and a signal of its own', async () => {
    const key = contextKey<string>('key');
    const settled = await settleInTime(() =>
      scope({ values: [[key, 'value']], timeout: 500 }, async (s) => {
        await s.go(async (child) => {
          expect(child).not.toBe(s);
          expect(child.signal).not.toBe(s.signal);
          expect(child.get(key)).toBe('value');
          await child.sleep(200);
          expect([child.timeLeft(), child.deadline]).toEqual([300, 500]);
          expect(child.attempt).toBe(1);
        });
        return 'result';
      }),
    );
    expect(settled).toEqual({ value: 'result' });
  });
});

describe('2.5 a scope does not end before its children', () => {
  test('when the body returns it waits for them, and cleanups run after they have ended', async () => {
    const log: string[] = [];
    const settled = await settleInTime((time) =>
      scope((s) => {
        s.defer(() => log.push(`${time.now()} cleanup of the scope`));
        for (const ms of [10, 30, 20]) {
          void s.go(async (child) => {
            child.defer(() => log.push(`${time.now()} cleanup of a child`));
            await child.sleep(ms);
          });
        }
        log.push(`${time.now()} body`);
        return 'result';
      }),
    );
    expect(log).toEqual([
      '0 body',
      '10 cleanup of a child',
      '20 cleanup of a child',
      '30 cleanup of a child',
      '30 cleanup of the scope',
    ]);
    expect(settled).toEqual({ value: 'result' });
  });

  test('R1 a child may start another one in its scope after the body has returned, and that is waited for as well', async () => {
    const log: string[] = [];
    await settleInTime((time) =>
      scope((s) => {
        s.defer(() => log.push(`${time.now()} cleanup`));
        void s.go(async (child) => {
          await child.sleep(10);
          void s.go(async (second) => {
            await second.sleep(20);
            log.push(`${time.now()} second`);
          });
          log.push(`${time.now()} first`);
        });
      }),
    );
    expect(log).toEqual(['10 first', '30 second', '30 cleanup']);
  });

  test('when the body throws it cancels them with that failure as their reason, then waits', async () => {
    const log: unknown[] = [];
    const error = new Error('body');
    const thrown = await errorInTime((time) =>
      scope((s) => {
        s.defer(() => log.push(`${time.now()} cleanup of the scope`));
        void s.go(async (child) => {
          child.defer(() => scope((own) => own.sleep(50)));
          log.push(await errorOf(child.sleep('1h')));
        });
        throw error;
      }),
    );
    expect(thrown).toBe(error);
    expect(log).toEqual([error, '50 cleanup of the scope']);
  });

  test('children that were cancelled because the body failed add nothing', async () => {
    using events = recordEvents();
    const error = new Error('body');
    const tasks: Task<void>[] = [];
    const thrown = await errorInTime(() =>
      scope((s) => {
        tasks.push(s.go(sleeper), s.go(sleeper));
        throw error;
      }),
    );
    expect(thrown).toBe(error);
    expect(suppressedErrors(error)).toEqual([]);
    expect(await Promise.all(tasks.map((task) => errorOf(task)))).toEqual([error, error]);
    expect(events).toEqual([]);
  });

  test('when it is cancelled it cancels them, and their children, then waits', async () => {
    const reason = new Error('cancelled');
    const seen: unknown[] = [];
    const settled = await settleInTime((time) =>
      scope(async (s) => {
        const task = s.go((child) =>
          child.go(async (grandchild) => {
            seen.push(await errorOf(grandchild.sleep('1h')));
            await scope((own) => own.sleep(50));
            seen.push(time.now());
          }),
        );
        s.cancel(reason);
        await task;
        return 'result';
      }),
    );
    expect(seen).toEqual([reason, 50]);
    expect(settled).toEqual({ value: 'result' });
  });
});

describe('2.5 a failure that leaves a child', () => {
  test('becomes the failure of its scope, the same object, and the result of the body is dropped', async () => {
    const error = new Error('child');
    let seen: unknown;
    const thrown = await errorInTime(() =>
      scope((s) => {
        s.defer((exit) => void (seen = [exit.ok, exit.error, exit.value, exit.cancelled]));
        void s.go(failsAfter(10, error));
        return 'result';
      }),
    );
    expect(thrown).toBe(error);
    expect(seen).toEqual([false, error, undefined, false]);
  });

  test('cancels the body and the other children with itself as the reason', async () => {
    const error = new Error('child');
    const seen: unknown[] = [];
    await errorInTime((time) =>
      scope(async (s) => {
        void s.go(failsAfter(10, error));
        const sibling = s.go(sleeper);
        seen.push(await errorOf(s.sleep('1h')), time.now(), s.signal.reason, await errorOf(sibling));
      }),
    );
    expect(seen).toEqual([error, 10, error, error]);
  });

  test('is the failure also when the body catches what the task rejects with', async () => {
    const error = new Error('child');
    const thrown = await errorOf(
      scope(async (s) => {
        await s.go(fails(error)).catch(() => {});
        return 'result';
      }),
    );
    expect(thrown).toBe(error);
  });

  test('is isolated by a catch inside the child', async () => {
    const result = await scope((s) => s.go(() => Promise.reject(new Error('caught')).catch(() => 'instead')));
    expect(result).toBe('instead');
  });

  test('is isolated by a linked scope instead of a child', async () => {
    const result = await scope((s) => scope({ signal: s }, fails(new Error('linked'))).catch(() => 'instead'));
    expect(result).toBe('instead');
  });

  test('goes up through any number of scopes as the same object', async () => {
    const error = new Error('deep');
    const cleaned: number[] = [];
    const nest = (s: Scope, depth: number): unknown => {
      s.defer((exit) => expect(exit.error).toBe(error));
      s.defer(() => cleaned.push(depth));
      return depth === 0 ? fails(error)() : s.go((child) => nest(child, depth - 1));
    };
    expect(await errorOf(scope((s) => nest(s, 20)))).toBe(error);
    expect(cleaned).toEqual(Array.from({ length: 21 }, (_, depth) => depth));
    expect(suppressedErrors(error)).toEqual([]);
  });

  test('is the first one that came; later ones are in suppressedErrors, in the order in which they came', async () => {
    const [first, second, third, body] = ['first', 'second', 'third', 'body'].map((name) => new Error(name));
    const thrown = await errorInTime(() =>
      scope(async (s) => {
        void s.go(failsAfter(30, third));
        void s.go(failsAfter(10, first));
        void s.go(failsAfter(20, second));
        await failsAfter(25, body)();
      }),
    );
    expect(thrown).toBe(first);
    expect(suppressedErrors(first)).toEqual([second, body, third]);
    expect(suppressedErrors(body)).toEqual([]);
  });

  test('comes after a failure of the body: then the body is first', async () => {
    const [body, child] = [new Error('body'), new Error('child')];
    const thrown = await errorInTime(() =>
      scope((s) => {
        void s.go(failsAfter(10, child));
        throw body;
      }),
    );
    expect(thrown).toBe(body);
    expect(suppressedErrors(body)).toEqual([child]);
  });

  test('is not its own company when the body throws it on', async () => {
    const error = new Error('child');
    const thrown = await errorOf(scope((s) => s.go(fails(error))));
    expect(thrown).toBe(error);
    expect(suppressedErrors(error)).toEqual([]);
  });

  test('may be an error that a cleanup of the child threw', async () => {
    const error = new Error('cleanup');
    expect(await errorOf(scope((s) => void s.go((child) => child.defer(fails(error)))))).toBe(error);
  });

  test('is recoverable like any other: by a deferred function, or by the option recover', async () => {
    const byCleanup = scope((s) => {
      s.defer((exit) => exit.recover('recovered'));
      void s.go(fails(new Error('child')));
    });
    expect(await byCleanup).toBe('recovered');
    const recover = (error: unknown): string => `recovered ${String(error)}`;
    expect(await scope({ recover }, (s) => s.go(fails('child')))).toBe('recovered child');
  });

  test('that the child recovers from itself does not leave it', async () => {
    const result = await scope((s) =>
      s.go((child) => {
        child.defer((exit) => exit.recover('recovered'));
        throw new Error('inside');
      }),
    );
    expect(result).toBe('recovered');
  });

  test('may be any value', async () => {
    for (const error of [undefined, null, 0, Number.NaN, 'text', Object.freeze(new Error('frozen'))]) {
      const settled = await settleInTime(() =>
        scope(async (s) => {
          const sibling = s.go(sleeper);
          void s.go(fails(error));
          await sibling;
        }),
      );
      expect('error' in settled && Object.is(settled.error, error)).toBe(true);
    }
  });
});

describe('2.5 a child ended by its own cancel', () => {
  test('rejects for whoever awaits it, and does not fail its scope: cancelled from outside, by task.cancel', async () => {
    const reason = new Error('not needed');
    const settled = await settleInTime(() =>
      scope(async (s) => {
        const task = s.go(sleeper);
        task.cancel(reason);
        expect(await errorOf(task)).toBe(reason);
        s.throwIfAborted();
        return 'result';
      }),
    );
    expect(settled).toEqual({ value: 'result' });
  });

  test('likewise from inside, by cancel of its scope', async () => {
    const reason = new Error('gives up');
    const settled = await settleInTime(() =>
      scope(async (s) => {
        const task = s.go((child) => {
          child.cancel(reason);
          return child.sleep('1h');
        });
        expect(await errorOf(task)).toBe(reason);
        return 'result';
      }),
    );
    expect(settled).toEqual({ value: 'result' });
  });

  test('likewise when nobody awaits it', async () => {
    const settled = await settleInTime(() =>
      scope((s) => {
        s.go(sleeper).cancel();
        return 'result';
      }),
    );
    expect(settled).toEqual({ value: 'result' });
  });

  test('has the AbortError of the platform for its reason if none is given', async () => {
    await settleInTime(() =>
      scope(async (s) => {
        for (const reason of [[], [undefined]]) {
          const task = s.go(sleeper);
          task.cancel(...reason);
          const error = await errorOf(task);
          expect(error).toBeInstanceOf(DOMException);
          expect(error).toMatchObject({ name: 'AbortError', message: 'The scope was cancelled' });
        }
      }),
    );
  });

  test('may have any reason but undefined', async () => {
    for (const reason of [null, 0, Number.NaN, '', 'text', Object.freeze({})]) {
      const settled = await settleInTime(() =>
        scope(async (s) => {
          const task = s.go(sleeper);
          task.cancel(reason);
          expect(Object.is(await errorOf(task), reason)).toBe(true);
          return 'result';
        }),
      );
      expect(settled).toEqual({ value: 'result' });
    }
  });

  test('keeps the first reason when it is cancelled twice', async () => {
    const settled = await settleInTime(() =>
      scope(async (s) => {
        const task = s.go(sleeper);
        task.cancel('first');
        task.cancel('second');
        expect(await errorOf(task)).toBe('first');
        return 'result';
      }),
    );
    expect(settled).toEqual({ value: 'result' });
  });

  test('R4 that throws an error of its own instead fails its scope with that', async () => {
    const error = new Error('while giving up');
    const thrown = await errorInTime(() =>
      scope(async (s) => {
        const task = s.go(async (child) => {
          await child.sleep('1h').catch(() => {});
          throw error;
        });
        task.cancel(new Error('not needed'));
        await task.catch(() => {});
      }),
    );
    expect(thrown).toBe(error);
  });

  test('R4 that returns a value all the same has succeeded', async () => {
    const settled = await settleInTime(() =>
      scope(async (s) => {
        const task = s.go((child) => child.sleep('1h').catch(() => 'in time'));
        task.cancel();
        return task;
      }),
    );
    expect(settled).toEqual({ value: 'in time' });
  });

  test('R4 when its scope had been cancelled before, was ended by that', async () => {
    const reason = new Error('scope');
    const thrown = await errorInTime(() =>
      scope((s) => {
        const task = s.go(sleeper);
        s.cancel(reason);
        task.cancel(new Error('late'));
      }),
    );
    expect(thrown).toBe(reason);
  });

  test('does not end its siblings', async () => {
    const settled = await settleInTime(() =>
      scope(async (s) => {
        const sibling = s.go((child) => child.sleep(10).then(() => 'sibling'));
        s.go(sleeper).cancel();
        return sibling;
      }),
    );
    expect(settled).toEqual({ value: 'sibling' });
  });

  test('a cancel after its end changes nothing', async () => {
    const result = await scope(async (s) => {
      const task = s.go(() => 'result');
      await task;
      task.cancel(new Error('late'));
      return task;
    });
    expect(result).toBe('result');
  });
});

describe('R3 what the body throws', () => {
  test('is kept beside the failure of a child that came first', async () => {
    const [child, body] = [new Error('child'), new Error('body')];
    const thrown = await errorOf(
      scope(async (s) => {
        await s.go(fails(child)).catch(() => {});
        throw body;
      }),
    );
    expect(thrown).toBe(child);
    expect(suppressedErrors(child)).toEqual([body]);
  });

  test('is the reason itself if it wraps the reason: Node reports an abort by such an envelope', async () => {
    const reason = new Error('cancelled');
    const thrown = await errorOf(
      scope((s) => {
        s.cancel(reason);
        throw new DOMException('The operation was aborted', { name: 'AbortError', cause: reason });
      }),
    );
    expect(thrown).toBe(reason);
    expect(suppressedErrors(reason)).toEqual([]);
  });

  test('as Node throws it', async () => {
    const { setTimeout } = await import('node:timers/promises');
    const reason = new Error('cancelled');
    const thrown = await errorOf(
      scope((s) => {
        const wait = setTimeout(10_000, undefined, { signal: s.signal });
        s.cancel(reason);
        return wait;
      }),
    );
    expect(thrown).toBe(reason);
  });

  test.for([
    [1, true],
    [16, true],
    [17, false],
  ] as const)('is taken for the reason through a chain of %i causes: %s', async ([links, taken]) => {
    const reason = new Error('cancelled');
    let error = reason;
    for (let link = 0; link < links; link++) error = new Error('link', { cause: error });
    const thrown = await errorOf(
      scope((s) => {
        s.cancel(reason);
        throw error;
      }),
    );
    expect(thrown).toBe(taken ? reason : error);
  });

  test('is itself if its causes cannot be read, run in a circle, or lead elsewhere', async () => {
    const cyclic = new Error('cyclic');
    cyclic.cause = cyclic;
    const hostile = Object.defineProperty(new Error('hostile'), 'cause', { get: fails('getter') });
    for (const error of [cyclic, hostile, new Error('own'), new Error('x', { cause: 'other' }), 'text', null]) {
      const thrown = await errorOf(
        scope((s) => {
          s.cancel(new Error('cancelled'));
          throw error;
        }),
      );
      expect(thrown).toBe(error);
    }
  });

  test('is itself if it wraps a reason that comes only later', async () => {
    const later = new Error('later');
    const error = new Error('wraps', { cause: later });
    const thrown = await errorOf(
      scope((s) => {
        s.defer(() => s.cancel(later));
        throw error;
      }),
    );
    expect(thrown).toBe(error);
  });

  test('adds nothing if it is the envelope of the failure of a child', async () => {
    const child = new Error('child');
    const thrown = await errorOf(
      scope(async (s) => {
        await s.go(fails(child)).catch((error: unknown) => {
          throw new Error('with words', { cause: error });
        });
      }),
    );
    expect(thrown).toBe(child);
    expect(suppressedErrors(child)).toEqual([]);
  });
});

describe('R4 what a child comes out with', () => {
  test('adds nothing if it is the reason of its scope, or its envelope', async () => {
    const [body, log] = [new Error('body'), [] as unknown[]];
    const thrown = await errorInTime(() =>
      scope((s) => {
        const envelope = s.go((child) =>
          child.sleep('1h').catch((error: unknown) => {
            throw new Error('aborted', { cause: error });
          }),
        );
        envelope.catch((error: unknown) => log.push(error));
        throw body;
      }),
    );
    expect(thrown).toBe(body);
    expect(suppressedErrors(body)).toEqual([]);
    expect(log).toEqual([body]); // the envelope is dropped
  });

  test('is the failure of a body that returned, if cancellation ended the child', async () => {
    const reason = new Error('cancelled');
    const seen: unknown[] = [];
    const thrown = await errorInTime(() =>
      scope((s) => {
        s.defer((exit) => seen.push(exit.ok, exit.error, exit.cancelled, exit.recover()));
        void s.go(sleeper);
        s.cancel(reason);
        return 'result';
      }),
    );
    expect(thrown).toBe(reason);
    expect(seen).toEqual([false, reason, true, undefined]);
  });

  test('is the failure of a body that returned, if the deadline ended the child, and that is recoverable', async () => {
    const seen: unknown[] = [];
    const settled = await settleInTime(() =>
      scope({ timeout: 100, recover: (error) => error }, (s) => {
        s.defer((exit) => seen.push(exit.cancelled));
        void s.go(sleeper);
        return 'result';
      }),
    );
    expect(settled).toEqual({ value: expect.any(TimeoutError) });
    expect(seen).toEqual([false]);
  });

  test('is the failure of the scope if it is an error of its own, also in a cancelled scope', async () => {
    const [reason, own] = [new Error('cancelled'), new Error('own')];
    const thrown = await errorInTime(() =>
      scope((s) => {
        void s.go(failsAfter(10, own));
        void s.go(sleeper);
        s.cancel(reason);
      }),
    );
    expect(thrown).toBe(own);
    expect(suppressedErrors(own)).toEqual([]);
    expect(suppressedErrors(reason)).toEqual([]);
  });

  test('does not change the reason if there is one', async () => {
    const reason = new Error('cancelled');
    let seen: unknown;
    await errorInTime(() =>
      scope(async (s) => {
        s.cancel(reason);
        const task = s.go(() => expect.fail('ran'));
        await task.catch(() => {});
        seen = s.signal.reason;
      }),
    );
    expect(seen).toBe(reason);
  });

  test('is the reason, without running its body, if its scope was aborted when go was called', async () => {
    const reason = new Error('cancelled');
    const thrown = await errorOf(
      scope(async (s) => {
        s.cancel(reason);
        expect(await errorOf(s.go(() => expect.fail('ran')))).toBe(reason);
      }),
    );
    expect(thrown).toBe(reason);
  });
});

describe('a task', () => {
  test('causes no unhandledRejection, whether it fails, is cancelled, or ends with its scope', async () => {
    // The watch of this file looks for them.
    await errorOf(
      scope(async (s) => {
        s.go(sleeper).cancel();
        void s.go(sleeper);
        await nextTurn();
        void s.go(fails(new Error('child')));
        await nextTurn();
      }),
    );
  });

  test('may be awaited after its scope has ended', async () => {
    let task: Task<string> | undefined;
    await scope((s) => void (task = s.go(() => 'result')));
    expect(await task).toBe('result');
    const error = new Error('child');
    let failed: Task<never> | undefined;
    await errorOf(scope((s) => void (failed = s.go(fails(error)))));
    expect(await errorOf(failed as Task<never>)).toBe(error);
  });

  test('has a cancel that may be passed on by itself', async () => {
    const settled = await settleInTime(() =>
      scope(async (s) => {
        const task = s.go(sleeper);
        setImmediate(task.cancel, 'passed on');
        return errorOf(task);
      }),
    );
    expect(settled).toEqual({ value: 'passed on' });
  });

  test('settles before its scope does, and after its own cleanups', async () => {
    const log: string[] = [];
    await scope(async (s) => {
      s.defer(() => log.push('cleanup of the scope'));
      await s.go((child) => child.defer(() => log.push('cleanup of the child')));
      log.push('task');
    });
    expect(log).toEqual(['cleanup of the child', 'task', 'cleanup of the scope']);
  });
});
