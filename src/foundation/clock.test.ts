import { afterEach, describe, expect, test, vi } from 'vitest';
import { clock, systemClock, useClock, type Clock } from './clock.ts';
import * as throughTheDoor from './index.ts';

afterEach(() => useClock(systemClock));

describe('the system clock', () => {
  test('is in force at first', () => {
    expect(clock).toBe(systemClock);
  });

  test('never goes back, and counts milliseconds', async () => {
    const start = clock.now();
    await new Promise((resolve) => setTimeout(resolve, 5));
    const passed = clock.now() - start;
    expect(passed).toBeGreaterThan(3);
    expect(passed).toBeLessThan(3_000);
  });

  test('knows the date', () => {
    const before = Date.now();
    expect(clock.wallNow()).toBeGreaterThanOrEqual(before);
    expect(clock.wallNow()).toBeLessThanOrEqual(Date.now());
  });

  test('has random numbers in [0, 1) that differ', () => {
    const numbers = Array.from({ length: 100 }, () => clock.random());
    expect(numbers.every((n) => n >= 0 && n < 1)).toBe(true);
    expect(new Set(numbers).size).toBeGreaterThan(90);
  });

  test('starts timers', async () => {
    const started = clock.now();
    await new Promise<void>((resolve) => {
      class Resolve extends throughTheDoor.Timer {
        override fire(): void {
          resolve();
        }
      }
      const timer = new Resolve();
      clock.start(timer, 5);
      expect(timer.startedMs).toBeGreaterThanOrEqual(started);
    });
    expect(clock.now() - started).toBeGreaterThanOrEqual(5);
  });
});

test.for([
  { platform: 'workers', userAgent: 'Cloudflare-Workers', made: 4 },
  { platform: 'everything else', userAgent: 'Node.js/24', made: 2 },
])('whether timers of the same duration share one of the platform: on $platform', async ({ userAgent, made }) => {
  const setTimeout = vi.fn<(fn: () => void, delayMs: number) => number>(() => 7);
  vi.stubGlobal('navigator', { userAgent });
  vi.stubGlobal('setTimeout', setTimeout);
  vi.resetModules();
  try {
    const { systemClock, FixedTimers, Timer } = await import('./index.ts');
    class Never extends Timer {
      override fire(): void {}
    }
    const timers = new FixedTimers(50, true);
    for (let i = 0; i < 2; i++) {
      systemClock.start(new Never(), 50);
      systemClock.startFixed(new Never(), timers);
    }
    expect(setTimeout.mock.calls.map(([, delayMs]) => delayMs)).toEqual(Array.from({ length: made }, () => 50));
  } finally {
    vi.unstubAllGlobals();
    vi.resetModules();
  }
});

test('another clock that is put in force is seen wherever the clock is read', () => {
  const other: Clock = { now: () => 1, wallNow: () => 2, random: () => 0.5, start: () => {}, startFixed: () => {} };
  useClock(other);
  expect(clock).toBe(other);
  expect(throughTheDoor.clock).toBe(other);
  useClock(systemClock);
  expect(throughTheDoor.clock).toBe(systemClock);
});
