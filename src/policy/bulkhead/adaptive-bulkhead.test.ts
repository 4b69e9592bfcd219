/** Adaptive bulkheads: P7.6, P7.8 and P7.11 of docs/reference/policies.md. What moves the limit, and how far, is in adaptive.test. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { watchAbandonedBodies } from '../../../test/abandoned.ts';
import { errorOf } from '../../../test/settle.ts';
import { watchUnhandledRejections } from '../../../test/unhandled.ts';
import {
  breaker,
  bulkhead,
  failWhen,
  permanent,
  policy,
  retry,
  scope,
  timeout,
  transient,
  type AdaptiveOptions,
  type Bulkhead,
  type BulkheadOptions,
  type Policy,
  type Scope,
} from '../../index.ts';
import { recordEvents, virtualTime, type RecordedEvents, type VirtualTime } from '../../testing/index.ts';

watchUnhandledRejections();
watchAbandonedBodies();

let events: RecordedEvents;
beforeEach(() => {
  events = recordEvents();
});
afterEach(() => events[Symbol.dispose]());

const moves = (): unknown[] => events.filter(({ event }) => event === 'bulkhead:limit');

/** A window is over with the tenth end. */
const AIMD: AdaptiveOptions = { algorithm: 'aimd', initial: 2, window: '1ms' };

const adaptive = (rest: Partial<BulkheadOptions> = {}, options: Partial<AdaptiveOptions> = {}): Bulkhead =>
  bulkhead({ limit: 100, adaptive: { ...AIMD, ...options }, ...rest });

/** As platforms say it. */
const LATE = new DOMException('late', 'TimeoutError');

type Body = (s: Scope) => unknown;

/** One call after the other. */
function inTurn(count: number, under: Policy<unknown>, body: Body, time: VirtualTime): Promise<void> {
  const all = (async () => {
    for (let i = 0; i < count; i++) await under.settle(body);
  })();
  return time.runAll().then(() => all);
}

const sleeps = (ms: number) => (s: Scope) => s.sleep(ms);
const fails = (error: unknown) => async (s: Scope) => {
  await s.sleep(1);
  throw error;
};

describe('P7.6 an adaptive bulkhead', () => {
  test('begins at 20, or as near as `limit` and `min` allow, and tells where its limit is', () => {
    const limitOf = (options: BulkheadOptions): number => bulkhead(options).limit;
    expect(limitOf({ limit: 100, adaptive: 'vegas' })).toBe(20);
    expect(limitOf({ limit: Infinity, adaptive: 'aimd' })).toBe(20);
    expect(limitOf({ limit: 5, adaptive: 'aimd' })).toBe(5);
    expect(limitOf({ limit: 100, adaptive: { algorithm: 'vegas', min: 30 } })).toBe(30);
    expect(limitOf({ limit: 100, adaptive: { algorithm: 'vegas', initial: 7 } })).toBe(7);
    expect(limitOf({ limit: 100 })).toBe(100);
  });

  test('tells of it in String(policy)', () => {
    expect(String(bulkhead({ limit: 100, adaptive: 'vegas' }))).toBe('bulkhead 1‥100 vegas');
    const full = { limit: Infinity, queue: 5, name: 'db', adaptive: { algorithm: 'aimd', min: 4 } } as const;
    expect(String(bulkhead(full))).toBe('bulkhead db 4‥Infinity+5 aimd');
  });

  test('when its limit grows, who waits is let in at once, and an event tells', async () => {
    await virtualTime(async (time) => {
      const slots = adaptive({ queue: 50, name: 'db' });
      const calls = Array.from({ length: 30 }, () => slots.run(sleeps(10)));
      expect([slots.limit, slots.inFlight, slots.waiting]).toEqual([2, 2, 28]);
      await time.advance(49);
      expect([slots.limit, slots.inFlight, slots.waiting]).toEqual([2, 2, 20]);
      await time.advance(1); // the tenth has ended
      expect([slots.limit, slots.inFlight, slots.waiting]).toEqual([3, 3, 17]);
      expect(moves()).toEqual([{ event: 'bulkhead:limit', name: 'db', at: 50, from: 2, to: 3 }]);
      await time.runAll();
      await Promise.all(calls);
      expect([slots.inFlight, slots.waiting]).toEqual([0, 0]);
    });
  });

  test('when it falls, what is in flight goes on, and nobody is let in before that is less than the limit', async () => {
    await virtualTime(async (time) => {
      const slots = adaptive({ queue: 50 }, { initial: 20 });
      await inTurn(1, slots, sleeps(1), time); // the window begins
      await time.advance(100);
      const long = Array.from({ length: 10 }, (_, i) => slots.run(sleeps(100 + i)));
      const dropped = Array.from({ length: 10 }, () => errorOf(slots.run(fails(LATE))));
      const waiting = Array.from({ length: 15 }, () => slots.run(sleeps(1000)));
      await time.advance(0);
      expect([slots.limit, slots.inFlight, slots.waiting]).toEqual([20, 20, 15]);
      await time.advance(1);
      // The limit fell with the ninth, which had just handed its permit over. That of the tenth is no more.
      expect([slots.limit, slots.inFlight, slots.waiting]).toEqual([18, 19, 6]);
      await time.advance(99);
      expect([slots.inFlight, slots.waiting]).toEqual([18, 6]);
      await time.advance(1);
      expect([slots.inFlight, slots.waiting]).toEqual([18, 5]);
      await time.runAll();
      await Promise.all([...long, ...dropped, ...waiting]);
      expect([slots.inFlight, slots.waiting]).toEqual([0, 0]);
    });
  });

  test('its refusals tell of the limit at that time', async () => {
    await virtualTime(async (time) => {
      const slots = adaptive();
      await inTurn(10, slots, sleeps(1), time);
      const calls = [1, 2, 3].map(() => slots.run(sleeps(1)));
      expect(await errorOf(slots.run(sleeps(1)))).toMatchObject({ limit: 3, queue: 0, reason: 'full' });
      expect(events.find(({ event }) => event === 'bulkhead:refused')).toMatchObject({ limit: 3 });
      await time.runAll();
      await Promise.all(calls);
    });
  });

  test('in a dry run it lets everything pass, and moves the limit all the same', async () => {
    await virtualTime(async (time) => {
      const slots = adaptive({ dryRun: true });
      const calls = Array.from({ length: 10 }, () => slots.run(sleeps(1)));
      expect(slots.inFlight).toBe(10);
      expect(events.filter(({ event }) => event === 'bulkhead:refused')).toHaveLength(8);
      await time.runAll();
      await Promise.all(calls);
      await inTurn(10, slots, sleeps(1), time);
      expect(slots.limit).toBe(3);
    });
  });
});

