/** Cancellation and deadlines (2.6, 2.8, R2, R5, R8, R15 of docs/reference/semantics.md), and what waits on them: `sleep`, `throwIfAborted`, `timeLeft`. */
import { describe, expect, test } from 'vitest';
import { nextTurn } from '../foundation/index.ts';
import { virtualTime } from '../testing/index.ts';
import { errorInTime, errorOf, settleInTime } from '../../test/settle.ts';
import { watchUnhandledRejections } from '../../test/unhandled.ts';
import { scope, suppressedErrors, TimeoutError } from '../index.ts';
import type { Exit, Scope } from '../index.ts';

watchUnhandledRejections();

const deaf = (ms: number): Promise<void> => scope((own) => own.sleep(ms));
const sleeper = (s: Scope): Promise<void> => s.sleep('1h');

describe('2.6 cancellation', () => {
  test('goes from parent to child, to any depth, with the reason by identity', async () => {
    const reason = new Error('cancelled');
    const seen: unknown[] = [];
    const nest = async (s: Scope, depth: number): Promise<void> => {
      if (depth > 0) void s.go((child) => nest(child, depth - 1));
      seen.push(await errorOf(s.sleep('1h')), s.signal.reason, await errorOf(() => s.throwIfAborted()));
    };
    await settleInTime(() =>
      scope(async (s) => {
        const task = s.go((child) => nest(child, 50));
        s.cancel(reason);
        await task;
      }),
    );
    expect(seen).toHaveLength(51 * 3);
    expect(seen.every((it) => it === reason)).toBe(true);
  });

  test('never goes up', async () => {
    const settled = await settleInTime(() =>
      scope(async (s) => {
        await s.go((child) => {
          child.cancel(new Error('only this one'));
          return child.sleep('1h').catch(() => {});
        });
        s.throwIfAborted();
        expect(s.signal.aborted).toBe(false);
        return 'result';
      }),
    );
    expect(settled).toEqual({ value: 'result' });
  });

  test('has reached the whole tree before anybody is told', async () => {
    const reason = new Error('cancelled');
    const seen: boolean[] = [];
    await errorInTime(() =>
      scope((s) => {
        const children: Scope[] = [];
        const look = (): void => void seen.push(...[s, ...children].map((it) => it.signal.aborted));
        s.signal.addEventListener('abort', () => {
          for (const child of children) expect(() => child.throwIfAborted()).toThrow(reason);
        });
        for (let i = 0; i < 3; i++) {
          void s.go((child) => {
            children.push(child);
            return child.sleep('1h');
          });
        }
        s.cancel(reason);
        look();
      }),
    );
    expect(seen).toEqual([true, true, true, true]);
  });

  test('without a reason has the AbortError of the platform for its reason', async () => {
    const error = await errorOf(
      scope((s) => {
        s.cancel();
        s.throwIfAborted();
      }),
    );
    expect(error).toBeInstanceOf(DOMException);
    expect(error).toMatchObject({ name: 'AbortError', message: 'The scope was cancelled' });
  });

  test('keeps its first reason', async () => {
    const seen: unknown[] = [];
    await scope(async (s) => {
      s.cancel('first');
      s.cancel('second');
      seen.push(s.signal.reason, await errorOf(s.sleep(1)));
    });
    expect(seen).toEqual(['first', 'first']);
  });

  test('R15 runs no body if it came first: the scope is cancelled and fails with the reason, and recover is not called', async () => {
    const controller = new AbortController();
    const reason = new Error('before');
    controller.abort(reason);
    const recover = (): never => expect.fail('called');
    await virtualTime(async (time) => {
      const error = errorOf(scope({ signal: controller.signal, recover, timeout: 1_000 }, () => expect.fail('ran')));
      expect(time.pending).toBe(0);
      expect(await error).toBe(reason);
    });
    await scope(async (s) => {
      s.cancel(reason);
      expect(await errorOf(scope({ signal: s, recover }, () => expect.fail('ran')))).toBe(reason);
    });
  });

  test('a success that arrives after it is a success', async () => {
    const settled = await settleInTime(() =>
      scope(async (s) => {
        s.cancel(new Error('cancelled'));
        await s.sleep('1h').catch(() => {});
        return 'result';
      }),
    );
    expect(settled).toEqual({ value: 'result' });
  });

  test('a success that arrives after the deadline is a success', async () => {
    const settled = await settleInTime(() =>
      scope({ timeout: 100 }, async (s) => {
        await scope((own) => own.sleep(200));
        expect(s.timeLeft()).toBe(0);
        return 'result';
      }),
    );
    expect(settled).toEqual({ value: 'result' });
  });

  test('a listener that throws stops none of the others', async () => {
    const reached: string[] = [];
    const uncaught = new Promise((resolve) => process.once('uncaughtException', resolve));
    await errorOf(
      scope((s) => {
        s.signal.addEventListener('abort', () => {
          throw new Error('listener');
        });
        s.signal.addEventListener('abort', () => reached.push('beside it'));
        void s.go((child) => {
          child.signal.addEventListener('abort', () => reached.push('below it'));
          return child.sleep('1h');
        });
        s.cancel();
      }),
    );
    expect(reached).toEqual(['beside it', 'below it']);
    expect(await uncaught).toMatchObject({ message: 'listener' });
  });

  test('a listener may start, cancel and end things while it is told', async () => {
    const settled = await settleInTime(() =>
      scope({ recover: () => {} }, async (s) => {
        const ran: string[] = [];
        const task = s.go(async (child) => {
          const other = child.go(sleeper);
          child.signal.addEventListener('abort', () => {
            other.cancel();
            child.cancel();
            void child.go(() => ran.push('ran'));
            child.sleep(1).catch(() => ran.push('slept'));
            child.defer(() => ran.push('cleanup'));
          });
          await child.sleep('1h').catch(() => {});
          return ran;
        });
        await nextTurn();
        task.cancel('reason');
        await task.catch(() => {});
        return ran;
      }),
    );
    expect(settled).toEqual({ value: ['slept', 'cleanup'] });
  });
});

