import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { run, start } from '../../test/child.ts';
import { addSuppressed, clearTimer, setTimer } from '../foundation/index.ts';
import { scope, type Scope } from '../scope/index.ts';
import { virtualTime } from '../testing/index.ts';
import { runMain } from './run-main.ts';

/** The timers that this process is given after the end of a `runMain` in it. All others here are on virtual time. */
vi.mock('../foundation/system.ts', async (original) => ({
  ...(await original<typeof import('../foundation/system.ts')>()),
  setTimer: vi.fn<typeof setTimer>(),
  clearTimer: vi.fn<typeof clearTimer>(),
}));

describe.concurrent('the process of a program', { timeout: 30_000 }, () => {
  test('ends with 0 when the body returned, at once, whatever the grace, and prints nothing', async () => {
    const ended = await run(async ({ runMain, say }) => {
      await runMain({ grace: '1h' }, (s) => {
        s.defer(() => say('cleaned up'));
        say('body');
        return 'a result';
      });
      say(`listeners: ${process.listenerCount('SIGINT') + process.listenerCount('SIGTERM')}`);
    });
    expect(ended).toEqual({ code: 0, signal: null, said: ['body', 'cleaned up', 'listeners: 0'], errors: '' });
  });

  test('keeps the exit code that the body has set', async () => {
    const { code } = await run(({ runMain }) => runMain(() => void (process.exitCode = 3)));
    expect(code).toBe(3);
  });

  test('ends with 1 when the body failed, and prints the error and all that it suppressed', async () => {
    const { code, said, errors } = await run(async ({ runMain, say }) => {
      await runMain((s) => {
        s.defer(() => {
          throw new RangeError('close failed');
        });
        s.defer(() => {
          throw new Error('flush failed');
        });
        throw new TypeError('load failed', { cause: new Error('no such file') });
      });
      say('runMain does not reject');
    });
    expect(code).toBe(1);
    expect(said).toEqual(['runMain does not reject']);
    expect(errors).toMatch(/^holdfast: main failed: TypeError: load failed\n {4}at /);
    expect(errors).toContain('[cause]: Error: no such file');
    const besides = errors.split('\n').filter((line) => line.includes('besides: '));
    expect(besides).toEqual([
      'holdfast:   besides: Error: flush failed',
      'holdfast:   besides: RangeError: close failed',
    ]);
  });

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)(
    'ends after %s with %d: the body is cancelled and cleaned up, nothing is printed',
    async (signal, code) => {
      const child = start(({ runMain, say }) =>
        runMain(async (s) => {
          s.defer((exit) => say(`cleaned up, cancelled: ${exit.cancelled}`));
          say('ready');
          await s.sleep(Infinity).catch((error: unknown) => {
            say(error);
            throw error;
          });
        }),
      );
      await child.says('ready');
      child.send(signal);
      const { said, ...ended } = await child.ended;
      expect(ended).toEqual({ code, signal: null, errors: '' });
      expect(said[1]).toMatch(`${signal} was received`);
      expect(said.at(-1)).toBe('cleaned up, cancelled: true');
    },
  );

  test('ends after a signal with its code though the body returned: it was told to end, and did', async () => {
    const child = start(({ runMain, say }) =>
      runMain(async (s) => {
        say('ready');
        await s.sleep(Infinity).catch(() => {});
        return 'stopped in good order';
      }),
    );
    await child.says('ready');
    child.send('SIGTERM');
    expect(await child.ended).toMatchObject({ code: 143, errors: '' });
  });

  test('ends with 1 when the body answered the signal with an error of its own', async () => {
    const child = start(({ runMain, say }) =>
      runMain(async (s) => {
        say('ready');
        await s.sleep(Infinity).catch(() => {
          throw new Error('the answer');
        });
      }),
    );
    await child.says('ready');
    child.send('SIGINT');
    const { code, errors } = await child.ended;
    expect(code).toBe(1);
    expect(errors).toMatch(/^holdfast: main failed: Error: the answer\n/);
  });

  test('lets cleanups finish after a signal: it does not reach them within the grace', async () => {
    const child = start(({ runMain, say }) =>
      runMain({ grace: '1h' }, async (s) => {
        s.defer(async () => {
          await s.sleep(50);
          say(`second cleanup, aborted: ${s.signal.aborted}`);
        });
        s.defer(async () => {
          await s.sleep(50);
          say(`first cleanup, aborted: ${s.signal.aborted}`);
        });
        say('ready');
        await s.sleep(Infinity);
      }),
    );
    await child.says('ready');
    child.send('SIGTERM');
    expect(await child.ended).toEqual({
      code: 143,
      signal: null,
      said: ['ready', 'first cleanup, aborted: false', 'second cleanup, aborted: false'],
      errors: '',
    });
  });

  test('finishes its cleanups when the signal comes during one, and ends with the code of the signal', async () => {
    const child = start(({ runMain, say }) =>
      runMain({ grace: '1h' }, (s) => {
        s.defer(() => say(`last cleanup, aborted: ${s.signal.aborted}`));
        s.defer(async () => {
          const hold = setInterval(() => {}, 1_000);
          process.once('SIGINT', () => clearInterval(hold));
          const signalled = new Promise((resolve) => process.once('SIGINT', resolve));
          say('cleaning up');
          await signalled;
          await s.sleep(20);
          say(`cleaned up, aborted: ${s.signal.aborted}`);
        });
      }),
    );
    await child.says('cleaning up');
    child.send('SIGINT');
    expect(await child.ended).toEqual({
      code: 130,
      signal: null,
      said: ['cleaning up', 'cleaned up, aborted: false', 'last cleanup, aborted: false'],
      errors: '',
    });
  });

  test('prints what failed in cleanups after a signal, and keeps the code of the signal', async () => {
    const child = start(({ runMain, say }) =>
      runMain(async (s) => {
        s.defer(() => {
          throw new Error('close failed');
        });
        say('ready');
        await s.sleep(Infinity);
      }),
    );
    await child.says('ready');
    child.send('SIGTERM');
    const { code, errors } = await child.ended;
    expect(code).toBe(143);
    expect(errors).toMatch(/^holdfast: SIGTERM was received; besides:\nholdfast: {3}besides: Error: close failed\n/);
    expect(errors).not.toContain('AbortError');
  });

  test('names what still runs when the grace is over, aborts the cleanups that run, and exits', async () => {
    const child = start(({ runMain, scope, say }) =>
      runMain({ grace: '50ms' }, async (s) => {
        const never = new Promise<void>(() => {});
        void s.go((worker) => {
          void scope({ signal: worker, name: 'stubborn' }, () => never);
          return never;
        });
        void s.go((worker) => {
          worker.defer(async () => {
            say('the cleanup waits');
            await worker.sleep(Infinity).catch((error: unknown) => say(`the cleanup was told: ${String(error)}`));
          });
        });
        void scope({ signal: s, name: 'quick' }, () => s.sleep(Infinity)).catch(() => {});
        void s.go(() => never);
        setTimeout(() => say('ready'));
        await never;
      }),
    );
    await child.says('the cleanup waits');
    await child.says('ready');
    child.send('SIGTERM');
    const { code, said, errors } = await child.ended;
    expect(code).toBe(143);
    expect(errors).toBe(
      'holdfast: 50 ms after SIGTERM these have not ended: scope "main" (running), a scope without a name (running), ' +
        'a scope without a name (cleaning up), a scope without a name (running), scope "stubborn" (running). Exiting.\n',
    );
    expect(said).toContain('the cleanup was told: AbortError: The grace after SIGTERM is over');
  });

  test('exits at once on a second signal, with the code of that one', async () => {
    const child = start(({ runMain, say }) =>
      runMain({ grace: '1h' }, async (s) => {
        s.defer(async () => {
          say('cleaning up');
          await s.sleep('1h');
          say('cleaned up');
        });
        say('ready');
        await s.sleep(Infinity);
      }),
    );
    await child.says('ready');
    child.send('SIGTERM');
    await child.says('cleaning up');
    child.send('SIGINT');
    expect(await child.ended).toEqual({ code: 130, signal: null, said: ['ready', 'cleaning up'], errors: '' });
  });

  test('exits when something outside holds it open for the grace after the end, and names it', async () => {
    const { code, errors } = await run(async ({ runMain, say }) => {
      setInterval(() => {}, 3_600_000);
      await runMain({ grace: 50 }, () => 'a result');
      say('the scope has ended');
    });
    expect(code).toBe(0);
    expect(errors).toMatch(
      /^holdfast: main ended 50 ms ago, but the process is kept open by: .*\bTimeout\b.*\. Exiting\.\n$/,
    );
  });

  test('exits so with 1 when the body had failed', async () => {
    const { code, errors } = await run(({ runMain }) => {
      setInterval(() => {}, 3_600_000);
      return runMain({ grace: 50 }, () => Promise.reject(new Error('failed')));
    });
    expect(code).toBe(1);
    expect(errors).toMatch(/^holdfast: main failed: Error: failed\n/);
    expect(errors).toMatch(/\nholdfast: main ended 50 ms ago, .* Exiting\.\n$/);
  });

  test('ends with 1 when nothing is left that could wake the body, which is named, cancelled and cleaned up', async () => {
    const { code, said, errors } = await run(({ runMain, scope, say }) =>
      runMain(async (s) => {
        s.defer((exit) => say(`cleaned up, cancelled: ${exit.cancelled}`));
        await scope({ signal: s, name: 'lost' }, (lost) => {
          // Node would end the process here, with code 0 and without a word.
          return new Promise((_, reject) => lost.signal.addEventListener('abort', () => reject(lost.signal.reason)));
        });
      }),
    );
    expect(code).toBe(1);
    expect(said).toEqual(['cleaned up, cancelled: true']);
    expect(errors).toMatch(
      /^holdfast: nothing is left that could wake these: scope "main" \(running\), scope "lost" \(running\)\. Cancelled\.\n/,
    );
    expect(errors).toMatch(/\nholdfast: main failed: Error: main waits for something that cannot come\n/);
  });

  test('ends with 1 when a body that nothing can wake does not listen either: it is named once', async () => {
    const { code, said, errors } = await run(({ runMain, say }) =>
      runMain(async (s) => {
        s.defer(() => say('cleaned up'));
        await new Promise(() => {});
      }),
    );
    expect({ code, said, errors }).toEqual({
      code: 1,
      said: [],
      errors: 'holdfast: nothing is left that could wake these: scope "main" (running). Cancelled.\n',
    });
  });

  test('ends with 1 when nothing can wake a cleanup', async () => {
    const { code, errors } = await run(({ runMain }) => runMain((s) => s.defer(() => new Promise(() => {}))));
    expect(code).toBe(1);
    expect(errors).toBe('holdfast: nothing is left that could wake these: scope "main" (cleaning up). Cancelled.\n');
  });

  test('may run one after another, each with its own signals, and never two at once', async () => {
    const child = start(async ({ runMain, say }) => {
      await runMain(() => say('first'));
      const second = runMain(async (s) => {
        try {
          await runMain(() => say('not this one'));
        } catch (error) {
          say(error instanceof Error && error.message);
        }
        say('ready');
        await s.sleep(Infinity);
      });
      await second;
      say(`exit code ${String(process.exitCode)}`);
    });
    await child.says('ready');
    child.send('SIGINT');
    expect(await child.ended).toEqual({
      code: 130,
      signal: null,
      said: ['first', 'runMain: another runMain is still running; a program has one root', 'ready', 'exit code 130'],
      errors: '',
    });
  });
});

