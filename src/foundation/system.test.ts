import { AsyncLocalStorage, createHook } from 'node:async_hooks';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { captureContext, channel, clearTimer, nextTurn, now, random, setTimer, wallNow } from './system.ts';

/** The module as it is on a platform that has these globals. */
async function on(globals: Record<string, unknown>): Promise<typeof import('./system.ts')> {
  for (const [name, value] of Object.entries(globals)) vi.stubGlobal(name, value);
  vi.resetModules();
  try {
    return await import('./system.ts');
  } finally {
    vi.unstubAllGlobals();
  }
}

afterEach(() => {
  vi.useRealTimers();
  vi.resetModules();
});

const storage = new AsyncLocalStorage<string>();

describe('a timer of the platform', () => {
  test('calls its function after about its delay', async () => {
    const start = now();
    await new Promise<void>((resolve) => setTimer(resolve, 10));
    expect(now() - start).toBeGreaterThan(8);
  });

  test('can be cleared, and nothing is no timer to clear', async () => {
    const fired = vi.fn<() => void>();
    clearTimer(setTimer(fired, 1));
    clearTimer(undefined);
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(fired).not.toHaveBeenCalled();
  });

  test.each([
    [0, 0],
    [0.1, 1],
    [5, 5],
    [5.2, 6],
    [2 ** 31 - 1, 2 ** 31 - 1],
    [2 ** 31 - 1.5, 2 ** 31 - 1],
    [2 ** 31, 2 ** 31 - 1],
    [Infinity, 2 ** 31 - 1],
  ])('is asked for whole milliseconds that do not overflow: %d becomes %d', async (delayMs, asked) => {
    const setTimeout = vi.fn<(fn: () => void, delayMs: number) => number>(() => 7);
    const system = await on({ setTimeout });
    const fn = (): void => {};
    expect(system.setTimer(fn, delayMs)).toBe(7);
    expect(setTimeout).toHaveBeenCalledExactlyOnceWith(fn, asked);
  });

  test('is not made in the async context of whoever asks for it', async () => {
    const seen = await storage.run(
      'a caller',
      () => new Promise((resolve) => setTimer(() => resolve(storage.getStore()), 1)),
    );
    expect(seen).toBeUndefined();
  });
});

describe('functions of the platform are those from when the module was loaded', () => {
  test("a test runner's fake timers, installed later, change nothing", async () => {
    vi.useFakeTimers({ now: 0 });
    const [start, date] = [now(), wallNow()];
    expect(date).toBeGreaterThan(Date.UTC(2020));
    await new Promise<void>((resolve) => setTimer(resolve, 3));
    await nextTurn();
    expect(now() - start).toBeGreaterThan(1);
    const cleared = vi.fn<() => void>();
    clearTimer(setTimer(cleared, 1));
    await new Promise<void>((resolve) => setTimer(resolve, 5));
    expect(cleared).not.toHaveBeenCalled();
  });

  test('chance is that of Math.random', () => {
    expect(random).toBe(Math.random);
  });
});

describe('nextTurn', () => {
  test('settles after every promise reaction that is under way, and all that those lead to', async () => {
    let depth = 0;
    void (async () => {
      for (; depth < 1_000; depth++) await Promise.resolve();
    })();
    await nextTurn();
    expect(depth).toBe(1_000);
  });

  test('settles after what process.nextTick put off', async () => {
    let ticked = false;
    process.nextTick(() => (ticked = true));
    await nextTurn();
    expect(ticked).toBe(true);
  });

  test('needs no setImmediate: elsewhere it is a timer of no delay', async () => {
    const setTimeout = vi.fn<(fn: () => void, delayMs: number) => void>((fn) => fn());
    const system = await on({ setImmediate: undefined, setTimeout });
    await system.nextTurn();
    expect(setTimeout).toHaveBeenCalledExactlyOnceWith(expect.any(Function), 0);
  });
});

describe('captureContext', () => {
  test('runs a function in the context that was captured, wherever it is called', () => {
    const context = storage.run('captured', captureContext);
    const get = (): string | undefined => storage.getStore();
    expect(context.run(get)).toBe('captured');
    expect(storage.run('other', () => context.run(get))).toBe('captured');
    expect(get()).toBeUndefined();
  });

  test('captures the absence of a context too', () => {
    const context = captureContext();
    expect(storage.run('other', () => context.run(() => storage.getStore()))).toBeUndefined();
  });

  test('hands arguments in and the result out', () => {
    expect(captureContext().run((a: number, b: number) => a - b, 5, 3)).toBe(2);
  });

  test('is seen by async_hooks under the name of the library', () => {
    const types: string[] = [];
    const hook = createHook({ init: (_, type) => void types.push(type) }).enable();
    captureContext();
    hook.disable();
    expect(types).toContain('Holdfast');
  });

  test('lets an error through', () => {
    const error = new Error('inside');
    const fn = (): never => {
      throw error;
    };
    expect(() => captureContext().run(fn)).toThrow(error);
  });
});

/** Browsers, workers, and runtimes that have `process` but not this of it. */
describe.each([
  ['no process', { process: undefined }],
  ['no process.getBuiltinModule', { process: { ...process, getBuiltinModule: undefined } }],
  ['no such built-ins', { process: { ...process, getBuiltinModule: () => undefined } }],
])('on a platform with %s', (_, globals) => {
  test('captureContext just calls: arguments in, result out', async () => {
    const system = await on(globals);
    expect(system.captureContext().run((a: number, b: number) => a - b, 5, 3)).toBe(2);
    const context = storage.run('captured', () => system.captureContext());
    expect(context.run(() => storage.getStore())).toBeUndefined();
  });

  test('there are no channels', async () => {
    expect((await on(globals)).channel('holdfast:any')).toBeUndefined();
  });

  test('timers work', async () => {
    const system = await on(globals);
    const start = system.now();
    await new Promise<void>((resolve) => system.setTimer(resolve, 5));
    await system.nextTurn();
    expect(system.now() - start).toBeGreaterThan(3);
  });
});

test('a channel is the one that node:diagnostics_channel has under that name', async () => {
  const diagnostics = await import('node:diagnostics_channel');
  expect(channel('holdfast:any')).toBe(diagnostics.channel('holdfast:any'));
});
