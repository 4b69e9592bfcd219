/** What policies decide (docs/reference/policies.md), on virtual time; and what a failure of the platform's own `fetch` is taken for. */
import {
  abandoned,
  attemptsOf,
  breaker,
  budget,
  bulkhead,
  classify,
  failWhen,
  fallback,
  hedge,
  layer,
  onEvent,
  permanent,
  policy,
  rateLimit,
  resilient,
  retry,
  stoppedBy,
  timeout,
  type RateLimitedError,
} from 'holdfast';
import { recordEvents, virtualTime } from 'holdfast/testing';
import { equal, ok, rejection, type Group } from './harness.ts';

const unavailable = (): Error => Object.assign(new Error('unavailable'), { status: 503 });

/** Made while the module loads, as programs do: on workerd nothing may be started then. */
const everyday = policy(
  timeout('3s'),
  retry({ attempts: 4, backoff: () => 100, idempotent: true }),
  breaker({ failures: 5, cooldown: '15s' }),
  bulkhead({ limit: 100, queue: 50 }),
  timeout('800ms'),
);

export const policies: Group = {
  about: 'policy',
  tests: {
    'a policy that was made while the module loaded retries until it succeeds, on real time': async () => {
      const attempts: number[] = [];
      const result = await everyday.run((s) => {
        attempts.push(s.attempt);
        if (s.attempt < 3) throw unavailable();
        return 'here';
      });
      equal({ result, attempts }, { result: 'here', attempts: [1, 2, 3] });
      equal(
        String(everyday),
        'timeout 3s → retry ×4 (own back-off, budget) → breaker → bulkhead 100+50 → timeout 800ms',
      );
    },

    'what an attempt opened is closed before the back-off begins': () =>
      virtualTime(async (time) => {
        const order: string[] = [];
        const call = retry({ attempts: 2, backoff: () => 100, idempotent: true }).settle((s) => {
          order.push(`${time.now()}: open ${s.attempt}`);
          s.defer(() => order.push(`${time.now()}: close ${s.attempt}`));
          throw unavailable();
        });
        await time.runAll();
        equal((await call).attempts.length, 2);
        equal(order, ['0: open 1', '0: close 1', '100: open 2', '100: close 2']);
      }),

    "the last attempt's own error comes out, the same object, with the history beside it": async () => {
      const errors = [1, 2, 3].map((n) => Object.freeze(Object.assign(new Error(`no. ${n}`), { status: 503 })));
      const call = retry({ attempts: 3, backoff: () => 0, idempotent: true }).run((s) =>
        Promise.reject(errors[s.attempt - 1]!),
      );
      const error = await rejection(call);
      equal(error, errors[2]);
      equal(
        attemptsOf(error).map((attempt) => attempt.error),
        errors,
      );
      equal(stoppedBy(error), 'attempts');
    },

    'a bug, and what is marked permanent, is not retried': async () => {
      for (const error of [new TypeError('x is not a function'), permanent(new Error('no'))]) {
        const failed = await rejection(retry({ idempotent: true }).run(() => Promise.reject(error)));
        equal([failed, attemptsOf(failed).length, stoppedBy(failed)], [error, 1, 'verdict']);
      }
    },

    'what fetch fails with when nobody listens is no bug: it may be retried, and the server is down': async (here) => {
      const error = await rejection(fetch(here.unreachable));
      const { verdict, health } = classify(error);
      ok(verdict === 'transient' || verdict === 'ambiguous', `the verdict on ${String(error)} is ${verdict}`);
      equal(health, 'down', `health after ${String(error)}`);
    },

    'a fetch that is aborted by s.signal is the cancellation': async (here) => {
      const reason = new Error('not any more');
      const error = await rejection(
        policy(retry({ idempotent: true })).run(async (s) => {
          const response = fetch(here.unreachable, { signal: AbortSignal.any([s.signal, AbortSignal.abort(reason)]) });
          return response;
        }),
      );
      equal(error, reason);
    },

    'retries share a budget, and an empty one gives the error in hand': async () => {
      const shared = budget({ initial: 2, ratio: 0, trickle: 0 });
      const call = retry({ attempts: Infinity, backoff: () => 0, idempotent: true, budget: shared });
      const error = await rejection(call.run(() => Promise.reject(unavailable())));
      equal([attemptsOf(error).length, stoppedBy(error)], [3, 'budget']);
    },

    'Retry-After is a floor for the delay': () =>
      virtualTime(async (time) => {
        const at: number[] = [];
        const call = retry({ attempts: 2, backoff: () => 100, idempotent: true }).settle(() => {
          at.push(time.now());
          throw Object.assign(unavailable(), { headers: new Headers({ 'retry-after': '2' }) });
        });
        await time.runAll();
        await call;
        equal(at, [0, 2_100]);
      }),

    'a timeout lets the caller go after its grace; what comes late is told, disposed of, and no unhandled rejection':
      () =>
        virtualTime(async (time) => {
          using events = recordEvents();
          const disposed: string[] = [];
          const late = Promise.withResolvers<Disposable>();
          const error = rejection(timeout('1s', { grace: '25ms' }).run(() => late.promise));
          await time.advance('1s');
          equal(abandoned(), 0);
          await time.advance('25ms');
          const { code, abandoned: isAbandoned } = await error;
          equal([code, isAbandoned, abandoned()], ['TIMEOUT', true, 1]);
          late.resolve({ [Symbol.dispose]: () => disposed.push('late result') });
          await time.advance(0);
          equal([disposed, abandoned()], [['late result'], 0]);
          equal(
            events.filter(({ event }) => event.startsWith('timeout:')).map(({ event, at }) => [event, at]),
            [
              ['timeout:fired', 1_000],
              ['timeout:abandoned', 1_025],
              ['timeout:late', 1_025],
            ],
          );
        }),

    'a breaker opens, refuses, lets a probe through after its cooldown, and closes': () =>
      virtualTime(async (time) => {
        const inventory = breaker({ failures: 2, cooldown: '15s' });
        for (let i = 0; i < 2; i++) await rejection(inventory.run(() => Promise.reject(unavailable())));
        const refusal = await rejection(inventory.run(() => 'never called'));
        equal([inventory.state, refusal.code, refusal.retryAfterMs], ['open', 'CIRCUIT_OPEN', 15_000]);
        await time.advance('15s');
        equal([await inventory.run(() => 'up'), inventory.state], ['up', 'closed']);
      }),

    'a bulkhead lets in so many, has so many wait, and refuses the rest': () =>
      virtualTime(async (time) => {
        const database = bulkhead({ limit: 1, queue: 1 });
        const order: string[] = [];
        const work = (name: string) =>
          database.run(async (s) => {
            await s.sleep(10);
            order.push(`${name} at ${time.now()}`);
          });
        const calls = [work('first'), work('second')];
        equal((await rejection(work('third'))).code, 'BULKHEAD_FULL');
        await time.runAll();
        await Promise.all(calls);
        equal(order, ['first at 10', 'second at 20']);
      }),

    "a fallback gives something else, failWhen makes a result a failure, and a layer of one's own stands anywhere":
      async () => {
        const seen: string[] = [];
        const own = layer({
          name: 'own',
          run: async (next) => {
            seen.push('before');
            return next();
          },
        });
        const stock = policy(
          fallback('none'),
          own,
          retry({ attempts: 2, backoff: () => 0, idempotent: true }),
          failWhen((result: { status: number }) => result.status >= 500),
        );
        equal([await stock.run(() => ({ status: 503 })), seen], ['none', ['before']]);
        equal(await stock.run(() => ({ status: 200 })), { status: 200 });
      },

    'a hedge begins another attempt beside a slow one; the first that succeeds wins, the other is aborted': () =>
      virtualTime(async (time) => {
        const ended: string[] = [];
        let begun = 0;
        const call = hedge({ after: '50ms', idempotent: true }).run(async (s) => {
          const number = ++begun;
          s.defer((exit) => ended.push(`${number} at ${time.now()}: ${exit.cancelled ? 'cancelled' : 'done'}`));
          await s.sleep(number === 1 ? '1h' : '10ms');
          return number;
        });
        await time.runAll();
        equal(await call, 2);
        equal(ended.sort(), ['1 at 60: cancelled', '2 at 60: done']);
      }),

    'a rate limit lets in a burst, then one for each token, and refuses who would have to wait too long': () =>
      virtualTime(async (time) => {
        const api = rateLimit({ limit: 10, burst: 2, maxWait: '150ms' });
        const begun: number[] = [];
        const call = (): Promise<unknown> =>
          api
            .run(() => begun.push(time.now()))
            .catch((error: unknown) => begun.push((error as RateLimitedError).retryAfterMs));
        const calls = [call(), call(), call(), call()];
        await time.runAll();
        await Promise.all(calls);
        equal(begun, [0, 0, 200, 100]);
      }),

    'a method is put into a policy, and keeps its this': async () => {
      class Orders {
        readonly shop = 'corner';
        async place(): Promise<string> {
          return this.shop;
        }
      }
      const again = resilient(retry({ attempts: 2 }));
      const place = Object.getOwnPropertyDescriptor(Orders.prototype, 'place')!;
      Object.defineProperty(Orders.prototype, 'place', again(Orders.prototype, 'place', place));
      equal(await new Orders().place(), 'corner');
    },

    'events tell of a call, and none is built once nobody listens': async () => {
      const told: unknown[] = [];
      const listener = onEvent('call:end', ({ name, ok: isOk, attempts }) => told.push([name, isOk, attempts]));
      const call = retry({ backoff: () => 0, idempotent: true });
      await call.run((s) => (s.attempt === 1 ? Promise.reject(unavailable()) : 'ok'), { name: 'stock' });
      listener[Symbol.dispose]();
      await call.run(() => 'ok', { name: 'not told' });
      equal(told, [['stock', true, 2]]);
    },
  },
};
