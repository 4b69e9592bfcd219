/** `resilient`: a decorator that runs a method in a policy. */
import { badOption, checkOption } from '../../foundation/index.ts';
import { Policy, type BindOptions, type FallbackOf } from '../run/policy.ts';

/** Any method that returns a promise. */
type AsyncMethod = (this: any, ...args: any[]) => Promise<any>;

/**
 * What a method has to be besides, so that a policy that may give an `F` in its place suits it: anything, if its result may be an `F`. Else
 * something that no method is, whose name is what the compiler says.
 */
export type Suits<F, M extends AsyncMethod> = [F] extends [Awaited<ReturnType<M>>]
  ? unknown
  : { 'the fallback of this policy gives a type that the method does not return': F };

/**
 * A decorator for methods and static methods that return promises, in both forms that there are: the standard one (TC39 stage 3, TypeScript's default)
 * and the legacy one (`experimentalDecorators`).
 *
 * @typeParam F what the policy's fallbacks may give in place of the method's result
 */
export interface Resilient<F = never> {
  <M extends AsyncMethod>(method: M & Suits<F, M>, context: ClassMethodDecoratorContext<any, M>): M;
  <M extends AsyncMethod>(
    target: object,
    key: string | symbol,
    descriptor: TypedPropertyDescriptor<M> & Suits<F, M>,
  ): TypedPropertyDescriptor<M>;
}

/**
 * Runs a method in a policy, without a word in its body: `@resilient(inventory)`.
 *
 * For methods and static methods that return promises; private ones (`#name`) with standard decorators. Type parameters, `this`, `name` and `length` stay
 * as they are. A policy that may give something else (`fallback`) must fit what the method returns: anything else is a compile error.
 *
 * The policy is one for all instances of the class, and for everything else it is used for: they share its breaker, bulkhead and budget. A method that
 * calls the decorated one it overrides (`super.place()`) is a policy in a policy: their retries multiply.
 *
 * @param policy what to run it in
 * @param options as of `wrap`: `signal` finds in the arguments of a call what cancels it [nothing]; `idempotent` [what the layer says]; `name`, for
 * events and messages [that of the method]
 * @throws {TypeError} code `BAD_OPTION`, when the class is defined: for options, and for whatever is no method
 * @example
 * class Orders {
 *   async place(order: { id: number }, signal?: AbortSignal): Promise<string> { return `placed ${order.id}`; }
 * }
 * // with decorators in your build: @resilient(policy(…), { signal: (order, signal) => signal }) above `place`
 * const place = Object.getOwnPropertyDescriptor(Orders.prototype, 'place')!;
 * const decorate = resilient(retry({ attempts: 3 }), { signal: (_order, signal) => signal });
 * Object.defineProperty(Orders.prototype, 'place', decorate(Orders.prototype, 'place', place));
 * await new Orders().place({ id: 7 }); // 'placed 7'
 */
export function resilient<P extends Policy<unknown>>(policy: P, options: BindOptions = {}): Resilient<FallbackOf<P>> {
  checkOption(policy instanceof Policy, 'resilient', policy, 'a policy');
  policy.wrap(() => {}, options); // what is wrong with the options is said here, and not at some method
  const decorate = (target: unknown, about: unknown, descriptor: unknown): unknown => {
    if (isStandard(about)) {
      checkMethod(about.kind === 'method', about.kind, about.name);
      return wrapped(policy, target as AsyncMethod, about.name, options);
    }
    const kind = legacyKind(target, about, descriptor);
    checkMethod(kind === 'method', kind, about);
    const method = descriptor as TypedPropertyDescriptor<AsyncMethod>;
    return { ...method, value: wrapped(policy, method.value!, about as string | symbol, options) };
  };
  return decorate as Resilient<FallbackOf<P>>;
}

/** What a standard decorator is told besides the method. */
function isStandard(about: unknown): about is { readonly kind: string; readonly name: string | symbol | undefined } {
  return typeof about === 'object' && about !== null && 'kind' in about;
}

/** What a legacy decorator was put on, by what it is given. */
function legacyKind(target: unknown, key: unknown, descriptor: unknown): string {
  if (key === undefined) return typeof target === 'function' ? 'class' : typeof target;
  if (typeof descriptor === 'number') return 'parameter';
  if (typeof descriptor !== 'object' || descriptor === null) return 'field';
  if ('value' in descriptor) return typeof descriptor.value === 'function' ? 'method' : 'field';
  return 'get' in descriptor || 'set' in descriptor ? 'accessor' : 'field';
}

function checkMethod(ok: boolean, kind: string, name: unknown): void {
  if (ok) return;
  const what = typeof name === 'string' || typeof name === 'symbol' ? `${kind} ${String(name)}` : kind;
  throw badOption('resilient', what, 'a method: it decorates methods and static methods');
}

function wrapped(
  policy: Policy<unknown>,
  method: AsyncMethod,
  key: string | symbol | undefined,
  options: BindOptions,
): AsyncMethod {
  const run = policy.wrap(method, { ...options, name: options.name ?? String(key) });
  return Object.defineProperties(run, {
    name: { value: method.name, configurable: true },
    length: { value: method.length, configurable: true },
  });
}