describe('P7.8 of what ends', () => {
  /** Where the limit is after ten of them: 1 if they were dropped, 3 if they were well, 2 if they say nothing. */
  const after10 = (body: Body, around: (slots: Bulkhead) => Policy<unknown> = (slots) => slots): Promise<number> =>
    virtualTime(async (time) => {
      const slots = adaptive();
      await inTurn(10, around(slots), body, time);
      return slots.limit;
    });

  test('a success counts with the time that its work took; in the queue it is not counted', async () => {
    await virtualTime(async (time) => {
      const [slow, fast] = [9, 10].map((over) => adaptive({ queue: 100 }, { initial: 1, min: 1, over }));
      const calls = [slow!, fast!].flatMap((slots) => Array.from({ length: 10 }, () => slots.run(sleeps(10))));
      await time.runAll();
      await Promise.all(calls);
      expect([slow!.limit, fast!.limit]).toEqual([1, 2]);
    });
  });

  test.each<[string, Body, ((slots: Bulkhead) => Policy<unknown>)?]>([
    ['what a timeout inside has ended', sleeps(50), (slots) => policy(slots, timeout(10))],
    ['what a timeout outside has ended after 100 ms', sleeps(500), (slots) => policy(timeout(100), slots)],
    ['an error that tells of a timeout', fails(LATE)],
    ['a connection that was refused', fails(Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }))],
    ['a status 500', fails({ status: 500 })],
    [
      'a result with status 503',
      (s) => s.sleep(1).then(() => ({ status: 503 })),
      (slots) =>
        policy(
          slots,
          failWhen(() => true),
        ),
    ],
    ['a status 429', fails({ status: 429 })],
    ['a server that asks to come later', fails(transient(new Error('busy'), { retryAfter: '1s' }))],
  ])('is dropped: %s', async (_what, body, around) => {
    expect(await after10(body, around)).toBe(1);
  });

  test.each<[string, Body, ((slots: Bulkhead) => Policy<unknown>)?]>([
    ['an error of which nothing is known', fails(new Error('no such order'))],
    ['an answer that says that the question was wrong', fails({ status: 404 })],
    ['a bug', fails(new TypeError('undefined is not a function'))],
    ['a permanent error', fails(permanent(new Error('no')))],
    ['a refusal of a layer inside', fails(new Error('down')), (slots) => policy(slots, breaker({ failures: 1 }))],
    ['a timeout outside of less than 100 ms', sleeps(500), (slots) => policy(timeout(99), slots)],
    [
      'what a hook threw',
      sleeps(1),
      (slots) =>
        policy(
          slots,
          failWhen(() => {
            throw LATE;
          }),
        ),
    ],
  ])('says nothing: %s', async (_what, body, around) => {
    expect(await after10(body, around)).toBe(2);
  });

  test('says nothing: what its caller has cancelled, however it fails then', async () => {
    await virtualTime(async (time) => {
      const slots = adaptive();
      for (let i = 0; i < 10; i++) {
        const controller = new AbortController();
        const { signal } = controller;
        const call = slots.settle((s) => (i % 2 === 0 ? s.sleep(500) : s.sleep(500).catch(fails({ status: 503 }))), {
          signal,
        });
        await time.advance(200);
        controller.abort();
        await call;
      }
      expect(slots.limit).toBe(2);
    });
  });

  test('what does not listen is dropped when its caller is let go, and has its permit still', async () => {
    await virtualTime(async (time) => {
      const slots = adaptive({}, { initial: 20 });
      const inTime = policy(slots, timeout(10));
      await inTurn(1, inTime, sleeps(1), time);
      await time.advance(100);
      const calls = Array.from({ length: 10 }, () => inTime.settle(() => scope(sleeps(500))));
      await time.advance(100);
      expect([slots.limit, slots.inFlight]).toEqual([18, 10]);
      await time.runAll();
      await Promise.all(calls);
      expect([slots.limit, slots.inFlight]).toEqual([18, 0]);
    });
  });

  test('each attempt of a retry counts for itself', async () => {
    await virtualTime(async (time) => {
      const slots = adaptive();
      const often = policy(retry({ attempts: 10, idempotent: true, budget: false }), slots);
      await inTurn(1, often, fails(LATE), time);
      expect(slots.limit).toBe(1);
    });
  });
});