/** In this process, on virtual time: what takes the grace to happen, and what no program would be written for. */
describe('runMain', () => {
  const printed: string[] = [];
  const exit = vi.fn<(code?: number) => void>();
  const unref = vi.fn<() => void>();

  beforeEach(() => {
    printed.length = 0;
    vi.spyOn(console, 'error').mockImplementation((line: string) => void printed.push(line));
    vi.spyOn(process, 'exit').mockImplementation(exit as unknown as typeof process.exit);
    exit.mockReset();
    unref.mockReset();
    vi.mocked(setTimer).mockReset().mockReturnValue({ ref: unref, unref });
    process.exitCode = undefined;
  });
  afterEach(() => {
    vi.restoreAllMocks();
    process.exitCode = undefined;
  });

  const receive = (signal: 'SIGINT' | 'SIGTERM'): boolean => process.emit(signal, signal);
  const listeners = (): number =>
    process.listenerCount('SIGINT') + process.listenerCount('SIGTERM') + process.listenerCount('beforeExit');

  test.each([
    ['no body', [], { option: 'runMain', expected: 'an object with options' }],
    ['options without a body', [{ grace: '1s' }], { option: 'runMain', expected: 'a function' }],
    ['an unknown option', [{ grase: '1s' }, () => {}], { option: 'grase', expected: 'an option of runMain: grace' }],
    ['a grace that is no duration', [{ grace: '10' }, () => {}], { option: 'grace', given: '10' }],
    ['a negative grace', [{ grace: -1 }, () => {}], { option: 'grace', given: -1 }],
  ])('refuses %s at the call, and leaves nothing behind', (_, args, error) => {
    const before = listeners();
    const call = runMain as unknown as (...args: unknown[]) => unknown;
    expect(() => call(...args)).toThrow(expect.objectContaining({ code: 'BAD_OPTION', ...error }));
    expect(listeners()).toBe(before);
  });

  test('listens to signals and to the end of all work while its scope runs, and settles with nothing when that has ended', async () => {
    const before = listeners();
    const ended = runMain((s) => {
      expect(listeners()).toBe(before + 3);
      s.cancel(new Error('by itself'));
      s.throwIfAborted();
    });
    expect(await ended).toBeUndefined();
    expect(listeners()).toBe(before);
    expect(process.exitCode).toBe(1);
    expect(printed[0]).toMatch(/^holdfast: main failed: Error: by itself/);
  });

  test.each([
    ['10s unless given', undefined, 10_000],
    ['what is given', '2m', 120_000],
    ['nothing, if that is given', 0, 0],
  ] as const)('has a grace of %s, counted from the signal', async (_, grace, graceMs) => {
    await virtualTime(async (time) => {
      let finish = (): void => {};
      const ended = runMain({ grace }, () => new Promise<void>((resolve) => (finish = resolve)));
      await time.advance(5_000);
      receive('SIGTERM');
      if (graceMs > 0) await time.advance(graceMs - 1);
      expect(printed).toEqual([]);
      await time.advance(graceMs > 0 ? 1 : 0);
      expect(printed).toEqual([
        `holdfast: ${graceMs} ms after SIGTERM these have not ended: scope "main" (running). Exiting.`,
      ]);
      expect(exit).toHaveBeenCalledExactlyOnceWith(143);
      finish();
      await ended;
    });
  });

  test('is refused while another one runs, which is not disturbed', async () => {
    await runMain(async (s) => {
      await Promise.resolve();
      expect(() => runMain(() => {})).toThrow(
        new Error('runMain: another runMain is still running; a program has one root'),
      );
      s.throwIfAborted();
    });
    expect(process.exitCode).toBeUndefined();
  });

  test('names all that has not ended below it, linked scopes, children and cleanups, outermost first', async () => {
    await virtualTime(async (time) => {
      let finish = (): void => {};
      const finished = new Promise<void>((resolve) => (finish = resolve));
      const ended = runMain(async (s) => {
        void s.go(async (child) => {
          await scope({ signal: child, name: 'linked to the child' }, () => finished);
        });
        void scope({ signal: s.signal, name: 'linked' }, (linked) =>
          linked.defer(() => scope({ signal: linked, name: 'linked to the cleanup' }, () => finished)),
        );
        await scope({ signal: s, name: 'ended' }, () => {});
        await finished;
      });
      await time.advance(0);
      receive('SIGINT');
      await time.advance('10s');
      expect(printed).toEqual([
        'holdfast: 10000 ms after SIGINT these have not ended: scope "main" (running), a scope without a name (running), ' +
          'scope "linked" (cleaning up), scope "linked to the child" (running), scope "linked to the cleanup" (running). Exiting.',
      ]);
      finish();
      await ended;
    });
  });

  test.each([
    [20, ''],
    [21, ' and 1 more'],
    [20_000, ' and 19980 more'],
  ])('names twenty scopes at most: of %d, each in the one before', async (count, more) => {
    await virtualTime(async (time) => {
      let finish = (): void => {};
      const finished = new Promise<void>((resolve) => (finish = resolve));
      const ended = runMain((s) => {
        for (let i = 1, outer = s; i < count; i++)
          void scope({ signal: outer, name: `${i}` }, (inner) => {
            outer = inner;
            return finished;
          });
        return finished;
      });
      receive('SIGINT');
      await time.advance('10s');
      const names = Array.from({ length: 19 }, (_, i) => `, scope "${i + 1}" (running)`).join('');
      expect(printed).toEqual([
        `holdfast: 10000 ms after SIGINT these have not ended: scope "main" (running)${names}${more}. Exiting.`,
      ]);
      finish();
      await ended;
    });
  });

  test('never ends an endless grace', async () => {
    await virtualTime(async (time) => {
      let finish = (): void => {};
      const ended = runMain({ grace: Infinity }, () => new Promise<void>((resolve) => (finish = resolve)));
      receive('SIGINT');
      expect(time.pending).toBe(0);
      await time.advance('365d');
      expect(printed).toEqual([]);
      expect(exit).not.toHaveBeenCalled();
      finish();
      await ended;
      expect(process.exitCode).toBe(130);
    });
  });

  test('ends the grace with the scope: no timer is left, nothing is printed', async () => {
    await virtualTime(async (time) => {
      const ended = runMain((s) => s.sleep('1h'));
      await time.advance('1m');
      receive('SIGINT');
      await ended;
      expect(time.pending).toBe(0);
      await time.advance('1h');
      expect(exit).not.toHaveBeenCalled();
      expect(printed).toEqual([]);
      expect(process.exitCode).toBe(130);
    });
  });

  test('does not touch the exit code when nothing went wrong', async () => {
    process.exitCode = 3;
    await runMain(() => {});
    expect(process.exitCode).toBe(3);
  });

  /** An error that throws when it is shown: with this message, or with none. */
  const hostile = (message: string | null): Error =>
    Object.assign(new Error('hostile'), {
      [Symbol.for('nodejs.util.inspect.custom')]: () => {
        throw message === null ? undefined : new Error(message);
      },
    });

  const cleanups = (s: Scope): void => {
    for (const text of ['last', 'first'])
      s.defer(() => {
        throw `the ${text} cleanup failed`;
      });
  };

  test('prints what failed and what it suppressed; without a signal that is 1', async () => {
    await runMain(cleanups);
    expect(printed).toEqual(["holdfast: main failed: 'the first cleanup failed'"]);
    printed.length = 0;
    await runMain((s) => {
      cleanups(s);
      throw hostile('not to be shown');
    });
    expect(printed).toEqual([
      'holdfast: main failed: an error that cannot be shown (not to be shown)',
      "holdfast:   besides: 'the first cleanup failed'",
      "holdfast:   besides: 'the last cleanup failed'",
    ]);
    expect(process.exitCode).toBe(1);
  });

  test('prints what the suppressed ones suppressed under each, and everything once', async () => {
    const [outer, inner] = [hostile('outer'), hostile('inner')];
    addSuppressed(inner, 'innermost');
    addSuppressed(inner, outer);
    addSuppressed(outer, inner);
    addSuppressed(outer, 'last');
    await runMain(() => {
      throw outer;
    });
    expect(printed).toEqual([
      'holdfast: main failed: an error that cannot be shown (outer)',
      'holdfast:   besides: an error that cannot be shown (inner)',
      "holdfast:     besides: 'innermost'",
      "holdfast:   besides: 'last'",
    ]);
  });

  test('prints what failed after a signal, but not the signal itself, and keeps its code', async () => {
    await runMain((s) => {
      cleanups(s);
      receive('SIGTERM');
      s.throwIfAborted();
    });
    expect(printed).toEqual([
      'holdfast: SIGTERM was received; besides:',
      "holdfast:   besides: 'the first cleanup failed'",
      "holdfast:   besides: 'the last cleanup failed'",
    ]);
    expect(process.exitCode).toBe(143);
  });

  test('cancels a body that nothing can wake, and ends with 1 even if the body then returns', async () => {
    let reason: unknown;
    const ended = runMain(async (s) => {
      await new Promise((resolve) => s.signal.addEventListener('abort', resolve));
      reason = s.signal.reason;
    });
    const onIdle = process.listeners('beforeExit').at(-1);
    onIdle?.(0);
    await ended;
    expect(reason).toEqual(new Error('main waits for something that cannot come'));
    expect(printed).toEqual(['holdfast: nothing is left that could wake these: scope "main" (running). Cancelled.']);
    expect(process.exitCode).toBe(1);
  });

  test("ends with 1 when the body's answer to a signal is its own error", async () => {
    await runMain(() => {
      receive('SIGTERM');
      throw hostile('not to be shown');
    });
    expect(printed).toHaveLength(1);
    expect(process.exitCode).toBe(1);
  });

  test('cancels with an AbortError that names the signal, and exits at once on a second one', async () => {
    const order: unknown[] = [];
    exit.mockImplementation((code) => void order.push(`exit ${code}`));
    await runMain((s) => {
      receive('SIGTERM');
      order.push(s.signal.reason);
      receive('SIGINT');
      order.push('the body goes on, as this exit is none');
    });
    expect(order).toEqual([
      expect.objectContaining({ name: 'AbortError', message: 'SIGTERM was received' }),
      'exit 130',
      'the body goes on, as this exit is none',
    ]);
  });

  test('lets a cleanup hear that the grace is over, and have one turn, before the exit', async () => {
    await virtualTime(async (time) => {
      const order: string[] = [];
      exit.mockImplementation((code) => void order.push(`exit ${code}`));
      const ended = runMain((s) => {
        s.defer(async () => {
          await s.sleep(Infinity).catch((error: unknown) => order.push(String(error)));
          await Promise.resolve();
          order.push('cleaned up');
        });
      });
      await time.advance(0);
      receive('SIGINT');
      await time.advance('10s');
      await ended;
      expect(order).toEqual(['AbortError: The grace after SIGINT is over', 'cleaned up', 'exit 130']);
    });
  });

  test.each([
    ['undefined', undefined, 'undefined'],
    ['text', 'no error', "'no error'"],
    [
      'an error that throws when it is shown',
      hostile('not to be shown'),
      'an error that cannot be shown (not to be shown)',
    ],
    ['an error that throws nothing when it is shown', hostile(null), 'an error that cannot be shown (undefined)'],
  ])('prints whatever was thrown: %s', async (_, thrown, shown) => {
    await runMain(() => {
      throw thrown;
    });
    expect(printed).toEqual([`holdfast: main failed: ${shown}`]);
    expect(process.exitCode).toBe(1);
  });

  test('watches what holds the process open after the end, for the grace, without holding it open itself', async () => {
    await runMain({ grace: '3s' }, () => 'a result');
    expect(setTimer).toHaveBeenCalledExactlyOnceWith(expect.any(Function), 3_000);
    expect(unref).toHaveBeenCalledTimes(1);
    expect(exit).not.toHaveBeenCalled();
    vi.spyOn(process, 'getActiveResourcesInfo').mockReturnValue(['TCPServerWrap', 'Timeout']);
    vi.mocked(setTimer).mock.calls[0]?.[0]();
    expect(printed).toEqual([
      'holdfast: main ended 3000 ms ago, but the process is kept open by: TCPServerWrap, Timeout. Exiting.',
    ]);
    expect(exit).toHaveBeenCalledExactlyOnceWith();
  });

  test('takes a timer that cannot be released as it is', async () => {
    vi.mocked(setTimer).mockReturnValue(7);
    await runMain({}, () => {});
    expect(setTimer).toHaveBeenCalledTimes(1);
  });

  test('does not end the next one because the last one has ended: the watch is over when that begins', async () => {
    vi.mocked(setTimer).mockReturnValue(7);
    await runMain({}, () => {});
    await runMain({}, () => expect(clearTimer).toHaveBeenLastCalledWith(7));
    expect(process.exitCode).toBeUndefined();
  });

  test.each([
    ['2147483647 ms', 2 ** 31 - 1, 1],
    ['more than a timer of the platform can wait', 2 ** 31, 0],
    ['no limit', Infinity, 0],
  ])('watches what holds the process open for a grace of %s: %d', async (_, grace, watches) => {
    await runMain({ grace }, () => {});
    expect(setTimer).toHaveBeenCalledTimes(watches);
  });
});
