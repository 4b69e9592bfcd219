/** Signals and what hangs below them (2.7, R2, R12 of docs/reference/semantics.md): linked scopes, listeners on outer signals, `s.signal`. */
import { getEventListeners } from 'node:events';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { nextTurn } from '../foundation/index.ts';
import { virtualTime } from '../testing/index.ts';
import { CountedController } from '../../test/listeners.ts';
import { errorInTime, errorOf, settleInTime } from '../../test/settle.ts';
import { watchUnhandledRejections } from '../../test/unhandled.ts';
import { contextKey, scope, TimeoutError } from '../index.ts';
import type { Scope } from '../index.ts';

watchUnhandledRejections();

const deaf = (ms: number): Promise<void> => scope((own) => own.sleep(ms));

describe('2.7 a call given s.signal, or s, as its signal is linked', () => {
  const key = contextKey<string>('key');
  const ways = [
    ['s', (s: Scope) => s],
    ['s.signal', (s: Scope) => s.signal],
  ] as const;

  test.for(ways)('it gets deadline, values and cancellation: %s', async ([, signal]) => {
    const reason = new Error('cancelled');
    const error = await errorInTime(() =>
      scope({ timeout: 1_000, values: [[key, 'value']] }, async (s) => {
        await s.sleep(100);
        await scope({ signal: signal(s) }, (linked) => {
          expect(linked.get(key)).toBe('value');
          expect([linked.timeLeft(), linked.deadline]).toEqual([900, 1_000]);
          s.cancel(reason);
          expect(linked.signal.reason).toBe(reason);
          return linked.sleep(1);
        });
      }),
    );
    expect(error).toBe(reason);
  });

  test.for(ways)('it is not waited for: %s', async ([, signal]) => {
    await virtualTime(async (time) => {
      let linked: Promise<void> | undefined;
      await scope((s) => void (linked = scope({ signal: signal(s) }, () => deaf(100))));
      expect(time.now()).toBe(0);
      await time.runAll();
      await linked;
    });
  });

  test.for(ways)('it does not fail the scope: %s', async ([, signal]) => {
    const error = new Error('linked');
    const result = await scope(async (s) => {
      expect(await errorOf(scope({ signal: signal(s) }, () => Promise.reject(error)))).toBe(error);
      expect(s.signal.aborted).toBe(false);
      return 'result';
    });
    expect(result).toBe('result');
  });

  test('it is cancelled when the deadline of that scope passes, and then it is cancelled, not timed out', async () => {
    const seen: unknown[] = [];
    await errorInTime(() =>
      scope({ timeout: 100 }, (s) =>
        scope({ signal: s, recover: () => expect.fail('called') }, (linked) => {
          linked.defer((exit) => seen.push(exit.cancelled, exit.error));
          return linked.sleep('1h');
        }),
      ),
    );
    expect(seen).toEqual([true, expect.any(TimeoutError)]);
  });

  test('it is cancelled when that scope fails, with the failure for its reason', async () => {
    const error = new Error('body');
    let linked: Promise<unknown> | undefined;
    await settleInTime(() =>
      scope((s) => {
        linked = errorOf(scope({ signal: s }, (inner) => inner.sleep('1h')));
        throw error;
      }),
    );
    expect(await linked).toBe(error);
  });

  test('it may outlive that scope: cancellation from above still reaches it, the deadline of the ended one does not', async () => {
    await virtualTime(async (time) => {
      const reason = new Error('cancelled');
      const controller = new CountedController();
      let linked: Promise<unknown> | undefined;
      let seen: number | undefined;
      await scope({ signal: controller.signal, timeout: 100 }, (s) => {
        linked = errorOf(
          scope({ signal: s }, async (inner) => {
            await deaf(200);
            seen = inner.timeLeft();
            await inner.sleep('1h');
          }),
        );
      });
      expect(controller.listeners).toBe(1);
      await time.advance(300);
      controller.abort(reason);
      expect(await linked).toBe(reason);
      expect(seen).toBe(Infinity);
      expect(controller.listeners).toBe(0);
    });
  });

  test('it does not run if that scope has ended by a cancellation or a failure, whose reason it gets', async () => {
    const reason = new Error('reason');
    const root = new AbortController();
    for (const end of [(s: Scope): unknown => s.cancel(reason), (): unknown => Promise.reject(reason)]) {
      let ended: Scope | undefined;
      let signal: AbortSignal | undefined;
      await scope({ signal: root.signal, recover: () => {} }, (s) => {
        ended = s;
        signal = s.signal;
        return end(s);
      });
      expect(await errorOf(scope({ signal: ended }, () => expect.fail('ran')))).toBe(reason);
      expect(await errorOf(scope({ signal }, () => expect.fail('ran')))).toBe(reason);
    }
  });

  test('a long line of links, each to one that has ended meanwhile, comes apart when the last one ends', async () => {
    const controller = new CountedController();
    const gate = Promise.withResolvers<void>();
    const ended: Promise<unknown>[] = [];
    const link = (signal: Scope | AbortSignal, more: number): void => {
      ended.push(
        scope({ signal }, async (s) => {
          await Promise.resolve();
          if (more > 0) link(s, more - 1);
          else await gate.promise;
        }),
      );
    };
    link(controller.signal, 20_000);
    while (ended.length <= 20_000) await nextTurn();
    expect(controller.listeners).toBe(1);
    gate.resolve();
    await Promise.all(ended);
    expect(controller.listeners).toBe(0);
  });

  test('values given to it stand in front of those above', async () => {
    const other = contextKey<number>('other');
    await scope({ values: [[key, 'outer']] }, (s) =>
      scope({ signal: s, values: [[other, 1]] }, (middle) =>
        scope({ signal: middle, values: [[key, 'inner']] }, (inner) => {
          expect([s, middle, inner].map((it) => it.get(key))).toEqual(['outer', 'outer', 'inner']);
          expect([s, middle, inner].map((it) => it.get(other))).toEqual([undefined, 1, 1]);
        }),
      ),
    );
  });
});

