import { AsyncLocalStorage } from 'node:async_hooks';
import * as fc from 'fast-check';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { run } from '../../test/child.ts';
import { now } from './system.ts';
import { startTimer, Timer } from './timers.ts';

class Alarm extends Timer {
  readonly fire: () => void;

  constructor(fire: () => void) {
    super();
    this.fire = fire;
  }
}

/** How late a timer may be, by the contract. */
const latenessMs = (durationMs: number): number => Math.min(Math.max(durationMs / 32, 2), 10);

const MAX_DELAY_MS = 2 ** 31 - 1;

/** A timer of the fake platform; as a handle it is used where the platform has handles with `ref` and `unref`. */
class Handle {
  readonly fn: () => void;
  readonly dueMs: number;
  held = true;
  /** How often it was asked to hold the process open, or not to. */
  asked = 0;

  constructor(fn: () => void, dueMs: number) {
    this.fn = fn;
    this.dueMs = dueMs;
  }

  ref(): void {
    this.asked++;
    this.held = true;
  }

  unref(): void {
    this.asked++;
    this.held = false;
  }
}

/** A platform whose time is driven by hand: what `system` is to `timers`, exact. */
class Platform {
  timeMs = 1_000.25;
  /** How many timers it was ever asked for. */
  made = 0;
  /** By how much timers fire before their delay has passed. */
  earlyMs = 0;
  readonly pending = new Map<Handle | number, Handle>();
  private readonly numeric: boolean;

  constructor({ numeric = false } = {}) {
    this.numeric = numeric;
  }

  now = (): number => this.timeMs;

  setTimer = (fn: () => void, delayMs: number): Handle | number => {
    if (!(delayMs >= 0)) throw new RangeError(`Node warns of a delay of ${delayMs} ms`);
    const wholeMs = Math.max(1, Math.min(Math.ceil(delayMs), MAX_DELAY_MS));
    const handle = new Handle(fn, this.timeMs + wholeMs - this.earlyMs);
    const key = this.numeric ? ++this.made : (this.made++, handle);
    this.pending.set(key, handle);
    return key;
  };

  clearTimer = (handle: Handle | number | undefined): void => {
    if (handle !== undefined) this.pending.delete(handle);
  };

  /** Whether something holds the process open. */
  get held(): boolean {
    return [...this.pending.values()].some((handle) => handle.held);
  }

  advance(ms: number): void {
    const untilMs = this.timeMs + ms;
    for (;;) {
      const [next] = [...this.pending].sort(([, a], [, b]) => a.dueMs - b.dueMs);
      if (next === undefined || next[1].dueMs > untilMs) break;
      this.pending.delete(next[0]);
      this.timeMs = Math.max(this.timeMs, next[1].dueMs);
      next[1].fn();
    }
    this.timeMs = Math.max(this.timeMs, untilMs); // what fired may have taken longer
  }
}

type Timers = typeof import('./timers.ts');

/** The module on such a platform, with nothing pending. */
async function on(platform: Platform): Promise<Timers> {
  vi.doMock('./system.ts', () => platform);
  vi.resetModules();
  return import('./timers.ts');
}

afterEach(() => {
  vi.doUnmock('./system.ts');
  vi.resetModules();
});

/** Starts a timer that notes when it fired. */
function begin(platform: Platform, { startTimer }: Timers, durationMs: number, fire = (): void => {}) {
  const state = { firedAt: [] as number[], startedMs: platform.timeMs, durationMs };
  const timer = new Alarm(() => {
    state.firedAt.push(platform.timeMs);
    fire();
  });
  startTimer(timer, durationMs);
  return Object.assign(state, { stop: () => timer.leave(), timer });
}

