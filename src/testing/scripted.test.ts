import { describe, expect, test } from 'vitest';
import { scope, type Scope } from '../scope/index.ts';
import { after, fail, scripted, type Step } from './scripted.ts';
import { virtualTime } from './virtual-time.ts';

describe('a scripted operation', () => {
  test('does the n-th step in its n-th call', async () => {
    const unavailable = new Error('503');
    const op = scripted(['a', fail(unavailable), 'b']);
    expect(await op()).toBe('a');
    await expect(op()).rejects.toBe(unavailable);
    expect(await op()).toBe('b');
  });

  test('rejects when it is called more often than the script is long, and says so', async () => {
    const op = scripted(['only']);
    await op();
    await expect(op()).rejects.toThrow(new RangeError('scripted: call 2, but the script has 1 steps'));
    await expect(op()).rejects.toThrow(new RangeError('scripted: call 3, but the script has 1 steps'));
    await expect(scripted([])()).rejects.toThrow(RangeError);
  });

  test('never throws at the call: all it does is in its promise', () => {
    const op = scripted([fail(new Error('503'))]);
    const call = op();
    expect(call).toBeInstanceOf(Promise);
    return expect(call).rejects.toThrow('503');
  });

  test.each([undefined, null, 0, '', false])('may return %j, which is a value as any other', async (value) => {
    expect(await scripted([value])()).toBe(value);
  });

  test.each([undefined, null, 'text', 0])('may throw %j, which is no error', async (thrown) => {
    const settled = await Promise.allSettled([scripted([fail(thrown)])()]);
    expect(settled).toEqual([{ status: 'rejected', reason: thrown }]);
  });

  test('returns an error that is not wrapped in fail() as a value', async () => {
    const error = new Error('a value');
    expect(await scripted([error])()).toBe(error);
  });

  test('records its calls: when, and with which arguments', async () => {
    await virtualTime(async (time) => {
      const op = scripted(['a', after('10ms', 'b'), 'c']);
      await op('sku', 1);
      await time.advance(250);
      const second = op();
      await time.advance(50);
      await second;
      const argument = {};
      await op(argument);
      expect(op.calls).toEqual([
        { at: 0, args: ['sku', 1] },
        { at: 250, args: [] },
        { at: 300, args: [{}] },
      ]);
      expect(op.calls[2]?.args[0]).toBe(argument);
    });
  });

  test('records a call that the script has no step for', async () => {
    const op = scripted([]);
    await expect(op('too much')).rejects.toThrow(RangeError);
    expect(op.calls.map(({ args }) => args)).toEqual([['too much']]);
  });

  test('keeps to the script as it was given, whatever becomes of the list', async () => {
    const steps = ['a', 'b'];
    const op = scripted(steps);
    steps[0] = 'changed';
    steps.length = 1;
    expect([await op(), await op()]).toEqual(['a', 'b']);
  });

  test.each([undefined, null, 'ok', new Set(['ok']), { 0: 'ok', length: 1 }])('refuses %j for a script', (steps) => {
    expect(() => scripted(steps as unknown as Step<string>[])).toThrow(
      expect.objectContaining({ code: 'BAD_OPTION', option: 'scripted', given: steps, expected: 'a list of steps' }),
    );
  });
});

describe('after', () => {
  test('waits, then returns', async () => {
    await virtualTime(async (time) => {
      const call = scripted([after('50ms', 'ok')])();
      let settled = false;
      void call.then(() => (settled = true));
      await time.advance('49ms');
      expect(settled).toBe(false);
      await time.advance('1ms');
      expect(settled).toBe(true);
      expect(await call).toBe('ok');
    });
  });

  test('waits, then throws', async () => {
    await virtualTime(async (time) => {
      const late = new Error('late');
      const thrown = scripted([after(50, fail(late))])().catch((error: unknown) => error);
      await time.advance(50);
      expect(await thrown).toBe(late);
    });
  });

  test('may be nested: the times add up', async () => {
    await virtualTime(async (time) => {
      const call = scripted([after('1s', after('2s', 'ok'))])().then(() => time.now());
      await time.runAll();
      expect(await call).toBe(3_000);
    });
  });

  test('of no time needs no time to pass', async () => {
    await virtualTime(async (time) => {
      const call = scripted([after(0, 'ok')])();
      await time.advance(0);
      expect(await call).toBe('ok');
    });
  });

  test('ends its wait when the scope that the call is given is cancelled, wherever it stands among the arguments', async () => {
    await virtualTime(async (time) => {
      const reason = new Error('enough');
      for (const args of [(s: Scope) => [s], (s: Scope) => ['sku', s], (s: Scope) => ['sku', 1, s]]) {
        const op = scripted([after('1h', 'ok')]);
        const call = scope((s) => {
          const pending = op(...args(s));
          s.cancel(reason);
          return pending;
        });
        await expect(call).rejects.toBe(reason);
      }
      expect(time.pending).toBe(0);
      expect(time.now()).toBe(0);
    });
  });

  test('heeds cancellation during each part of its wait', async () => {
    await virtualTime(async (time) => {
      const op = scripted([after('1s', after('1s', 'ok'))]);
      const thrown = scope({ timeout: '1500ms', name: 'load' }, (s) => op(s)).catch((error: unknown) => error);
      await time.runAll();
      expect(await thrown).toMatchObject({ code: 'TIMEOUT', of: 'load' });
      expect(time.now()).toBe(1_500);
    });
  });

  test('waits on if the scope around the call is cancelled, but was not given', async () => {
    await virtualTime(async (time) => {
      const op = scripted([after('1s', 'ok')]);
      const call = scope({ timeout: '10ms' }, () => op());
      await time.runAll();
      expect(await call).toBe('ok');
      expect(time.now()).toBe(1_000);
    });
  });

  test('takes a scope for a scope only: an object that looks like one is deaf', async () => {
    await virtualTime(async (time) => {
      const imitation = { sleep: () => Promise.reject(new Error('asked')), signal: AbortSignal.abort() };
      const call = scripted([after('1s', 'ok')])(imitation);
      await time.runAll();
      expect(await call).toBe('ok');
    });
  });

  test.each(['5', -1, NaN, '1e3ms'])('refuses a time that is none: %j', (time) => {
    expect(() => after(time as number, 'ok')).toThrow(
      expect.objectContaining({ code: 'BAD_OPTION', option: 'after', given: time }),
    );
  });
});
