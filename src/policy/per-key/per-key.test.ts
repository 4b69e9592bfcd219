/** P12: a policy for each key. */
import process from 'node:process';
import { describe, expect, test, vi } from 'vitest';
import { nextTurn } from '../../foundation/index.ts';
import {
  breaker,
  bulkhead,
  constant,
  fallback,
  perKey,
  policy,
  rateLimit,
  retry,
  scope,
  timeout,
  type Policy,
  type PerKey,
} from '../../index.ts';
import { recordEvents, virtualTime } from '../../testing/index.ts';
import { Policy as PolicyClass } from '../run/policy.ts';

const down = (): never => {
  throw new Error('down');
};

const keysOf = <K>(all: PerKey<K, Policy<unknown>>): K[] => [...all].map(([key]) => key);

describe('P12.1 perKey', () => {
  test('makes the policy of a key when it is first asked for, and gives the same one from then on', () => {
    const make = vi.fn<(host: string) => Policy>((host) => policy(retry(), breaker({ name: host })));
    const hosts = perKey(make);
    const a = hosts.get('a');
    expect(hosts.get('b')).not.toBe(a);
    expect(hosts.get('a')).toBe(a);
    expect(make.mock.calls).toEqual([['a'], ['b']]);
  });

  test('each has a state of its own', async () => {
    const hosts = perKey(() => breaker({ failures: 1 }));
    await hosts.get('a').settle(down);
    expect([hosts.get('a').state, hosts.get('b').state]).toEqual(['open', 'closed']);
  });

  test('takes any value for a key, equal as in a Map', () => {
    const all = perKey<unknown, Policy>(() => retry());
    const object = {};
    expect(all.get(NaN)).toBe(all.get(NaN));
    expect(all.get(-0)).toBe(all.get(0));
    expect(all.get(object)).toBe(all.get(object));
    expect(all.get({})).not.toBe(all.get(object));
    expect(all.get('1')).not.toBe(all.get(1));
    expect(all.get(undefined)).toBe(all.get(undefined));
    expect(all.size).toBe(7);
    expect(Object.is(keysOf(all)[1], -0)).toBe(true);
  });

  test('a function that throws, or gives no policy, leaves everything as it was', () => {
    let works = false;
    const all = perKey((key: string): Policy => (works || key === 'a' ? retry() : down()), { max: 1 });
    const a = all.get('a');
    expect(() => all.get('b')).toThrow('down');
    expect(keysOf(all)).toEqual(['a']);
    expect(all.get('a')).toBe(a);
    works = true;
    all.get('b');
    expect(keysOf(all)).toEqual(['b']);
    const wrong = perKey(() => retry as unknown as Policy);
    expect(() => wrong.get('a')).toThrow(/^perKey: expected a function that gives a policy; got function$/);
    expect(wrong.size).toBe(0);
  });

  test('a function that asks for its own key is given the policy that came of that', () => {
    let depth = 0;
    const all: PerKey<string, Policy> = perKey((key) => (depth++ < 2 ? all.get(key) : retry()));
    const made = all.get('a');
    expect([all.size, all.get('a') === made]).toEqual([1, true]);
  });

  test('refuses bad options', () => {
    const bad = (...args: unknown[]): unknown => (perKey as (...args: unknown[]) => unknown)(...args);
    expect(() => bad(retry())).toThrow(/^perKey: expected a function; got object$/);
    for (const max of [0, -1, 1.5, NaN]) {
      expect(() => bad(() => retry(), { max })).toThrow(
        expect.objectContaining({ name: 'RangeError', code: 'BAD_OPTION', option: 'max' }) as Error,
      );
    }
    expect(() => bad(() => retry(), { max: '5' })).toThrow(TypeError);
    expect(() => bad(() => retry(), { name: 5 })).toThrow(/^name: expected a string; got 5$/);
    expect(() => bad(() => retry(), { size: 5 })).toThrow(/^size: expected an option of perKey: max, name; got 5$/);
    expect(perKey(() => retry(), { max: Infinity }).max).toBe(Infinity);
    expect(perKey(() => retry()).max).toBe(1000);
  });
});