describe('a timer', () => {
  test('fires once, when its duration has passed', async () => {
    const platform = new Platform();
    const timers = await on(platform);
    const timer = begin(platform, timers, 50);
    platform.advance(49.999);
    expect(timer.firedAt).toEqual([]);
    platform.advance(0.001);
    expect(timer.firedAt).toEqual([1_050.25]);
    platform.advance(1_000);
    expect(timer.firedAt).toHaveLength(1);
  });

  test('knows when it was started', async () => {
    const platform = new Platform();
    const { timer } = begin(platform, await on(platform), 50);
    expect(timer.startedMs).toBe(1_000.25);
  });

  test('that is stopped never fires; to stop it again, or after it fired, does nothing', async () => {
    const platform = new Platform();
    const timers = await on(platform);
    const [stopped, fired] = [begin(platform, timers, 50), begin(platform, timers, 50)];
    stopped.stop();
    stopped.stop();
    platform.advance(50);
    fired.stop();
    platform.advance(1_000);
    expect(stopped.firedAt).toEqual([]);
    expect(fired.firedAt).toHaveLength(1);
  });

  test('may be started again', async () => {
    const platform = new Platform();
    const timers = await on(platform);
    const timer = begin(platform, timers, 50);
    platform.advance(30);
    timer.stop();
    timers.startTimer(timer.timer, 50);
    platform.advance(49);
    expect(timer.firedAt).toEqual([]);
    platform.advance(1);
    timers.startTimer(timer.timer, 20);
    platform.advance(20);
    expect(timer.firedAt).toEqual([1_080.25, 1_100.25]);
  });

  test('of no duration fires as soon as the platform can', async () => {
    const platform = new Platform();
    const timer = begin(platform, await on(platform), 0);
    expect(timer.firedAt).toEqual([]);
    platform.advance(1);
    expect(timer.firedAt).toHaveLength(1);
  });

  test('is not early when the platform is: that timer is armed again for the rest', async () => {
    const platform = new Platform();
    const timers = await on(platform);
    platform.earlyMs = 0.75;
    const timer = begin(platform, timers, 50);
    platform.advance(49.25);
    expect(platform.made).toBe(2);
    expect(timer.firedAt).toEqual([]);
    platform.advance(1);
    expect(timer.firedAt[0]).toBeGreaterThanOrEqual(1_050.25);
  });

  test.each([2 ** 31, 2 ** 32 + 5, 400 * 86_400_000])(
    'may last longer than a timer of the platform: %d ms',
    async (ms) => {
      const platform = new Platform();
      const timer = begin(platform, await on(platform), ms);
      platform.advance(ms - 1);
      expect(timer.firedAt).toEqual([]);
      platform.advance(1 + latenessMs(ms));
      expect(timer.firedAt).toHaveLength(1);
      expect(platform.made).toBe(Math.ceil(ms / MAX_DELAY_MS));
    },
  );

  test('of infinite duration never fires, holds the process open, and can be stopped', async () => {
    const platform = new Platform();
    const timer = begin(platform, await on(platform), Infinity);
    platform.advance(10 * MAX_DELAY_MS);
    expect(timer.firedAt).toEqual([]);
    expect(platform.held).toBe(true);
    timer.stop();
    expect(platform.held).toBe(false);
  });

  test('that is still pending in a list of later ones fires in its own time', async () => {
    const platform = new Platform();
    const timers = await on(platform);
    const first = begin(platform, timers, 50);
    platform.advance(20.5);
    const second = begin(platform, timers, 50);
    platform.advance(29.5);
    expect([first.firedAt.length, second.firedAt.length]).toEqual([1, 0]);
    platform.advance(20.499);
    expect(second.firedAt).toEqual([]);
    platform.advance(1);
    expect(second.firedAt).toHaveLength(1);
  });
});

describe('a duration', () => {
  // The steps of rounding change at 96, 160 and 288 ms: there the contract has no room left.
  test.each([
    0, 0.1, 1, 1.1, 63.5, 64.1, 95.9, 96, 96.1, 97, 98, 127.5, 128.1, 159.9, 160, 160.1, 161, 255.1, 256.1, 287.9, 288,
    288.1, 289, 296, 999.9, 1_000.1, 86_400_000.1,
  ])(
    'of %d ms is kept: never early, late by at most 1/32, not less than 2 ms nor more than 10 ms',
    async (durationMs) => {
      for (const startedLaterMs of [0.001, 0.3, 0.999]) {
        const platform = new Platform();
        const timers = await on(platform);
        const first = begin(platform, timers, durationMs);
        platform.advance(startedLaterMs); // so that the second one finds a timer of the platform that comes too soon
        const second = begin(platform, timers, durationMs);
        platform.advance(durationMs + 20);
        for (const { startedMs, firedAt } of [first, second]) {
          expect(firedAt).toHaveLength(1);
          expect(firedAt[0]! - startedMs - durationMs).toBeGreaterThanOrEqual(-1e-6);
          expect(firedAt[0]! - startedMs - durationMs).toBeLessThanOrEqual(latenessMs(durationMs));
        }
      }
    },
  );

  test.each([
    [1, 95, 95],
    [96, 159, 33],
    [160, 287, 33],
    [288, 1_288, 126],
    [60_000, 61_000, 126],
  ])('between %d and %d ms, whatever the jitter, is one of %d timers of the platform', async (fromMs, toMs, lists) => {
    const platform = new Platform();
    const timers = await on(platform);
    for (let i = 0; i <= 5_000; i++) begin(platform, timers, fromMs + ((toMs - fromMs) * i) / 5_000);
    expect(platform.made).toBe(lists);
  });
});