describe('P7.11 a snapshot', () => {
  test('has the limit, which is gone on from', async () => {
    await virtualTime(async (time) => {
      const slots = adaptive();
      await inTurn(10, slots, sleeps(1), time);
      const saved: unknown = JSON.parse(JSON.stringify(slots));
      expect(saved).toEqual({
        version: 1,
        serviceMs: 0,
        intervals: 0,
        departures: 10,
        adaptive: { limit: 3, base: null },
      });
      expect(adaptive({ restore: saved }).limit).toBe(3);
      expect(adaptive({ restore: saved }).toJSON()).toEqual(saved);
      expect(adaptive({ restore: saved, limit: 2 }).limit).toBe(2);
    });
  });

  test('of one that is not adaptive, and the other way round', () => {
    const plain = JSON.parse(JSON.stringify(bulkhead({ limit: 5 })));
    expect(plain).toEqual({ version: 1, serviceMs: 0, intervals: 0, departures: 0 });
    expect(adaptive({ restore: plain }).limit).toBe(2);
    const saved = { ...plain, adaptive: { limit: 3, base: null } };
    expect(bulkhead({ limit: 5, restore: saved }).limit).toBe(5);
    expect(bulkhead({ limit: 5, restore: saved }).toJSON()).toEqual(plain);
  });

  test('that is none is refused', () => {
    const plain = bulkhead({ limit: 5 }).toJSON();
    expect(() => adaptive({ restore: { ...plain, adaptive: { limit: 0 } } })).toThrow(
      expect.objectContaining({ code: 'BAD_OPTION', option: 'restore.adaptive.limit', given: 0 }),
    );
  });
});

describe('P1.2 bad options', () => {
  test.each<[options: unknown, option: string, expected: string]>([
    ['gradient', 'adaptive', "'vegas' or 'aimd'"],
    [{}, 'adaptive.algorithm', "'vegas' or 'aimd'"],
    [5, 'adaptive', 'an object with options'],
    [null, 'adaptive', 'an object with options'],
    [{ ...AIMD, initial: 0 }, 'adaptive.initial', 'a whole number from 1 to 100'],
    [{ ...AIMD, initial: 101 }, 'adaptive.initial', 'a whole number from 1 to 100'],
    [{ ...AIMD, min: 0 }, 'adaptive.min', 'a whole number from 1 to 100'],
    [{ ...AIMD, min: 1.5 }, 'adaptive.min', 'a whole number from 1 to 100'],
    [{ ...AIMD, min: 101 }, 'adaptive.min', 'a whole number from 1 to 100'],
    [{ ...AIMD, min: 30, initial: 29 }, 'adaptive.initial', 'a whole number from 30 to 100'],
    [{ ...AIMD, window: 0 }, 'adaptive.window', 'a duration above 0'],
    [{ algorithm: 'vegas', over: 5 }, 'adaptive.over', "algorithm: 'aimd' beside it"],
    [{ ...AIMD, target: 5 }, 'target', 'an option of adaptive: algorithm, initial, min, window, over'],
  ])('%j', (options, option, expected) => {
    const make = (): unknown => bulkhead({ limit: 100, adaptive: options as AdaptiveOptions });
    expect(make).toThrow(expect.objectContaining({ code: 'BAD_OPTION', option, expected }));
  });

  test('without a most, a least is still one', () => {
    const make = (): unknown => bulkhead({ limit: Infinity, adaptive: { ...AIMD, min: Infinity } });
    expect(make).toThrow(expect.objectContaining({ option: 'adaptive.min', expected: 'a whole number from 1' }));
  });

  test.each(['window', 'over'])('a %s that is no duration', (option) => {
    const make = (): unknown => bulkhead({ limit: 100, adaptive: { ...AIMD, [option]: 'soon' } });
    expect(make).toThrow(expect.objectContaining({ code: 'BAD_OPTION', option: `adaptive.${option}` }));
  });
});
