import * as fc from 'fast-check';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { clock, systemClock, Timer } from '../foundation/index.ts';
import { scope } from '../scope/index.ts';
import { virtualTime, type VirtualTime } from './virtual-time.ts';

class Alarm extends Timer {
  readonly fire: () => void;

  constructor(fire: () => void) {
    super();
    this.fire = fire;
  }
}

/** Starts a timer on the clock in force. */
function begin(durationMs: number, fire: () => void = () => {}): Alarm {
  const alarm = new Alarm(fire);
  clock.start(alarm, durationMs);
  return alarm;
}

const rejection = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => expect.unreachable('it was fulfilled'),
    (error: unknown) => error,
  );

/** What a call throws, before it returns a promise. */
function thrown(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  return expect.unreachable('it returned');
}

afterEach(() => {
  vi.useRealTimers();
});

describe('virtualTime', () => {
  test('returns what its body returned', async () => {
    expect(await virtualTime(() => 'at once')).toBe('at once');
    expect(await virtualTime({ seed: 7 }, async () => 'later')).toBe('later');
  });

  test('fails as its body failed, with the same error', async () => {
    const error = new Error('body');
    const fail = (): never => {
      throw error;
    };
    expect(await rejection(virtualTime(fail))).toBe(error);
    expect(await rejection(virtualTime(async () => fail()))).toBe(error);
  });

  test('gives the clock back at its end, however it ends', async () => {
    await virtualTime(() => expect(clock).not.toBe(systemClock));
    expect(clock).toBe(systemClock);
    await rejection(virtualTime(() => Promise.reject(new Error('body'))));
    expect(clock).toBe(systemClock);
    await rejection(virtualTime(() => void begin(50)));
    expect(clock).toBe(systemClock);
    thrown(() => virtualTime({ seed: NaN }, () => {}));
    expect(clock).toBe(systemClock);
  });

  test('starts at 0 and stands still until told otherwise, whatever happens meanwhile', async () => {
    await virtualTime(async (time) => {
      expect(time.now()).toBe(0);
      await new Promise((resolve) => setTimeout(resolve, 5));
      expect(time.now()).toBe(0);
      expect(clock.now()).toBe(0);
      await time.advance(250);
      expect(time.now()).toBe(250);
      expect(clock.now()).toBe(250);
    });
  });

  test('is the time of the scopes inside: sleeps, deadlines, what is left', async () => {
    await virtualTime(async (time) => {
      const call = scope({ timeout: '1m' }, async (s) => {
        await s.sleep('10s');
        return [time.now(), s.timeLeft(), s.deadline];
      });
      await time.advance('10s');
      expect(await call).toEqual([10_000, 50_000, 60_000]);
    });
  });

  test('passes hours and years in no time', async () => {
    await virtualTime(async (time) => {
      const call = scope((s) => s.sleep('365d'));
      await time.advance('400d');
      await call;
      expect(time.now()).toBe(400 * 86_400_000);
    });
  });

  test('leaves work that was started before on its real timers', async () => {
    const before = scope((s) => s.sleep(20));
    await virtualTime(async (time) => {
      expect(time.pending).toBe(0);
      await before;
      expect(time.now()).toBe(0);
    });
  });

  test('lets a timer that was started before be stopped inside', async () => {
    const fired = vi.fn<() => void>();
    const timer = begin(1, fired);
    await virtualTime(() => timer.leave());
    await scope((s) => s.sleep(5));
    expect(fired).not.toHaveBeenCalled();
  });

  test('lets a timer of its own be stopped after the end', async () => {
    let timer: Timer | undefined;
    const error = await rejection(virtualTime(() => void (timer = begin(50))));
    expect(error).toBeInstanceOf(Error);
    timer?.leave();
    timer?.leave();
  });

  test("leaves the platform's own timers and date alone", async () => {
    await virtualTime(async (time) => {
      const real = vi.fn<() => void>();
      setTimeout(real, 1);
      await time.advance('1h');
      expect(Math.abs(Date.now() - systemClock.wallNow())).toBeLessThan(1_000);
      await vi.waitFor(() => expect(real).toHaveBeenCalledTimes(1));
    });
  });

  test("works when a test runner's fake timers are installed", async () => {
    vi.useFakeTimers();
    const fake = vi.fn<() => void>();
    setTimeout(fake, 1_000);
    await virtualTime(async (time) => {
      const call = scope((s) => s.sleep('1h').then(() => 'slept'));
      await time.advance('1h');
      expect(await call).toBe('slept');
    });
    expect(fake).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(fake).toHaveBeenCalledTimes(1);
  });
});