describe('timers of the platform', () => {
  test('are few: one for ten thousand timers of one duration, started and stopped in turn', async () => {
    const platform = new Platform();
    const timers = await on(platform);
    const started = Array.from({ length: 10_000 }, () => begin(platform, timers, 1_000));
    expect(platform.made).toBe(1);
    for (const { stop } of started) stop();
    for (let i = 0; i < 10_000; i++) begin(platform, timers, 1_000).stop();
    expect(platform.made).toBe(1);
  });

  test('are one for all that fall due together', async () => {
    const platform = new Platform();
    const timers = await on(platform);
    const started = Array.from({ length: 1_000 }, () => begin(platform, timers, 1_000));
    platform.advance(1_000);
    expect(started.every(({ firedAt }) => firedAt[0] === 2_000.25)).toBe(true);
    expect(platform.made).toBe(1);
  });

  test('hold the process open while a timer is pending, and only then', async () => {
    const platform = new Platform();
    const timers = await on(platform);
    expect(platform.held).toBe(false);
    const [one, two] = [begin(platform, timers, 50), begin(platform, timers, 50)];
    expect(platform.held).toBe(true);
    one.stop();
    expect(platform.held).toBe(true);
    two.stop();
    expect(platform.held).toBe(false);
    begin(platform, timers, 50);
    begin(platform, timers, 50);
    expect(platform.held).toBe(true);
    platform.advance(50);
    expect(platform.held).toBe(false);
  });

  test('are released, not cleared, when their list empties: the next timer finds them', async () => {
    const platform = new Platform();
    const timers = await on(platform);
    begin(platform, timers, 50).stop();
    platform.advance(20);
    const next = begin(platform, timers, 50);
    expect(platform.made).toBe(1);
    expect(platform.held).toBe(true);
    platform.advance(50);
    expect(next.firedAt).toEqual([1_070.25]);
  });

  test('are asked to hold the process open by the first of many timers, and not to by the last', async () => {
    const platform = new Platform();
    const timers = await on(platform);
    const started = Array.from({ length: 1_000 }, () => begin(platform, timers, 1_000));
    for (const { stop } of started) stop();
    for (let i = 0; i < 1_000; i++) begin(platform, timers, 1_000);
    const [handle] = platform.pending.values();
    expect(handle?.asked).toBe(2);
  });

  test('are gone when they have fired for nobody', async () => {
    const platform = new Platform();
    const timers = await on(platform);
    begin(platform, timers, 50).stop();
    platform.advance(50);
    expect(platform.pending.size).toBe(0);
    begin(platform, timers, 50);
    expect(platform.made).toBe(2);
  });

  test('are left behind released by 64 lists at most', async () => {
    const platform = new Platform();
    const timers = await on(platform);
    for (let i = 0; i < 200; i++) begin(platform, timers, 1_000 * (i + 1)).stop();
    expect(platform.pending.size).toBe(64);
    expect(platform.held).toBe(false);
    platform.advance(201_000);
    expect(platform.pending.size).toBe(0);
  });

  test('are left behind by 64 lists at most when many are in use and empty one by one', async () => {
    const platform = new Platform();
    const timers = await on(platform);
    const started = Array.from({ length: 200 }, (_, i) => begin(platform, timers, 1_000 * (i + 1)));
    expect(platform.pending.size).toBe(200);
    for (const { stop } of started) stop();
    expect(platform.pending.size).toBe(64);
    expect(platform.held).toBe(false);
  });

  test('that cannot be released, being numbers, are cleared', async () => {
    const platform = new Platform({ numeric: true });
    const timers = await on(platform);
    begin(platform, timers, 50).stop();
    expect(platform.pending.size).toBe(0);
    const [one, two] = [begin(platform, timers, 50), begin(platform, timers, 50)];
    one.stop();
    expect(platform.pending.size).toBe(1);
    platform.advance(50);
    expect(two.firedAt).toHaveLength(1);
    expect(platform.pending.size).toBe(0);
    expect(platform.made).toBe(2);
  });
});