describe('2.8 a cancellation is not recovered', () => {
  const seen: unknown[] = [];
  const recovering = (s: Scope): void => {
    seen.length = 0;
    s.defer((exit) => {
      seen.push(exit.cancelled, exit.recover('recovered'), exit.ok);
      exit.set('set');
    });
  };
  const recover = (): never => expect.fail('called');

  test.for(['own cancel', 'outer signal', 'parent', 'deadline of the parent', 'failure of a sibling'] as const)(
    'whatever it came by: %s',
    async (how) => {
      const reason = new Error('reason');
      const controller = new AbortController();
      const body = async (s: Scope): Promise<string> => {
        recovering(s);
        if (how === 'own cancel') s.cancel(reason);
        if (how === 'outer signal') controller.abort(reason);
        await s.sleep('1h');
        return 'result';
      };
      const error = await errorInTime(() => {
        if (how === 'own cancel') return scope({ recover }, body);
        if (how === 'outer signal') return scope({ recover, signal: controller.signal }, body);
        return scope(how === 'deadline of the parent' ? { timeout: 100 } : {}, (s) => {
          void s.go(body);
          if (how === 'parent') s.cancel(reason);
          if (how === 'failure of a sibling') void s.go(() => Promise.reject(reason));
        });
      });
      if (how === 'deadline of the parent') expect(error).toBeInstanceOf(TimeoutError);
      else expect(error).toBe(reason);
      expect(seen).toEqual([true, undefined, false]);
    },
  );

  test('whatever error came out: a body that throws its own error fails with that (R5)', async () => {
    const [reason, own] = [new Error('cancelled'), new Error('own')];
    const error = await errorOf(
      scope({ recover }, (s) => {
        recovering(s);
        s.cancel(reason);
        throw own;
      }),
    );
    expect(error).toBe(own);
    expect(suppressedErrors(own)).toEqual([]);
    expect(seen).toEqual([true, undefined, false]);
  });

  test('nor is a failure of a cleanup in a scope that was cancelled', async () => {
    const own = new Error('cleanup');
    const error = await errorOf(
      scope({ recover }, (s) => {
        recovering(s);
        s.defer(() => Promise.reject(own));
        s.cancel();
      }),
    );
    expect(error).toBe(own);
    expect(seen).toEqual([true, undefined, false]);
  });

  test('a body that catches the reason and returns has succeeded, and exit.cancelled is true', async () => {
    let cancelled: boolean | undefined;
    const settled = await settleInTime(() =>
      scope(async (s) => {
        s.defer((exit) => void (cancelled = exit.cancelled));
        s.cancel();
        await s.sleep('1h').catch(() => {});
        return 'result';
      }),
    );
    expect(settled).toEqual({ value: 'result' });
    expect(cancelled).toBe(true);
  });

  test('R8 exit.set and exit.fail work in a cancelled scope', async () => {
    const replaced = new Error('replaced');
    const reason = new Error('cancelled');
    const failing = (verb: (exit: Exit) => void) =>
      scope(async (s) => {
        s.defer(verb);
        s.cancel(reason);
        await s.sleep(1).catch(() => {});
        return 'result';
      });
    expect(await failing((exit) => exit.set('set'))).toBe('set');
    expect(await errorOf(failing((exit) => exit.fail(replaced)))).toBe(replaced);
  });

  test('the own deadline is a TimeoutError, and may be recovered', async () => {
    const settled = await settleInTime(() =>
      scope({ timeout: 100, recover: (error) => error }, (s) => {
        recovering(s);
        s.defer((exit) => seen.push(exit.cancelled, exit.error));
        return s.sleep('1h');
      }),
    );
    expect(settled).toEqual({ value: 'set' });
    expect(seen).toEqual([false, expect.any(TimeoutError), false, expect.any(TimeoutError), true]);
  });

  test('R2 a cancel after the own deadline, before the body has settled, still counts: the reason stays the first', async () => {
    const error = await errorInTime(() =>
      scope({ timeout: 100, recover }, async (s) => {
        recovering(s);
        await s.sleep('1h').catch(() => {});
        s.cancel(new Error('late'));
        s.throwIfAborted();
      }),
    );
    expect(error).toBeInstanceOf(TimeoutError);
    expect(seen).toEqual([true, undefined, false]);
  });

  test('R2 so does a cancel of the parent after the own deadline, and one while only children still run', async () => {
    let error: unknown;
    await settleInTime(() =>
      scope(async (s) => {
        const linked = errorOf(
          scope({ signal: s, timeout: 100, recover }, async (inner) => {
            recovering(inner);
            void inner.go(() => deaf(200));
            await inner.sleep('1h'); // the body has settled at 100, the child at 200
          }),
        );
        await deaf(150);
        s.cancel();
        error = await linked;
      }),
    );
    expect(error).toBeInstanceOf(TimeoutError);
    expect(seen).toEqual([true, undefined, false]);
  });

  test('R2 the first reason stays, for the scope and for all below it, whatever comes from above later', async () => {
    const seen: unknown[] = [];
    const look = (s: Scope): void => void seen.push(s.signal.reason);
    await settleInTime(() =>
      scope(async (s) => {
        const task = s.go({ timeout: 100, recover: () => {} }, async (child) => {
          child.signal.addEventListener('abort', () => seen.push('listener'));
          const below = child.go(async (grandchild) => {
            await deaf(200);
            look(grandchild);
          });
          await below;
          look(child);
          child.throwIfAborted();
        });
        await deaf(150);
        s.cancel('late');
        expect(await errorOf(task)).toBe(seen[1]);
      }),
    );
    expect(seen).toEqual(['listener', expect.any(TimeoutError), seen[1]]);
  });

  test('R2 so does a cancel after the failure of a child: the failure stays', async () => {
    const child = new Error('child');
    const error = await errorOf(
      scope({ recover }, async (s) => {
        recovering(s);
        await s.go(() => Promise.reject(child)).catch(() => {});
        s.cancel(new Error('late'));
        s.throwIfAborted();
      }),
    );
    expect(error).toBe(child);
    expect(seen).toEqual([true, undefined, false]);
  });

  test('R2 a failure of the body or of a child alone does not make exit.cancelled true', async () => {
    const cancelled: boolean[] = [];
    const look = (s: Scope): void => s.defer((exit) => void cancelled.push(exit.cancelled));
    await errorInTime(() =>
      scope((s) => {
        look(s);
        void s.go((child) => {
          look(child); // its parent's failure cancels it
          return child.sleep('1h');
        });
        throw new Error('body');
      }),
    );
    await errorInTime(() =>
      scope((s) => {
        look(s);
        void s.go((child) => {
          look(child);
          throw new Error('child');
        });
        return s.sleep('1h');
      }),
    );
    expect(cancelled).toEqual([true, false, false, false]);
  });
});

