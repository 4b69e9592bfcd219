/** Policies as values: how they are put together (P1.1), shown, and called by `run`, `bind` and `wrap`. `settle` has a file of its own. */
import { describe, expect, test } from 'vitest';
import { fail, scripted, virtualTime } from '../../testing/index.ts';
import { errorOf } from '../../../test/settle.ts';
import { watchUnhandledRejections } from '../../../test/unhandled.ts';
import {
  breaker,
  budget,
  bulkhead,
  CircuitOpenError,
  constant,
  exponential,
  failWhen,
  fallback,
  layer,
  policy,
  Policy,
  retry,
  timeout,
} from '../../index.ts';

watchUnhandledRejections();

const zero = constant(0);
const twice = retry({ attempts: 2, backoff: zero });
const down = (): never => {
  throw new Error('down');
};
const unreached = (): never => expect.fail('ran');

/** An error that leaves open whether it happened. */
const lost = (): Error => Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' });

/** What is thrown by the call itself, not by what it starts. */
function refusal(call: () => unknown): any {
  try {
    call();
  } catch (error) {
    return error;
  }
  return expect.fail('was not refused');
}

describe('P1.1 policy(…)', () => {
  test('takes no layer at all: one attempt, whose outcome is that of the call', async () => {
    expect(await policy().run((s) => [s.attempt, s.previousError])).toEqual([1, undefined]);
    const op = scripted([fail('first'), 'never']);
    expect(await errorOf(policy().run(op))).toBe('first');
    expect(op.calls).toHaveLength(1);
  });

  test('takes a policy for its layers, however deep it is nested', () => {
    const [a, b, c] = [timeout('3s'), retry(), breaker()];
    const flat = policy(a, b, c);
    for (const nested of [policy(policy(a, b), c), policy(a, policy(b, c)), policy(policy(policy(a), b), policy(c))])
      expect(nested.layers).toEqual(flat.layers);
    expect(policy(policy(), a, policy()).layers).toEqual(a.layers);
  });

  test('gives an immutable value: neither its layers nor the layers it was made of change', () => {
    const inner = retry();
    const made = policy(timeout('1s'), inner);
    expect(Object.isFrozen(made.layers)).toBe(true);
    expect(inner.layers).toHaveLength(1);
    expect(made.layers).toHaveLength(2);
  });

  test('shares a breaker that stands in two policies', async () => {
    const shared = breaker({ failures: 1 });
    await errorOf(policy(retry({ attempts: 1 }), shared).run(down));
    expect(await errorOf(policy(timeout('1s'), shared).run(unreached))).toBeInstanceOf(CircuitOpenError);
  });

  test('shares a bulkhead that stands in two policies', async () => {
    await virtualTime(async (time) => {
      const shared = bulkhead({ limit: 1 });
      const first = policy(retry({ attempts: 1 }), shared).run((s) => s.sleep(10));
      expect(await errorOf(policy(shared).run(unreached))).toMatchObject({ code: 'BULKHEAD_FULL' });
      await time.runAll();
      await first;
    });
  });

  test('shares a budget that is given to two retries', async () => {
    const shared = budget({ initial: 1, ratio: 0, trickle: 0 });
    const [a, b] = [retry({ budget: shared, backoff: zero }), retry({ budget: shared, backoff: zero })];
    await a.run(scripted([fail('once'), 'ok']));
    const op = scripted([fail('no token'), 'never']);
    expect(await errorOf(b.run(op))).toBe('no token');
  });

  test('keeps the budget of a layer wherever that layer is used', async () => {
    const layer = retry({ budget: { initial: 1, ratio: 0, trickle: 0 }, backoff: zero });
    await policy(layer).run(scripted([fail('once'), 'ok']));
    expect(await errorOf(policy(timeout('1s'), layer).run(scripted([fail('no token'), 'never'])))).toBe('no token');
  });

  test('refuses what is no policy', () => {
    for (const given of [null, undefined, 1, 'retry', {}, [], retry, () => {}, Object.create(null)]) {
      const error = refusal(() => policy(retry(), given as never));
      expect(error).toBeInstanceOf(TypeError);
      expect(error).toMatchObject({ code: 'BAD_OPTION', option: 'policy', expected: 'policies and layers' });
      expect(error.given).toBe(given);
    }
  });

  test('refuses a failWhen that is not innermost, nested or not', () => {
    const judge = failWhen(() => false);
    for (const make of [
      () => policy(judge, retry()),
      () => policy(policy(breaker(), judge), retry()),
      () => policy(judge, judge),
      () => policy(judge, fallback(0)),
    ]) {
      const error = refusal(make);
      expect(error).toBeInstanceOf(TypeError);
      expect(error).toMatchObject({
        code: 'BAD_OPTION',
        option: 'policy',
        expected: 'failWhen as the innermost layer: it judges what the operation returns',
      });
    }
    expect(String(policy(retry({ budget: false }), policy(breaker(), judge)))).toMatch(/breaker → failWhen$/);
  });
});