/** What a timer does when it fires, on both kinds of platform: `numeric` ones clear a list that empties, others release it. */
describe.each([{ numeric: false }, { numeric: true }])('while timers fire (%o)', (options) => {
  test('one that is stopped by another does not fire, though it was due', async () => {
    const platform = new Platform(options);
    const timers = await on(platform);
    const first = begin(platform, timers, 50, () => second.stop());
    const second = begin(platform, timers, 50);
    platform.advance(100);
    expect(first.firedAt).toHaveLength(1);
    expect(second.firedAt).toEqual([]);
    expect(platform.pending.size).toBe(0);
  });

  test('one that is started falls due in its own time', async () => {
    const platform = new Platform(options);
    const timers = await on(platform);
    const started: ReturnType<typeof begin>[] = [];
    begin(platform, timers, 50, () => started.push(begin(platform, timers, 50)));
    platform.advance(50);
    expect(started[0]?.firedAt).toEqual([]);
    expect(platform.held).toBe(true);
    platform.advance(50);
    expect(started[0]?.firedAt).toEqual([1_100.25]);
    expect(platform.pending.size).toBe(0);
  });

  test('a list may empty, be replaced, and the new one is not disturbed by the end of the old', async () => {
    const platform = new Platform(options);
    const timers = await on(platform);
    const started: ReturnType<typeof begin>[] = [];
    begin(platform, timers, 50, () => {
      last.stop();
      started.push(begin(platform, timers, 50), begin(platform, timers, 50));
    });
    const last = begin(platform, timers, 50);
    platform.advance(50);
    const made = platform.made;
    started.push(begin(platform, timers, 50));
    expect(platform.made).toBe(made);
    expect(platform.pending.size).toBe(1);
    expect(platform.held).toBe(true);
    platform.advance(50);
    expect(started.map(({ firedAt }) => firedAt)).toEqual([[1_100.25], [1_100.25], [1_100.25]]);
    expect(platform.pending.size).toBe(0);
  });

  test('the same, where there are too many lists to leave one behind', async () => {
    const platform = new Platform(options);
    const timers = await on(platform);
    for (let i = 0; i < 64; i++) begin(platform, timers, 1_000 * (i + 1)).stop();
    const others = platform.pending.size;
    const started: ReturnType<typeof begin>[] = [];
    begin(platform, timers, 50, () => {
      last.stop();
      started.push(begin(platform, timers, 50));
    });
    const last = begin(platform, timers, 50);
    platform.advance(50);
    const made = platform.made;
    started.push(begin(platform, timers, 50));
    expect(platform.made).toBe(made);
    platform.advance(50);
    expect(started.map(({ firedAt }) => firedAt)).toEqual([[1_100.25], [1_100.25]]);
    expect(platform.pending.size).toBe(options.numeric ? 0 : others);
  });

  test('one that falls due because another takes long fires in its turn', async () => {
    const platform = new Platform(options);
    const timers = await on(platform);
    begin(platform, timers, 50, () => (platform.timeMs += 30));
    platform.advance(20);
    const second = begin(platform, timers, 50);
    platform.advance(30);
    expect(second.firedAt).toEqual([1_080.25]);
    expect(platform.made).toBe(1);
  });

  test.each([0, 1])('one of %d ms that starts itself again lets the platform have its turn', async (durationMs) => {
    const platform = new Platform(options);
    const timers = await on(platform);
    const timer = begin(platform, timers, durationMs, () => {
      platform.timeMs += 1;
      if (timer.firedAt.length < 100) timers.startTimer(timer.timer, durationMs);
    });
    platform.advance(1);
    expect(timer.firedAt).toHaveLength(1);
    platform.advance(1_000);
    expect(timer.firedAt).toHaveLength(100);
  });

  test('one that is started, and falls due because another takes long, fires in the next turn', async () => {
    const platform = new Platform(options);
    const timers = await on(platform);
    const started: ReturnType<typeof begin>[] = [];
    begin(platform, timers, 5, () => started.push(begin(platform, timers, 5)));
    begin(platform, timers, 5, () => (platform.timeMs += 30));
    platform.advance(5);
    expect(started[0]?.firedAt).toEqual([]);
    platform.advance(1);
    expect(started[0]?.firedAt).toEqual([1_036.25]);
    expect(platform.pending.size).toBe(0);
  });

  test('a timer may stop all others and start itself again, for ever', async () => {
    const platform = new Platform(options);
    const timers = await on(platform);
    let other = begin(platform, timers, 50);
    const repeating = begin(platform, timers, 50, () => {
      other.stop();
      timers.startTimer(repeating.timer, 50);
      other = begin(platform, timers, 50);
    });
    platform.advance(500);
    expect(repeating.firedAt).toHaveLength(10);
    expect(platform.pending.size).toBe(1);
  });
});