describe('a deadline', () => {
  test('aborts the scope and everything below with one TimeoutError when it passes', async () => {
    await virtualTime(async (time) => {
      const below: unknown[] = [];
      const seen: unknown[] = [];
      const ended = errorOf(
        scope({ timeout: '2s', name: 'orders' }, async (s) => {
          void s.go(async (child) => below.push(await errorOf(child.sleep('1h'))));
          seen.push(await errorOf(s.sleep('1h')), s.signal.reason, time.now());
          s.throwIfAborted();
        }),
      );
      await time.advance('2s');
      const error = await ended;
      expect(error).toBeInstanceOf(TimeoutError);
      expect(error).toMatchObject({ code: 'TIMEOUT', timeoutMs: 2_000, of: 'orders', abandoned: false });
      expect(seen).toEqual([error, error, 2_000]);
      expect(below).toEqual([error]);
    });
  });

  test('names the scope by what it is if it has no name', async () => {
    const error = await errorInTime(() => scope({ timeout: 5 }, sleeper));
    expect(error.message).toBe('the scope did not end within 5 ms');
  });

  test('may be 0: the body still begins, and is aborted at the next timer', async () => {
    let began = false;
    const error = await errorInTime(() =>
      scope({ timeout: 0 }, (s) => {
        began = true;
        expect(s.signal.aborted).toBe(false);
        return s.sleep(1);
      }),
    );
    expect(began).toBe(true);
    expect(error).toBeInstanceOf(TimeoutError);
  });

  test('of Infinity is none, and starts no timer', async () => {
    await virtualTime(async (time) => {
      await scope({ timeout: Infinity }, (s) => {
        expect([time.pending, s.timeLeft(), s.deadline]).toEqual([0, Infinity, Infinity]);
      });
    });
  });

  test('leaves no timer when the scope ends in time', async () => {
    await virtualTime(async (time) => {
      await scope({ timeout: '1h' }, () => expect(time.pending).toBe(1));
      expect(time.pending).toBe(0);
      await errorOf(scope({ timeout: '1h' }, () => Promise.reject(new Error('body'))));
      expect(time.pending).toBe(0);
    });
  });

  test('counts while the children run, and not before: the scope waits for a body that does not heed it', async () => {
    await virtualTime(async (time) => {
      const ended = errorOf(
        scope({ timeout: 100 }, () => scope((own) => own.sleep(300)).then(() => Promise.reject(new Error('own')))),
      );
      await time.runAll();
      expect(await ended).toMatchObject({ message: 'own' });
      expect(time.now()).toBe(300);
    });
  });

  test('that is passed after a cancel changes nothing', async () => {
    const reason = new Error('cancelled');
    const error = await errorInTime(() =>
      scope({ timeout: 100 }, async (s) => {
        s.cancel(reason);
        await scope((own) => own.sleep(200));
        s.throwIfAborted();
      }),
    );
    expect(error).toBe(reason);
  });
});

