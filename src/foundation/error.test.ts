import { describe, expect, test, vi } from 'vitest';
import { run } from '../../test/child.ts';
import { HoldfastError, TimeoutError } from './error.ts';

/** The module once more, as when two versions of the package meet in one process. */
async function anotherCopy(): Promise<typeof import('./error.ts')> {
  vi.resetModules();
  return import('./error.ts');
}

class OutOfStock extends HoldfastError {
  static override readonly code = 'OUT_OF_STOCK';
  readonly code: string = 'OUT_OF_STOCK';
}

describe('a TimeoutError', () => {
  test('says what did not end within which time', () => {
    const error = new TimeoutError('load orders', 250);
    expect(error.message).toBe('load orders did not end within 250 ms');
    expect(error).toMatchObject({ code: 'TIMEOUT', of: 'load orders', timeoutMs: 250, abandoned: false });
  });

  test('says whether the work was still unsettled when its caller was let go', () => {
    expect(new TimeoutError('load orders', 250, true).abandoned).toBe(true);
  });

  test('has its class in its name, its text and its static code', () => {
    const error = new TimeoutError('load', 5);
    expect(error.name).toBe('TimeoutError');
    expect(String(error)).toBe('TimeoutError: load did not end within 5 ms');
    expect(TimeoutError.code).toBe('TIMEOUT');
  });

  test('keeps name and brand out of what is enumerated, compared and logged as fields', () => {
    expect(Object.keys(new TimeoutError('load', 5)).sort()).toEqual(['abandoned', 'code', 'of', 'timeoutMs']);
  });

  test('has no stack: a timer decides on it', () => {
    expect(new TimeoutError('load', 5).stack).toBe('TimeoutError: load did not end within 5 ms');
  });

  test.each([10, 0, 3, Infinity])('leaves a stack limit of %d as it found it', (limit) => {
    const before = Error.stackTraceLimit;
    try {
      Error.stackTraceLimit = limit;
      new TimeoutError('load', 5);
      expect(Error.stackTraceLimit).toBe(limit);
    } finally {
      Error.stackTraceLimit = before;
    }
    expect(new Error('other').stack).toContain('error.test.ts');
  });
});

test('where Error is frozen, a TimeoutError is made all the same, and the process of a timer goes on', async () => {
  const { code, said, errors } = await run(({ scope, say }) => {
    Object.freeze(Error);
    void scope({ timeout: 5, name: 'load' }, (s) => s.sleep('1h')).catch((error: unknown) => say(error));
  });
  expect(errors).toBe('');
  expect(code).toBe(0);
  expect(said[0]).toMatch('TimeoutError: load did not end within 5 ms');
});

describe('an error of the library other than a timeout', () => {
  test('has a stack', () => {
    expect(new OutOfStock('none left').stack).toContain('error.test.ts');
  });
});

describe('instanceof', () => {
  test('holds for the class itself, its base and Error', () => {
    const error = new TimeoutError('load', 5);
    expect(error instanceof TimeoutError).toBe(true);
    expect(error instanceof HoldfastError).toBe(true);
    expect(error instanceof Error).toBe(true);
  });

  test('tells the classes apart by their code', () => {
    expect(new OutOfStock('none left') instanceof TimeoutError).toBe(false);
    expect(new TimeoutError('load', 5) instanceof OutOfStock).toBe(false);
    expect(new OutOfStock('none left') instanceof HoldfastError).toBe(true);
  });

  test('holds between two copies of the package, both ways', async () => {
    const other = await anotherCopy();
    expect(other.TimeoutError).not.toBe(TimeoutError);
    const [ours, theirs] = [new TimeoutError('load', 5), new other.TimeoutError('load', 5)];
    expect(theirs instanceof TimeoutError).toBe(true);
    expect(theirs instanceof HoldfastError).toBe(true);
    expect(ours instanceof other.TimeoutError).toBe(true);
    expect(ours instanceof other.HoldfastError).toBe(true);
    expect(new OutOfStock('none left') instanceof other.TimeoutError).toBe(false);
  });

  test('looks for the brand that every copy shares', () => {
    const error = new OutOfStock('none left') as unknown as Record<symbol, unknown>;
    expect(error[Symbol.for('holdfast.error')]).toBe(true);
  });

  test('needs the brand: an error with the same code is not enough', () => {
    expect(Object.assign(new Error('driver'), { code: 'TIMEOUT' }) instanceof TimeoutError).toBe(false);
    expect({ code: 'TIMEOUT' } instanceof HoldfastError).toBe(false);
  });

  test('needs no prototype: brand and code are enough', () => {
    const branded = { code: 'TIMEOUT', [Symbol.for('holdfast.error')]: true };
    expect(branded instanceof TimeoutError).toBe(true);
    expect(branded instanceof OutOfStock).toBe(false);
    expect(branded instanceof HoldfastError).toBe(true);
  });

  test.each([undefined, null, 'TIMEOUT', 5, Symbol.for('holdfast.error'), () => {}])('is false for %o', (value) => {
    expect((value as unknown) instanceof HoldfastError).toBe(false);
    expect((value as unknown) instanceof TimeoutError).toBe(false);
  });

  test('is false for a value that throws when it is looked at', () => {
    const throws = (): never => {
      throw new Error('trap');
    };
    for (const hostile of [
      new Proxy(new TimeoutError('load', 5), { has: throws }),
      new Proxy(new TimeoutError('load', 5), { get: throws }),
    ])
      expect(hostile instanceof TimeoutError).toBe(false);
  });
});

describe("a user's subclass", () => {
  class SlowDisk extends TimeoutError {}
  class VerySlowDisk extends SlowDisk {}

  test('without a code of its own is told by its prototype, as every class', () => {
    const slow = new SlowDisk('write', 5);
    expect(slow instanceof SlowDisk).toBe(true);
    expect(slow instanceof VerySlowDisk).toBe(false);
    expect(new VerySlowDisk('write', 5) instanceof SlowDisk).toBe(true);
    expect(new TimeoutError('write', 5) instanceof SlowDisk).toBe(false);
    expect((undefined as unknown) instanceof SlowDisk).toBe(false);
  });

  test('is still an instance of what it extends', () => {
    expect(new VerySlowDisk('write', 5) instanceof TimeoutError).toBe(true);
    expect(new VerySlowDisk('write', 5) instanceof HoldfastError).toBe(true);
  });

  test('with a code of its own is told by that code', () => {
    class Evicted extends OutOfStock {
      static override readonly code = 'EVICTED' as 'OUT_OF_STOCK';
      override readonly code = 'EVICTED';
    }
    expect(new Evicted('gone') instanceof Evicted).toBe(true);
    expect(new OutOfStock('none left') instanceof Evicted).toBe(false);
    expect(new Evicted('gone') instanceof HoldfastError).toBe(true);
  });
});