describe('advance', () => {
  test('fires what falls due by then, each exactly when due, and nothing later', async () => {
    await virtualTime(async (time) => {
      const fired: number[] = [];
      const timers = [300, 100.25, 200, 300.001].map((ms) => begin(ms, () => fired.push(time.now())));
      await time.advance(300);
      expect(fired).toEqual([100.25, 200, 300]);
      timers[3]?.leave();
    });
  });

  test('fires in the order of due times, and of age where those are equal', async () => {
    await virtualTime(async (time) => {
      const order: string[] = [];
      const note = (name: string) => () => order.push(name);
      begin(100, note('100, first'));
      begin(50, note('50'));
      begin(100, note('100, second'));
      await time.advance(50);
      begin(50, note('100, third'));
      begin(0, note('50, later'));
      await time.advance(50);
      expect(order).toEqual(['50', '50, later', '100, first', '100, second', '100, third']);
    });
  });

  test('fires timers that are started meanwhile, if they fall due by then', async () => {
    await virtualTime(async (time) => {
      const fired: number[] = [];
      let late: Timer | undefined;
      begin(100, () => {
        fired.push(time.now());
        begin(0, () => fired.push(time.now()));
        begin(100, () => fired.push(time.now()));
        late = begin(101, () => fired.push(time.now()));
      });
      await time.advance(200);
      expect(fired).toEqual([100, 100, 200]);
      late?.leave();
    });
  });

  test('does not fire what was stopped, by the test or by another timer', async () => {
    await virtualTime(async (time) => {
      const fired = vi.fn<() => void>();
      begin(10, fired).leave();
      const [one, two] = [begin(30, fired), begin(20, fired)];
      begin(10, () => [one, two].forEach((timer) => timer.leave()));
      await time.advance(100);
      expect(fired).not.toHaveBeenCalled();
    });
  });

  test('takes a timer that was stopped and started again for a new one', async () => {
    await virtualTime(async (time) => {
      const fired: number[] = [];
      const timer = begin(10, () => fired.push(time.now()));
      await time.advance(5);
      timer.leave();
      clock.start(timer, 10);
      expect(timer.startedMs).toBe(5);
      expect(time.pending).toBe(1);
      await time.advance(5);
      expect(fired).toEqual([]);
      await time.advance(5);
      expect(fired).toEqual([15]);
    });
  });

  test('gives what already runs its turn first', async () => {
    await virtualTime(async (time) => {
      const call = scope(async (s) => {
        for (let i = 0; i < 1_000; i++) await Promise.resolve();
        await s.sleep(10);
        return time.now();
      });
      await time.advance(10);
      expect(await call).toBe(10);
    });
  });

  test('lets promises run until they are quiet after each timer, before the next one', async () => {
    await virtualTime(async (time) => {
      const order: string[] = [];
      const chain = async (name: string): Promise<void> => {
        for (let depth = 0; depth < 1_000; depth++) await Promise.resolve();
        order.push(`${name}, 1000 deep`);
      };
      // Both fall due at the same moment.
      begin(10, () => void chain('first'));
      begin(10, () => void order.push('second fired'));
      await time.advance(10);
      expect(order).toEqual(['first, 1000 deep', 'second fired']);
    });
  });

  test('lets promises run after the last timer too: what they did is done', async () => {
    await virtualTime(async (time) => {
      let done = false;
      void scope(async (s) => {
        await s.sleep(10);
        for (let depth = 0; depth < 100; depth++) await Promise.resolve();
        done = true;
      });
      await time.advance(10);
      expect(done).toBe(true);
    });
  });

  test('by nothing lets promises run, and fires what is due now', async () => {
    await virtualTime(async (time) => {
      const fired = vi.fn<() => void>();
      begin(0, fired);
      await time.advance(0);
      expect(fired).toHaveBeenCalledTimes(1);
      expect(time.now()).toBe(0);
    });
  });

  test('takes durations as people write them, and adds up', async () => {
    await virtualTime(async (time) => {
      await time.advance('1.5s');
      await time.advance(0.5);
      await time.advance('1m');
      expect(time.now()).toBe(61_500.5);
    });
  });

  test('reaches listeners of native signals, and what they start', async () => {
    await virtualTime(async (time) => {
      const call = scope({ timeout: 50, name: 'load' }, async (s) => {
        const derived = AbortSignal.any([s.signal]);
        await new Promise((resolve) => derived.addEventListener('abort', resolve));
        await scope((other) => other.sleep(10));
        return [time.now(), derived.reason as unknown];
      });
      await time.advance(60);
      expect(await call).toEqual([60, expect.objectContaining({ code: 'TIMEOUT', of: 'load' })]);
    });
  });

  test('shows its moment to the wall clock as well', async () => {
    await virtualTime({ date: '2030-01-01T00:00:00Z' }, async (time) => {
      const seen: string[] = [];
      begin(3_600_000, () => seen.push(new Date(clock.wallNow()).toISOString()));
      await time.advance('1d');
      expect(seen).toEqual(['2030-01-01T01:00:00.000Z']);
      expect(new Date(clock.wallNow()).toISOString()).toBe('2030-01-02T00:00:00.000Z');
    });
  });

  test.each(['5', -1, NaN, '2 s', undefined])('refuses %j, and time can still be advanced', async (bad) => {
    await virtualTime(async (time) => {
      expect(thrown(() => time.advance(bad as number))).toMatchObject({ code: 'BAD_OPTION', given: bad });
      await time.advance(10);
      expect(time.now()).toBe(10);
    });
  });

  test('refuses a time that does not end', async () => {
    await virtualTime((time) => {
      expect(thrown(() => time.advance(Infinity))).toMatchObject({
        code: 'BAD_OPTION',
        option: 'advance',
        given: Infinity,
        expected: 'a duration that ends (runAll goes on until no timer is left)',
      });
    });
  });

  test('behaves as a sorted list does, whatever is started, stopped and let pass', async () => {
    const step = fc.oneof(
      fc.record({ start: fc.constantFrom(0, 1, 5, 5, 10, 50) }),
      fc.record({ stop: fc.nat() }),
      fc.record({ pass: fc.nat(20) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), (steps) =>
        virtualTime(async (time) => {
          const started: Alarm[] = [];
          const fired: [number, number][] = [];
          const expected: [number, number][] = [];
          let model: { dueMs: number; at: number }[] = [];
          const passTo = (untilMs: number): void => {
            const due = model.filter(({ dueMs }) => dueMs <= untilMs).sort((a, b) => a.dueMs - b.dueMs || a.at - b.at);
            model = model.filter((it) => !due.includes(it));
            for (const { at, dueMs } of due) expected.push([at, dueMs]);
          };
          for (const it of steps) {
            if ('start' in it) {
              const at = started.length;
              model.push({ dueMs: time.now() + it.start, at });
              started.push(begin(it.start, () => fired.push([at, time.now()])));
            } else if ('stop' in it) {
              const at = it.stop % (started.length || 1);
              started[at]?.leave();
              model = model.filter((other) => other.at !== at);
            } else {
              passTo(time.now() + it.pass);
              await time.advance(it.pass);
            }
            expect(fired).toEqual(expected);
            expect(time.pending).toBe(model.length);
          }
          passTo(Infinity);
          await time.runAll();
          expect(fired).toEqual(expected);
        }),
      ),
      { numRuns: 60 },
    );
  });
});

