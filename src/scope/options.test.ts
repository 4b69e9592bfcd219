/**
 * Refusals: a bad option or argument is a `TypeError`, or a `RangeError` for a number where numbers are taken, with code `BAD_OPTION`, thrown within the call.
 * It names the option, what was given and what is expected, and leaves nothing behind.
 */
import { describe, expect, test } from 'vitest';
import { virtualTime } from '../testing/index.ts';
import { CountedController } from '../../test/listeners.ts';
import { watchUnhandledRejections } from '../../test/unhandled.ts';
import { contextKey, scope, scopeSync, type Scope, type SyncScope } from '../index.ts';

watchUnhandledRejections();

/** Values that no option of the kind takes. */
const notText = [null, 1, Number.NaN, true, {}, [], Symbol('text'), () => {}, 1n];
const notFunction = [null, undefined, 0, Number.NaN, 'text', {}, [], Symbol('f'), Promise.resolve()];
const notDuration = [null, Number.NaN, -1, -0.5, -Infinity, '', '5', '-1s', '2 s', '0x10s', '1e3ms', 'soon', {}, [], true, 1n, Symbol('d')]; // prettier-ignore
const notOptions = [null, 1, Number.NaN, 'text', true, Symbol('o')];
const notIterable = [null, undefined, 1, Number.NaN, {}, () => {}, Symbol('i'), { [Symbol.iterator]: 1 }];

const unreached = (): never => expect.fail('ran');

/** What is thrown by the call itself, not by what it starts. */
function refusal(call: () => unknown): any {
  try {
    call();
  } catch (error) {
    return error;
  }
  return expect.fail('was not refused');
}

/** What takes numbers. */
const NUMERIC = new Set(['timeout', 'cleanupTimeout', 'concurrency', 'sleep']);

function expectRefusal(call: () => unknown, option: string, given: unknown, expected?: string): void {
  const error = refusal(call);
  const isOutOfRange = typeof given === 'number' && NUMERIC.has(option) && !error.expected.startsWith('an option of');
  expect(error.constructor).toBe(isOutOfRange ? RangeError : TypeError);
  expect(error.code).toBe('BAD_OPTION');
  expect(error.option).toBe(option);
  expect(Object.is(error.given, given)).toBe(true);
  expect(error.expected).toBe(expected ?? error.expected);
  expect(error.message.startsWith(`${option}: expected ${error.expected}; got `)).toBe(true);
}

const DURATION = "milliseconds from 0, or a text such as '250ms', '1.5s', '2m', '12h', '25d'";

/** What each option of `scope`, and of `go`, must not be. */
const bad: readonly (readonly [option: string, values: readonly unknown[], expected: string])[] = [
  ['timeout', notDuration, DURATION],
  ['cleanupTimeout', notDuration, DURATION],
  ['name', notText, 'a string'],
  ['recover', notFunction.filter((it) => it !== undefined), 'a function'],
  [
    'values',
    [
      null,
      1,
      'text',
      {},
      new Map(),
      [1],
      [null],
      [[]],
      [[null, 1]],
      [[undefined, 1]],
      [[{}]],
      [['name', 1]],
      [[{ name: 1 }, 1]],
      [[contextKey('key'), 1], undefined],
    ],
    'a list of [contextKey, value]',
  ],
];

describe('scope refuses', () => {
  const call =
    (options: unknown, body: unknown = unreached) =>
    () =>
      scope(options as {}, body as () => void);

  test.for([
    ...bad,
    [
      'signal',
      [
        null,
        1,
        'text',
        {},
        () => {},
        { aborted: false },
        { aborted: 'no', addEventListener: () => {} },
        new AbortController(),
      ],
      'an AbortSignal or a scope',
    ],
  ] as const)('a bad %s', ([option, values, expected]) => {
    for (const value of values) expectRefusal(call({ [option]: value }), option, value, expected);
  });

  test('an option that it does not know, and says which it does', () => {
    for (const option of ['timeoutMs', 'Signal', 'onError', '0']) {
      const value = { an: 'option' };
      expectRefusal(
        call({ [option]: value }),
        option,
        value,
        'an option of scope: signal, timeout, recover, values, name, cleanupTimeout',
      );
    }
  });

  test('options that are no object', () => {
    for (const options of [...notOptions, () => {}])
      expectRefusal(call(options), 'scope', options, 'an object with options');
  });

  test('a body that is no function, or none', () => {
    for (const body of notFunction) expectRefusal(() => scope({}, body as () => void), 'scope', body, 'a function');
    for (const body of [null, undefined, 1, 'text']) {
      expect(refusal(() => scope(body as unknown as () => void))).toMatchObject({
        code: 'BAD_OPTION',
        option: 'scope',
      });
    }
    expectRefusal(() => scope({} as () => void), 'scope', undefined, 'a function');
  });

  test('a scope for synchronous code as its signal', () => {
    scopeSync((s: SyncScope) => expectRefusal(call({ signal: s }), 'signal', s));
  });

  test('and leaves nothing behind: no listener, no timer, nothing that runs', async () => {
    await virtualTime(async (time) => {
      const controller = new CountedController();
      const good = { signal: controller.signal, timeout: 1_000, values: [[contextKey('key'), 1]], recover: unreached };
      const bad = { timeout: -1, signal: 1, recover: 1, values: 1, name: 1, cleanupTimeout: 'x', unknown: 1 };
      for (const [option, value] of Object.entries(bad))
        expect(refusal(call({ ...good, [option]: value })).option).toBe(option);
      expect(refusal(call(good, 'no body')).option).toBe('scope');
      expect([controller.added, controller.listeners, time.pending]).toEqual([0, 0, 0]);
    });
  });
});

