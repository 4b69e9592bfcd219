import { describe, expect, test } from 'vitest';
import { badOption, checkFunction, checkOption, checkOptions, optionsAndBody, rangeOf } from './option.ts';

function thrown(fn: () => unknown): unknown {
  try {
    fn();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

describe('badOption', () => {
  test('makes an error with code, option, the value itself, and what would have been right', () => {
    const given = { attempts: 0 };
    const error = badOption('attempts', given, 'a whole number from 1');
    expect(error).toMatchObject({ code: 'BAD_OPTION', option: 'attempts', expected: 'a whole number from 1' });
    expect(error.given).toBe(given);
  });

  test('is a TypeError; where numbers are taken, a RangeError for a number', () => {
    for (const given of [0, NaN, '0', null, {}]) expect(badOption('a', given, 'b').constructor).toBe(TypeError);
    for (const number of [0, -1, NaN, Infinity])
      expect(badOption('a', number, 'b', rangeOf(number)).constructor).toBe(RangeError);
    for (const other of ['0', 0n, null, undefined, {}, new Number(0)])
      expect(badOption('a', other, 'b', rangeOf(other)).constructor).toBe(TypeError);
  });

  test('keeps what was given out of logs: it may be large, secret, or refer to itself', () => {
    const circle: { self?: unknown } = {};
    circle.self = circle;
    const error = badOption('a', circle, 'b');
    expect(error.given).toBe(circle);
    expect(Object.keys(error)).toEqual(['code', 'option', 'expected']);
    expect(() => JSON.stringify(error)).not.toThrow();
  });

  test.each([
    ['a number', 0.5, '0.5'],
    ['NaN', NaN, 'NaN'],
    ['a bigint', 5n, '5'],
    ['a boolean', false, 'false'],
    ['undefined', undefined, 'undefined'],
    ['null', null, 'null'],
    ['a symbol', Symbol('x'), 'Symbol(x)'],
    ['an object', { a: 1 }, 'object'],
    ['a list', [1], 'object'],
    ['a function', () => 1, 'function'],
    ['an object without a prototype', Object.create(null), 'object'],
    ['text', 'two', '"two"'],
    ['text with quotes and line ends', 'a"b\n', '"a\\"b\\n"'],
    ['text, its first 40 characters', 'x'.repeat(41), `"${'x'.repeat(40)}"`],
  ])('shows %s', (_, given, shown) => {
    expect(badOption('limit', given, 'better').message).toBe(`limit: expected better; got ${shown}`);
  });

  test('survives values that answer nothing', () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    const refuse = (): never => {
      throw new Error('asked');
    };
    const hostile = new Proxy(() => {}, { get: refuse, ownKeys: refuse, getPrototypeOf: refuse, apply: refuse });
    expect(badOption('a', proxy, 'b').message).toBe('a: expected b; got object');
    expect(badOption('a', hostile, 'b').message).toBe('a: expected b; got function');
    expect(badOption('a', { toString: refuse, [Symbol.toPrimitive]: refuse }, 'b').message).toMatch('got object');
  });

  test('has a message of a few characters for a text of millions', () => {
    expect(badOption('a', 'x'.repeat(5_000_000), 'b').message).toHaveLength('a: expected b; got ""'.length + 40);
  });
});

describe('checkOption', () => {
  test('throws unless the condition holds', () => {
    expect(() => checkOption(true, 'limit', 1, 'a number')).not.toThrow();
    expect(thrown(() => checkOption(false, 'limit', 0, 'a number from 1'))).toMatchObject({
      code: 'BAD_OPTION',
      option: 'limit',
      given: 0,
      expected: 'a number from 1',
    });
  });
});

describe('checkFunction', () => {
  test('lets functions of any kind pass', () => {
    for (const fn of [() => {}, async () => {}, function* () {}, async function* () {}, Date, Math.max])
      checkFunction('fn', fn);
  });

  test.each([undefined, null, {}, 'fn', 1])('refuses %j', (given) => {
    expect(thrown(() => checkFunction('onRetry', given))).toMatchObject({
      code: 'BAD_OPTION',
      option: 'onRetry',
      given,
      expected: 'a function',
    });
  });
});

describe('checkOptions', () => {
  test('lets an object pass whose keys are all known, whatever their values', () => {
    checkOptions('retry', ['attempts', 'backoff'], {});
    checkOptions('retry', ['attempts', 'backoff'], { attempts: undefined });
    checkOptions('retry', ['attempts', 'backoff'], Object.assign(Object.create(null), { backoff: 1, attempts: 2 }));
  });

  test('refuses a misspelt key, with its value and the keys there are', () => {
    expect(thrown(() => checkOptions('retry', ['attempts', 'backoff'], { attempts: 1, backof: 'x' }))).toMatchObject({
      code: 'BAD_OPTION',
      option: 'backof',
      given: 'x',
      expected: 'an option of retry: attempts, backoff',
    });
  });

  test('looks at inherited keys too: they are read like the others', () => {
    checkOptions('retry', ['attempts'], Object.create({ attempts: 3 }));
    expect(() => checkOptions('retry', ['attempts'], Object.create({ attempt: 3 }))).toThrow('attempt: expected');
  });

  test('refuses a misspelt key whose value is undefined', () => {
    expect(() => checkOptions('retry', ['attempts'], { attempt: undefined })).toThrow('attempt: expected');
  });

  test.each([undefined, null, 'attempts', 3, true, () => {}])('refuses %o, which holds no options', (given) => {
    expect(thrown(() => checkOptions('retry', ['attempts'], given))).toMatchObject({
      code: 'BAD_OPTION',
      option: 'retry',
      given,
      expected: 'an object with options',
    });
  });
});

describe('optionsAndBody', () => {
  const body = (): void => {};
  interface Options {
    name?: string;
  }
  const take = (first: unknown, second?: unknown): [Partial<Options>, typeof body] =>
    optionsAndBody<Options, typeof body>('scope', ['name'], first as Options, second as typeof body);

  test('takes a body alone as a body without options', () => {
    expect(take(body)).toEqual([{}, body]);
  });

  test('takes options and a body as they are', () => {
    const options = { name: 'load' };
    const [gotOptions, gotBody] = take(options, body);
    expect(gotOptions).toBe(options);
    expect(gotBody).toBe(body);
  });

  test.each([
    ['no body', [{ name: 'load' }], { option: 'scope', given: undefined, expected: 'a function' }],
    ['a body that is no function', [{}, 'body'], { option: 'scope', given: 'body', expected: 'a function' }],
    ['nothing', [], { option: 'scope', given: undefined, expected: 'an object with options' }],
    ['an unknown option', [{ nam: 1 }, body], { option: 'nam', given: 1, expected: 'an option of scope: name' }],
    ['options after the body', [body, {}], { option: 'scope', given: body, expected: 'an object with options' }],
  ])('refuses %s', (_, args, error) => {
    expect(thrown(() => take(...(args as [unknown, unknown?])))).toMatchObject({ code: 'BAD_OPTION', ...error });
  });
});