describe('R12 a call linked in a cleanup', () => {
  test('is linked to the shield of that cleanup: it runs although the scope was cancelled', async () => {
    const key = contextKey<string>('key');
    const seen: unknown[] = [];
    await settleInTime(() =>
      scope({ values: [[key, 'value']] }, (s) => {
        const ofBody = s.signal;
        s.defer(() => scope({ signal: s }, (linked) => void seen.push(linked.get(key), linked.signal.aborted)));
        s.defer(() => scope({ signal: s.signal }, (linked) => void seen.push(linked.get(key), linked.signal.aborted)));
        s.defer(() => scope({ signal: ofBody }, () => expect.fail('ran')).catch(() => seen.push('of the body')));
        s.cancel();
      }),
    );
    expect(seen).toEqual(['of the body', 'value', false, 'value', false]);
  });

  test('is ended by cleanupTimeout, whose deadline it sees', async () => {
    const seen: unknown[] = [];
    const error = await errorInTime(() =>
      scope({ cleanupTimeout: 100 }, (s) => {
        s.defer(async () => {
          await s.sleep(20);
          await scope({ signal: s }, async (linked) => {
            seen.push(linked.timeLeft());
            seen.push(await errorOf(linked.sleep('1h')));
          });
        });
      }),
    );
    expect(error).toBeInstanceOf(TimeoutError);
    expect(seen).toEqual([80, error]);
  });

  test('may outlive the cleanup', async () => {
    let linked: Promise<string> | undefined;
    await settleInTime(async () => {
      await scope((s) => {
        s.defer(() => void (linked = scope({ signal: s }, () => deaf(100).then(() => 'result'))));
      });
      return linked;
    });
    expect(await linked).toBe('result');
  });
});

