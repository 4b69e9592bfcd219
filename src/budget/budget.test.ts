/** The budget as an object that policies share: its options, its tokens, and what it tells. The sums are the cell's (`cell.test.ts`). */
import { describe, expect, test, vi } from 'vitest';
import { onEvent } from '../events.ts';
import { clock } from '../foundation/index.ts';
import { virtualTime } from '../testing/index.ts';
import { budget, Budget, type BudgetOptions } from './index.ts';

const bad = (option: string, given: unknown, expected: string): unknown =>
  expect.objectContaining({ code: 'BAD_OPTION', option, given, expected });

/** How many retries it allows now. */
function drain(shared: Budget): number {
  let count = 0;
  while (shared.withdraw()) count++;
  return count;
}

describe('P4: the options of a budget', () => {
  test('the defaults: 100 tokens at first and at most, 0.2 for a success, 1 a second', async () => {
    await virtualTime(async (time) => {
      const shared = budget();
      shared.deposit();
      expect(shared.tokens).toBe(100);
      expect(drain(shared)).toBe(100);
      shared.deposit();
      expect(shared.tokens).toBeCloseTo(0.2);
      await time.advance('2s');
      expect(shared.tokens).toBeCloseTo(2.2);
      await time.advance('1h');
      expect(shared.tokens).toBe(100);
    });
  });

  test.each([
    [{ cap: 7 }, 7],
    [{ cap: 500 }, 100],
    [{ cap: 500, initial: 300 }, 300],
    [{ cap: 7, initial: 7 }, 7],
    [{ initial: 0 }, 0],
  ] as const)('with %j it begins with %d', async (options, tokens) => {
    await virtualTime(() => {
      expect(budget(options).tokens).toBe(tokens);
    });
  });

  test('each is taken: what is given is what counts', async () => {
    await virtualTime(async (time) => {
      const shared = budget({ cap: 5, initial: 1, ratio: 0.5, trickle: 2, name: 'inventory' });
      expect(shared.name).toBe('inventory');
      shared.deposit();
      expect(shared.tokens).toBe(1.5);
      await time.advance('1s');
      expect(shared.tokens).toBe(3.5);
      await time.advance('1s');
      expect(shared.tokens).toBe(5);
    });
  });

  test('nothing is added where ratio and trickle are 0', async () => {
    await virtualTime(async (time) => {
      const shared = budget({ initial: 1, ratio: 0, trickle: 0 });
      shared.deposit();
      await time.advance('1h');
      expect(shared.tokens).toBe(1);
    });
  });

  test('it has no name unless it is given one', () => {
    expect(budget().name).toBeUndefined();
    expect(budget({ name: undefined }).name).toBeUndefined();
  });

  const most = Number.MAX_SAFE_INTEGER;
  test.each([
    ['ratio', -0.1, `a number of tokens from 0 to ${most}`],
    ['ratio', 2 * most, `a number of tokens from 0 to ${most}`],
    ['ratio', NaN, `a number of tokens from 0 to ${most}`],
    ['ratio', '1', `a number of tokens from 0 to ${most}`],
    ['cap', 0.9, `a number of tokens from 1 to ${most}`],
    ['cap', Infinity, `a number of tokens from 1 to ${most}`],
    ['cap', [5], `a number of tokens from 1 to ${most}`],
    ['initial', -1, 'a number of tokens from 0 to 100'],
    ['initial', 101, 'a number of tokens from 0 to 100'],
    ['initial', null, 'a number of tokens from 0 to 100'],
    ['trickle', -1, `a number of tokens from 0 to ${most}`],
    ['trickle', Infinity, `a number of tokens from 0 to ${most}`],
    ['trickle', true, `a number of tokens from 0 to ${most}`],
    ['name', 5, 'a string'],
    ['name', null, 'a string'],
  ])('%s: %j is refused', (option, given, expected) => {
    const make = (): Budget => budget({ [option]: given });
    expect(make).toThrow(bad(option, given, expected));
    expect(make).toThrow(typeof given === 'number' && option !== 'name' ? RangeError : TypeError);
  });

  test('an unknown one is refused, and the known ones are named', () => {
    expect(() => budget({ max: 5 } as BudgetOptions)).toThrow(
      bad('max', 5, 'an option of budget: ratio, initial, cap, trickle, name'),
    );
  });

  test.each([{ ratio: 0 }, { cap: 1 }, { initial: 0 }, { trickle: 0 }, { ratio: most, cap: most, trickle: most }])(
    'the ends of the ranges are allowed: %j',
    (options) => {
      expect(budget(options)).toBeInstanceOf(Budget);
    },
  );
});

describe('P4: a budget in use', () => {
  test('trickles from its making on, not from the first retry on', async () => {
    await virtualTime(async (time) => {
      const shared = budget({ initial: 0 });
      await time.advance('3s');
      expect(drain(shared)).toBe(3);
    });
  });

  test('a token that is given back can be withdrawn again', async () => {
    await virtualTime(() => {
      const shared = budget({ initial: 1 });
      expect(drain(shared)).toBe(1);
      shared.giveBack();
      expect(shared.tokens).toBe(1);
      expect(drain(shared)).toBe(1);
    });
  });

  test('when it is empty, and only then, the event budget:empty tells, with its name', async () => {
    await virtualTime(async (time) => {
      const events: unknown[] = [];
      using _ = onEvent('budget:empty', (event) => events.push(event));
      const shared = budget({ initial: 1, name: 'inventory' });
      await time.advance('500ms');
      expect(shared.withdraw()).toBe(true);
      expect(events).toEqual([]);
      expect(shared.withdraw()).toBe(false);
      expect(events).toEqual([{ event: 'budget:empty', name: 'inventory', at: 500 }]);
    });
  });
});

test('while nobody listens, no event is built: the clock is asked once, for the tokens', async () => {
  await virtualTime(() => {
    const shared = budget({ initial: 0 });
    using now = vi.spyOn(clock, 'now');
    expect(shared.withdraw()).toBe(false);
    expect(now).toHaveBeenCalledTimes(1);
  });
});

describe('a budget that is saved', () => {
  test('is a snapshot in JSON, as of now', async () => {
    await virtualTime(async (time) => {
      const shared = budget({ initial: 3 });
      await time.advance('500ms');
      expect(JSON.parse(JSON.stringify(shared))).toEqual({ version: 1, tokens: 3.5 });
    });
  });

  test('goes on in another one from the moment that it is restored, at most with the cap there', async () => {
    await virtualTime(async (time) => {
      const saved = budget({ initial: 5 }).toJSON();
      await time.advance('1h');
      const [shared, small] = [budget({ initial: 0 }), budget({ cap: 2 })];
      shared.restore(saved);
      small.restore(saved);
      expect(shared.tokens).toBe(5);
      expect(small.tokens).toBe(2);
      await time.advance('1s');
      expect(shared.tokens).toBe(6);
      expect(clock.now()).toBe(3_601_000);
    });
  });

  test('something else is refused', () => {
    expect(() => budget().restore({ tokens: 5 })).toThrow(
      bad('restore', { tokens: 5 }, 'a snapshot of a budget, version 1'),
    );
  });
});