describe('scope takes', () => {
  test.for(['timeout', 'cleanupTimeout', 'name', 'recover', 'signal', 'values'])(
    'undefined for %s, as if it were not there',
    async (option) => {
      expect(await scope({ [option]: undefined }, () => 'result')).toBe('result');
    },
  );

  test('durations as numbers and texts, 0 and Infinity', async () => {
    for (const timeout of [1, 0.5, 1_000, '250ms', '1.5s', '2m', '12h', '25d', 2 ** 40, Infinity] as const) {
      expect(await scope({ timeout, cleanupTimeout: timeout }, () => 'result')).toBe('result');
    }
    expect(await scope({ timeout: 0, cleanupTimeout: 0 }, () => 'result')).toBe('result');
  });

  test('an empty name, no values, no options, and a body alone', async () => {
    expect(await scope({ name: '', values: [] }, () => 'result')).toBe('result');
    expect(await scope({}, () => 'result')).toBe('result');
    expect(await scope(...([() => 'result', undefined] as unknown as [() => string]))).toBe('result');
  });
});

describe('scopeSync refuses', () => {
  const call =
    (options: unknown, body: unknown = unreached) =>
    () =>
      scopeSync(options as {}, body as () => 1);

  test('a bad name or recover', () => {
    for (const value of notText) expectRefusal(call({ name: value }), 'name', value, 'a string');
    for (const value of notFunction.filter((it) => it !== undefined)) {
      expectRefusal(call({ recover: value }), 'recover', value, 'a function');
    }
  });

  test('options that only scope has, and those that nobody has', () => {
    for (const option of ['timeout', 'signal', 'values', 'cleanupTimeout', 'unknown']) {
      expectRefusal(call({ [option]: 1 }), option, 1, 'an option of scopeSync: recover, name');
    }
  });

  test('options that are no object, and a body that is no function', () => {
    for (const options of notOptions) expectRefusal(call(options), 'scopeSync', options, 'an object with options');
    for (const body of notFunction)
      expectRefusal(() => scopeSync({}, body as () => 1), 'scopeSync', body, 'a function');
  });

  test('and takes undefined for each, and a body alone', () => {
    expect(scopeSync({ name: undefined, recover: undefined }, () => 'result')).toBe('result');
    expect(scopeSync(() => 'result')).toBe('result');
  });
});

describe.for([
  ['scope', (body: (s: SyncScope) => void) => scope(body)],
  ['scopeSync', async (body: (s: SyncScope) => undefined) => scopeSync(body)],
] as const)('a scope made by %s', ([, run]) => {
  test('refuses to defer, adopt or use what it could not run, and registers nothing', async () => {
    await run((s) => {
      for (const value of notFunction) {
        expectRefusal(() => s.defer(value as () => void), 'defer', value, 'a function');
        expectRefusal(() => s.adopt('handle', value as () => void), 'adopt', value, 'a function');
      }
      const EXPECTED = 'something with Symbol.dispose or Symbol.asyncDispose (adopt takes the rest), null or undefined';
      for (const value of [
        0,
        Number.NaN,
        'text',
        true,
        {},
        () => {},
        Symbol('r'),
        { [Symbol.dispose]: 1 },
        { dispose() {} },
      ]) {
        expectRefusal(() => s.use(value as unknown as Disposable), 'use', value, EXPECTED);
      }
    });
  });
});

test('a scope made by scopeSync refuses to use what is disposed of asynchronously', () => {
  scopeSync((s) => {
    const resource = { [Symbol.asyncDispose]: unreached };
    expectRefusal(() => s.use(resource as unknown as Disposable), 'use', resource);
  });
});

