/** `budget` (P4): what users make, give to several retries, look at and save. The arithmetic is in the tests of the cell. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { recordEvents, virtualTime } from '../testing/index.ts';
import { watchUnhandledRejections } from '../../test/unhandled.ts';
import { budget, onEvent, type BudgetOptions } from '../index.ts';
import { Budget } from './index.ts';
import { budgetEmpty } from './events.ts';

watchUnhandledRejections();

/** What is thrown when it is made. */
function refusal(options: unknown): any {
  try {
    budget(options as BudgetOptions);
  } catch (error) {
    return error;
  }
  return expect.fail('was not refused');
}

/** How many retries it allows now. */
function drain(it: Budget): number {
  let count = 0;
  while (it.withdraw()) count++;
  return count;
}

afterEach(() => void vi.restoreAllMocks());

describe('P4 a budget', () => {
  test('has 100 tokens at first and at most, gets 0.2 for a success, and one a second', async () => {
    await virtualTime(async (time) => {
      const it = budget();
      expect(it.tokens).toBe(100);
      it.deposit();
      expect(it.tokens).toBe(100);
      expect(drain(it)).toBe(100);
      for (let i = 0; i < 5; i++) it.deposit();
      expect(it.tokens).toBe(1);
      await time.advance('3s');
      expect(it.tokens).toBe(4);
    });
  });

  test('begins with its cap, if that is less than 100', () => {
    expect(budget({ cap: 7, trickle: 0 }).tokens).toBe(7);
    expect(budget({ cap: 1000, trickle: 0 }).tokens).toBe(100);
    expect(budget({ cap: 1000, initial: 500, trickle: 0 }).tokens).toBe(500);
  });

  test('takes its options: ratio, initial, cap, trickle', async () => {
    await virtualTime(async (time) => {
      const it = budget({ ratio: 0.5, initial: 0, cap: 2, trickle: 0.25 });
      expect(it.withdraw()).toBe(false);
      it.deposit();
      it.deposit();
      expect(it.withdraw()).toBe(true);
      await time.advance('4s');
      expect(it.tokens).toBe(1);
      await time.advance('1h');
      expect(it.tokens).toBe(2);
    });
  });

  test('trickles from its making on', async () => {
    await virtualTime(async (time) => {
      const it = budget({ initial: 0 });
      await time.advance('2s');
      expect(it.withdraw()).toBe(true);
      expect(it.tokens).toBe(1);
    });
  });

  test('gets a token back', () => {
    const it = budget({ initial: 1, trickle: 0 });
    expect(it.withdraw()).toBe(true);
    it.giveBack();
    expect(it.tokens).toBe(1);
  });

  test('has a name, or none', () => {
    expect(budget({ name: 'inventory' }).name).toBe('inventory');
    expect(budget().name).toBeUndefined();
  });

  test('may be used on virtual time and off it: time that went back is not counted', async () => {
    const it = budget({ initial: 5, trickle: 1 });
    await virtualTime(async () => expect(it.tokens).toBe(5));
    expect(Math.floor(it.tokens)).toBe(5);
  });
});

describe('the event budget:empty', () => {
  test('tells each time that a token is asked for and there is none', async () => {
    await virtualTime(async (time) => {
      using events = recordEvents();
      const it = budget({ initial: 1, trickle: 0, name: 'inventory' });
      await time.advance(5);
      expect([it.withdraw(), it.withdraw(), it.withdraw()]).toEqual([true, false, false]);
      expect(events).toEqual([
        { event: 'budget:empty', name: 'inventory', at: 5 },
        { event: 'budget:empty', name: 'inventory', at: 5 },
      ]);
    });
  });

  test('is not built while nobody listens', () => {
    const emit = vi.spyOn(budgetEmpty, 'emit');
    const it = budget({ initial: 0, trickle: 0 });
    it.withdraw();
    expect(emit).not.toHaveBeenCalled();
    using _ = onEvent('budget:empty', () => {});
    it.withdraw();
    expect(emit).toHaveBeenCalledOnce();
  });
});

describe('a saved budget', () => {
  test('is JSON, and brings its tokens back, at most as many as the cap', async () => {
    await virtualTime(async (time) => {
      const it = budget({ initial: 10, trickle: 1 });
      await time.advance('2.5s');
      const saved: unknown = JSON.parse(JSON.stringify(it));
      expect(saved).toEqual({ version: 1, tokens: 12.5 });
      const [same, smaller] = [budget(), budget({ cap: 5 })];
      same.restore(saved);
      smaller.restore(saved);
      expect([same.tokens, smaller.tokens]).toEqual([12.5, 5]);
      await time.advance('1s');
      expect(same.tokens).toBe(13.5);
    });
  });

  test('is refused if it is something else, and nothing changes', () => {
    const it = budget();
    for (const saved of [
      null,
      undefined,
      5,
      'text',
      {},
      { version: 2, tokens: 5 },
      { version: 1 },
      { version: 1, tokens: -1 },
    ]) {
      expect(() => it.restore(saved)).toThrow(expect.objectContaining({ code: 'BAD_OPTION' }));
      expect(it.tokens).toBe(100);
    }
  });
});

describe('P1.2 budget refuses', () => {
  const notNumber = [null, '5', {}, [], true, 5n, Symbol('five')];
  const most = Number.MAX_SAFE_INTEGER;
  test.for([
    ['ratio', [-0.1, Number.NaN, Infinity], `a number of tokens from 0 to ${most}`],
    ['initial', [-1, 100.5, Number.NaN, Infinity], 'a number of tokens from 0 to 100'],
    ['cap', [0, 0.5, -1, Number.NaN, Infinity], `a number of tokens from 1 to ${most}`],
    ['trickle', [-1, Number.NaN, Infinity], `a number of tokens from 0 to ${most}`],
  ] as const)('a bad %s, naming it, the range and the value', ([option, numbers, expected]) => {
    for (const value of [...numbers, ...notNumber]) {
      const error = refusal({ [option]: value });
      expect(error).toBeInstanceOf(typeof value === 'number' ? RangeError : TypeError);
      expect(error).toMatchObject({ code: 'BAD_OPTION', option, expected });
      expect(Object.is(error.given, value)).toBe(true);
    }
  });

  test('an initial above its cap', () => {
    expect(refusal({ cap: 5, initial: 6 })).toMatchObject({
      option: 'initial',
      expected: 'a number of tokens from 0 to 5',
    });
  });

  test('a name that is no text', () => {
    for (const name of [null, 1, {}, Symbol('n')])
      expect(refusal({ name })).toMatchObject({ code: 'BAD_OPTION', option: 'name', expected: 'a string' });
  });

  test('an option that it does not know, and options that are no object', () => {
    expect(refusal({ tokens: 5 })).toMatchObject({
      option: 'tokens',
      expected: 'an option of budget: ratio, initial, cap, trickle, name',
    });
    for (const options of [null, 5, 'text', () => {}])
      expect(refusal(options)).toMatchObject({ option: 'budget', expected: 'an object with options' });
  });

  test('nothing else: the ends of every range are taken', () => {
    for (const options of [
      { ratio: 0, initial: 0, cap: 1, trickle: 0 },
      { ratio: most, initial: most, cap: most, trickle: most },
      { ratio: undefined, initial: undefined, cap: undefined, trickle: undefined, name: undefined },
    ])
      expect(budget(options)).toBeInstanceOf(Budget);
  });
});
