import { afterEach, describe, expect, test, vi } from 'vitest';
import { suppressedErrors } from '../foundation/index.ts';
import { addVerdictRule, classify, permanent, type Classification, type VerdictRule } from './index.ts';

const MINE: Classification = { verdict: 'transient', reason: 'mine', health: 'up' };

let added: Disposable[] = [];
function add(rule: VerdictRule): Disposable {
  const disposable = addVerdictRule(rule);
  added.push(disposable);
  return disposable;
}
afterEach(() => {
  for (const it of added) it[Symbol.dispose]();
  added = [];
});

describe('a rule', () => {
  test('is asked before our own tables', () => {
    const refused = Object.assign(new Error('x'), { code: 'ECONNREFUSED' });
    add(() => ({ verdict: 'permanent', reason: 'not here', health: 'none' }));
    expect(classify(refused)).toEqual({ verdict: 'permanent', reason: 'not here', health: 'none' });
  });

  test('that answers undefined leaves the answer to the others', () => {
    add(() => undefined);
    expect(classify(Object.assign(new Error('x'), { code: 'ECONNREFUSED' })).verdict).toBe('transient');
    expect(classify(new Error('x')).verdict).toBe('unknown');
  });

  test('is asked for each object in the cause chain, outermost first', () => {
    const inner = { code: 17 };
    const middle = new Error('middle', { cause: inner });
    const outer = new Error('outer', { cause: middle });
    const asked: object[] = [];
    add((error) => void asked.push(error));
    classify(outer);
    expect(asked).toEqual([outer, middle, inner]);
    expect(asked[2]).toBe(inner);
  });

  test('that knows the wrapper is not asked for what it wraps', () => {
    const inner = new Error('inner');
    const rule = vi.fn<VerdictRule>((error) => (error === inner ? undefined : MINE));
    add(rule);
    expect(classify(new Error('outer', { cause: inner }))).toEqual(MINE);
    expect(rule).toHaveBeenCalledTimes(1);
  });

  test('that is newer is asked before those that are older', () => {
    add(() => ({ ...MINE, reason: 'older' }));
    add((error) => ('special' in error ? { ...MINE, reason: 'newer' } : undefined));
    expect(classify({ special: true }).reason).toBe('newer');
    expect(classify({}).reason).toBe('older');
  });

  test('is not asked for an object that is marked, nor for a primitive', () => {
    const rule = vi.fn<VerdictRule>(() => MINE);
    add(rule);
    expect(classify(permanent(new Error('x'))).verdict).toBe('permanent');
    expect(classify('text').verdict).toBe('unknown');
    expect(rule).not.toHaveBeenCalled();
  });

  test('may say that nothing is known, and then nothing else is asked', () => {
    add(() => ({ verdict: 'unknown', reason: 'left open', health: 'none' }));
    const error = Object.assign(new Error('x'), { code: 'ECONNREFUSED' });
    expect(classify(error)).toEqual({ verdict: 'unknown', reason: 'left open', health: 'none' });
  });

  test('may give a code and a time to wait', () => {
    add(() => ({ ...MINE, code: '40001', retryAfterMs: 0 }));
    expect(classify({})).toEqual({ ...MINE, code: '40001', retryAfterMs: 0 });
  });

  test('is not obeyed later: its answer is copied and frozen', () => {
    const answer = { ...MINE, extra: 'left out' };
    add(() => answer);
    const said = classify({});
    expect(Object.isFrozen(said)).toBe(true);
    expect(said).not.toBe(answer);
    expect(said).toEqual(MINE);
  });

  test('is no longer asked once it is disposed of; twice is once', () => {
    const first = add(() => MINE);
    const same = add(() => MINE);
    first[Symbol.dispose]();
    first[Symbol.dispose]();
    expect(classify({})).toEqual(MINE);
    same[Symbol.dispose]();
    expect(classify({}).verdict).toBe('unknown');
  });

  test('may be added twice, and is disposed of one by one', () => {
    const rule = vi.fn<VerdictRule>(() => undefined);
    const first = add(rule);
    add(rule);
    classify({});
    expect(rule).toHaveBeenCalledTimes(2);
    first[Symbol.dispose]();
    classify({});
    expect(rule).toHaveBeenCalledTimes(3);
  });

  test('may add and remove rules while it is asked: that changes the next classification', () => {
    const own = add(() => {
      own[Symbol.dispose]();
      add(() => ({ ...MINE, reason: 'next' }));
      return undefined;
    });
    expect(classify({}).verdict).toBe('unknown');
    expect(classify({}).reason).toBe('next');
  });

  test.each([undefined, null, {}, 'rule'])('that is no function is refused: %o', (rule) => {
    expect(() => addVerdictRule(rule as never)).toThrow(TypeError);
    expect(() => addVerdictRule(rule as never)).toThrow(
      expect.objectContaining({ code: 'BAD_OPTION', option: 'rule' }) as Error,
    );
  });
});