describe('runAll', () => {
  test('lets time pass until no timer is left', async () => {
    await virtualTime(async (time) => {
      const call = scope(async (s) => {
        await s.sleep('1h');
        await s.sleep('2h');
        return time.now();
      });
      await time.runAll();
      expect(await call).toBe(3 * 3_600_000);
      expect(time.now()).toBe(3 * 3_600_000);
      expect(time.pending).toBe(0);
    });
  });

  test('with nothing to wait for lets promises run and leaves the time as it is', async () => {
    await virtualTime(async (time) => {
      await time.advance(5);
      let ran = false;
      void Promise.resolve().then(() => (ran = true));
      await time.runAll();
      expect(ran).toBe(true);
      expect(time.now()).toBe(5);
    });
  });

  test('leaves timers that will never fall due', async () => {
    await virtualTime(async (time) => {
      const fired = vi.fn<() => void>();
      const never = begin(Infinity, fired);
      begin(10);
      await time.runAll();
      expect(time.now()).toBe(10);
      expect(time.pending).toBe(1);
      expect(fired).not.toHaveBeenCalled();
      never.leave();
    });
  });

  test('leaves time where it was, not at the end of it', async () => {
    await virtualTime(async (time) => {
      begin(10);
      await time.runAll();
      await time.runAll();
      begin(10);
      await time.runAll();
      expect(time.now()).toBe(20);
    });
  });
});