describe('String(policy)', () => {
  test('shows the layers, outermost first', () => {
    const inventory = policy(
      timeout('3s'),
      retry({ attempts: 4, backoff: exponential('100ms', { cap: '5s' }), idempotent: true }),
      breaker({ failures: 5, cooldown: '15s' }),
      bulkhead({ limit: 100, queue: 50 }),
      timeout('800ms'),
    );
    expect(String(inventory)).toBe(
      'timeout 3s → retry ×4 (100ms‥5s, full jitter, budget) → breaker → bulkhead 100+50 → timeout 800ms',
    );
  });

  test('shows layers of every kind, by their names', () => {
    const own = layer({ name: 'log', run: (next) => next() });
    const shown = policy(fallback(0), own, breaker({ name: 'inventory' }), failWhen(Boolean));
    expect(String(shown)).toBe('fallback → log → breaker inventory → failWhen');
  });

  test('says so if there are none', () => {
    expect(String(policy())).toBe('no layers');
    expect(String(timeout(Infinity))).toBe('no layers');
  });
});

describe('run', () => {
  test('gives a promise of the platform, whatever the operation returns', async () => {
    class Own<T> extends Promise<T> {}
    for (const op of [() => 1, async () => 1, () => Own.resolve(1), down]) {
      const promise: Promise<unknown> = twice.run<unknown>(op);
      expect(Object.getPrototypeOf(promise)).toBe(Promise.prototype);
      await promise.catch(() => {});
    }
  });

  test('may be called on one policy many times at once: each call has attempts of its own', async () => {
    await virtualTime(async (time) => {
      const thrice = retry({ attempts: 3, backoff: constant(10) });
      const call = (number: number): Promise<string> =>
        thrice.run(async (s) => {
          await s.sleep(number);
          if (s.attempt <= number) throw new Error(`${number}`);
          return `call ${number}, attempt ${s.attempt} after ${String(s.previousError)}`;
        });
      const calls = Promise.all([0, 1, 2].map(call));
      await time.runAll();
      expect(await calls).toEqual([
        'call 0, attempt 1 after undefined',
        'call 1, attempt 2 after Error: 1',
        'call 2, attempt 3 after Error: 2',
      ]);
    });
  });

  test('may be called in an operation of the same policy', async () => {
    const nested = twice.run((s) => twice.run((inner) => [s.attempt, inner.attempt, s === inner]));
    expect(await nested).toEqual([1, 1, false]);
  });
});

describe('bind', () => {
  test('gives a function whose arguments follow the scope of the attempt', async () => {
    const seen: unknown[] = [];
    const query = twice.bind((s, sku: string, count: number) => {
      seen.push([s.attempt, sku, count]);
      if (s.attempt === 1) throw new Error('once');
      return count * 2;
    });
    expect(await query('a', 21)).toBe(42);
    expect(seen).toEqual([
      [1, 'a', 21],
      [2, 'a', 21],
    ]);
  });

  test('passes `this` on', async () => {
    const shop = {
      name: 'shop',
      greet: twice.bind(function (this: { name: string }, _s, whom: string) {
        return `${this.name} greets ${whom}`;
      }),
    };
    expect(await shop.greet('Ada')).toBe('shop greets Ada');
  });

  test('runs each call by itself: they share the layers, not the attempts', async () => {
    const number = twice.bind((s) => s.attempt);
    expect(await Promise.all([number(), number(), number()])).toEqual([1, 1, 1]);
  });

  test('takes `name` and `idempotent` for all its calls', async () => {
    const seen: unknown[] = [];
    const layer = retry({
      attempts: 2,
      backoff: zero,
      retryIf: (_error, context) => void seen.push([context.name, context.idempotent]),
    });
    const op = scripted([fail(lost()), 'ok', fail(lost()), 'ok']);
    const bound = layer.bind(() => op(), { name: 'query', idempotent: true });
    expect([await bound(), await bound()]).toEqual(['ok', 'ok']);
    expect(seen).toEqual([
      ['query', true],
      ['query', true],
    ]);
  });
});

