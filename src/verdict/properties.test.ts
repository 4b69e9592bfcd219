/**
 * Random graphs of hostile objects: whatever is given, `classify` returns, and what it returns is a frozen, well-formed
 * `Classification`. Not covered: whether the verdict is right; the tables' own tests say that.
 */
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { seed } from '../../test/seed.ts';
import { addVerdictRule, classify } from './index.ts';

const FIELDS = [
  'code',
  'name',
  'message',
  'syscall',
  'status',
  'statusCode',
  'headers',
  'response',
  'retryAfterMs',
  'errors',
  'cause',
  'original',
  'parent',
  'originalError',
  'driverError',
  'suppressed',
  'error',
  'get',
  'retry-after',
];
const BRAND = Symbol.for('holdfast.error');

const primitive = fc.oneof(
  fc.constantFrom<unknown>(undefined, null, NaN, Infinity, -1, 0, 404, 429, 503, 511, Symbol('x'), 5n),
  fc.constantFrom(
    'ECONNREFUSED',
    'ECONNRESET',
    'ENOENT',
    'UND_ERR_SOCKET',
    'CIRCUIT_OPEN',
    'TIMEOUT',
    'connect',
    'read',
  ),
  fc.constantFrom(
    'TypeError',
    'AbortError',
    'TimeoutError',
    'SyntaxError',
    'fetch failed',
    '7',
    '__proto__',
    'toString',
  ),
  fc.constantFrom('Sun, 06 Nov 1994 08:49:37 GMT', '-5', '9'.repeat(400)),
  fc.string(),
  fc.integer(),
);

/** How a field gives its value, or does not. */
type Field = readonly [name: string, how: 'value' | 'getter' | 'throws' | 'list', values: readonly unknown[]];
interface Shape {
  readonly kind: 'object' | 'null' | 'error' | 'function' | 'array' | 'revoked' | 'throwing' | 'lying' | 'frozen';
  readonly branded: boolean;
  readonly fields: readonly Field[];
}

const anyShape = fc.record<Shape>({
  kind: fc.constantFrom('object', 'null', 'error', 'function', 'array', 'revoked', 'throwing', 'lying', 'frozen'),
  branded: fc.boolean(),
  fields: fc.array(
    fc.tuple(
      fc.constantFrom(...FIELDS),
      fc.constantFrom<Field[1]>('value', 'value', 'value', 'getter', 'throws', 'list'),
      // A number below 12 that is wrapped so stands for one of the other objects: that is how cycles come in.
      fc.array(fc.oneof(primitive, fc.record({ refersTo: fc.nat(11) })), { minLength: 1, maxLength: 4 }),
    ),
    { maxLength: 8 },
  ),
});

function boom(): never {
  throw new Error('hostile');
}

function build(shapes: readonly Shape[]): unknown[] {
  const made = shapes.map((shape) => bare(shape));
  const resolve = (value: unknown): unknown =>
    typeof value === 'object' && value !== null && 'refersTo' in value
      ? made[(value.refersTo as number) % made.length]?.seen
      : value;
  shapes.forEach(({ fields, branded, kind }, i) => {
    const { target } = made[i]!;
    if (branded) Object.defineProperty(target, BRAND, { value: true, configurable: true });
    for (const [name, how, values] of fields) {
      const get = (): unknown => {
        if (how === 'throws') boom();
        return how === 'list' ? values.map(resolve) : resolve(values[0]);
      };
      const plain = how === 'value' || how === 'list';
      const property = plain ? { value: get() } : { get };
      // Some fields of functions and arrays cannot be taken over.
      Reflect.defineProperty(target, name, { ...property, configurable: true, enumerable: true });
    }
    if (kind === 'frozen') Object.freeze(target);
  });
  return made.map(({ seen }) => seen);
}

function bare({ kind }: Shape): { target: object; seen: object } {
  const target =
    kind === 'null'
      ? (Object.create(null) as object)
      : kind === 'error'
        ? new Error('x')
        : kind === 'function'
          ? (): void => {}
          : kind === 'array'
            ? []
            : {};
  if (kind === 'revoked') {
    const { proxy, revoke } = Proxy.revocable(target, {});
    revoke();
    return { target, seen: proxy };
  }
  if (kind === 'throwing') return { target, seen: new Proxy(target, new Proxy({}, { get: () => boom })) };
  if (kind !== 'lying') return { target, seen: target };
  let turn = 0;
  const seen: object = new Proxy(target, {
    // Another answer each time, and sometimes itself.
    get: (of, key) => (++turn % 3 === 0 ? seen : turn % 3 === 1 ? Reflect.get(of, key) : () => seen),
    has: () => true,
  });
  return { target, seen };
}

function check(said: unknown): void {
  expect(Object.isFrozen(said)).toBe(true);
  const { verdict, reason, health, code, retryAfterMs, ...rest } = said as Record<string, unknown>;
  expect(rest).toEqual({});
  expect(['transient', 'permanent', 'ambiguous', 'unknown']).toContain(verdict);
  expect(['up', 'down', 'none']).toContain(health);
  expect(reason).toBeTypeOf('string');
  if ('code' in (said as object)) expect(code).toBeTypeOf('string');
  if ('retryAfterMs' in (said as object)) expect(retryAfterMs).toBeGreaterThanOrEqual(0);
}

const graphs = fc.array(anyShape, { minLength: 1, maxLength: 12 });

test('classify returns a frozen, well-formed Classification for whatever it is given', () => {
  const seen = new Set<string>();
  fc.assert(
    fc.property(graphs, (shapes) => {
      for (const error of build(shapes)) {
        const said = classify(error);
        check(said);
        seen.add(said.verdict);
      }
    }),
    { seed, numRuns: 2_000 },
  );
  // The graphs reach every verdict, or the property says little.
  expect([...seen].toSorted()).toEqual(['ambiguous', 'permanent', 'transient', 'unknown']);
});

test('also with rules that return whatever they find, throw, or classify what they find', () => {
  fc.assert(
    fc.property(graphs, fc.nat(3), (shapes, kind) => {
      using _rule = addVerdictRule((error) => {
        const { cause } = error as { cause?: unknown };
        if (kind === 0) return cause as never;
        if (kind === 1) return classify(cause);
        if (kind === 2) return classify(error);
        throw cause;
      });
      for (const error of build(shapes)) check(classify(error));
    }),
    { seed, numRuns: 1_000 },
  );
});

test('a primitive is unknown', () => {
  fc.assert(
    fc.property(primitive, (value) => classify(value).verdict === 'unknown'),
    { seed },
  );
});
