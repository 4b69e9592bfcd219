/** What a scope does: cleanups, failures, children, values (docs/reference/semantics.md). */
import { contextKey, duration, HoldfastError, scope, ScopeEndedError, scopeSync, suppressedErrors } from 'holdfast';
import { equal, ok, rejection, thrown, wait, type Group } from './harness.ts';

export const scopes: Group = {
  about: 'scope',
  tests: {
    'cleanups run last in first out, each awaited before the next one': async () => {
      const order: string[] = [];
      await scope(async (s) => {
        s.defer(() => order.push('first'));
        s.defer(async () => {
          order.push('second begins');
          await wait(2);
          order.push('second ends');
        });
        await wait(1);
        order.push('body');
      });
      equal(order, ['body', 'second begins', 'second ends', 'first']);
    },

    'cleanups run on return, throw, cancellation and deadline alike, and are told which': async () => {
      const ended: unknown[] = [];
      const end = (how: string, options: { timeout?: number }, body: (cancel: () => void) => unknown) =>
        scope(options, async (s) => {
          s.defer((exit) => ended.push([how, exit.ok, exit.cancelled]));
          await body(() => s.cancel());
          await s.sleep(0);
        }).catch(() => {});
      await end('return', {}, () => {});
      await end('throw', {}, () => Promise.reject(new Error('thrown')));
      await end('cancellation', {}, (cancel) => cancel());
      await end('deadline', { timeout: 5 }, () => wait(20));
      equal(ended, [
        ['return', true, false],
        ['throw', false, false],
        ['cancellation', false, true],
        ['deadline', false, false],
      ]);
    },

    'the first failure comes out, the same object, and what failed after it is kept beside it': async () => {
      const [first, second] = [new Error('query failed'), new Error('close failed')];
      const error = await rejection(
        scope((s) => {
          s.defer(() => Promise.reject(second));
          throw first;
        }),
      );
      equal(error, first);
      equal(suppressedErrors(error), [second]);
    },

    'whatever is thrown comes out unchanged: a frozen error, a text, undefined': async () => {
      for (const value of [Object.freeze(new Error('frozen')), 'text', undefined, null, 0])
        equal(
          await rejection(
            scope(() => {
              throw value;
            }),
          ),
          value,
        );
    },

    'recover and exit.recover give a result in place of a failure': async () => {
      const fails = (): never => {
        throw new Error('fails');
      };
      equal(await scope({ recover: () => 'recovered' }, fails), 'recovered');
      equal(
        await scope((s): unknown => {
          s.defer((exit) => exit.recover('by a cleanup'));
          return fails();
        }),
        'by a cleanup',
      );
    },

    'a scope ends after its children, and the failure of a child is its own': async () => {
      const order: string[] = [];
      const failure = new Error('of a child');
      const error = await rejection(
        scope(async (s) => {
          s.defer(() => order.push('cleanup'));
          void s.go(async (child) => {
            await child.sleep('1h').catch(() => {});
            order.push('a child is cancelled');
          });
          void s.go(async (child) => {
            await child.sleep(2);
            throw failure;
          });
          order.push('body');
        }),
      );
      equal(error, failure);
      equal(order, ['body', 'a child is cancelled', 'cleanup']);
    },

    'map keeps its bound and the order of its items': async () => {
      let [running, most] = [0, 0];
      const results = await scope((s) =>
        s.map([5, 1, 3, 2, 4], { concurrency: 2 }, async (item, child) => {
          most = Math.max(most, ++running);
          await child.sleep(item);
          running--;
          return item * 10;
        }),
      );
      equal({ results, most }, { results: [50, 10, 30, 20, 40], most: 2 });
    },

    'race gives the first success, and cancels and disposes of the others': async () => {
      const disposed: string[] = [];
      const winner = await scope((s) =>
        s.race([
          (child) => child.sleep(2).then(() => 'first'),
          async (child) => {
            await child.sleep('1h').catch(() => {});
            return { [Symbol.dispose]: () => disposed.push('late') };
          },
        ]),
      );
      equal({ winner, disposed }, { winner: 'first', disposed: ['late'] });
    },

    'values reach every scope below, and the nearest one wins': async () => {
      const key = contextKey<string>('trace');
      const seen = await scope({ values: [[key, 'outer']] }, async (s) => [
        s.get(key),
        await s.go((child) => child.get(key)),
        await s.go({ values: [[key, 'inner']] }, (child) => child.get(key)),
        await scope({ signal: s }, (linked) => linked.get(key)),
      ]);
      equal(seen, ['outer', 'outer', 'inner', 'outer']);
    },

    'a cleanup that comes after the end runs at once, and the call throws': async () => {
      let run = 0;
      const ended = await scope((s) => s);
      const error = thrown(() => ended.defer(() => run++));
      ok(error instanceof ScopeEndedError, 'it is a ScopeEndedError');
      ok(error instanceof HoldfastError, 'and a HoldfastError');
      equal(run, 1);
    },

    'scopeSync has the same order, and refuses a promise': () => {
      const order: number[] = [];
      const result = scopeSync((s) => {
        s.defer(() => order.push(1));
        s.defer(() => order.push(2));
        return 'result';
      });
      equal({ result, order }, { result: 'result', order: [2, 1] });
      const promising = (() => Promise.resolve()) as unknown as () => void;
      equal(thrown(() => scopeSync(promising)).code, 'BAD_OPTION');
    },

    'a bad option throws at the call, and says which': () => {
      const error = thrown(() => scope({ timeout: 'soon' as never }, () => {}));
      equal(error.code, 'BAD_OPTION');
      ok(String(error.message).includes('timeout'), `the message names the option: ${String(error.message)}`);
      equal(duration('25d'), 2_160_000_000);
    },
  },
};

export const disposal: Group = {
  about: 'disposal',
  tests: {
    'Symbol.asyncDispose is preferred to Symbol.dispose, which will do; null and undefined pass': async () => {
      const order: string[] = [];
      await scope((s) => {
        s.use({ [Symbol.dispose]: () => order.push('dispose') });
        s.use({
          [Symbol.asyncDispose]: async () => void order.push('asyncDispose'),
          [Symbol.dispose]: () => order.push('not this one'),
        });
        equal([s.use(null), s.use(undefined)], [null, undefined]);
      });
      equal(order, ['asyncDispose', 'dispose']);
    },

    'adopt disposes of a value by a function of the user': async () => {
      const closed: string[] = [];
      equal(await scope((s) => s.adopt('socket', (value) => closed.push(value))), 'socket');
      equal(closed, ['socket']);
    },

    'what is no resource is refused': async () => {
      const error = await rejection(scope((s) => s.use({} as never)));
      ok(error instanceof TypeError, 'it is a TypeError');
      equal((error as { code?: unknown }).code, 'BAD_OPTION');
    },
  },
};

export const stacks: Group = {
  about: 'disposal',
  needs: 'DisposableStack',
  tests: {
    "the platform's own stacks are resources": async () => {
      const order: string[] = [];
      await scope((s) => {
        s.use(new DisposableStack()).defer(() => order.push('stack'));
        s.use(new AsyncDisposableStack()).defer(async () => void order.push('async stack'));
      });
      equal(order, ['async stack', 'stack']);
    },
  },
};