test('whatever is started, stopped and let pass, at whatever moment: each timer keeps the contract', async () => {
  const platform = new Platform();
  const timers = await on(platform);
  const duration = fc.oneof(
    fc.constantFrom(0, 1, 50, 100, 1_000, 5_000),
    fc.double({ min: 0, max: 400, noNaN: true }),
    fc.double({ min: 0, max: 5_000, noNaN: true }),
  );
  const start = fc.record({ do: fc.constant('start' as const), duration, inFire: fc.nat(3), next: duration });
  const stop = fc.record({ do: fc.constant('stop' as const), which: fc.nat() });
  const pass = fc.record({ do: fc.constant('pass' as const), ms: fc.double({ min: 0, max: 600, noNaN: true }) });
  const early = fc.constantFrom(0, 0.25, 0.999);
  fc.assert(
    fc.property(early, fc.array(fc.oneof(start, start, stop, pass), { maxLength: 50 }), (earlyMs, steps) => {
      platform.earlyMs = earlyMs;
      const all: (ReturnType<typeof begin> & { stopped: boolean })[] = [];
      const stopOne = (which: number): void => {
        const it = all[which % (all.length || 1)];
        if (it === undefined) return;
        it.stop();
        it.stopped ||= it.firedAt.length === 0;
      };
      /** `inFire`: what it does when it fires. 0: nothing, 1: starts another, 2: stops another, 3: both. */
      const startOne = (durationMs: number, inFire: number, next: number): void => {
        const it = begin(platform, timers, durationMs, () => {
          if (inFire > 1) stopOne(Math.floor(next));
          if (inFire % 2 === 1) startOne(next, 0, 0);
        });
        all.push(Object.assign(it, { stopped: false }));
      };
      const check = (): void => {
        for (const { firedAt, startedMs, durationMs, stopped } of all) {
          const dueMs = startedMs + durationMs;
          if (firedAt.length === 0) {
            expect(stopped || platform.timeMs < dueMs + latenessMs(durationMs)).toBe(true);
            continue;
          }
          expect(stopped).toBe(false);
          expect(firedAt).toHaveLength(1);
          expect(firedAt[0]).toBeGreaterThanOrEqual(dueMs - 1e-6);
          expect(firedAt[0]).toBeLessThanOrEqual(dueMs + latenessMs(durationMs) + 1e-6);
        }
        const pending = all.some(({ firedAt, stopped }) => firedAt.length === 0 && !stopped);
        expect(platform.held).toBe(pending);
      };
      for (const step of steps) {
        if (step.do === 'start') startOne(step.duration, step.inFire, step.next);
        else if (step.do === 'stop') stopOne(step.which);
        else platform.advance(step.ms);
        check();
      }
      platform.advance(20_000);
      check();
      expect(platform.pending.size).toBe(0);
    }),
  );
});

