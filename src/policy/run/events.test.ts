/** The events of calls, attempts and retries: their order and fields, and that nothing is built while nobody listens. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { after, fail, recordEvents, scripted, virtualTime, type RecordedEvents } from '../../testing/index.ts';
import { EventType } from '../../foundation/index.ts';
import { errorOf, settle } from '../../../test/settle.ts';
import { watchUnhandledRejections } from '../../../test/unhandled.ts';
import {
  breaker,
  budget,
  bulkhead,
  constant,
  failWhen,
  fallback,
  layer,
  onEvent,
  policy,
  retry,
  timeout,
  type Policy,
  type RunOptions,
} from '../../index.ts';

watchUnhandledRejections();

const own = new Error('own');
const slow = constant(100);
const throws = (error: unknown) => (): never => {
  throw error;
};

/** The events of one call, which runs until no timer is left. */
async function eventsOf(made: Policy, op: () => unknown, options?: RunOptions): Promise<RecordedEvents> {
  return virtualTime(async (time) => {
    using events = recordEvents();
    const call = settle(() => made.run(op, options));
    await time.runAll();
    await call;
    return events;
  });
}

const names = (events: RecordedEvents): string[] => events.map(({ event }) => event);

describe('the events of a call', () => {
  afterEach(() => void vi.restoreAllMocks());

  test('that succeeds at once', async () => {
    const name = 'query';
    expect(await eventsOf(policy(retry()), scripted([after(30, 'ok')]), { name })).toEqual([
      { event: 'call:start', name, at: 0 },
      { event: 'attempt:start', name, at: 0, number: 1 },
      { event: 'attempt:end', name, at: 30, number: 1, ok: true, error: undefined, durationMs: 30 },
      {
        event: 'call:end',
        name,
        at: 30,
        ok: true,
        error: undefined,
        stoppedBy: undefined,
        attempts: 1,
        durationMs: 30,
      },
    ]);
  });

  test('that succeeds at its second attempt', async () => {
    const name = undefined;
    expect(await eventsOf(retry({ backoff: slow }), scripted([fail(own), 'ok']))).toEqual([
      { event: 'call:start', name, at: 0 },
      { event: 'attempt:start', name, at: 0, number: 1 },
      { event: 'attempt:end', name, at: 0, number: 1, ok: false, error: own, durationMs: 0 },
      { event: 'retry:scheduled', name, at: 0, error: own, attempt: 1, delayMs: 100 },
      { event: 'attempt:start', name, at: 100, number: 2 },
      { event: 'attempt:end', name, at: 100, number: 2, ok: true, error: undefined, durationMs: 0 },
      {
        event: 'call:end',
        name,
        at: 100,
        ok: true,
        error: undefined,
        stoppedBy: undefined,
        attempts: 2,
        durationMs: 100,
      },
    ]);
  });

  test('that gives up', async () => {
    const name = 'query';
    const events = await eventsOf(retry({ attempts: 2, backoff: slow }), throws(own), { name });
    expect(events.slice(-2)).toEqual([
      { event: 'retry:gave-up', name, at: 100, error: own, attempts: 2, stoppedBy: 'attempts' },
      { event: 'call:end', name, at: 100, ok: false, error: own, stoppedBy: 'attempts', attempts: 2, durationMs: 100 },
    ]);
  });

  test('that is cancelled before it begins: no attempt', async () => {
    const name = 'query';
    expect(await eventsOf(policy(retry()), () => expect.fail('ran'), { name, signal: AbortSignal.abort(own) })).toEqual(
      [
        { event: 'call:start', name, at: 0 },
        { event: 'call:end', name, at: 0, ok: false, error: own, stoppedBy: 'cancelled', attempts: 0, durationMs: 0 },
      ],
    );
  });

  test('that is cancelled in its back-off', async () => {
    await virtualTime(async (time) => {
      using events = recordEvents();
      const controller = new AbortController();
      const call = errorOf(retry({ backoff: slow }).run(throws(own), { signal: controller.signal }));
      await time.advance(40);
      controller.abort('reason');
      await call;
      expect(names(events).slice(2)).toEqual(['attempt:end', 'retry:scheduled', 'call:end']);
      expect(events.at(-1)).toMatchObject({
        at: 40,
        error: 'reason',
        stoppedBy: 'cancelled',
        attempts: 1,
        durationMs: 40,
      });
    });
  });

  test('that no layer lets in: it counts as an attempt, of which nothing else is told', async () => {
    const open = breaker();
    open.isolate();
    const events = await eventsOf(policy(retry(), open), () => expect.fail('ran'));
    expect(names(events)).toEqual(['call:start', 'breaker:refused', 'retry:gave-up', 'call:end']);
    expect(events.at(-1)).toMatchObject({ ok: false, stoppedBy: 'refused', attempts: 1 });
  });

  test('whose result was judged a failure: that is the error', async () => {
    const events = await eventsOf(
      policy(
        retry({ attempts: 1 }),
        failWhen((it) => it === 503),
      ),
      () => 503,
    );
    expect(events.slice(2)).toMatchObject([
      { event: 'attempt:end', ok: false, error: 503 },
      { event: 'retry:gave-up', error: 503, stoppedBy: 'attempts' },
      { event: 'call:end', ok: false, error: 503, stoppedBy: 'attempts' },
    ]);
  });

  test('whose hook threw', async () => {
    const hook = new Error('hook');
    const events = await eventsOf(retry({ retryIf: throws(hook) }), throws(own));
    expect(events.slice(2)).toMatchObject([
      { event: 'attempt:end', ok: false, error: own },
      { event: 'call:end', ok: false, error: hook, stoppedBy: 'verdict', attempts: 1 },
    ]);
  });

  test('whose budget is empty', async () => {
    const empty = budget({ initial: 0, trickle: 0, name: 'shared' });
    const events = await eventsOf(retry({ budget: empty }), throws(own), { name: 'query' });
    expect(events.slice(3)).toMatchObject([
      { event: 'budget:empty', name: 'shared' },
      { event: 'retry:gave-up', name: 'query', error: own, stoppedBy: 'budget' },
      { event: 'call:end', stoppedBy: 'budget' },
    ]);
  });

  test('of one with cleanups and children: the attempt ends when they have', async () => {
    await virtualTime(async (time) => {
      using events = recordEvents();
      const call = policy().run((s) => {
        s.defer(() => s.sleep(20));
        void s.go((child) => child.sleep(10));
      });
      await time.runAll();
      await call;
      expect(events.slice(2)).toMatchObject([
        { event: 'attempt:end', at: 30, durationMs: 30 },
        { event: 'call:end', at: 30, durationMs: 30 },
      ]);
    });
  });

  const stages: readonly (readonly [name: string, policy: Policy])[] = [
    ['one stage', policy(timeout('1h'), retry({ attempts: 2, backoff: slow }), breaker(), bulkhead({ limit: 1 }))],
    ['a breaker outside the retry', policy(breaker(), retry({ attempts: 2, backoff: slow }))],
    [
      'a breaker inside the timeout of each attempt',
      policy(retry({ attempts: 2, backoff: slow }), timeout('1h'), breaker()),
    ],
    [
      'four stages',
      policy(breaker(), retry({ attempts: 2, backoff: slow }), timeout('1h'), breaker(), timeout('1h'), breaker()),
    ],
    [
      'a layer of one’s own',
      policy(layer({ name: 'own', run: (next) => next() }), retry({ attempts: 2, backoff: slow })),
    ],
    [
      'one inside the retry',
      policy(retry({ attempts: 2, backoff: slow }), layer({ name: 'own', run: (next) => next() })),
    ],
  ];
  test.for(stages)('tell of it and of each attempt once, wherever the layers stand: %s', async ([, made]) => {
    const told = await eventsOf(made, throws(own), { name: 'query' });
    const events = told.filter(({ event }) => event !== 'policy:warning'); // some of these orders are warned of
    expect(events.map(({ event, number }) => (number === undefined ? event : `${event} ${String(number)}`))).toEqual([
      'call:start',
      'attempt:start 1',
      'attempt:end 1',
      'retry:scheduled',
      'attempt:start 2',
      'attempt:end 2',
      'retry:gave-up',
      'call:end',
    ]);
    for (const event of events) expect(event.name).toBe('query');
  });

  test('tell nothing of a call to whom did not listen when it began, and of its attempt with null for a duration', async () => {
    await virtualTime(async (time) => {
      const call = policy().run((s) => s.sleep(10));
      using events = recordEvents();
      await time.runAll();
      await call;
      expect(events).toMatchObject([{ event: 'attempt:end', durationMs: null }]);
      expect(events).toHaveLength(1);
    });
  });

  test('tell what the caller gets, and of the attempts of the retry, wherever it stands', async () => {
    const outermost = policy(fallback('instead'), retry({ attempts: 3, backoff: constant(0) })) as Policy;
    expect((await eventsOf(outermost, throws(own))).at(-1)).toMatchObject({
      event: 'call:end',
      ok: true,
      error: undefined,
      stoppedBy: undefined,
      attempts: 3,
    });
    const inside = policy(timeout('1s'), breaker(), retry({ attempts: 3, backoff: constant(0) }));
    expect((await eventsOf(inside, throws(own))).at(-1)).toMatchObject({ ok: false, error: own, attempts: 3 });
  });

  test('come in the order of what happens: the listener is heard before the call goes on', async () => {
    const log: string[] = [];
    const listeners = (['attempt:start', 'attempt:end', 'retry:scheduled', 'call:end'] as const).map((event) =>
      onEvent(event, () => log.push(event)),
    );
    const call = retry({ attempts: 2, backoff: constant(0), onRetry: () => log.push('onRetry') }).run((s) => {
      log.push(`op ${s.attempt}`);
      s.defer(() => log.push('cleanup'));
      if (s.attempt === 1) throw own;
    });
    await call.then(() => log.push('settled'));
    for (const listener of listeners) listener[Symbol.dispose]();
    const attempt = (n: number): string[] => ['attempt:start', `op ${n}`, 'cleanup', 'attempt:end'];
    expect(log).toEqual([...attempt(1), 'onRetry', 'retry:scheduled', ...attempt(2), 'call:end', 'settled']);
  });

  test('whose listener throws: the call goes on as it would', async () => {
    const uncaught = Promise.withResolvers<unknown>();
    const before = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.once('uncaughtException', uncaught.resolve);
    using _ = onEvent('attempt:end', throws(own));
    expect(await policy().run(() => 'result')).toBe('result');
    expect(await uncaught.promise).toBe(own);
    for (const listener of before) process.on('uncaughtException', listener);
  });

  test('are not even built while nobody listens', async () => {
    const emit = vi.spyOn(EventType.prototype, 'emit');
    const run = async (): Promise<void> => {
      await virtualTime(async (time) => {
        const controller = new AbortController();
        const made = policy(
          fallback('instead'),
          timeout('1h'),
          retry({ attempts: 2, backoff: slow, budget: { initial: 1, trickle: 0 } }),
          breaker({ failures: 1, cooldown: 0 }),
          bulkhead({ limit: 1 }),
          timeout(10, { grace: 5 }),
        );
        const deaf = Promise.withResolvers<void>();
        const calls = [
          made.run(() => deaf.promise, { idempotent: true }),
          made.run(throws(own)),
          made.run((s) => s.sleep('1h'), { signal: controller.signal }).catch(() => {}),
        ];
        controller.abort();
        await time.runAll();
        await Promise.all(calls);
        deaf.resolve();
        await time.runAll();
      });
    };
    await run();
    expect(emit).not.toHaveBeenCalled();
    using _ = recordEvents();
    await run();
    expect(new Set(emit.mock.contexts.map((type) => (type as EventType<never>).event))).toEqual(
      new Set([
        'call:start',
        'call:end',
        'attempt:start',
        'attempt:end',
        'timeout:fired',
        'timeout:abandoned',
        'timeout:late',
        'retry:scheduled',
        'retry:gave-up',
        'breaker:transition',
        'bulkhead:refused',
        'fallback:used',
        'policy:warning',
      ]),
    );
  });
});