describe('2.7 an outer signal', () => {
  test('cancels what hangs below it with its reason, by identity', async () => {
    for (const reason of [new Error('aborted'), 'text', null, 0, Object.freeze({})]) {
      const controller = new AbortController();
      const ended = errorOf(scope({ signal: controller.signal }, (s) => s.go((child) => child.sleep('1h'))));
      controller.abort(reason);
      expect(await ended).toBe(reason);
    }
    const ended = errorOf(scope({ signal: AbortSignal.abort() }, () => expect.fail('ran')));
    expect(await ended).toMatchObject({ name: 'AbortError' });
  });

  test('has one listener, whatever the number of scopes below it, and none when they have ended', async () => {
    await virtualTime(async (time) => {
      const controller = new CountedController();
      const { signal } = controller;
      const scopes = Array.from({ length: 10_000 }, (_, i) =>
        scope({ signal, timeout: '1h' }, async (s) => {
          if (i % 10 === 0) void s.go((child) => child.sleep(i));
          if (i % 10 === 1) await scope({ signal: s.signal }, (linked) => linked.sleep(i));
          await s.sleep(i);
        }),
      );
      expect([controller.listeners, controller.added, controller.removed]).toEqual([1, 1, 0]);
      await time.advance(5_000);
      expect([controller.listeners, controller.added, controller.removed]).toEqual([1, 1, 0]);
      await time.runAll();
      await Promise.all(scopes);
      expect([controller.listeners, controller.added, controller.removed]).toEqual([0, 1, 1]);
      expect(time.pending).toBe(0);
    });
  });

  test('has none when it was aborted and they have ended', async () => {
    await virtualTime(async (time) => {
      const controller = new CountedController();
      const reason = new Error('aborted');
      const scopes = Array.from({ length: 10_000 }, () =>
        errorOf(scope({ signal: controller.signal, timeout: '1h' }, (s) => s.go((child) => child.sleep('1h')))),
      );
      await nextTurn();
      controller.abort(reason);
      expect((await Promise.all(scopes)).every((error) => error === reason)).toBe(true);
      expect([controller.listeners, controller.added, controller.removed]).toEqual([0, 1, 1]);
      expect(time.pending).toBe(0);
    });
  });

  test('gets its listener again for the next scope', async () => {
    const controller = new CountedController();
    for (let i = 0; i < 3; i++) {
      await scope({ signal: controller.signal }, () => expect(controller.listeners).toBe(1));
      expect(controller.listeners).toBe(0);
    }
    expect([controller.added, controller.removed]).toEqual([3, 3]);
    const ended = errorOf(scope({ signal: controller.signal }, (s) => s.sleep('1h')));
    controller.abort('reason');
    expect(await ended).toBe('reason');
  });

  test('gets none for a scope that does not begin because it was aborted before', async () => {
    const controller = new CountedController();
    await scope({ signal: controller.signal }, () => {}); // it is known, and nothing hangs below it
    controller.abort('reason');
    for (let i = 0; i < 2; i++) {
      expect(await errorOf(scope({ signal: controller.signal }, () => expect.fail('ran')))).toBe('reason');
    }
    expect([controller.listeners, controller.added, controller.removed]).toEqual([0, 1, 1]);
  });

  test('has one listener each when there are several', async () => {
    const [a, b] = [new CountedController(), new CountedController()];
    await scope({ signal: a.signal }, () =>
      scope({ signal: b.signal }, () =>
        scope({ signal: a.signal }, () => {
          expect([a.listeners, b.listeners]).toEqual([1, 1]);
        }),
      ),
    );
    expect([a.listeners, b.listeners]).toEqual([0, 0]);
  });

  test('reaches all that hangs below it also when another of its listeners, told before, starts a scope under it', async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const late: Promise<unknown>[] = [];
    const start = (): void => void late.push(errorOf(scope({ signal }, () => expect.fail('ran'))));
    signal.addEventListener('abort', () => start());
    const early = errorOf(scope({ signal }, (s) => s.go((child) => child.sleep('1h'))));
    signal.addEventListener('abort', () => start());
    controller.abort('reason');
    expect(await Promise.all([early, ...late])).toEqual(['reason', 'reason', 'reason']);
  });

  test('may be of another make: what counts is aborted, reason, and the listeners', async () => {
    class Signal extends EventTarget {
      aborted = false;
      reason: unknown;
      abort(reason: unknown): void {
        this.aborted = true;
        this.reason = reason;
        this.dispatchEvent(new Event('abort'));
      }
    }
    const signal = new Signal();
    const ended = errorOf(scope({ signal: signal as unknown as AbortSignal }, (s) => s.sleep('1h')));
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    signal.abort('reason');
    expect(await ended).toBe('reason');
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });

  test('that combines s.signal with others passes cancellation on, and nothing else of the scope', async () => {
    const key = contextKey<string>('key');
    const reason = new Error('cancelled');
    await scope({ timeout: 1_000, values: [[key, 'value']] }, async (s) => {
      const signal = AbortSignal.any([s.signal, new AbortController().signal]);
      const ended = errorOf(
        scope({ signal }, (combined) => {
          expect([combined.get(key), combined.timeLeft()]).toEqual([undefined, Infinity]);
          return combined.sleep('1h');
        }),
      );
      s.cancel(reason);
      expect(await ended).toBe(reason);
    });
  });
});

