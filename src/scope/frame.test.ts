/**
 * The rules of unwinding (2.1, 2.2, 2.4, 2.9 and R7 to R10 of docs/reference/semantics.md), for both kinds of scope: one specification, two drivers.
 * Not here: what needs promises (`cleanups.test.ts`), children and cancellation.
 */
import { describe, expect, test } from 'vitest';
import { nextTurn } from '../foundation/index.ts';
import { recordEvents } from '../testing/index.ts';
import { errorOf, settle, type Settled } from '../../test/settle.ts';
import { watchUnhandledRejections } from '../../test/unhandled.ts';
import { scope, ScopeEndedError, scopeSync, suppressedErrors } from '../index.ts';
import type { Exit, SyncScope } from '../index.ts';

watchUnhandledRejections();

type Options = { readonly name?: string; readonly recover?: (error: unknown) => unknown };
type Run = (body: (s: SyncScope) => unknown, options?: Options) => Promise<Settled>;

const drivers: { readonly name: string; readonly run: Run }[] = [
  { name: 'scope', run: (body, options = {}) => settle(() => scope(options, body)) },
  { name: 'scopeSync', run: (body, options = {}) => settle(() => scopeSync<any, any>(options, body)) },
];

/** Makes errors of every kind that a program may throw, and some that it should not. */
const KINDS: Readonly<Record<string, () => unknown>> = {
  'an error': () => new Error('plain'),
  undefined: () => undefined,
  null: () => null,
  false: () => false,
  zero: () => 0,
  NaN: () => Number.NaN,
  'an empty text': () => '',
  'a symbol': () => Symbol('thrown'),
  'a bigint': () => 10n,
  'a function': () => () => 'thrown',
  'a thenable': () => ({ then: () => {} }), // oxlint-disable-line unicorn/no-thenable -- it is thrown, not awaited
  'a frozen error': () => Object.freeze(new Error('frozen')),
  'an object without a prototype': () => Object.create(null) as object,
  'an error whose cause throws when it is read': () =>
    Object.defineProperty(new Error('hostile'), 'cause', { get: fails(new Error('the getter of cause')) }),
  'a proxy that throws whatever is done with it': () =>
    new Proxy(new Error('proxied'), { get: fails('a trap'), has: fails('a trap'), getPrototypeOf: fails('a trap') }),
  'a proxy that was revoked': () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return proxy;
  },
};

/** Asks the same of every kind of error. */
async function whatever(check: (error: unknown, what: string) => Promise<void>): Promise<void> {
  for (const [what, make] of Object.entries(KINDS)) await check(make(), what);
}

function expectError(settled: Settled, error: unknown, what = ''): void {
  expect('error' in settled, `thrown: ${what}`).toBe(true);
  expect('error' in settled && Object.is(settled.error, error), `thrown: ${what}`).toBe(true);
}

/** An error whose chain of causes reaches `cause` after `links` links. */
function wrapped(cause: unknown, links: number): Error {
  let error = new Error('link 1', { cause });
  for (let link = 2; link <= links; link++) error = new Error(`link ${link}`, { cause: error });
  return error;
}

function fails(error: unknown): () => never {
  return () => {
    throw error;
  };
}

