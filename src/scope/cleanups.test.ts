/**
 * Cleanups that take time (2.1 to 2.4, R6, R9, R13, R14 of docs/reference/semantics.md). What they may do to the outcome is in `frame.test.ts`, for both kinds of scope.
 */
import { describe, expect, test } from 'vitest';
import { nextTurn } from '../foundation/index.ts';
import { recordEvents, virtualTime } from '../testing/index.ts';
import { errorOf } from '../../test/settle.ts';
import { watchUnhandledRejections } from '../../test/unhandled.ts';
import { contextKey, scope, ScopeEndedError, suppressedErrors, TimeoutError } from '../index.ts';
import type { Exit, Scope } from '../index.ts';
import type { RunningScope } from './index.ts';

watchUnhandledRejections();

describe('2.1 asynchronous deferred functions', () => {
  test('run one at a time: each is awaited before the next one begins', async () => {
    await virtualTime(async (time) => {
      const log: string[] = [];
      const cleanup = (s: Scope, name: string, ms: number) => async () => {
        log.push(`${time.now()} ${name} begins`);
        await s.sleep(ms);
        log.push(`${time.now()} ${name} ends`);
      };
      const ended = scope((s) => {
        s.defer(cleanup(s, 'a', 10));
        s.defer(() => log.push(`${time.now()} synchronous`));
        s.defer(cleanup(s, 'b', 20));
      }).then(() => log.push(`${time.now()} scope ends`));
      await time.runAll();
      await ended;
      expect(log).toEqual(['0 b begins', '20 b ends', '20 synchronous', '20 a begins', '30 a ends', '30 scope ends']);
    });
  });

  test('run on return, throw, cancellation and deadline alike, once the body has settled', async () => {
    await virtualTime(async (time) => {
      const log: string[] = [];
      const body = (how: string, end: (s: Scope) => unknown) => async (s: Scope) => {
        s.defer(async ({ ok, cancelled }) => void log.push(`${how}: cleanup ${ok} ${cancelled}`));
        await end(s);
        log.push(`${how}: body`);
        if (how === 'throw') throw new Error(how);
      };
      const deaf = (): Promise<void> => scope((own) => own.sleep(100));
      const all = Promise.allSettled([
        scope(body('return', deaf)),
        scope(body('throw', deaf)),
        scope(
          body('cancel', (s) => {
            s.cancel();
            return deaf();
          }),
        ),
        scope({ timeout: 50 }, body('deadline', deaf)),
      ]);
      await time.runAll();
      expect((await all).map((it) => it.status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled']);
      for (const how of ['return', 'throw', 'cancel', 'deadline'])
        expect(log.filter((line) => line.startsWith(how))).toEqual([
          `${how}: body`,
          `${how}: cleanup ${how !== 'throw'} ${how === 'cancel'}`,
        ]);
    });
  });

  test('that reject count as failed with what they reject with, and stop none of the others', async () => {
    const [first, second] = [new Error('first'), new Error('second')];
    const ran: string[] = [];
    const error = await errorOf(
      scope((s) => {
        s.defer(() => ran.push('last'));
        s.defer(() => Promise.reject(second));
        s.defer(() => Promise.reject(first));
      }),
    );
    expect(error).toBe(first);
    expect(suppressedErrors(first)).toEqual([second]);
    expect(ran).toEqual(['last']);
  });

  test('have a live exit until their promise has settled', async () => {
    let kept: Exit | undefined;
    const result = await scope((s) => {
      s.defer(async (exit) => {
        kept = exit;
        await nextTurn();
        exit.recover('recovered');
        exit.set('set');
      });
      throw new Error('body');
    });
    kept?.fail('late');
    expect(result).toBe('set');
  });

  // oxlint-disable unicorn/no-thenable -- what a thenable does is the subject
  test('may return any thenable: it is awaited', async () => {
    const log: string[] = [];
    await scope((s) => {
      s.defer(() => log.push('next'));
      s.defer(() => ({ then: (resolve: () => void) => void nextTurn().then(() => (log.push('thenable'), resolve())) }));
      s.defer(() => Object.assign(() => {}, { then: (resolve: () => void) => (log.push('callable'), resolve()) }));
    });
    expect(log).toEqual(['callable', 'thenable', 'next']);
  });

  test.for([
    ['whose then throws', () => ({ then: thrower('hostile') })],
    ['whose then cannot be read', () => Object.defineProperty({}, 'then', { get: thrower('hostile') })],
    ['that rejects', () => ({ then: (_: unknown, reject: (error: string) => void) => reject('hostile') })],
  ] as const)('may return a thenable %s, which counts as failed', async ([, make]) => {
    const error = await errorOf(scope((s) => s.defer(make)));
    expect(error).toBe('hostile');
  });

  test('may return an object whose then is no function: that is no promise', async () => {
    expect(await scope((s) => (s.defer(() => ({ then: 1 })), 'result'))).toBe('result');
  });
  // oxlint-enable unicorn/no-thenable
});

function thrower(error: unknown): () => never {
  return () => {
    throw error;
  };
}

describe('use and adopt in a scope', () => {
  test('prefer Symbol.asyncDispose, and await it', async () => {
    const log: string[] = [];
    const resource = {
      [Symbol.dispose]: () => log.push('dispose'),
      async [Symbol.asyncDispose]() {
        await nextTurn();
        log.push('asyncDispose');
      },
    };
    await scope((s) => {
      s.defer(() => log.push('next'));
      expect(s.use(resource)).toBe(resource);
    });
    expect(log).toEqual(['asyncDispose', 'next']);
  });

  test('take Symbol.dispose where there is no other, or where the other is no function', async () => {
    const log: string[] = [];
    await scope((s) => {
      s.use({ [Symbol.dispose]: () => log.push('only') });
      s.use({ [Symbol.dispose]: () => log.push('beside'), [Symbol.asyncDispose]: 1 } as Disposable);
    });
    expect(log).toEqual(['beside', 'only']);
  });

  test('await an asynchronous disposer of adopt', async () => {
    const log: string[] = [];
    await scope((s) => {
      s.defer(() => log.push('next'));
      s.adopt('handle', async (handle) => {
        await nextTurn();
        log.push(`closed ${handle}`);
      });
    });
    expect(log).toEqual(['closed handle', 'next']);
  });
});

describe('2.3 cleanups are shielded', () => {
  test('from the cancellation of their scope', async () => {
    await virtualTime(async (time) => {
      let woke = false;
      const ended = scope((s) => {
        s.defer(async () => {
          expect(s.signal.aborted).toBe(false);
          s.throwIfAborted();
          await s.sleep(10);
          woke = true;
        });
        s.cancel(new Error('cancelled'));
      });
      await time.runAll();
      await ended;
      expect(woke).toBe(true);
    });
  });

  test('from its deadline, which no longer counts', async () => {
    await virtualTime(async (time) => {
      const ended = scope({ timeout: 50 }, async (s) => {
        s.defer(async () => {
          expect([s.timeLeft(), s.deadline]).toEqual([Infinity, Infinity]);
          expect(time.pending).toBe(0); // R6: its timer is stopped when unwinding begins
          await s.sleep(100);
          return s.throwIfAborted();
        });
        await s.sleep(10);
        return 'result';
      });
      await time.runAll();
      expect(await ended).toBe('result');
      expect(time.now()).toBe(110);
    });
  });

  test('from a deadline that has passed', async () => {
    await virtualTime(async (time) => {
      const ended = errorOf(
        scope({ timeout: 50 }, async (s) => {
          s.defer(() => s.sleep(100));
          await s.sleep(1_000);
        }),
      );
      await time.runAll();
      expect(await ended).toBeInstanceOf(TimeoutError);
      expect(time.now()).toBe(150);
    });
  });

  test('each by a fresh signal of its own', async () => {
    const signals: AbortSignal[] = [];
    await scope((s) => {
      for (const wait of [undefined, Promise.resolve(), undefined, undefined, Promise.resolve()]) {
        s.defer(() => {
          signals.push(s.signal);
          expect(s.signal).toBe(signals.at(-1));
          return wait;
        });
      }
      signals.push(s.signal);
    });
    expect(signals).toHaveLength(6);
    expect(new Set(signals).size).toBe(6);
    expect(signals.map((signal) => signal.aborted)).toEqual(signals.map(() => false));
  });

  test('and the option recover likewise', async () => {
    let scopes: Scope | undefined;
    const signals: AbortSignal[] = [];
    await scope(
      {
        timeout: 1_000,
        recover: () => {
          signals.push(scopes?.signal as AbortSignal);
          expect(scopes?.timeLeft()).toBe(Infinity);
        },
      },
      (s) => {
        scopes = s;
        signals.push(s.signal);
        s.defer(() => void signals.push(s.signal));
        throw new Error('body');
      },
    );
    expect(new Set(signals).size).toBe(3);
    expect(signals.map((signal) => signal.aborted)).toEqual([true, false, false]);
  });

  test('while the values of the scope are still there', async () => {
    const key = contextKey<string>('key');
    let seen: unknown;
    await scope({ values: [[key, 'value']] }, (s) => s.defer(() => (seen = s.get(key))));
    expect(seen).toBe('value');
  });
});

describe('R6 a cancellation while the scope unwinds', () => {
  test.for(['own cancel', 'outer signal', 'parent', 'deadline of the parent'] as const)(
    'changes nothing for the scope: %s',
    async (how) => {
      await virtualTime(async (time) => {
        const controller = new AbortController();
        const seen: unknown[] = [];
        const unwinding = (s: Scope): void => {
          s.defer((exit) => seen.push(exit.cancelled, exit.recover('recovered')));
          s.defer(async (exit) => {
            await s.sleep(10);
            if (how === 'own cancel') s.cancel(new Error('late'));
            if (how === 'outer signal') controller.abort(new Error('late'));
            if (how === 'parent') parent?.cancel(new Error('late'));
            await s.sleep(100);
            seen.push(exit.cancelled);
          });
          throw 'failure';
        };
        let parent: Scope | undefined;
        let result: unknown;
        const ended = scope(how === 'deadline of the parent' ? { timeout: 50 } : {}, async (s) => {
          parent = s;
          if (how === 'outer signal' || how === 'own cancel')
            result = await scope({ signal: controller.signal }, unwinding);
          else result = await s.go(unwinding);
        });
        await time.runAll();
        await ended;
        expect(seen).toEqual([false, false, 'failure']);
        expect(result).toBe('recovered');
      });
    },
  );
});

describe('2.3 cleanupTimeout', () => {
  test('ends the wait for a cleanup that overruns: it counts as failed, and the ones after it run', async () => {
    await virtualTime(async (time) => {
      using events = recordEvents();
      const log: string[] = [];
      const ended = errorOf(
        scope({ cleanupTimeout: 100, name: 'orders' }, (s) => {
          s.defer(() => log.push(`${time.now()} last`));
          s.defer((exit) => {
            log.push(`${time.now()} next ${(exit.error as TimeoutError).code}`);
            return s.sleep(10);
          });
          s.defer(() => new Promise(() => {}));
        }),
      );
      await time.runAll();
      const error = await ended;
      expect(error).toBeInstanceOf(TimeoutError);
      expect(error).toMatchObject({ code: 'TIMEOUT', timeoutMs: 100, of: 'a cleanup of orders', abandoned: true });
      expect(log).toEqual(['100 next TIMEOUT', '110 last']);
      expect(events).toEqual([
        { event: 'scope:cleanup-overran', name: 'orders', at: 100, timeoutMs: 100 },
        { event: 'scope:cleanup-failed', name: 'orders', at: 100, error, late: false },
      ]);
    });
  });

  test('aborts the signal of that cleanup with the TimeoutError, and ends its sleeps', async () => {
    await virtualTime(async (time) => {
      const seen: unknown[] = [];
      const ended = errorOf(
        scope({ cleanupTimeout: 100 }, (s) => {
          s.defer(() => seen.push(s.signal.aborted)); // the next one's is its own
          s.defer(async () => {
            s.signal.addEventListener('abort', (event) => seen.push((event.target as AbortSignal).reason));
            await s.sleep('1h').catch((reason: unknown) => seen.push(reason));
          });
        }),
      );
      await time.advance(100);
      const error = await ended;
      expect(seen).toEqual([error, error, false]);
      expect(time.pending).toBe(0);
    });
  });

  test('counts from the start of each cleanup, and leaves no timer', async () => {
    await virtualTime(async (time) => {
      const ended = scope({ cleanupTimeout: 100 }, (s) => {
        for (let i = 0; i < 3; i++) s.defer(() => s.sleep(80));
        return 'result';
      });
      await time.runAll();
      expect(await ended).toBe('result');
      expect(time.now()).toBe(240);
      expect(time.pending).toBe(0);
    });
  });

  test('is the deadline that a cleanup sees, whenever it looks', async () => {
    await virtualTime(async (time) => {
      const seen: number[] = [];
      const ended = scope({ cleanupTimeout: 100, timeout: 1_000 }, async (s) => {
        await s.sleep(20);
        seen.push(s.timeLeft());
        s.defer(() => void seen.push(s.timeLeft()));
        s.defer(async () => {
          await scope((own) => own.sleep(30));
          seen.push(s.timeLeft(), s.deadline);
        });
        s.defer(async () => {
          seen.push(s.timeLeft());
          await s.sleep(10);
          seen.push(s.timeLeft());
        });
      });
      await time.runAll();
      await ended;
      expect(seen).toEqual([980, 100, 90, 70, 130, 100]);
    });
  });

  test('does not bind a synchronous cleanup, nor the option recover', async () => {
    await virtualTime(async (time) => {
      const ended = scope(
        { cleanupTimeout: 0, recover: () => scope((own) => own.sleep(50)).then(() => 'recovered') },
        (s) => {
          s.defer(() => {});
          throw new Error('body');
        },
      );
      await time.runAll();
      expect(await ended).toBe('recovered');
    });
  });

  test('leaves the first failure the one thrown', async () => {
    await virtualTime(async (time) => {
      const first = new Error('body');
      const ended = errorOf(
        scope({ cleanupTimeout: 100 }, (s) => {
          s.defer(() => new Promise(() => {}));
          throw first;
        }),
      );
      await time.runAll();
      expect(await ended).toBe(first);
      expect(suppressedErrors(first)).toMatchObject([{ code: 'TIMEOUT' }]);
    });
  });

  test('may be recovered from by a later cleanup', async () => {
    await virtualTime(async (time) => {
      const ended = scope({ cleanupTimeout: 100 }, (s) => {
        s.defer((exit) => void exit.recover());
        s.defer(() => new Promise(() => {}));
        return 'result';
      });
      await time.runAll();
      expect(await ended).toBe('result');
    });
  });

  test('lets a cleanup that fails in time fail with its own error', async () => {
    await virtualTime(async (time) => {
      using events = recordEvents();
      const own = new Error('own');
      const ended = errorOf(
        scope({ cleanupTimeout: 100 }, (s) =>
          s.defer(async () => {
            await s.sleep(99);
            throw own;
          }),
        ),
      );
      await time.runAll();
      expect(await ended).toBe(own);
      expect(time.now()).toBe(99);
      expect(events).toMatchObject([{ event: 'scope:cleanup-failed', error: own, late: false }]);
    });
  });

  test('R13 tells of what an overrun cleanup rejects with later, as a late event', async () => {
    await virtualTime(async (time) => {
      using events = recordEvents();
      const late = new Error('late');
      const ended = errorOf(
        scope({ cleanupTimeout: 100, name: 'orders' }, (s) =>
          s.defer(async () => {
            await scope((own) => own.sleep(150));
            throw late;
          }),
        ),
      );
      await time.runAll();
      const error = await ended;
      expect(suppressedErrors(error)).toEqual([]);
      expect(events.slice(2)).toEqual([
        { event: 'scope:cleanup-failed', name: 'orders', at: 150, error: late, late: true },
      ]);
    });
  });

  test('R13 does not tell again of the overrun itself, when a cleanup rejects with that, or wraps it', async () => {
    await virtualTime(async (time) => {
      using events = recordEvents();
      const ended = errorOf(
        scope({ cleanupTimeout: 100 }, (s) => {
          s.defer(() => s.sleep('1h'));
          s.defer(() =>
            s.sleep('1h').catch((cause: unknown) => {
              throw new Error('closing', { cause });
            }),
          );
        }),
      );
      await time.runAll();
      await ended;
      const overrun = ['scope:cleanup-overran', 'scope:cleanup-failed'];
      expect(events.map((e) => e.event)).toEqual([...overrun, ...overrun]);
      expect(events.map((e) => e['late'])).toEqual([undefined, false, undefined, false]);
    });
  });

  test('of Infinity is none, and starts no timer', async () => {
    await virtualTime(async (time) => {
      await scope({ cleanupTimeout: Infinity }, (s) => {
        s.defer(async () => {
          await Promise.resolve();
          expect([time.pending, s.timeLeft()]).toEqual([0, Infinity]);
        });
      });
    });
  });

  test('R13 tells nothing of an overrun cleanup that succeeds later', async () => {
    await virtualTime(async (time) => {
      using events = recordEvents();
      const ended = errorOf(
        scope({ cleanupTimeout: 100 }, (s) => s.defer(() => scope((own) => own.sleep(150)).then(() => 'late'))),
      );
      await time.runAll();
      await ended;
      expect(events.map((e) => e.event)).toEqual(['scope:cleanup-overran', 'scope:cleanup-failed']);
    });
  });

  test('R13 makes the exit of a cleanup inert as it overruns', async () => {
    await virtualTime(async (time) => {
      const ended = errorOf(
        scope({ cleanupTimeout: 100 }, (s) => {
          s.defer(() => scope((own) => own.sleep(80)));
          s.defer(async (exit) => {
            const misuse = (): void => {
              exit.fail(new Error('too late'));
              exit.recover();
              exit.set('too late');
            };
            s.signal.addEventListener('abort', misuse);
            await scope((own) => own.sleep(150)); // by then the next one runs
            misuse();
          });
          return 'result';
        }),
      );
      await time.runAll();
      expect(await ended).toBeInstanceOf(TimeoutError);
    });
  });

  // oxlint-disable unicorn/no-thenable -- what a thenable does is the subject
  test.for([
    ['throws', thrower('hostile'), 'hostile'],
    ['rejects twice', (_: unknown, no: (e: string) => void) => (no('first'), no('second')), 'first'],
    ['resolves, then rejects', (yes: () => void, no: (e: string) => void) => (yes(), no('second')), undefined],
  ] as const)('leaves no timer when a thenable %s', async ([, then, expected]) => {
    await virtualTime(async (time) => {
      using events = recordEvents();
      const error = await scope({ cleanupTimeout: 100 }, (s) => s.defer(() => ({ then }))).catch((e: unknown) => e);
      expect(error).toBe(expected);
      expect(time.pending).toBe(0);
      expect(events).toHaveLength(expected === undefined ? 0 : 1);
    });
  });
  // oxlint-enable unicorn/no-thenable
});

describe('R9 an asynchronous option recover', () => {
  test('is awaited, and its value is the result', async () => {
    const recover = async (error: unknown): Promise<string> => {
      await nextTurn();
      return `recovered ${String(error)}`;
    };
    const result = await scope({ recover }, () => {
      throw 'failure';
    });
    expect(result).toBe('recovered failure');
  });

  test('replaces the failure by what it rejects with', async () => {
    const [body, own] = [new Error('body'), new Error('own')];
    const error = await errorOf(
      scope({ recover: () => Promise.reject(own) }, () => {
        throw body;
      }),
    );
    expect(error).toBe(own);
    expect(suppressedErrors(own)).toEqual([body]);
  });
});

describe('2.4 a scope that unwinds', () => {
  test('refuses children: go, map and race throw ScopeEndedError at the call', async () => {
    const seen: unknown[] = [];
    await scope({ name: 'orders' }, (s) => {
      s.defer(async () => {
        await nextTurn();
        seen.push(await errorOf(() => s.go(() => expect.fail('ran'))));
        seen.push(await errorOf(() => s.map([1], { concurrency: 1 }, () => expect.fail('ran'))));
        seen.push(await errorOf(() => s.race([() => expect.fail('ran')])));
      });
    });
    expect(seen).toEqual([expect.any(ScopeEndedError), expect.any(ScopeEndedError), expect.any(ScopeEndedError)]);
    expect(seen).toMatchObject([{ scope: 'orders' }, { scope: 'orders' }, { scope: 'orders' }]);
  });

  test('takes cleanups from whoever still has it, and runs them next', async () => {
    const log: string[] = [];
    const result = await scope((s) => {
      s.defer(() => log.push('first registered'));
      s.defer(async () => {
        await nextTurn();
        s.defer(async () => log.push('registered meanwhile'));
      });
      return 'result';
    });
    expect(log).toEqual(['registered meanwhile', 'first registered']);
    expect(result).toBe('result');
  });
});

describe('2.4, R14 a scope that has ended', () => {
  async function ended(body: (s: Scope) => unknown = () => {}): Promise<Scope> {
    let it: Scope | undefined;
    await scope({ recover: () => {} }, (s) => {
      it = s;
      return body(s);
    }).catch(() => {});
    return it as Scope;
  }

  test('refuses children', async () => {
    const s = await ended();
    expect(() => s.go(() => expect.fail('ran'))).toThrow(ScopeEndedError);
    expect(() => s.map([1], { concurrency: 1 }, () => expect.fail('ran'))).toThrow(ScopeEndedError);
    expect(() => s.race([() => expect.fail('ran')])).toThrow(ScopeEndedError);
  });

  test('disposes of an asynchronous resource that comes too late', async () => {
    const s = await ended();
    let disposed = false;
    expect(() => s.use({ [Symbol.asyncDispose]: async () => void (disposed = true) })).toThrow(ScopeEndedError);
    expect(disposed).toBe(true);
  });

  test('rejects a sleep with ScopeEndedError', async () => {
    const s = await ended();
    expect(await errorOf(s.sleep(0))).toBeInstanceOf(ScopeEndedError);
    expect(await errorOf(s.sleep('1h'))).toBeInstanceOf(ScopeEndedError);
  });

  test('rejects a sleep with ScopeEndedError also if it was cancelled', async () => {
    const reason = new Error('cancelled');
    const s = await ended((s) => s.cancel(reason));
    expect(await errorOf(s.sleep('1h'))).toBeInstanceOf(ScopeEndedError);
  });

  test('is not cancelled any more', async () => {
    const s = await ended((s) => void s.signal);
    s.cancel(new Error('late'));
    expect(s.signal.aborted).toBe(false);
    s.throwIfAborted();
  });
});

describe('what a scope is besides', () => {
  test('a native promise of what the body returns, or of the thenable that it returns', async () => {
    const promise = scope(() => 'value');
    expect(promise).toBeInstanceOf(Promise);
    expect(await promise).toBe('value');
    expect(await scope(() => Promise.resolve('promised'))).toBe('promised');
    const thenable = { then: (resolve: (value: string) => void) => resolve('thenable') }; // oxlint-disable-line unicorn/no-thenable
    expect(await scope(() => thenable as PromiseLike<string>)).toBe('thenable');
  });

  // oxlint-disable unicorn/no-thenable -- what a thenable does is the subject
  test('a rejection when the body returns a thenable that throws, or whose then cannot be read', async () => {
    const throwing = { then: thrower('then') } as unknown as PromiseLike<void>;
    const unreadable = Object.defineProperty({}, 'then', { get: thrower('getter') }) as PromiseLike<void>;
    expect(await errorOf(scope(() => throwing))).toBe('then');
    expect(await errorOf(scope(() => unreadable))).toBe('getter');
  });
  // oxlint-enable unicorn/no-thenable

  test('a body that runs at once, within the call', async () => {
    let ran = false;
    const promise = scope(() => void (ran = true));
    expect(ran).toBe(true);
    await promise;
  });

  test('a rejection also when the body throws within the call', async () => {
    const error = new Error('at once');
    const promise = scope(thrower(error));
    expect(await errorOf(promise)).toBe(error);
  });

  test('able to tell reports whether it runs or cleans up', async () => {
    const seen: boolean[] = [];
    await scope((s) => {
      const running = s as RunningScope;
      s.defer(() => seen.push(running.unwinding));
      seen.push(running.unwinding);
    });
    expect(seen).toEqual([false, true]);
  });

  test('the first attempt, with no error before it', async () => {
    expect(await scope((s) => [s.attempt, s.previousError])).toEqual([1, undefined]);
  });
});
