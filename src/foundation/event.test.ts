import diagnosticsChannel from 'node:diagnostics_channel';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { clock, systemClock, useClock } from './clock.ts';
import { EVERY_EVENT, EventType, subscribe, type HoldfastEvent } from './event.ts';

interface Sold extends HoldfastEvent {
  readonly event: 'test:sold';
  readonly sku: string;
}

const sold = new EventType<Sold>('test:sold');
const soldChannel = diagnosticsChannel.channel('holdfast:test:sold');

/** What waits to be disposed of after the test, however it ends. */
let open: Disposable[] = [];
const listen: typeof subscribe = (event, listener) => {
  const subscription = subscribe(event, listener);
  open.push(subscription);
  return subscription;
};
afterEach(() => {
  for (const it of open) it[Symbol.dispose]();
  open = [];
});

/** The exceptions that surface while `fn` runs and in the turn after it. Takes the place of the test runner's own listeners. */
async function uncaught(fn: () => void): Promise<unknown[]> {
  const others = process.listeners('uncaughtException');
  const caught: unknown[] = [];
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', (error) => caught.push(error));
  try {
    fn();
    await new Promise((resolve) => setImmediate(resolve));
  } finally {
    process.removeAllListeners('uncaughtException');
    for (const other of others) process.on('uncaughtException', other);
  }
  return caught;
}

describe('an event', () => {
  test('has its kind, its time and the fields it was given', () => {
    const seen: Sold[] = [];
    listen<Sold>('test:sold', (event) => seen.push(event));
    const before = clock.now();
    sold.emit({ name: 'shop', sku: 'A1' });
    expect(seen).toEqual([{ event: 'test:sold', at: expect.any(Number), name: 'shop', sku: 'A1' }]);
    expect(seen[0]?.at).toBeGreaterThanOrEqual(before);
    expect(seen[0]?.at).toBeLessThanOrEqual(clock.now());
  });

  test('has the time of the clock in force', () => {
    const at: number[] = [];
    listen<Sold>('test:sold', (event) => at.push(event.at));
    useClock({ ...systemClock, now: () => 42 });
    try {
      sold.emit({ name: undefined, sku: 'A1' });
    } finally {
      useClock(systemClock);
    }
    expect(at).toEqual([42]);
  });

  test('is the same object for every listener, and comes to them at once, in the order they came', () => {
    const order: string[] = [];
    const seen: unknown[] = [];
    const listener = (name: string) => (event: unknown) => void seen.push(event, order.push(name));
    listen('test:sold', listener('a'));
    listen('test:sold', listener('b'));
    sold.emit({ name: undefined, sku: 'A1' });
    expect(order).toEqual(['a', 'b']);
    expect(seen[2]).toBe(seen[0]);
  });

  test('comes to nobody who listens to another kind', () => {
    const listener = vi.fn<() => void>();
    listen('test:returned', listener);
    sold.emit({ name: undefined, sku: 'A1' });
    expect(listener).not.toHaveBeenCalled();
  });

  test('comes to whoever listens to all of them, after those who listen to its kind', () => {
    const order: string[] = [];
    listen<HoldfastEvent>(EVERY_EVENT, ({ event }) => order.push(`every: ${event}`));
    listen('test:sold', () => order.push('sold'));
    sold.emit({ name: undefined, sku: 'A1' });
    new EventType('test:returned').emit({ name: undefined });
    expect(order).toEqual(['sold', 'every: test:sold', 'every: test:returned']);
  });

  test('is published on the diagnostics_channel of its name, the same object', () => {
    const seen: unknown[] = [];
    listen('test:sold', (event) => seen.push(event));
    const subscriber = (message: unknown, name: string | symbol): void => void seen.push(message, name);
    soldChannel.subscribe(subscriber);
    sold.emit({ name: 'shop', sku: 'A1' });
    soldChannel.unsubscribe(subscriber);
    expect(seen[1]).toBe(seen[0]);
    expect(seen[2]).toBe('holdfast:test:sold');
  });
});

