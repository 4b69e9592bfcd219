/** Rule 2.11: when a scope has ended, no timer, listener, child or pending promise of ours is left, and no rejection of ours goes unhandled. */
import { describe, expect, test } from 'vitest';
import { nextTurn, seededRandom } from '../foundation/index.ts';
import { virtualTime } from '../testing/index.ts';
import { CountedController } from '../../test/listeners.ts';
import { seed } from '../../test/seed.ts';
import { errorOf } from '../../test/settle.ts';
import { watchUnhandledRejections } from '../../test/unhandled.ts';
import { scope, ScopeEndedError, TimeoutError, type Scope } from '../index.ts';
import { contextOfSignal, type RunningScope } from './index.ts';

watchUnhandledRejections(); // for every test here

describe('2.11 a sleep that nobody awaits', () => {
  test('ends with its scope: no timer is left, and it rejects with ScopeEndedError', async () => {
    await virtualTime(async (time) => {
      let sleep: Promise<void> | undefined;
      await scope({ name: 'orders' }, (s) => {
        sleep = s.sleep('1h');
        void s.sleep(Infinity);
        expect(time.pending).toBe(2);
      });
      expect(time.pending).toBe(0);
      const error = await errorOf(sleep as Promise<void>);
      expect(error).toBeInstanceOf(ScopeEndedError);
      expect(error).toMatchObject({ scope: 'orders' });
    });
  });

  test('lost a race of promises: no timer is left', async () => {
    await virtualTime(async (time) => {
      const result = await scope((s) => Promise.race([s.sleep('1h'), Promise.resolve('in time')]));
      expect(result).toBe('in time');
      expect(time.pending).toBe(0);
    });
  });

  test('may be awaited by a cleanup: it ends with the scope, not with the body', async () => {
    await virtualTime(async (time) => {
      const ended = scope((s) => {
        const sleep = s.sleep(10);
        s.defer(() => sleep);
      });
      await time.runAll();
      await ended;
      expect(time.now()).toBe(10);
    });
  });

  test('of a cleanup, or of the option recover, ends with that', async () => {
    await virtualTime(async (time) => {
      const sleeps: Promise<void>[] = [];
      let inside: Scope | undefined;
      const ended = scope(
        {
          recover: () => {
            expect(time.pending).toBe(0);
            sleeps.push(inside?.sleep('1h') as Promise<void>);
          },
        },
        (s) => {
          inside = s;
          s.defer(async () => {
            expect(time.pending).toBe(0);
            sleeps.push(s.sleep('1h'));
            await s.sleep(10);
          });
          s.defer(() => void sleeps.push(s.sleep('1h')));
          throw new Error('body');
        },
      );
      await time.advance(10);
      await ended;
      expect(time.pending).toBe(0);
      for (const sleep of sleeps) expect(await errorOf(sleep)).toBeInstanceOf(ScopeEndedError);
      expect(sleeps).toHaveLength(3);
    });
  });

  test('ends at the cancellation with the reason, as one that is awaited', async () => {
    await virtualTime(async (time) => {
      let sleep: Promise<void> | undefined;
      await scope((s) => {
        sleep = s.sleep('1h');
        s.cancel('reason');
        expect(time.pending).toBe(0);
      });
      expect(await errorOf(sleep as Promise<void>)).toBe('reason');
    });
  });
});

describe('2.11 a scope that lives long', () => {
  test('keeps nothing of sleeps, children and linked scopes that are over', async () => {
    await virtualTime(async (time) => {
      const ended = scope(async (s) => {
        const { context } = s as RunningScope;
        for (let i = 0; i < 10; i++) {
          await s.sleep(10);
          await s.go((child) => child.sleep(10));
          await scope({ signal: s, timeout: 100 }, (linked) => linked.sleep(10));
          expect([context.first, context.last, context.children]).toEqual([null, null, 0]);
        }
      });
      await time.runAll();
      await ended;
    });
  });
});