describe('a million timers', () => {
  /** The module without a turn of the event loop for each timer: a third of the time. */
  async function quick() {
    vi.doMock('../foundation/system.ts', async (original) => ({
      ...(await original<typeof import('../foundation/system.ts')>()),
      nextTurn: () => Promise.resolve(),
    }));
    vi.resetModules();
    const foundation = await import('../foundation/index.ts');
    const { virtualTime } = await import('./virtual-time.ts');
    vi.doUnmock('../foundation/system.ts');
    vi.resetModules();
    /** Starts itself again and again. */
    class Repeating extends foundation.Timer {
      readonly everyMs: number;

      constructor(everyMs: number) {
        super();
        this.everyMs = everyMs;
        this.fire();
      }

      fire(): void {
        foundation.clock.start(this, this.everyMs);
      }
    }
    return { virtualTime, Repeating };
  }

  const refusal = new Error(
    'virtualTime: 1000000 timers have fired and there are more: something starts timers for ever',
  );

  test('end runAll: something starts them for ever', async () => {
    const { virtualTime, Repeating } = await quick();
    await virtualTime(async (time) => {
      const timer = new Repeating(1);
      expect(await rejection(time.runAll())).toEqual(refusal);
      // Time can still be advanced.
      await time.advance(5);
      expect(time.now()).toBe(1_000_006);
      timer.leave();
    });
  });

  test('end advance if they fire at one instant, which then never ends; not if time passes', async () => {
    const { virtualTime, Repeating } = await quick();
    await virtualTime(async (time) => {
      const passing = new Repeating(1);
      await time.advance(1_000_010);
      passing.leave();
      expect(time.now()).toBe(1_000_010);
      const standing = new Repeating(0);
      expect(await rejection(time.advance(1))).toEqual(refusal);
      expect(time.now()).toBe(1_000_010);
      standing.leave();
    });
  });
});