describe('timers of one fixed duration', () => {
  const durations = fc.double({ min: 320, max: 60_000, noNaN: true });

  /** Starts one that notes when it fired. */
  const begin = (platform: Platform, timers: { start(timer: Timer): void }) => {
    const startedMs = platform.timeMs;
    const lateMs: number[] = [];
    const timer = new Alarm(() => lateMs.push(platform.timeMs - startedMs));
    timers.start(timer);
    return { timer, firedAfterMs: lateMs };
  };

  test('are neither early nor later than the contract says, whenever they begin and whichever are stopped', async () => {
    await fc.assert(
      fc.asyncProperty(
        durations,
        fc.array(fc.tuple(fc.double({ min: 0, max: 50, noNaN: true }), fc.boolean()), { minLength: 1, maxLength: 50 }),
        async (durationMs, steps) => {
          const platform = new Platform();
          const { FixedTimers } = await on(platform);
          const timers = new FixedTimers(durationMs, false);
          const all = steps.map(([pauseMs, stays]) => {
            const one = begin(platform, timers);
            if (!stays) one.timer.leave();
            platform.advance(pauseMs);
            return { ...one, stays };
          });
          platform.advance(2 * durationMs + 100);
          for (const { firedAfterMs, stays } of all) {
            expect(firedAfterMs).toHaveLength(stays ? 1 : 0);
            for (const ms of firedAfterMs) {
              expect(ms).toBeGreaterThanOrEqual(durationMs);
              expect(ms).toBeLessThanOrEqual(durationMs + latenessMs(durationMs));
            }
          }
        },
      ),
      { numRuns: 200 },
    );
  });

  test('one that is stopped before has cost no look at the clock, and a thousand share one timer of the platform', async () => {
    const platform = new Platform();
    const { FixedTimers } = await on(platform);
    let looks = 0;
    const { now } = platform;
    platform.now = () => (looks++, now());
    const { FixedTimers: Watched } = await on(platform);
    expect(Watched).not.toBe(FixedTimers);
    const timers = new Watched(30_000, false);
    for (let i = 0; i < 1_000; i++) begin(platform, timers).timer.leave();
    expect(looks).toBe(0);
    expect(platform.made).toBe(2); // the list's, and the one that reads the clock for all
  });

  test('the clock is read for all of them together, within 4 ms, and by nobody when none began since', async () => {
    const platform = new Platform();
    const { FixedTimers } = await on(platform);
    const timers = new FixedTimers(1_000, false);
    const [one, two] = [begin(platform, timers), begin(platform, timers)];
    expect([one.timer.startedMs, two.timer.startedMs]).toEqual([null, null]);
    platform.advance(4);
    expect([one.timer.startedMs, two.timer.startedMs]).toEqual([platform.timeMs, platform.timeMs]);
    const { made } = platform;
    platform.advance(500);
    expect(platform.made).toBe(made);
  });

  test('a program that makes one for each call, and lets no time pass, has the clock read for every 64 of them, by one platform timer', async () => {
    const platform = new Platform();
    const { FixedTimers } = await on(platform);
    const each = Array.from({ length: 130 }, (_, i) => begin(platform, new FixedTimers(1_000 + i, false)).timer);
    expect(each.map(({ startedMs }) => startedMs)).toEqual([
      ...Array.from({ length: 128 }, () => platform.timeMs),
      null,
      null,
    ]);
    expect(platform.made).toBe(130 + 1);
    platform.advance(4);
    expect(each.every(({ startedMs }) => startedMs !== null)).toBe(true);
  });

  test('to ask when one began reads the clock for all that began before', async () => {
    const platform = new Platform();
    const { FixedTimers } = await on(platform);
    const timers = new FixedTimers(1_000, false);
    const [one, two] = [begin(platform, timers), begin(platform, timers)];
    timers.read();
    expect([one.timer.startedMs, two.timer.startedMs]).toEqual([platform.timeMs, platform.timeMs]);
  });

  test.each([
    ['exact ones', 1_000, true],
    ['those too short for 4 ms', 319, false],
  ])('%s read the clock at their start', async (_, durationMs, exact) => {
    const platform = new Platform();
    const { FixedTimers } = await on(platform);
    const { timer, firedAfterMs } = begin(platform, new FixedTimers(durationMs, exact));
    expect(timer.startedMs).toBe(platform.timeMs);
    platform.advance(durationMs + 1);
    expect(firedAfterMs).toHaveLength(1);
  });

  test('an event loop that stood still makes none of them early', async () => {
    const platform = new Platform();
    const { FixedTimers } = await on(platform);
    const timers = new FixedTimers(1_000, false);
    const first = begin(platform, timers);
    platform.timeMs += 2_000; // nothing could fire meanwhile
    const second = begin(platform, timers);
    platform.advance(999);
    expect(second.firedAfterMs).toEqual([]);
    platform.advance(100);
    expect([first.firedAfterMs.length, second.firedAfterMs.length]).toEqual([1, 1]);
  });

  test('one that began just before another falls due, and for which the clock was not read yet, is not early', async () => {
    const platform = new Platform();
    const { FixedTimers } = await on(platform);
    const timers = new FixedTimers(1_000, false);
    const first = begin(platform, timers);
    platform.advance(1_002); // the first began, for the list, when the clock was read for it
    const second = begin(platform, timers);
    platform.advance(2);
    expect([first.firedAfterMs.length, second.firedAfterMs.length]).toEqual([1, 0]);
    platform.advance(998);
    expect(second.firedAfterMs).toEqual([]);
    platform.advance(12);
    expect(second.firedAfterMs).toHaveLength(1);
  });

  test('hold the process open while one is pending; what reads the clock never does', async () => {
    const platform = new Platform();
    const { FixedTimers } = await on(platform);
    const { timer } = begin(platform, new FixedTimers(30_000, false));
    expect(platform.held).toBe(true);
    timer.leave();
    expect(platform.held).toBe(false);
  });

  test('leave 64 timers of the platform behind at most, however many layers are made, for a call each', async () => {
    const platform = new Platform();
    const { FixedTimers, startTimer } = await on(platform);
    for (let i = 0; i < 200; i++) begin(platform, new FixedTimers(1_000_000, true)).timer.leave();
    expect(platform.pending.size).toBe(64);
    begin(platform, { start: (timer) => startTimer(timer, 50) }).timer.leave();
    expect(platform.pending.size).toBe(64);
    platform.advance(1_000_000);
    expect(platform.pending.size).toBe(0);
    begin(platform, new FixedTimers(1_000, true)).timer.leave();
    expect(platform.pending.size).toBe(1);
  });

  test('one that is started again and again is left behind once', async () => {
    const platform = new Platform();
    const { FixedTimers } = await on(platform);
    const timers = new FixedTimers(1_000_000, true);
    for (let i = 0; i < 200; i++) begin(platform, timers).timer.leave();
    for (let i = 0; i < 200; i++) begin(platform, new FixedTimers(1_000_000, true)).timer.leave();
    expect(platform.pending.size).toBe(64);
  });

  test('whose clock is read in between are still noted once for the next look at it for all', async () => {
    const platform = new Platform();
    const { FixedTimers } = await on(platform);
    const timers = new FixedTimers(1_000, false);
    let stamps = 0;
    const { list } = timers as unknown as { list: { stamp(nowMs: number): void } };
    const stamp = list.stamp.bind(list);
    list.stamp = (nowMs) => (stamps++, stamp(nowMs));
    for (let i = 0; i < 100; i++) {
      const { timer } = begin(platform, timers);
      timers.read();
      timer.leave();
    }
    stamps = 0;
    const { timer } = begin(platform, timers);
    platform.advance(4);
    expect(stamps).toBe(1);
    expect(timer.startedMs).toBe(platform.timeMs);
  });

  test('work where handles of timers are numbers', async () => {
    const platform = new Platform({ numeric: true });
    const { FixedTimers } = await on(platform);
    const { firedAfterMs } = begin(platform, new FixedTimers(500, false));
    platform.advance(510);
    expect(firedAfterMs).toHaveLength(1);
  });
});

