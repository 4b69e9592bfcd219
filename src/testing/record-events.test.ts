import { describe, expect, test } from 'vitest';
import { scope } from '../scope/index.ts';
import { recordEvents } from './record-events.ts';
import { virtualTime } from './virtual-time.ts';

const closeFailed = new Error('close failed');

/** A scope that tells one event. */
async function eventful(name?: string): Promise<void> {
  const fail = (): never => {
    throw closeFailed;
  };
  await expect(scope({ name }, (s) => s.defer(fail))).rejects.toBe(closeFailed);
}

describe('recordEvents', () => {
  test('is a list of the events of every kind, in the order in which they came', async () => {
    using events = recordEvents();
    await eventful('first');
    await scope((s) => s.race([() => 'won', () => Promise.reject(new Error('lost'))]));
    await eventful('second');
    expect(events.map(({ event, name }) => [event, name])).toEqual([
      ['scope:cleanup-failed', 'first'],
      ['scope:discarded', undefined],
      ['scope:cleanup-failed', 'second'],
    ]);
  });

  test('has each event with its time and the fields of its kind, and compares as a plain list', async () => {
    await virtualTime(async (time) => {
      using events = recordEvents();
      await time.advance(250);
      await eventful('load');
      expect(events).toEqual([
        { event: 'scope:cleanup-failed', name: 'load', at: 250, error: closeFailed, late: false },
      ]);
      expect(events[0]?.['error']).toBe(closeFailed);
    });
  });

  test('is empty at first, and again for the next one', async () => {
    await eventful();
    using events = recordEvents();
    expect(events).toEqual([]);
    expect(Object.keys(events)).toEqual([]);
  });

  test('ends when disposed of, and keeps what it holds; twice is once', async () => {
    const events = recordEvents();
    await eventful('heard');
    events[Symbol.dispose]();
    events[Symbol.dispose]();
    await eventful('unheard');
    expect(events.map(({ name }) => name)).toEqual(['heard']);
  });

  test('does not end another recording', async () => {
    using outer = recordEvents();
    {
      using inner = recordEvents();
      await eventful('both');
      expect(inner).toHaveLength(1);
    }
    await eventful('outer only');
    expect(outer.map(({ name }) => name)).toEqual(['both', 'outer only']);
  });
});
