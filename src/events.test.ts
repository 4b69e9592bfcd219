import diagnosticsChannel from 'node:diagnostics_channel';
import { describe, expect, test, vi } from 'vitest';
import { onEvent, type EventMap } from './events.ts';
import { clock } from './foundation/index.ts';
import { scope } from './scope/index.ts';

/** A scope whose one cleanup throws `error`. */
async function failingCleanup(error: unknown, name?: string): Promise<void> {
  const fail = (): never => {
    throw error;
  };
  await expect(scope({ name }, (s) => s.defer(fail))).rejects.toBe(error);
}

const EVENTS = [
  'scope:cleanup-failed',
  'scope:cleanup-overran',
  'scope:discarded',
  'call:start',
  'call:end',
  'call:disposal-failed',
  'attempt:start',
  'attempt:end',
  'timeout:fired',
  'timeout:abandoned',
  'timeout:late',
  'retry:scheduled',
  'retry:gave-up',
  'retry:nested',
  'policy:warning',
  'budget:empty',
  'breaker:transition',
  'breaker:refused',
  'bulkhead:refused',
  'bulkhead:limit',
  'rate-limit:refused',
  'fallback:used',
  'hedge:launched',
  'hedge:won',
  'hedge:late',
  'per-key:full',
] as const satisfies readonly (keyof EventMap)[];

describe('onEvent', () => {
  test('hands each event of its kind to the listener, until disposed of', async () => {
    const seen: EventMap['scope:cleanup-failed'][] = [];
    const listening = onEvent('scope:cleanup-failed', (event) => seen.push(event));
    const error = new Error('close failed');
    await failingCleanup(error, 'load');
    listening[Symbol.dispose]();
    listening[Symbol.dispose]();
    await failingCleanup(error, 'load');
    expect(seen).toEqual([{ event: 'scope:cleanup-failed', name: 'load', at: expect.any(Number), error, late: false }]);
    expect(seen[0]?.error).toBe(error);
  });

  test('may be disposed of by leaving a block', async () => {
    const listener = vi.fn<() => void>();
    {
      using _listening = onEvent('scope:cleanup-failed', listener);
    }
    await failingCleanup(new Error('close failed'));
    expect(listener).not.toHaveBeenCalled();
  });

  test('tells what a subscriber of the diagnostics_channel is told: the same object', async () => {
    const seen: unknown[] = [];
    const subscriber = (message: unknown): void => void seen.push(message);
    using _listening = onEvent('scope:cleanup-failed', (event) => seen.push(event));
    diagnosticsChannel.subscribe('holdfast:scope:cleanup-failed', subscriber);
    await failingCleanup(new Error('close failed'));
    diagnosticsChannel.unsubscribe('holdfast:scope:cleanup-failed', subscriber);
    expect(seen).toHaveLength(2);
    expect(seen[1]).toBe(seen[0]);
  });

  test.each(EVENTS)('knows %s', (event) => {
    expect(() => onEvent(event, () => {})[Symbol.dispose]()).not.toThrow();
  });

  test.each([
    'scope:cleanup-faild',
    '',
    '*',
    'toString',
    '__proto__',
    undefined,
    null,
    5,
    Symbol('event'),
    [['scope:discarded']],
  ])('refuses an event that does not exist: %o', (event) => {
    expect(() => onEvent(event as keyof EventMap, () => {})).toThrow(
      expect.objectContaining({
        code: 'BAD_OPTION',
        option: 'onEvent',
        given: event,
        expected: `one of ${EVENTS.join(', ')}`,
      }),
    );
  });

  test.each([undefined, null, {}, 'log'])('refuses a listener that is no function: %j', (listener) => {
    expect(() => onEvent('scope:discarded', listener as never)).toThrow(
      expect.objectContaining({ code: 'BAD_OPTION', option: 'onEvent', given: listener, expected: 'a function' }),
    );
  });
});

test('while nobody listens, nothing is built: the clock is not even asked', async () => {
  const now = vi.spyOn(clock, 'now');
  try {
    await failingCleanup(new Error('close failed'));
    expect(now).not.toHaveBeenCalled();
    using _listening = onEvent('scope:cleanup-failed', () => {});
    await failingCleanup(new Error('close failed'));
    expect(now).toHaveBeenCalledTimes(1);
  } finally {
    now.mockRestore();
  }
});