describe('P12.2 at `max`', () => {
  test('the least recently used one is let go', () => {
    const all = perKey(() => retry(), { max: 3 });
    for (const key of ['a', 'b', 'c', 'a', 'c']) all.get(key);
    all.get('d');
    expect(keysOf(all)).toEqual(['a', 'c', 'd']);
    all.get('a');
    all.get('e');
    expect(keysOf(all)).toEqual(['d', 'a', 'e']);
    expect(all.size).toBe(3);
  });

  test('to look at them is no use of them', () => {
    const all = perKey(() => retry(), { max: 2 });
    const [a, b] = [all.get('a'), all.get('b')];
    expect([...all]).toEqual([
      ['a', a],
      ['b', b],
    ]);
    all.get('c');
    expect(keysOf(all)).toEqual(['b', 'c']);
    for (const [key] of all) all.get(key); // ends, though each goes to the end
  });

  test('one that was let go goes on working beside the new one', async () => {
    const all = perKey(() => breaker({ failures: 2 }), { max: 1 });
    const a = all.get('a');
    await a.settle(down);
    all.get('b');
    await a.settle(down);
    expect([a.state, all.get('a').state, all.get('a') === a]).toEqual(['open', 'closed', false]);
  });
});

describe('P12.3 is never let go while it is not at rest:', () => {
  type Busy = (made: Policy<unknown>) => void | Promise<unknown>;

  /** Whether a policy is kept through a flood of other keys. */
  function isKept<P extends Policy<unknown>>(all: PerKey<string, P>, made: P): boolean {
    for (let i = 0; i < 50; i++) all.get(`other ${i}`);
    return [...all].some(([, policy]) => policy === made);
  }

  test.each<[what: string, make: () => Policy<unknown>, Busy]>([
    ['a call under way, without any layer with state', () => retry(), (made) => void made.run((s) => s.sleep(100))],
    ['a back-off', () => retry({ attempts: 2, backoff: constant(100) }), (made) => void made.settle(down)],
    [
      'a fallback that takes its time',
      () =>
        policy(
          fallback((_error, s) => s.sleep(100)),
          retry({ attempts: 1 }),
        ),
      (made) => void made.run(down),
    ],
    [
      'work that was abandoned, and holds a permit',
      () => policy(timeout(10, { grace: 0 }), bulkhead({ limit: 1 })),
      (made) => void made.settle(() => scope((s) => s.sleep(100))),
    ],
  ])('%s', async (_what, make, busy) => {
    await virtualTime(async (time) => {
      const all = perKey((_key: string) => make(), { max: 5 });
      const made = all.get('busy');
      await busy(made);
      await time.advance(50);
      expect(isKept(all, made)).toBe(true);
      await time.runAll();
      expect(isKept(all, made)).toBe(false);
    });
  });

  test('permits that are taken, and places in a queue, also in another policy that it was put into', async () => {
    await virtualTime(async (time) => {
      const all = perKey((_key: string) => bulkhead({ limit: 1, queue: 5 }), { max: 5 });
      const made = all.get('busy');
      const calls = [1, 2].map(() => policy(timeout('1h'), made).run((s) => s.sleep(100)));
      await time.advance(50);
      expect([made.inFlight, made.waiting]).toEqual([1, 1]);
      expect(isKept(all, made)).toBe(true);
      await time.advance(100);
      expect([made.inFlight, made.waiting]).toEqual([1, 0]);
      expect(isKept(all, made)).toBe(true);
      await time.runAll();
      await Promise.all(calls);
      expect(isKept(all, made)).toBe(false);
    });
  });

  test('a rate limit, until nothing of it is used up', async () => {
    await virtualTime(async (time) => {
      const all = perKey((_key: string) => rateLimit({ limit: 10, per: '1s' }), { max: 5 });
      const made = all.get('limited');
      await Promise.all([made.run(() => 1), made.run(() => 1)]);
      await time.advance(199);
      expect(isKept(all, made)).toBe(true);
      await time.advance(1);
      expect(isKept(all, made)).toBe(false);
    });
  });

  test('a breaker that is open, until its cooldown is over', async () => {
    await virtualTime(async (time) => {
      const all = perKey((_key: string) => policy(retry({ attempts: 1 }), breaker({ failures: 1, cooldown: '10s' })), {
        max: 5,
      });
      const made = all.get('down');
      await made.settle(down);
      expect(isKept(all, made)).toBe(true);
      await time.advance(9_999);
      expect(isKept(all, made)).toBe(true);
      await time.advance(1);
      expect(isKept(all, made)).toBe(false);
    });
  });

  test('a breaker that is half-open, while a probe is under way', async () => {
    await virtualTime(async (time) => {
      const all = perKey((_key: string) => breaker({ failures: 1, cooldown: 10, probes: 2 }), { max: 5 });
      const made = all.get('probed');
      await made.settle(down);
      await time.advance(10);
      const probe = policy(made).run((s) => s.sleep(100));
      await time.advance(50);
      expect(made.state).toBe('half-open');
      expect(isKept(all, made)).toBe(true);
      await time.runAll();
      await probe;
      expect(made.state).toBe('half-open');
      expect(isKept(all, made)).toBe(false);
    });
  });

  test('a breaker that is isolated, until it is reset', async () => {
    await virtualTime(async (time) => {
      const all = perKey((_key: string) => breaker(), { max: 5 });
      const made = all.get('isolated');
      made.isolate();
      await time.advance('1000d');
      expect(isKept(all, made)).toBe(true);
      made.reset();
      expect(isKept(all, made)).toBe(false);
    });
  });

  test('the one after it is let go instead', async () => {
    await virtualTime(async (time) => {
      const all = perKey(() => retry(), { max: 3 });
      const call = all.get('a').run((s) => s.sleep(100));
      all.get('b');
      all.get('c');
      all.get('d');
      expect(keysOf(all)).toEqual(['c', 'a', 'd']);
      await time.runAll();
      await call;
    });
  });

  test('a call that nobody handles is one unhandled rejection, and one that somebody handles is none', async () => {
    const others = process.listeners('unhandledRejection');
    process.removeAllListeners('unhandledRejection');
    const unhandled: unknown[] = [];
    process.on('unhandledRejection', (reason) => unhandled.push(reason));
    try {
      const made = perKey(() => retry({ attempts: 1 })).get('a');
      await made.run(down).catch(() => {});
      await nextTurn();
      expect(unhandled).toEqual([]);
      void made.run(down);
      await nextTurn();
      expect(unhandled).toMatchObject([{ message: 'down' }]);
    } finally {
      process.removeAllListeners('unhandledRejection');
      for (const other of others) process.on('unhandledRejection', other);
    }
  });
});