describe('on the real platform', () => {
  test.each([0, 3, 20.5, 70, 130])(
    'a timer of %d ms is not early, nor later than the contract says',
    async (durationMs) => {
      const order: string[] = [];
      await new Promise<void>((resolve) => {
        const timer = new Alarm(() => {
          expect(now() - timer.startedMs!).toBeGreaterThanOrEqual(durationMs);
          order.push('ours');
        });
        startTimer(timer, durationMs);
        // A plain timer for the last moment that is allowed, on the same busy loop: no clock is read.
        setTimeout(
          () => {
            order.push('the last moment');
            resolve();
          },
          Math.ceil(durationMs + latenessMs(durationMs)) + 1,
        );
      });
      expect(order).toEqual(['ours', 'the last moment']);
    },
  );

  test('timers that start while others fire are neither early nor lost, and belong to no caller', async () => {
    const storage = new AsyncLocalStorage<string>();
    const early: number[] = [];
    const contexts = new Set<unknown>();
    /** One timer after another; each is started by the one before, in an async context of its own. */
    const chain = (name: string, left: number): Promise<void> =>
      new Promise((resolve) => {
        const next = (): void => {
          const durationMs = (left * 7) % 10;
          const timer = new Alarm(() => {
            if (now() - timer.startedMs! < durationMs) early.push(durationMs);
            contexts.add(storage.getStore());
            if (--left === 0) resolve();
            else storage.run(`${name}, ${left}`, next);
          });
          startTimer(timer, durationMs);
        };
        storage.run(name, next);
      });
    await Promise.all(['a', 'b', 'c', 'd'].map((name) => chain(name, 30)));
    expect(early).toEqual([]);
    // A timer of the platform serves many callers.
    expect([...contexts]).toEqual([undefined]);
  });
});