describe('wrap', () => {
  test('gives a function with the same parameters, which is told nothing of the policy', async () => {
    const seen: unknown[][] = [];
    const half = twice.wrap((...args: number[]) => {
      seen.push(args);
      if (seen.length === 1) throw new Error('once');
      return (args[0] as number) / 2;
    });
    expect(await half(10, 1)).toBe(5);
    expect(seen).toEqual([
      [10, 1],
      [10, 1],
    ]);
  });

  test('passes `this` on', async () => {
    class Orders {
      readonly table = 'orders';
      async place(this: Orders, id: number): Promise<string> {
        return `${this.table} ${id}`;
      }
    }
    const orders = Object.assign(new Orders(), { place: twice.wrap(Orders.prototype.place) });
    expect(await orders.place(17)).toBe('orders 17');
  });

  test('rejects where the function throws at once', async () => {
    const error = new Error('at once');
    const wrapped = policy().wrap(() => {
      throw error;
    });
    expect(await errorOf(wrapped())).toBe(error);
  });

  test('takes `name` and `idempotent` for all its calls', async () => {
    const op = scripted([fail(lost()), 'ok']);
    expect(await twice.wrap(op, { idempotent: true, name: 'query' })('argument')).toBe('ok');
    expect(op.calls.map((call) => call.args)).toEqual([['argument'], ['argument']]);
  });
});

describe('refusals, within the call and before anything runs', () => {
  const entries = {
    run: (op: unknown, options?: unknown) => twice.run(op as () => void, options as {}),
    settle: (op: unknown, options?: unknown) => twice.settle(op as () => void, options as {}),
    bind: (op: unknown, options?: unknown) => twice.bind(op as () => void, options as {}),
    wrap: (op: unknown, options?: unknown) => twice.wrap(op as () => void, options as {}),
  };
  const each = Object.entries(entries);

  test.for(each)('%s: an operation that is no function', ([of, call]) => {
    for (const op of [undefined, null, 1, 'op', {}, Promise.resolve(), Symbol('op')]) {
      const error = refusal(() => call(op));
      expect(error).toBeInstanceOf(TypeError);
      expect(error).toMatchObject({ code: 'BAD_OPTION', option: of, expected: 'a function' });
      expect(error.given).toBe(op);
    }
  });

  test.for(each)('%s: options that are no object', ([of, call]) => {
    for (const options of [null, 1, 'text', true, Symbol('o'), () => {}]) {
      const error = refusal(() => call(unreached, options));
      expect(error).toBeInstanceOf(TypeError);
      expect(error).toMatchObject({ code: 'BAD_OPTION', option: of, expected: 'an object with options' });
      expect(error.given).toBe(options);
    }
  });

  test.for(each)('%s: an option that it does not know, and says which it does', ([of, call]) => {
    const known = 'signal, idempotent, name';
    for (const option of ['Signal', 'timeout', 'attempts', '0']) {
      const error = refusal(() => call(unreached, { [option]: 1 }));
      expect(error).toMatchObject({ code: 'BAD_OPTION', option, expected: `an option of ${of}: ${known}` });
    }
  });

  test.for(each.slice(2))(
    '%s: a signal: it is found in the arguments of each call, so it is a function',
    ([, call]) => {
      const error = refusal(() => call(unreached, { signal: new AbortController().signal }));
      expect(error).toMatchObject({
        option: 'signal',
        expected: 'a function that finds the signal in the arguments of a call',
      });
    },
  );

  test.for(each)('%s: a bad idempotent or name', ([, call]) => {
    for (const idempotent of [null, 0, 1, 'true', {}]) {
      const error = refusal(() => call(unreached, { idempotent }));
      expect(error).toBeInstanceOf(TypeError);
      expect(error).toMatchObject({ code: 'BAD_OPTION', option: 'idempotent', expected: 'true or false' });
    }
    for (const name of [null, 1, {}, Symbol('n'), true]) {
      const error = refusal(() => call(unreached, { name }));
      expect(error).toBeInstanceOf(TypeError);
      expect(error).toMatchObject({ code: 'BAD_OPTION', option: 'name', expected: 'a string' });
    }
  });

  test.for(each.slice(0, 2))('%s: a bad signal', ([, call]) => {
    for (const signal of [null, 1, 'text', {}, () => {}, new AbortController(), { aborted: false }]) {
      const error = refusal(() => call(unreached, { signal }));
      expect(error).toBeInstanceOf(TypeError);
      expect(error).toMatchObject({
        code: 'BAD_OPTION',
        option: 'signal',
        expected: 'an AbortSignal or a scope',
      });
      expect(error.given).toBe(signal);
    }
  });

  test.for(each)('%s: nothing, if the options are undefined one by one', ([, call]) => {
    const signal = call === entries.run || call === entries.settle ? { signal: undefined } : {};
    const op = (): number => 1;
    expect(() => call(op, { idempotent: undefined, name: undefined, ...signal })).not.toThrow();
    expect(() => call(op)).not.toThrow();
  });
});

test('every layer is a policy of one layer', async () => {
  const layers = [retry(), timeout('1s'), breaker(), bulkhead({ limit: 1 }), fallback(0), failWhen(() => false)];
  for (const one of layers) {
    expect(one).toBeInstanceOf(Policy);
    expect(await one.run(() => 17)).toBe(17);
  }
});