describe('pending', () => {
  test('is the number of timers that have neither fired nor been stopped', async () => {
    await virtualTime(async (time) => {
      expect(time.pending).toBe(0);
      const [one] = [begin(10), begin(20), begin(30)];
      expect(time.pending).toBe(3);
      one?.leave();
      one?.leave();
      expect(time.pending).toBe(2);
      await time.advance(20);
      expect(time.pending).toBe(1);
      await time.runAll();
      expect(time.pending).toBe(0);
    });
  });

  test('counts what scopes wait for', async () => {
    await virtualTime(async (time) => {
      const call = scope({ timeout: '1s' }, (s) => s.sleep('5ms'));
      await time.advance(0);
      expect(time.pending).toBe(2);
      await time.runAll();
      await call;
      expect(time.pending).toBe(0);
    });
  });
});

describe('timers that were stopped', () => {
  test('take no room, however many they are', async () => {
    await virtualTime(async (time) => {
      const { queue } = clock as unknown as { queue: { size: number } };
      const kept = [begin(500_000), begin(600_000)];
      let most = 0;
      for (let i = 0; i < 100_000; i++) {
        begin(i).leave();
        most = Math.max(most, queue.size);
      }
      expect(most).toBeLessThan(100);
      // A hundred thousand at once, and then none: it shrinks as well.
      const many = Array.from({ length: 100_000 }, (_, i) => begin(1_000 + i));
      expect(time.pending).toBe(100_002);
      for (const timer of many) timer.leave();
      expect(time.pending).toBe(2);
      expect(queue.size).toBeLessThan(100);
      await time.runAll();
      expect(time.now()).toBe(600_000);
      expect(kept.every((timer) => timer.list === null)).toBe(true);
    });
  });
});

describe('the seed', () => {
  const draw = (options: { seed?: number | string }): Promise<number[]> =>
    virtualTime(options, () => Array.from({ length: 5 }, () => clock.random()));

  test('brings the same random numbers back', async () => {
    expect(await draw({ seed: 7 })).toEqual(await draw({ seed: 7 }));
    expect(await draw({ seed: '3c63419' })).toEqual(await draw({ seed: '3c63419' }));
    expect(await draw({ seed: 7 })).not.toEqual(await draw({ seed: 8 }));
  });

  test('is 1 unless given', async () => {
    expect(await draw({})).toEqual(await draw({ seed: 1 }));
    expect(await virtualTime(() => clock.random())).toBe((await draw({ seed: 1 }))[0]);
  });

  test.each([0, -1, 0.5, '', 'any text'])('may be %j', async (seed) => {
    expect((await draw({ seed })).every((n) => n >= 0 && n < 1)).toBe(true);
  });

  test.each([NaN, Infinity, null, {}, true, 5n, Symbol('seed')])('may not be %o', (seed) => {
    expect(thrown(() => draw({ seed: seed as unknown as number }))).toMatchObject({
      code: 'BAD_OPTION',
      option: 'seed',
      given: seed,
      expected: 'a number or a text',
    });
  });
});

describe('the date', () => {
  const begins = (options: { date?: Date | string | number }): Promise<number> =>
    virtualTime(options, () => clock.wallNow());

  test.each([
    ['text', '2031-02-03T04:05:06Z'],
    ['a Date', new Date('2031-02-03T04:05:06Z')],
    ['milliseconds since 1970', Date.UTC(2031, 1, 3, 4, 5, 6)],
  ])('may be %s', async (_, date) => {
    expect(await begins({ date })).toBe(Date.UTC(2031, 1, 3, 4, 5, 6));
  });

  test('is the beginning of 2030 unless given', async () => {
    expect(await begins({})).toBe(Date.UTC(2030));
  });

  test.each(['no date', '', NaN, new Date(NaN), null, {}, [2030], true, 5n, Symbol('date')])(
    'may not be %o',
    (date) => {
      expect(thrown(() => begins({ date: date as string }))).toMatchObject({
        code: 'BAD_OPTION',
        option: 'date',
        given: date,
        expected: 'a date',
      });
    },
  );
});