describe('timeLeft and deadline', () => {
  test('tell of the nearest deadline on the way to the root', async () => {
    await settleInTime(() =>
      scope({ timeout: 1_000 }, async (s) => {
        await s.sleep(100);
        expect([s.timeLeft(), s.deadline]).toEqual([900, 1_000]);
        await scope({ signal: s, timeout: 200 }, (inner) => {
          expect([inner.timeLeft(), inner.deadline]).toEqual([200, 300]);
        });
        await scope({ signal: s, timeout: 5_000 }, async (inner) => {
          expect([inner.timeLeft(), inner.deadline]).toEqual([900, 1_000]);
          await inner.go((child) => expect(child.timeLeft()).toBe(900));
        });
      }),
    );
  });

  test('tell Infinity when there is none', async () => {
    await scope(async (s) => {
      expect([s.timeLeft(), s.deadline]).toEqual([Infinity, Infinity]);
      await s.go((child) => expect(child.timeLeft()).toBe(Infinity));
    });
  });

  test('tell 0 when it has passed, and when that was', async () => {
    await settleInTime(() =>
      scope({ timeout: 100, recover: () => {} }, async (s) => {
        await scope((own) => own.sleep(150));
        expect([s.timeLeft(), s.deadline]).toEqual([0, 100]);
      }),
    );
  });
});

describe('sleep', () => {
  test('takes as long as it says', async () => {
    await virtualTime(async (time) => {
      const ended = scope(async (s) => {
        await s.sleep('250ms');
        expect(time.now()).toBe(250);
        await s.sleep(50);
        expect(time.now()).toBe(300);
      });
      await time.runAll();
      await ended;
    });
  });

  test('of 0 is a timer like any other: who sleeps so in a loop stops neither timers nor deadlines', async () => {
    const looping = scope({ timeout: 10 }, async (s) => {
      for (;;) await s.sleep(0);
    });
    expect(await errorOf(looping)).toBeInstanceOf(TimeoutError);
  });

  test('ends at once when the scope is cancelled, and leaves no timer', async () => {
    await virtualTime(async (time) => {
      const reason = new Error('cancelled');
      await scope(async (s) => {
        const slept = s.sleep('1h');
        expect(time.pending).toBe(1);
        s.cancel(reason);
        expect(time.pending).toBe(0);
        expect(await errorOf(slept)).toBe(reason);
      });
    });
  });

  test('is refused with the reason in a scope that is cancelled, also for no time at all', async () => {
    const reason = new Error('cancelled');
    await scope(async (s) => {
      s.cancel(reason);
      expect(await errorOf(s.sleep('1h'))).toBe(reason);
      expect(await errorOf(s.sleep(0))).toBe(reason);
    });
  });

  test('leaves no rejection unhandled if its promise is dropped, or awaited too late', async () => {
    const reason = new Error('cancelled');
    await scope(async (s) => {
      void s.sleep('1h');
      const late = s.sleep('1h');
      s.cancel(reason);
      void s.sleep(1);
      await nextTurn();
      expect(await errorOf(late)).toBe(reason);
    });
  });
});

describe('throwIfAborted', () => {
  test('throws the reason, or nothing', async () => {
    const reason = new Error('cancelled');
    await scope((s) => {
      expect(s.throwIfAborted()).toBe(undefined);
      s.cancel(reason);
      expect(() => s.throwIfAborted()).toThrow(reason);
    });
  });
});
