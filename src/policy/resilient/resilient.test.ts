/**
 * P14. The decorator as a function: what the two forms of decorators call it with. That compilers do so is shown in
 * `test/packaging/decorators.test.ts`.
 */
import { describe, expect, test } from 'vitest';
import { attemptsOf, constant, fallback, policy, resilient, retry, type Policy } from '../../index.ts';
import { recordEvents } from '../../testing/index.ts';

const again = (): Policy => retry({ attempts: 3, backoff: constant(0), budget: false });

class Orders {
  failures = 2;

  async place(id: number, _signal?: AbortSignal): Promise<string> {
    if (this.failures-- > 0) throw new Error('busy');
    return `placed ${id}`;
  }
}

const { place } = Orders.prototype;
const descriptorOf = (): TypedPropertyDescriptor<typeof place> =>
  Object.getOwnPropertyDescriptor(Orders.prototype, 'place') as TypedPropertyDescriptor<typeof place>;

/** What a compiler hands to a standard decorator. */
function context(kind: string = 'method', name: string | symbol | undefined = 'place'): never {
  return { kind, name, static: false, private: false, metadata: {}, addInitializer: () => {} } as never;
}

describe.each<[form: string, decorate: (made: Policy, options?: Parameters<typeof resilient>[1]) => typeof place]>([
  ['standard', (made, options) => resilient(made, options)(place, context())],
  [
    'legacy',
    (made, options) => resilient(made, options)(Orders.prototype, 'place', descriptorOf()).value as typeof place,
  ],
])('P14.1 a method that is decorated (%s)', (_form, decorate) => {
  test('runs in the policy, with its `this` and its arguments', async () => {
    const orders = new Orders();
    expect(await decorate(again()).call(orders, 7)).toBe('placed 7');
    expect(orders.failures).toBe(-1);
  });

  test('fails with the error of its last attempt', async () => {
    const orders = Object.assign(new Orders(), { failures: 5 });
    const error = await decorate(again())
      .call(orders, 7)
      .catch((error: unknown) => error);
    expect(error).toMatchObject({ message: 'busy' });
    expect(attemptsOf(error)).toHaveLength(3);
  });

  test('keeps its name and length', () => {
    const { name, length } = decorate(again());
    expect([name, length]).toEqual(['place', 2]);
  });

  test('gives a rejection for what throws at once', async () => {
    const throws = decorate(retry({ attempts: 1 }));
    await expect(throws.call(undefined as never, 7)).rejects.toThrow(TypeError);
  });

  test('P14.2 finds in its arguments what cancels it', async () => {
    const signal = AbortSignal.abort('no longer');
    const made = decorate(again(), { signal: (_id: number, signal?: AbortSignal) => signal });
    await expect(made.call(new Orders(), 7, signal)).rejects.toBe('no longer');
    expect(await made.call(new Orders(), 7)).toBe('placed 7');
  });

  test('P14.2 is called in events by its own name, or by that of the options', async () => {
    using events = recordEvents();
    await decorate(again()).call(new Orders(), 7);
    await decorate(again(), { name: 'orders' }).call(new Orders(), 7);
    const starts = events.filter(({ event }) => event === 'call:start');
    expect(starts.map(({ name }) => name)).toEqual(['place', 'orders']);
  });

  test('P14.2 says whether it may run twice', async () => {
    const reset = async (): Promise<string> => {
      throw Object.assign(new Error('reset'), { code: 'ECONNRESET' });
    };
    const run = async (idempotent: boolean): Promise<number> => {
      let calls = 0;
      const counted = async (): Promise<string> => (calls++, reset());
      const made = resilient(again(), { idempotent })(counted, context());
      await made().catch(() => {});
      return calls;
    };
    expect([await run(true), await run(false)]).toEqual([3, 1]);
  });
});

describe('P14.3 a decorator', () => {
  test('gives one policy to all instances', async () => {
    const made = policy(
      fallback(async () => 'fallback'),
      retry({ attempts: 3, budget: { initial: 1, cap: 1, trickle: 0 }, backoff: constant(0) }),
    );
    const decorated = resilient(made)(place, context());
    expect(await decorated.call(Object.assign(new Orders(), { failures: 1 }), 7)).toBe('placed 7'); // the one token
    expect(await decorated.call(Object.assign(new Orders(), { failures: 1 }), 8)).toBe('fallback');
  });

  test('leaves the rest of a legacy descriptor as it was', () => {
    const before = { ...descriptorOf(), enumerable: true, writable: false };
    const after = resilient(again())(Orders.prototype, 'place', before);
    expect(after).toEqual({ ...before, value: expect.any(Function) as unknown });
    expect(after.value).not.toBe(place);
    expect(before.value).toBe(place);
  });

  test('takes methods with symbols and private names', async () => {
    using events = recordEvents();
    const run = async (name: string | symbol): Promise<unknown> =>
      resilient(again())(async () => 1, context('method', name)).call(undefined);
    await run(Symbol('secret'));
    await run('#hidden');
    const starts = events.filter(({ event }) => event === 'call:start');
    expect(starts.map(({ name }) => name)).toEqual(['Symbol(secret)', '#hidden']);
  });
});

describe('P14.4 whatever is no method is refused when the class is defined', () => {
  const decorate = resilient(again()) as unknown as (...args: unknown[]) => unknown;
  const accessor = { get: () => 1, set: undefined, enumerable: false, configurable: true };

  test.each<[what: string, args: unknown[], got: string]>([
    ['a field, standard', [undefined, context('field', 'total')], 'field total'],
    ['a getter, standard', [() => 1, context('getter', 'total')], 'getter total'],
    ['a setter, standard', [() => 1, context('setter', 'total')], 'setter total'],
    ['an accessor, standard', [{}, context('accessor', 'total')], 'accessor total'],
    ['a class, standard', [Orders, context('class', 'Orders')], 'class Orders'],
    ['a class without a name, standard', [Orders, { kind: 'class', name: undefined }], 'class'],
    ['a field, legacy', [Orders.prototype, 'total', undefined], 'field total'],
    ['a field, legacy, void 0', [Orders.prototype, 'total'], 'field total'],
    ['a field with an initializer', [Orders.prototype, 'total', { initializer: () => 1 }], 'field total'],
    ['a field that is there', [Orders.prototype, 'total', { value: 5 }], 'field total'],
    ['a getter, legacy', [Orders.prototype, 'total', accessor], 'accessor total'],
    ['a setter, legacy', [Orders.prototype, 'total', { ...accessor, get: undefined }], 'accessor total'],
    ['a parameter, legacy', [Orders.prototype, 'place', 0], 'parameter place'],
    ['a class, legacy', [Orders], 'class'],
    ['nothing', [5], 'number'],
  ])('%s', (_what, args, got) => {
    expect(() => decorate(...args)).toThrow(
      expect.objectContaining({
        name: 'TypeError',
        code: 'BAD_OPTION',
        message: `resilient: expected a method: it decorates methods and static methods; got "${got}"`,
      }) as Error,
    );
  });

  test('so is what is no policy, and are bad options', () => {
    const bad = (...args: unknown[]): unknown => (resilient as (...args: unknown[]) => unknown)(...args);
    expect(() => bad(retry)).toThrow(/^resilient: expected a policy; got function$/);
    expect(() => bad(again(), { signal: 5 })).toThrow(/^signal: expected a function/);
    expect(() => bad(again(), { retries: 5 })).toThrow(/^retries: expected an option of/);
    expect(() => bad(again(), { name: 5 })).toThrow(/^name: expected a string/);
  });
});