describe('what is refused', () => {
  test('timers that are still pending when the body has returned: they would never fire', async () => {
    const one = await rejection(virtualTime(() => void begin(50)));
    expect(one).toEqual(
      new Error(
        'virtualTime: the body has returned, but 1 timer, due at 50 ms: they would never fire; await what started them, or runAll()',
      ),
    );
    const some = await rejection(
      virtualTime(async (time) => {
        for (const ms of [300, 100, 20, 200, Infinity]) begin(ms);
        await time.advance(50);
      }),
    );
    expect(some).toMatchObject({ message: expect.stringContaining('4 timers, due at 100, 200, 300, Infinity ms:') });
    const many = await rejection(virtualTime(() => [6, 5, 4, 3, 2, 1].forEach((ms) => begin(ms))));
    expect(many).toMatchObject({ message: expect.stringContaining('6 timers, due at 1, 2, 3, 4, 5, … ms:') });
    const five = await rejection(virtualTime(() => [5, 4, 3, 2, 1].forEach((ms) => begin(ms))));
    expect(five).toMatchObject({ message: expect.stringContaining('5 timers, due at 1, 2, 3, 4, 5 ms:') });
  });

  test('not timers that end in the turn after: what the body settled last may still end them', async () => {
    await virtualTime(async () => {
      void scope(async (s) => {
        void s.go((child) => child.sleep('1h')).catch(() => {});
        await Promise.resolve();
        s.cancel();
      }).catch(() => {});
    });
  });

  test("not the body's own error for the timers it left", async () => {
    const error = new Error('body');
    const body = (): never => {
      begin(50);
      throw error;
    };
    expect(await rejection(virtualTime(body))).toBe(error);
  });

  test('a second one meanwhile, inside or beside; the first goes on', async () => {
    const refusal = new Error('virtualTime: already on virtual time; there is one clock, so one at a time');
    const nested = vi.fn<() => void>();
    const first = virtualTime({ seed: 5 }, async (time) => {
      expect(thrown(() => virtualTime(nested))).toEqual(refusal);
      await time.advance(10);
      expect(clock.now()).toBe(10);
      return 'first';
    });
    expect(thrown(() => virtualTime(nested))).toEqual(refusal);
    expect(await first).toBe('first');
    expect(nested).not.toHaveBeenCalled();
    expect(await virtualTime(() => 'after')).toBe('after');
  });

  test('to advance while time is passing already, from outside or by a timer', async () => {
    await virtualTime(async (time) => {
      const refusal = new Error('virtualTime: time is already passing; await the earlier advance() or runAll() first');
      const inside: Promise<unknown>[] = [];
      begin(5, () => inside.push(rejection(time.advance(1)), rejection(time.runAll())));
      const first = time.advance(10);
      expect(await rejection(time.advance(10))).toEqual(refusal);
      expect(await rejection(time.runAll())).toEqual(refusal);
      await first;
      expect(time.now()).toBe(10);
      expect(await Promise.all(inside)).toEqual([refusal, refusal]);
      await time.advance(10);
      expect(time.now()).toBe(20);
    });
  });

  test('to advance after the end', async () => {
    const time = await virtualTime((time) => time);
    const refusal = new Error('virtualTime: it has ended; time can only be advanced inside its body');
    expect(await rejection(time.advance(1))).toEqual(refusal);
    expect(await rejection(time.runAll())).toEqual(refusal);
    await virtualTime(async (other: VirtualTime) => {
      expect(await rejection(time.advance(1))).toEqual(refusal);
      expect(other.now()).toBe(0);
    });
  });

  test.each([
    ['no body', [], 'an object with options'],
    ['options without a body', [{ seed: 1 }], 'a function'],
    ['an unknown option', [{ sed: 1 }, () => {}], 'an option of virtualTime: seed, date'],
  ])('%s', (_, args, expected) => {
    const call = virtualTime as unknown as (...args: unknown[]) => Promise<unknown>;
    expect(thrown(() => call(...args))).toMatchObject({ code: 'BAD_OPTION', expected });
  });
});