describe('a rule that throws', () => {
  test('is passed over: older rules and the tables are asked', () => {
    add((error) => ('old' in error ? MINE : undefined));
    add(() => {
      throw new Error('bad rule');
    });
    expect(classify({ old: true })).toEqual(MINE);
    expect(classify({ code: 'ECONNREFUSED' }).verdict).toBe('transient');
  });

  test('loses nothing: what it threw is kept beside the error that was given to classify', () => {
    const bad = new Error('bad rule');
    const inner = new Error('inner');
    const outer = new Error('outer', { cause: inner });
    add((error) => {
      if (error === inner) throw bad;
      return undefined;
    });
    expect(classify(outer).verdict).toBe('unknown');
    expect(suppressedErrors(outer)).toEqual([bad]);
    expect(suppressedErrors(outer)[0]).toBe(bad);
    expect(suppressedErrors(inner)).toEqual([]);
  });

  test('because the error is hostile does no more harm than the error', () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    add((error) => ((error as { code?: string }).code === 'MINE' ? MINE : undefined));
    expect(classify(proxy)).toEqual({ verdict: 'unknown', reason: 'unknown', health: 'down' });
    expect(suppressedErrors(proxy)).toHaveLength(1);
  });
});

test.each([
  null,
  true,
  'transient',
  {},
  { verdict: 'transient' },
  { verdict: 'retry', reason: 'x', health: 'up' },
  { verdict: ['transient'], reason: 'x', health: 'up' },
  { verdict: 'transient', reason: 5, health: 'up' },
  { verdict: 'transient', reason: 'x', health: 'good' },
  { verdict: 'transient', reason: 'x' },
  { verdict: 'transient', reason: 'x', health: 'up', code: 5 },
  { verdict: 'transient', reason: 'x', health: 'up', retryAfterMs: -1 },
  { verdict: 'transient', reason: 'x', health: 'up', retryAfterMs: NaN },
  { verdict: 'transient', reason: 'x', health: 'up', retryAfterMs: '5s' },
  Promise.resolve(MINE),
])('a rule that returns %o, no Classification, is passed over like one that throws', (answer) => {
  add(() => answer as never);
  const error = Object.assign(new Error('x'), { code: 'ECONNREFUSED' });
  expect(classify(error).verdict).toBe('transient');
  expect(suppressedErrors(error)).toHaveLength(1);
  if (answer !== null) expect(suppressedErrors(error)[0]).toMatchObject({ code: 'BAD_OPTION', option: 'rule' });
});

describe('classify inside a rule', () => {
  class Box extends Error {
    readonly inside: unknown;
    constructor(inside: unknown) {
      super('box');
      this.inside = inside;
    }
  }

  test('answers for what only the rule knows how to unwrap', () => {
    add((error) => (error instanceof Box ? classify(error.inside) : undefined));
    expect(classify(new Box(new Box(Object.assign(new Error('x'), { code: 'EPIPE' }))))).toMatchObject({
      verdict: 'ambiguous',
      code: 'EPIPE',
    });
    expect(classify(new Box('primitive')).verdict).toBe('unknown');
  });

  test('of the same error without end ends, and what comes next is not hurt', () => {
    const rule = vi.fn<VerdictRule>((error) => (error instanceof Box ? classify(error) : undefined));
    add(rule);
    expect(classify(new Box(undefined))).toEqual({ verdict: 'unknown', reason: 'unknown', health: 'down' });
    expect(rule.mock.calls.length).toBeLessThanOrEqual(64);
    expect(classify(Object.assign(new Error('x'), { code: 'EPIPE' })).verdict).toBe('ambiguous');
  });
});