describe.for(drivers)('$name', ({ run }) => {
  describe('2.1 deferred functions', () => {
    test('run last in first out when the body has returned, and what they return is not the result', async () => {
      const ran: string[] = [];
      const settled = await run((s) => {
        s.defer(() => ran.push('first registered'));
        s.defer(() => ran.push('second'));
        s.defer(() => ran.push('third'));
        ran.push('body');
        return 'result';
      });
      expect(ran).toEqual(['body', 'third', 'second', 'first registered']);
      expect(settled).toEqual({ value: 'result' });
    });

    test('run last in first out when the body has thrown', async () => {
      const ran: string[] = [];
      const error = new Error('body');
      const settled = await run((s) => {
        s.defer(() => ran.push('first registered'));
        s.defer(() => ran.push('second'));
        throw error;
      });
      expect(ran).toEqual(['second', 'first registered']);
      expect(settled).toEqual({ error });
    });

    test('run once each, also when one function is registered twice', async () => {
      let runs = 0;
      const count = (): void => void runs++;
      await run((s) => {
        s.defer(count);
        s.defer(count);
      });
      expect(runs).toBe(2);
    });

    test('see how the scope ends', async () => {
      const seen: unknown[] = [];
      const look = ({ ok, value, error, cancelled }: Exit): void => void seen.push({ ok, value, error, cancelled });
      await run((s) => {
        s.defer(look);
        return 'result';
      });
      await run((s) => {
        s.defer(look);
        throw 'failure';
      });
      expect(seen).toEqual([
        { ok: true, value: 'result', error: undefined, cancelled: false },
        { ok: false, value: undefined, error: 'failure', cancelled: false },
      ]);
    });
  });

  describe('2.2 a cleanup that throws', () => {
    test('stops none of the others', async () => {
      const ran: number[] = [];
      await run((s) => {
        for (const number of [1, 2, 3]) {
          s.defer(() => {
            ran.push(number);
            throw new Error(`cleanup ${number}`);
          });
        }
      });
      expect(ran).toEqual([3, 2, 1]);
    });

    test('makes its error the failure if nothing had failed', async () => {
      const error = new Error('cleanup');
      const settled = await run((s) => {
        s.defer(fails(error));
        return 'result';
      });
      expect(settled).toEqual({ error });
    });

    test('is seen by those that run after it, and not by those before', async () => {
      const error = new Error('cleanup');
      const seen: unknown[] = [];
      await run((s) => {
        s.defer((exit) => seen.push(exit.ok, exit.error));
        s.defer(fails(error));
        s.defer((exit) => seen.push(exit.ok, exit.error));
      });
      expect(seen).toEqual([true, undefined, false, error]);
    });

    test('may be recovered by those that run after it: the result is again what the body had returned', async () => {
      const settled = await run((s) => {
        s.defer((exit) => exit.recover());
        s.defer(fails(new Error('cleanup')));
        return 'result';
      });
      expect(settled).toEqual({ value: 'result' });
    });

    test('leaves the first failure the one thrown, the same object', async () => {
      const first = new Error('first');
      const settled = await run((s) => {
        s.defer(fails(new Error('third')));
        s.defer(fails(new Error('second')));
        throw first;
      });
      expectError(settled, first);
    });

    test('is kept beside the first failure, newest last', async () => {
      const [first, second, third] = [new Error('first'), new Error('second'), new Error('third')];
      await run((s) => {
        s.defer(fails(third));
        s.defer(fails(second));
        throw first;
      });
      expect(suppressedErrors(first)).toEqual([second, third]);
      expect(suppressedErrors(second)).toEqual([]);
    });

    test('is told by an event, whether it is the failure or kept beside it', async () => {
      using events = recordEvents();
      await run(
        (s) => {
          s.defer(fails('second'));
          s.defer(fails('first'));
        },
        { name: 'orders' },
      );
      expect(events).toMatchObject([
        { event: 'scope:cleanup-failed', name: 'orders', error: 'first', late: false },
        { event: 'scope:cleanup-failed', name: 'orders', error: 'second', late: false },
      ]);
    });

    test('has an event without a name in a scope without one', async () => {
      using events = recordEvents();
      await run((s) => s.defer(fails('failure')));
      expect(events.map((e) => e.name)).toEqual([undefined]);
    });

    test('changes nothing and tells nothing if it throws the failure that it was shown', () =>
      whatever(async (error, what) => {
        using events = recordEvents();
        const settled = await run((s) => {
          s.defer((exit) => {
            throw exit.error;
          });
          throw error;
        });
        expectError(settled, error, what);
        expect(suppressedErrors(error)).toEqual([]);
        expect(events).toEqual([]);
      }));

    test.for([1, 2, 15, 16])('replaces the failure that its cause chain holds after %i links', async (links) => {
      using events = recordEvents();
      const first = new Error('first');
      const wrapper = wrapped(first, links);
      const settled = await run((s) => {
        s.defer(fails(wrapper));
        throw first;
      });
      expectError(settled, wrapper);
      expect(suppressedErrors(wrapper)).toEqual([first]);
      expect(suppressedErrors(first)).toEqual([]);
      expect(events).toMatchObject([{ event: 'scope:cleanup-failed', error: wrapper }]);
    });

    test('replaces a primitive that its cause holds', async () => {
      const wrapper = new Error('with words', { cause: 'failure' });
      const settled = await run((s) => {
        s.defer(fails(wrapper));
        throw 'failure';
      });
      expect(settled).toEqual({ error: wrapper });
      expect(suppressedErrors(wrapper)).toEqual(['failure']);
    });

    test('is only kept beside the failure if its cause chain is longer than sixteen links', async () => {
      const first = new Error('first');
      const wrapper = wrapped(first, 17);
      const settled = await run((s) => {
        s.defer(fails(wrapper));
        throw first;
      });
      expectError(settled, first);
      expect(suppressedErrors(first)).toEqual([wrapper]);
    });

    test('is only kept beside the failure if its cause chain is a cycle, or leads elsewhere', async () => {
      const cyclic = new Error('cyclic');
      cyclic.cause = new Error('back', { cause: cyclic });
      for (const error of [cyclic, wrapped(new Error('another'), 1), wrapped('text', 3), wrapped(null, 2)]) {
        const first = new Error('first');
        const settled = await run((s) => {
          s.defer(fails(error));
          throw first;
        });
        expectError(settled, first, error.message);
        expect(suppressedErrors(first)).toEqual([error]);
      }
    });

    test('is only kept beside the failure whatever it threw, hostile objects included', () =>
      whatever(async (error, what) => {
        const first = new Error('first');
        const settled = await run((s) => {
          s.defer(fails(error));
          throw first;
        });
        expectError(settled, first, what);
        const kept = suppressedErrors(first);
        expect(kept, `thrown: ${what}`).toHaveLength(1);
        expect(Object.is(kept[0], error), `thrown: ${what}`).toBe(true);
      }));

    test('without a cause does not wrap a thrown undefined', async () => {
      const settled = await run((s) => {
        s.defer(fails(new Error('cleanup')));
        throw undefined;
      });
      expect(settled).toEqual({ error: undefined });
    });
  });

  describe('2.4 a cleanup registered while the scope unwinds', () => {
    test('runs next', async () => {
      const ran: string[] = [];
      await run((s) => {
        s.defer(() => ran.push('first registered'));
        s.defer(() => {
          s.defer(() => {
            ran.push('registered by the second');
            s.defer(() => ran.push('registered by that'));
          });
          ran.push('second');
        });
      });
      expect(ran).toEqual(['second', 'registered by the second', 'registered by that', 'first registered']);
    });

    test('runs also if the one that registered it throws, and also from the very last one', async () => {
      const ran: string[] = [];
      const settled = await run((s) => {
        s.defer(() => {
          s.adopt('adopted', (value) => ran.push(value));
          s.use({ [Symbol.dispose]: () => ran.push('used') });
          throw 'failure';
        });
      });
      expect(ran).toEqual(['used', 'adopted']);
      expect(settled).toEqual({ error: 'failure' });
    });
  });

  describe('2.4 on a scope that has ended', () => {
    async function ended(name?: string): Promise<SyncScope> {
      let scope: SyncScope | undefined;
      await run((s) => void (scope = s), name === undefined ? {} : { name });
      return scope as SyncScope;
    }

    test('defer, use and adopt run the cleanup at once and throw ScopeEndedError', async () => {
      const s = await ended('orders');
      const ran: unknown[] = [];
      const resource = { [Symbol.dispose]: () => ran.push('used') };
      const error = await errorOf(() => s.defer(() => ran.push('deferred')));
      expect(error).toBeInstanceOf(ScopeEndedError);
      expect(error).toMatchObject({ code: 'SCOPE_ENDED', scope: 'orders', name: 'ScopeEndedError' });
      expect(error.message).toContain('orders has ended');
      expect('cause' in error).toBe(false);
      expect(() => s.use(resource)).toThrow(ScopeEndedError);
      expect(() => s.adopt('value', (value) => ran.push(`adopted ${value}`))).toThrow(ScopeEndedError);
      expect(ran).toEqual(['deferred', 'used', 'adopted value']);
    });

    test('use of null or undefined has nothing to lose', async () => {
      const s = await ended();
      expect(s.use(null)).toBe(null);
      expect(s.use(undefined)).toBe(undefined);
    });

    test('the cleanup sees how the scope has ended, and its exit changes nothing', async () => {
      const s = await ended();
      const seen: unknown[] = [];
      expect(() =>
        s.defer((exit) => {
          exit.fail('failure');
          exit.set('value');
          seen.push(exit.ok, exit.value, exit.recover('recovered'), exit.ok);
        }),
      ).toThrow(ScopeEndedError);
      expect(seen).toEqual([true, undefined, undefined, true]);
    });

    test('the error of the cleanup is the cause, and an event', async () => {
      using events = recordEvents();
      const s = await ended('orders');
      const error = new Error('close failed');
      expect(() => s.defer(fails(error))).toThrow(expect.objectContaining({ code: 'SCOPE_ENDED', cause: error }));
      expect(events).toMatchObject([{ event: 'scope:cleanup-failed', name: 'orders', error, late: true }]);
    });

    test('a rejection of the cleanup is an event, and unhandled by nobody', async () => {
      using events = recordEvents();
      const s = await ended();
      const error = await errorOf(() => s.defer(() => Promise.reject(new Error('later'))));
      expect('cause' in error).toBe(false);
      await nextTurn();
      expect(events).toMatchObject([{ event: 'scope:cleanup-failed', error: new Error('later'), late: true }]);
    });

    test('a thenable that throws is a cleanup that throws', async () => {
      const s = await ended();
      // oxlint-disable unicorn/no-thenable -- hostile ones
      const throwing = { then: fails('then') };
      const unreadable = Object.defineProperty({}, 'then', { get: fails('getter') });
      // oxlint-enable unicorn/no-thenable
      expect(() => s.defer(() => throwing)).toThrow(expect.objectContaining({ cause: 'then' }));
      expect(() => s.defer(() => unreadable)).toThrow(expect.objectContaining({ cause: 'getter' }));
    });

    test('a scope without a name is called the scope', async () => {
      const s = await ended();
      expect(() => s.defer(() => {})).toThrow('the scope has ended');
    });
  });

  describe('2.9 whatever was thrown passes through unchanged', () => {
    test('from the body', () =>
      whatever(async (error, what) => {
        let seen: { ok: boolean; error: unknown } | undefined;
        const settled = await run((s) => {
          s.defer(({ ok, error }) => void (seen = { ok, error }));
          throw error;
        });
        expect(seen?.ok).toBe(false);
        expect(Object.is(seen?.error, error)).toBe(true);
        expectError(settled, error, what);
      }));

    test('from a cleanup', () =>
      whatever(async (error, what) => {
        const settled = await run((s) => s.defer(fails(error)));
        expectError(settled, error, what);
      }));

    test('from exit.recover', () =>
      whatever(async (error, what) => {
        let recovered: unknown = 'nothing';
        const settled = await run((s) => {
          s.defer((exit) => void (recovered = exit.recover('value')));
          throw error;
        });
        expect(Object.is(recovered, error), `thrown: ${what}`).toBe(true);
        expect(settled).toEqual({ value: 'value' });
      }));

    test('to the option recover', () =>
      whatever(async (error, what) => {
        let given: unknown = 'nothing';
        const settled = await run(fails(error), { recover: (it) => void (given = it) });
        expect(Object.is(given, error), `thrown: ${what}`).toBe(true);
        expect(settled).toEqual({ value: undefined });
      }));

    test('from the option recover', () =>
      whatever(async (error, what) => {
        const settled = await run(fails(new Error('body')), { recover: fails(error) });
        expectError(settled, error, what);
      }));
  });

  describe('2.9 a failure that was replaced, or recovered and followed by another, is in suppressedErrors', () => {
    const errors = (): [Error, Error, Error] => [new Error('1'), new Error('2'), new Error('3')];

    test('recovered, then a cleanup throws', async () => {
      const [first, second] = errors();
      await run((s) => {
        s.defer(fails(second));
        s.defer((exit) => exit.recover());
        throw first;
      });
      expect(suppressedErrors(second)).toEqual([first]);
      expect(suppressedErrors(first)).toEqual([]);
    });

    test('each of several, oldest first, and only once', async () => {
      const [first, second, third] = errors();
      const fourth = new Error('4');
      const settled = await run((s) => {
        s.defer((exit) => exit.fail(fourth));
        s.defer(fails(third));
        s.defer((exit) => exit.recover());
        s.defer(fails(second));
        s.defer((exit) => exit.recover());
        throw first;
      });
      expect(settled).toEqual({ error: fourth });
      expect(suppressedErrors(second)).toEqual([first]);
      expect(suppressedErrors(third)).toEqual([second]);
      expect(suppressedErrors(fourth)).toEqual([third]);
    });

    test('also when a primitive was thrown in between, which cannot keep it', async () => {
      const [first, , third] = errors();
      await run((s) => {
        s.defer((exit) => exit.fail(third));
        s.defer(fails('second'));
        s.defer((exit) => exit.recover());
        throw first;
      });
      expect(suppressedErrors(third)).toEqual([first, 'second']);
    });

    test('the failure itself, thrown again after it was recovered, is not its own company', async () => {
      const [first] = errors();
      const settled = await run((s) => {
        s.defer(fails(first));
        s.defer((exit) => exit.recover());
        throw first;
      });
      expect(settled).toEqual({ error: first });
      expect(suppressedErrors(first)).toEqual([]);
    });

    test('two that replace each other are beside each other', async () => {
      const [first, second] = errors();
      await run((s) => {
        s.defer((exit) => exit.fail(first));
        s.defer((exit) => exit.fail(second));
        throw first;
      });
      expect(suppressedErrors(second)).toEqual([first]);
      expect(suppressedErrors(first)).toEqual([second]);
    });
  });

  describe('R8 exit.recover', () => {
    test('takes the failure off and returns it: the result is undefined if nothing was returned or set', async () => {
      const error = new Error('body');
      const seen: unknown[] = [];
      const settled = await run((s) => {
        s.defer((exit) => seen.push(exit.recover(), exit.ok, exit.error));
        throw error;
      });
      expect(seen).toEqual([error, true, undefined]);
      expect(settled).toEqual({ value: undefined });
    });

    test('makes its argument the result', async () => {
      const settled = await run((s) => {
        s.defer((exit) => {
          exit.recover('recovered');
          expect(exit.value).toBe('recovered');
        });
        throw new Error('body');
      });
      expect(settled).toEqual({ value: 'recovered' });
    });

    test('makes undefined the result when that is given, and keeps the result when nothing is', async () => {
      const failing = (recover: (exit: Exit) => unknown) =>
        run((s) => {
          s.defer(recover);
          s.defer(fails(new Error('cleanup')));
          return 'result';
        });
      expect(await failing((exit) => exit.recover(undefined))).toEqual({ value: undefined });
      expect(await failing((exit) => exit.recover())).toEqual({ value: 'result' });
    });

    test('changes nothing and returns undefined when nothing has failed', async () => {
      const seen: unknown[] = [];
      const settled = await run((s) => {
        s.defer((exit) => seen.push(exit.recover('recovered'), exit.value));
        return 'result';
      });
      expect(seen).toEqual([undefined, 'result']);
      expect(settled).toEqual({ value: 'result' });
    });

    test('recovers once: the second call finds nothing', async () => {
      const settled = await run((s) => {
        s.defer((exit) => {
          exit.recover('once');
          expect(exit.recover('twice')).toBe(undefined);
        });
        throw new Error('body');
      });
      expect(settled).toEqual({ value: 'once' });
    });
  });

  describe('R8 exit.set', () => {
    test('sets the result, which later cleanups see', async () => {
      let seen: unknown;
      const settled = await run((s) => {
        s.defer((exit) => (seen = exit.value));
        s.defer((exit) => exit.set('set'));
        return 'returned';
      });
      expect(seen).toBe('set');
      expect(settled).toEqual({ value: 'set' });
    });

    test('does not recover', async () => {
      const settled = await run((s) => {
        s.defer((exit) => {
          exit.set('set');
          expect(exit.ok).toBe(false);
          expect(exit.value).toBe(undefined);
        });
        throw 'failure';
      });
      expect(settled).toEqual({ error: 'failure' });
    });

    test('is the result after a later recover()', async () => {
      const settled = await run((s) => {
        s.defer((exit) => exit.recover());
        s.defer((exit) => exit.set('set'));
        throw 'failure';
      });
      expect(settled).toEqual({ value: 'set' });
    });
  });

  describe('R8 exit.fail', () => {
    test('replaces the failure, which stays in suppressedErrors of the new one', async () => {
      const [old, next] = [new Error('old'), new Error('new')];
      const settled = await run((s) => {
        s.defer((exit) => {
          exit.fail(next);
          expect(exit.error).toBe(next);
        });
        throw old;
      });
      expect(settled).toEqual({ error: next });
      expect(suppressedErrors(next)).toEqual([old]);
    });

    test('fails a scope that had not failed', async () => {
      const settled = await run((s) => {
        s.defer((exit) => {
          exit.fail('failure');
          expect(exit.ok).toBe(false);
          expect(exit.value).toBe(undefined);
        });
        return 'result';
      });
      expect(settled).toEqual({ error: 'failure' });
    });

    test('with the failure that there is changes nothing', () =>
      whatever(async (error, what) => {
        using events = recordEvents();
        const settled = await run((s) => {
          s.defer((exit) => exit.fail(exit.error));
          throw error;
        });
        expectError(settled, error, what);
        expect(suppressedErrors(error)).toEqual([]);
        expect(events).toEqual([]);
      }));

    test('does not end the function, whose own error is kept beside that failure', async () => {
      const [first, second] = [new Error('first'), new Error('second')];
      const settled = await run((s) => {
        s.defer((exit) => {
          exit.fail(first);
          throw second;
        });
      });
      expect(settled).toEqual({ error: first });
      expect(suppressedErrors(first)).toEqual([second]);
    });
  });

  describe('R8 an exit whose function has settled', () => {
    test('is inert: its verbs do nothing while later cleanups run, nor after the end', async () => {
      let kept: Exit | undefined;
      const misuse = (): unknown => {
        kept?.set('set late');
        kept?.fail('failed late');
        return kept?.recover('recovered late');
      };
      const settled = await run((s) => {
        s.defer((exit) => {
          expect(misuse()).toBe(undefined);
          expect(exit.error).toBe('failure');
          exit.recover();
          expect(misuse()).toBe(undefined);
          expect(exit.ok).toBe(true);
        });
        s.defer((exit) => void (kept = exit));
        throw 'failure';
      });
      expect(settled).toEqual({ value: undefined });
      expect(misuse()).toBe(undefined);
    });

    test('is inert in the option recover and after it', async () => {
      let kept: Exit | undefined;
      const settled = await run(
        (s) => {
          s.defer((exit) => void (kept = exit));
          throw 'failure';
        },
        {
          recover: () => {
            expect(kept?.recover('late')).toBe(undefined);
            kept?.fail('late');
            return 'recovered';
          },
        },
      );
      expect(settled).toEqual({ value: 'recovered' });
    });
  });

  describe('R9 the option recover', () => {
    test('turns a failure into a result, after all deferred functions', async () => {
      const ran: string[] = [];
      const settled = await run(
        (s) => {
          s.defer(() => ran.push('first registered'));
          s.defer(() => ran.push('second'));
          throw 'failure';
        },
        {
          recover: (error) => {
            ran.push(`recover ${String(error)}`);
            return 'recovered';
          },
        },
      );
      expect(ran).toEqual(['second', 'first registered', 'recover failure']);
      expect(settled).toEqual({ value: 'recovered' });
    });

    test('makes undefined the result if it returns nothing', async () => {
      const settled = await run(
        (s) => {
          s.defer(fails('failure'));
          return 'result';
        },
        { recover: () => {} },
      );
      expect(settled).toEqual({ value: undefined });
    });

    test('is not called when nothing failed, or when a deferred function has recovered', async () => {
      const recover = (): never => expect.fail('called');
      expect(await run(() => 'result', { recover })).toEqual({ value: 'result' });
      const recovering = (s: SyncScope): never => {
        s.defer((exit) => exit.recover('by a cleanup'));
        throw 'failure';
      };
      expect(await run(recovering, { recover })).toEqual({ value: 'by a cleanup' });
    });

    test('is given the failure that the deferred functions left', async () => {
      const given: unknown[] = [];
      const recover = (error: unknown): void => void given.push(error);
      await run((s) => s.defer(fails('of a cleanup')), { recover });
      await run(
        (s) => {
          s.defer((exit) => exit.fail('replaced'));
          throw 'failure';
        },
        { recover },
      );
      expect(given).toEqual(['of a cleanup', 'replaced']);
    });

    test('replaces the failure by what it throws, as in a catch block', async () => {
      using events = recordEvents();
      const [body, own] = [new Error('body'), new Error('recover')];
      expect(await run(fails(body), { recover: fails(own) })).toEqual({ error: own });
      expect(suppressedErrors(own)).toEqual([body]);
      expect(suppressedErrors(body)).toEqual([]);
      expect(events).toEqual([]); // it is no cleanup
    });

    test('may throw the failure on, which changes nothing', () =>
      whatever(async (error, what) => {
        using events = recordEvents();
        const settled = await run(fails(error), {
          recover: (given) => {
            throw given;
          },
        });
        expectError(settled, error, what);
        expect(suppressedErrors(error)).toEqual([]);
        expect(events).toEqual([]);
      }));

    test('has its own cleanups run after it, which see its result', async () => {
      const ran: unknown[] = [];
      let scope: SyncScope | undefined;
      const settled = await run(
        (s) => {
          scope = s;
          throw 'failure';
        },
        {
          recover: () => {
            scope?.defer(({ ok, value }) => ran.push({ ok, value }));
            ran.push('recover');
            return 'recovered';
          },
        },
      );
      expect(ran).toEqual(['recover', { ok: true, value: 'recovered' }]);
      expect(settled).toEqual({ value: 'recovered' });
    });

    test('has the last word once: a cleanup that it registered may fail the scope again', async () => {
      const [body, cleanup] = [new Error('body'), new Error('cleanup')];
      let scope: SyncScope | undefined;
      let calls = 0;
      const settled = await run(
        (s) => {
          scope = s;
          throw body;
        },
        {
          recover: () => {
            calls++;
            scope?.defer(fails(cleanup));
          },
        },
      );
      expect(settled).toEqual({ error: cleanup });
      expect(suppressedErrors(cleanup)).toEqual([body]);
      expect(calls).toBe(1);
    });
  });

  describe('R10 suppressedErrors', () => {
    test('of a primitive are none, whatever came after it: the event tells', () =>
      whatever(async (error, what) => {
        if (Object(error) === error) return;
        using events = recordEvents();
        await run((s) => {
          s.defer(fails('second'));
          throw error;
        });
        expect(suppressedErrors(error), `thrown: ${what}`).toEqual([]);
        expect(events.map((e) => e['error'])).toEqual(['second']);
      }));

    test('are not written to the error', async () => {
      const error = Object.freeze(new Error('frozen'));
      await run((s) => {
        s.defer(fails('second'));
        throw error;
      });
      expect(suppressedErrors(error)).toEqual(['second']);
    });
  });

  describe('use', () => {
    test('disposes of a resource at the end and returns it', async () => {
      const ran: unknown[] = [];
      const resource = {
        [Symbol.dispose](this: unknown, ...args: unknown[]) {
          ran.push(this, ...args);
        },
      };
      await run((s) => {
        expect(s.use(resource)).toBe(resource);
        expect(ran).toEqual([]);
      });
      expect(ran).toHaveLength(1);
      expect(ran[0]).toBe(resource);
    });

    test('takes a function that is disposable', async () => {
      let disposed = false;
      const resource = Object.assign(() => {}, { [Symbol.dispose]: () => void (disposed = true) });
      await run((s) => void s.use(resource));
      expect(disposed).toBe(true);
    });

    test('passes null and undefined through, as using does', async () => {
      const settled = await run((s) => [s.use(null), s.use(undefined)]);
      expect(settled).toEqual({ value: [null, undefined] });
    });

    test('calls the disposer that the resource had when it was registered', async () => {
      const ran: string[] = [];
      const resource = { [Symbol.dispose]: () => void ran.push('registered') };
      await run((s) => {
        s.use(resource);
        resource[Symbol.dispose] = () => void ran.push('changed');
      });
      expect(ran).toEqual(['registered']);
    });

    test('passes on what the resource throws when its disposer is looked up, and registers nothing', async () => {
      const resource = Object.defineProperty({}, Symbol.dispose, { get: fails('getter') }) as Disposable;
      const settled = await run((s) => {
        expect(() => s.use(resource)).toThrow('getter');
        return 'result';
      });
      expect(settled).toEqual({ value: 'result' });
    });

    test('counts an error of the disposer as that of a cleanup', async () => {
      const resource = { [Symbol.dispose]: fails('dispose') };
      expect(await run((s) => void s.use(resource))).toEqual({ error: 'dispose' });
    });
  });

  describe('adopt', () => {
    test('disposes of a value by the function given, and returns the value', async () => {
      const ran: unknown[] = [];
      const value = { open: true };
      await run((s) => {
        expect(s.adopt(value, (...args) => ran.push(...args))).toBe(value);
        expect(ran).toEqual([]);
      });
      expect(ran).toHaveLength(1);
      expect(ran[0]).toBe(value);
    });

    test('takes any value: what is open need not be an object', async () => {
      const closed: unknown[] = [];
      await run((s) => {
        for (const handle of [0, null, undefined, 'name']) s.adopt(handle, (it) => closed.push(it));
      });
      expect(closed).toEqual(['name', undefined, null, 0]);
    });

    test('counts an error of the disposer as that of a cleanup', async () => {
      expect(await run((s) => void s.adopt(1, fails('dispose')))).toEqual({ error: 'dispose' });
    });
  });

  test('a scope may stand in another: each unwinds its own', async () => {
    const ran: string[] = [];
    await run((outer) => {
      outer.defer(() => ran.push('outer'));
      scopeSync((inner) => {
        inner.defer(() => void ran.push('inner'));
      });
      ran.push('after the inner one');
    });
    expect(ran).toEqual(['inner', 'after the inner one', 'outer']);
  });
});