describe('2.11 ten thousand scopes that end in all kinds of ways', () => {
  /** One scope, below `signal`, that draws how it goes. */
  function any(signal: AbortSignal, random: () => number): Promise<unknown> {
    const pick = <T>(...of: T[]): T => of[Math.floor(random() * of.length)] as T;
    const ms = (): number => Math.floor(random() * 100);
    const body = async (s: Scope): Promise<unknown> => {
      if (random() < 0.3) void s.signal;
      if (random() < 0.5) s.defer(() => s.sleep(ms()));
      if (random() < 0.2) s.defer(() => Promise.reject(new Error('cleanup')));
      if (random() < 0.2) void s.sleep(ms());
      if (random() < 0.2) {
        void s.go(async (child) => {
          child.defer(() => child.sleep(ms()));
          await child.sleep(ms());
          if (random() < 0.3) throw new Error('child');
        });
      }
      if (random() < 0.1) s.go((child) => child.sleep('1h')).cancel();
      if (random() < 0.1) void s.map([1, 2, 3], { concurrency: 2 }, (_, child) => child.sleep(ms()));
      if (random() < 0.1) void s.race([(it) => it.sleep(ms()), (it) => it.sleep(ms())]);
      if (random() < 0.1) scope({ signal: s }, (linked) => linked.sleep(ms())).catch(() => {});
      await s.sleep(ms());
      switch (pick('return', 'throw', 'cancel', 'wait')) {
        case 'throw':
          throw new Error('body');
        case 'cancel':
          return s.cancel();
        case 'wait':
          return s.sleep('1h');
        default:
          return 'result';
      }
    };
    const timeout = pick<number>(50, 150);
    return scope({ signal, timeout, cleanupTimeout: 60, recover: pick(undefined, () => 'recovered') }, body);
  }

  test('leave no listener on the signal above, no timer, and nothing in the tree', async () => {
    await virtualTime(async (time) => {
      const random = seededRandom(seed, 'leaks');
      const controller = new CountedController();
      const scopes = Array.from({ length: 10_000 }, () => any(controller.signal, random));
      const ends = Promise.allSettled(scopes);
      expect(controller.listeners).toBe(1);
      await time.advance(60);
      expect(controller.listeners).toBe(1);
      controller.abort();
      await time.runAll();
      const statuses = new Set((await ends).map((end) => end.status));
      expect(statuses).toEqual(new Set(['fulfilled', 'rejected']));
      expect([time.pending, controller.listeners]).toEqual([0, 0]);
      expect(controller.added).toBe(controller.removed);
      const context = contextOfSignal(controller.signal);
      expect([context.first, context.last, context.children]).toEqual([null, null, 0]);
    });
  });
});

describe('2.11 no rejection of ours goes unhandled', () => {
  // What is asserted is in `watchUnhandledRejections`: these tests only do what might cause one.
  test('tasks that nobody awaits, of every kind', async () => {
    await errorOf(
      scope(async (s) => {
        const fails = (): never => {
          throw new Error('child');
        };
        void s.go(fails);
        s.go((child) => child.sleep('1h')).cancel();
        await nextTurn();
        void s.go(fails); // in a scope that has failed
        void s.race([fails, fails]);
        void s.map([1, 2], { concurrency: 2 }, fails);
        await nextTurn();
      }),
    );
  });

  test('cleanups that reject late, and abort listeners of ours', async () => {
    await virtualTime(async (time) => {
      const ended = errorOf(
        scope({ cleanupTimeout: 10 }, (s) => {
          s.defer(async () => {
            await scope((own) => own.sleep(20));
            throw new Error('late');
          });
        }),
      );
      await time.runAll();
      expect(await ended).toBeInstanceOf(TimeoutError);
    });
  });

  test('sleeps that are refused', async () => {
    await scope(async (s) => {
      s.cancel();
      void s.sleep(1);
      void s.sleep(0);
      await nextTurn();
    });
    let ended: Scope | undefined;
    await scope((s) => void (ended = s));
    void ended?.sleep(1);
    await nextTurn();
  });

  test('but the rejection of a scope that nobody awaits is its caller’s to handle', async () => {
    const unhandled = new Promise((resolve) => {
      const listeners = process.listeners('unhandledRejection');
      process.removeAllListeners('unhandledRejection');
      process.once('unhandledRejection', (reason) => {
        for (const listener of listeners) process.on('unhandledRejection', listener);
        resolve(reason);
      });
    });
    void scope(() => {
      throw new Error('nobody waits');
    });
    expect(await unhandled).toMatchObject({ message: 'nobody waits' });
  });
});