describe('the functions of a scope refuse', () => {
  /** Runs `check` in a scope, and fails if that leaves anything. */
  async function within(check: (s: Scope) => void): Promise<void> {
    await virtualTime(async (time) => {
      const controller = new CountedController();
      await scope({ signal: controller.signal }, (s) => {
        check(s);
        expect(time.pending).toBe(0);
        return 'result';
      });
      expect([controller.added, controller.removed]).toEqual([1, 1]);
    });
  }

  test('go: a body that is no function, or none', () =>
    within((s) => {
      for (const value of notFunction) {
        expectRefusal(() => s.go({}, value as () => void), 'go', value, 'a function');
        expect(refusal(() => s.go(value as () => void))).toMatchObject({ code: 'BAD_OPTION', option: 'go' });
      }
      expectRefusal(() => s.go({} as () => void), 'go', undefined, 'a function');
    }));

  test('go: the bad options that scope refuses, and a signal, since a child hangs below its scope', () =>
    within((s) => {
      const go = (options: unknown) => () => s.go(options as {}, unreached);
      for (const [option, values, expected] of bad) {
        for (const value of values) expectRefusal(go({ [option]: value }), option, value, expected);
      }
      for (const option of ['signal', 'unknown']) {
        expectRefusal(
          go({ [option]: s.signal }),
          option,
          s.signal,
          'an option of go: timeout, recover, values, name, cleanupTimeout',
        );
      }
      for (const options of [...notOptions, unreached])
        expectRefusal(go(options), 'go', options, 'an object with options');
      expectRefusal(go({ timeout: 1_000, cleanupTimeout: -1 }), 'cleanupTimeout', -1);
    }));

  test('sleep: a bad duration', () =>
    within((s) => {
      for (const value of [...notDuration, undefined])
        expectRefusal(() => s.sleep(value as number), 'sleep', value, DURATION);
    }));

  test('map: items that cannot be walked through, a bad concurrency, no function, unknown options', () =>
    within((s) => {
      const map =
        (items: unknown, options: unknown, fn: unknown = unreached) =>
        () =>
          s.map(items as [], options as { concurrency: 1 }, fn as () => void);
      for (const items of notIterable) expectRefusal(map(items, { concurrency: 1 }), 'map', items, 'an iterable');
      for (const concurrency of [0, -1, 0.5, 1.5, Number.NaN, -Infinity, '1', null, undefined, {}, 1n, true]) {
        expectRefusal(map([1], { concurrency }), 'concurrency', concurrency, 'a whole number from 1, or Infinity');
      }
      expectRefusal(map([1], {}), 'concurrency', undefined);
      for (const options of [...notOptions, undefined, unreached]) expectRefusal(map([1], options), 'map', options);
      expectRefusal(map([1], { concurrency: 1, limit: 2 }), 'limit', 2, 'an option of map: concurrency');
      for (const fn of notFunction)
        if (fn !== undefined) expectRefusal(map([1], { concurrency: 1 }, fn), 'map', fn, 'a function');
    }));

  test('race: bodies that are not a list of functions, or none at all', () =>
    within((s) => {
      const race = (bodies: unknown) => () => s.race(bodies as (() => void)[]);
      for (const bodies of notIterable) expectRefusal(race(bodies), 'race', bodies, 'an iterable');
      for (const bodies of [[], new Set(), '']) expectRefusal(race(bodies), 'race', bodies, 'at least one function');
      for (const body of notFunction) expectRefusal(race([unreached, body]), 'race', body, 'a function');
      expectRefusal(race('text'), 'race', 't', 'a function');
    }));

  test('map and race before they look at the state of the scope, which comes second', async () => {
    let ended: Scope | undefined;
    await scope((s) => void (ended = s));
    const s = ended as Scope;
    const none: [] = [];
    expectRefusal(() => s.race(none), 'race', none);
    expectRefusal(() => s.map([], { concurrency: 0 }, unreached), 'concurrency', 0);
    expectRefusal(() => s.sleep(-1), 'sleep', -1);
    expectRefusal(() => s.defer(1 as never), 'defer', 1);
    expectRefusal(() => s.use(1 as never), 'use', 1);
  });

  test('race: passes on what walking through the bodies throws, and starts nothing', () =>
    within((s) => {
      function* bodies(): Generator<() => void> {
        yield unreached;
        throw new Error('walking');
      }
      expect(() => s.race(bodies())).toThrow('walking');
    }));
});

describe('contextKey refuses', () => {
  test('a name that is no text', () => {
    for (const name of [...notText, undefined])
      expectRefusal(() => contextKey(name as string), 'contextKey', name, 'a string');
  });
});