describe('P12.4 when none is at rest', () => {
  test('one more is kept, and the event `per-key:full` tells', async () => {
    await virtualTime(async (time) => {
      using events = recordEvents();
      const all = perKey(() => retry(), { max: 2, name: 'hosts' });
      const calls = ['a', 'b', 'c'].map((key) => all.get(key).run((s) => s.sleep(100)));
      all.get('a');
      expect(events.filter(({ event }) => event === 'per-key:full')).toEqual([
        { event: 'per-key:full', name: 'hosts', at: 0, key: 'c', size: 3, max: 2 },
      ]);
      expect(all.size).toBe(3);
      await time.runAll();
      await Promise.all(calls);
      all.get('d');
      expect(keysOf(all)).toEqual(['a', 'd']);
    });
  });

  test('is named per-key in events, unless it has a name', async () => {
    using events = recordEvents();
    const all = perKey(() => breaker(), { max: 1 });
    all.get('a').isolate();
    all.get('b');
    expect(events.at(-1)).toMatchObject({ event: 'per-key:full', name: 'per-key' });
  });

  test('a new key looks at no more than eight', () => {
    const atRest = vi.spyOn(PolicyClass.prototype, 'isAtRest', 'get');
    const all = perKey((_key: number) => breaker(), { max: 1000 });
    for (let key = 0; key < 1000; key++) all.get(key).isolate();
    atRest.mockClear();
    let most = 0;
    for (let key = 1000; key < 5000; key++) {
      const before = atRest.mock.calls.length;
      all.get(key).isolate();
      most = Math.max(most, atRest.mock.calls.length - before);
    }
    atRest.mockRestore();
    expect(most).toBe(8);
  });

  test('at most a seventh more are kept than are not at rest', () => {
    const all = perKey((_key: number) => breaker(), { max: 100 });
    const busy = 7_000;
    for (let key = 0; key < busy; key++) all.get(key).isolate();
    expect(all.size).toBe(busy);
    let most = 0;
    for (let key = busy; key < 20 * busy; key++) {
      all.get(key);
      most = Math.max(most, all.size);
    }
    expect(most).toBeLessThanOrEqual((busy * 8) / 7 + 1);
    for (let key = 0; key < busy; key++) expect(all.get(key).state).toBe('isolated');
    for (const [, made] of all) made.reset();
    for (let key = 0; key < most; key++) all.get(-1 - key);
    expect(all.size).toBe(100);
  });
});