describe('a listener', () => {
  test('hears nothing more once it is disposed of; twice is once', () => {
    const listener = vi.fn<() => void>();
    const subscription = listen('test:sold', listener);
    sold.emit({ name: undefined, sku: 'A1' });
    subscription[Symbol.dispose]();
    subscription[Symbol.dispose]();
    sold.emit({ name: undefined, sku: 'A2' });
    expect(listener).toHaveBeenCalledTimes(1);
  });

  test('may listen more than once, and is disposed of one by one', () => {
    const listener = vi.fn<() => void>();
    const first = listen('test:sold', listener);
    listen('test:sold', listener);
    sold.emit({ name: undefined, sku: 'A1' });
    expect(listener).toHaveBeenCalledTimes(2);
    first[Symbol.dispose]();
    first[Symbol.dispose]();
    sold.emit({ name: undefined, sku: 'A2' });
    expect(listener).toHaveBeenCalledTimes(3);
  });

  test('may come before there is anything that tells the event', () => {
    const listener = vi.fn<() => void>();
    listen('test:later', listener);
    new EventType('test:later').emit({ name: undefined });
    expect(listener).toHaveBeenCalledTimes(1);
  });

  test('that comes or goes during an event changes only the next one', () => {
    const order: string[] = [];
    listen('test:sold', () => {
      order.push('first');
      second[Symbol.dispose]();
      if (open.length < 3) listen('test:sold', () => order.push('third'));
    });
    const second = listen('test:sold', () => order.push('second'));
    sold.emit({ name: undefined, sku: 'A1' });
    expect(order).toEqual(['first', 'second']);
    sold.emit({ name: undefined, sku: 'A2' });
    expect(order.slice(2)).toEqual(['first', 'third']);
  });

  test('that throws stops neither the others nor the work; its error is an uncaught exception', async () => {
    const bad = new Error('a bad listener');
    const every = vi.fn<() => void>();
    const good = vi.fn<() => void>();
    listen('test:sold', () => {
      throw bad;
    });
    listen('test:sold', good);
    listen(EVERY_EVENT, every);
    const errors = await uncaught(() => sold.emit({ name: undefined, sku: 'A1' }));
    expect(good).toHaveBeenCalledTimes(1);
    expect(every).toHaveBeenCalledTimes(1);
    expect(errors).toEqual([bad]);
    expect(errors[0]).toBe(bad);
  });

  test('that throws on the diagnostics_channel does no more harm', async () => {
    const bad = new Error('a bad subscriber');
    const good = vi.fn<() => void>();
    const subscriber = (): void => {
      throw bad;
    };
    listen('test:sold', good);
    soldChannel.subscribe(subscriber);
    const errors = await uncaught(() => sold.emit({ name: undefined, sku: 'A1' }));
    soldChannel.unsubscribe(subscriber);
    expect(good).toHaveBeenCalledTimes(1);
    expect(errors).toEqual([bad]);
  });
});

describe('whoever has something to tell learns whether anybody listens', () => {
  test('nobody does at first, nor after the last one has gone', () => {
    expect(sold.observed).toBe(false);
    listen('test:sold', () => {})[Symbol.dispose]();
    expect(sold.observed).toBe(false);
  });

  test('a listener to another kind does not count', () => {
    listen('test:returned', () => {});
    expect(sold.observed).toBe(false);
  });

  test('a listener to this kind does', () => {
    listen('test:sold', () => {});
    expect(sold.observed).toBe(true);
  });

  test('a listener to every event does', () => {
    listen(EVERY_EVENT, () => {});
    expect(sold.observed).toBe(true);
  });

  test('a subscriber of the diagnostics_channel does', () => {
    const subscriber = (): void => {};
    soldChannel.subscribe(subscriber);
    expect(sold.observed).toBe(true);
    soldChannel.unsubscribe(subscriber);
    expect(sold.observed).toBe(false);
  });
});

describe('on a platform without diagnostics_channel', () => {
  afterEach(() => {
    vi.unstubAllGlobals();
    vi.resetModules();
  });

  test('listeners are told all the same', async () => {
    vi.stubGlobal('process', undefined);
    vi.resetModules();
    const fresh = await import('./event.ts');
    vi.unstubAllGlobals();
    const told = new fresh.EventType('test:sold');
    expect(told.observed).toBe(false);
    const listener = vi.fn<() => void>();
    fresh.subscribe('test:sold', listener);
    expect(told.observed).toBe(true);
    told.emit({ name: undefined });
    expect(listener).toHaveBeenCalledTimes(1);
  });
});