describe('s.signal', () => {
  afterEach(() => void vi.unstubAllGlobals());

  test('is made when it is first read, and only then', async () => {
    let made = 0;
    class Counted extends AbortController {
      constructor() {
        super();
        made++;
      }
    }
    vi.stubGlobal('AbortController', Counted);
    const outer = new Counted();
    made = 0;
    await settleInTime(() =>
      scope({ signal: outer.signal, timeout: 1_000, cleanupTimeout: 100 }, async (s) => {
        s.defer(() => s.sleep(1));
        await s.sleep(1);
        await s.go((child) => child.sleep(1));
        await s.map([1, 2], { concurrency: 2 }, () => {});
        await s.race([() => {}, (child) => child.sleep(1)]);
        await scope({ signal: s }, (linked) => linked.throwIfAborted());
        expect(s.timeLeft()).toBe(998);
        s.cancel();
      }),
    );
    expect(made).toBe(0);
    await scope((s) => {
      const { signal } = s;
      expect(made).toBe(1);
      expect(s.signal).toBe(signal);
      expect(signal).toBeInstanceOf(AbortSignal);
      expect(signal.aborted).toBe(false);
    });
    expect(made).toBe(1);
  });

  test('that is first read after the abort is aborted, with the reason', async () => {
    const reason = new Error('cancelled');
    await scope((s) => {
      s.cancel(reason);
      expect(s.signal.aborted).toBe(true);
      expect(s.signal.reason).toBe(reason);
      expect(s.signal).toBe(s.signal);
    });
  });

  test('tells its listeners once, at the abort', async () => {
    const events: Event[] = [];
    await scope((s) => {
      s.signal.addEventListener('abort', (event) => events.push(event));
      s.cancel('first');
      expect(events).toHaveLength(1);
      s.cancel('second');
    });
    expect(events).toHaveLength(1);
    expect(events[0]?.type).toBe('abort');
  });

  test('is aborted with the failure when the body fails (R2), and not when it returns', async () => {
    const signals: AbortSignal[] = [];
    const error = new Error('body');
    await scope((s) => void signals.push(s.signal));
    await errorOf(
      scope((s) => {
        signals.push(s.signal);
        throw error;
      }),
    );
    expect(signals.map((signal) => [signal.aborted, signal.reason])).toEqual([
      [false, undefined],
      [true, error],
    ]);
  });

  test('gets no listener of ours when a scope is linked to it', async () => {
    await scope(async (s) => {
      await scope({ signal: s.signal }, () => expect(getEventListeners(s.signal, 'abort')).toHaveLength(0));
    });
  });

  test('works where the platform wants a signal', async () => {
    const { setTimeout } = await import('node:timers/promises');
    const reason = new Error('cancelled');
    const error = await scope((s) => {
      const wait = errorOf(setTimeout(10_000, undefined, { signal: s.signal }));
      s.cancel(reason);
      return wait;
    });
    expect(error).toMatchObject({ name: 'AbortError', cause: reason });
  });
});