describe('a timer that shares nothing', () => {
  /** As the module is used where timers belong to requests. */
  const beginOwn = (platform: Platform, { startOwnTimer }: Timers, durationMs: number) =>
    begin(platform, { startTimer: startOwnTimer } as Timers, durationMs);

  test('has a platform timer of its own, though others have the same duration', async () => {
    const platform = new Platform();
    const timers = await on(platform);
    const [one, two] = [beginOwn(platform, timers, 50), beginOwn(platform, timers, 50)];
    expect(platform.pending.size).toBe(2);
    platform.advance(49.999);
    expect([...one.firedAt, ...two.firedAt]).toEqual([]);
    platform.advance(0.001);
    expect([...one.firedAt, ...two.firedAt]).toEqual([1_050.25, 1_050.25]);
    platform.advance(1_000);
    expect(one.firedAt).toHaveLength(1);
  });

  test('that is stopped leaves no platform timer behind', async () => {
    const platform = new Platform();
    beginOwn(platform, await on(platform), 50).stop();
    expect(platform.pending.size).toBe(0);
  });

  test('that is stopped never fires, also where its platform timer is not to be cleared: it is that of another request', async () => {
    const platform = new Platform();
    const timers = await on(platform);
    platform.clearTimer = () => {};
    const timer = beginOwn(platform, timers, 50);
    timer.stop();
    timers.startOwnTimer(timer.timer, 100);
    platform.advance(99);
    expect(timer.firedAt).toEqual([]);
    platform.advance(1);
    expect(timer.firedAt).toEqual([1_100.25]);
  });

  test.each([50, 2 ** 31, 2 ** 32 + 5])('is neither early nor late: %d ms', async (ms) => {
    const platform = new Platform();
    const timers = await on(platform);
    platform.earlyMs = 0.75;
    const timer = beginOwn(platform, timers, ms);
    platform.advance(ms - 0.001);
    expect(timer.firedAt).toEqual([]);
    platform.advance(latenessMs(ms));
    expect(timer.firedAt).toHaveLength(1);
  });
});

describe.concurrent('a process', { timeout: 30_000 }, () => {
  test('ends at once when only released timers are left', async () => {
    const { code, said } = await run(({ clock, Timer, say }) => {
      class Late extends Timer {
        fire(): void {
          say('fired');
        }
      }
      for (const durationMs of [3_600_000, 7_200_000]) {
        const timer = new Late();
        clock.start(timer, durationMs);
        timer.leave();
      }
      say('end of the program');
    });
    expect({ code, said }).toEqual({ code: 0, said: ['end of the program'] });
  });

  test('stays open while one is pending, in a list that was released before too', async () => {
    const { code, said } = await run(({ clock, Timer, say }) => {
      class Late extends Timer {
        fire(): void {
          say('fired');
        }
      }
      const [one, two] = [new Late(), new Late()];
      clock.start(one, 50);
      one.leave();
      clock.start(two, 50);
      say('end of the program');
    });
    expect({ code, said }).toEqual({ code: 0, said: ['end of the program', 'fired'] });
  });
});
