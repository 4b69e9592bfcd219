// Of any call: whose signal, whose error, whose async context, whose clock.
import { AsyncLocalStorage } from 'node:async_hooks';
import { answered, failing, ignore, layersOf, pause, settled, shown } from './see.mjs';
import { jump } from './world.mjs';

const hourMs = 3_600_000;
const days25Ms = 25 * 24 * hourMs;

/** @type {import('./index.mjs').Claim[]} */
export const callClaims = [
  {
    name: 'aborted-before',
    title: 'A signal that is aborted already starts no attempt',
    parts: [{ retry: { attempts: 2, delayMs: 10 } }, { bulkhead: { limit: 1, queue: 0 } }].map((stack) => ({
      stack,
      cancels: true,
      async run(call, wrong) {
        const { operation, begun } = failing();
        ignore(call(operation, AbortSignal.abort(new Error('not wanted any more'))));
        await pause(100);
        if (begun() > 0) wrong(`${layersOf(stack)}: attempts: ${begun()}`);
      },
    })),
  },
  {
    name: 'success-beats-abort',
    title: 'A success that is there wins over an abort that comes after it',
    parts: [{ retry: { attempts: 2, delayMs: 10 } }, { timeout: { ms: 5_000 } }].map((stack) => ({
      stack,
      cancels: true,
      async run(call, wrong) {
        const { operation, resolve } = answered();
        const controller = new AbortController();
        const promise = call(operation, controller.signal);
        await pause(20);
        resolve(42);
        controller.abort(new Error('too late'));
        const { state, error } = await settled(promise, 300);
        if (state !== 'fulfilled') wrong(`${layersOf(stack)}: ${state} (${shown(error)})`);
      },
    })),
  },
  {
    name: 'errors-unchanged',
    title: 'Whatever is thrown comes out unchanged: a frozen error, a text, `undefined`',
    parts: [
      { retry: { attempts: 2, delayMs: 1 } },
      { timeout: { ms: 5_000 } },
      { breaker: { failures: 100, cooldownMs: 1_000 } },
      { bulkhead: { limit: 1, queue: 0 } },
    ].map((stack) => ({
      stack,
      async run(call, wrong) {
        for (const thrown of [Object.freeze(new Error('frozen')), 'text', undefined]) {
          const { state, error } = await settled(call(failing(thrown).operation), 300);
          if (state !== 'rejected') wrong(`${layersOf(stack)}, ${shown(thrown)}: ${state}`);
          else if (error !== thrown) wrong(`${layersOf(stack)}, ${shown(thrown)}: came out as ${shown(error)}`);
        }
      },
    })),
  },
  {
    name: 'delays-of-25-days',
    title: 'A duration of 25 days is not one millisecond',
    parts: [
      {
        stack: { retry: { attempts: 2, delayMs: days25Ms } },
        async run(call, wrong) {
          const { operation, begun } = failing();
          ignore(call(operation));
          await pause(100);
          if (begun() > 1) wrong('retry: the next attempt began at once');
        },
      },
      {
        stack: { timeout: { ms: days25Ms } },
        async run(call, wrong) {
          const { state } = await settled(call(answered().operation), 100);
          if (state !== 'pending') wrong('timeout: passed at once');
        },
      },
      {
        stack: { breaker: { failures: 1, cooldownMs: days25Ms } },
        async run(call, wrong) {
          await settled(call(failing().operation), 300);
          await pause(100);
          const { operation, begun } = failing();
          await settled(call(operation), 300);
          if (begun() > 0) wrong('breaker: half-open at once');
        },
      },
    ],
  },
  {
    name: 'wall-clock',
    title: 'A wall clock that is set forward or back changes nothing',
    parts: [
      {
        stack: { breaker: { failures: 1, cooldownMs: 300 } },
        async run(call, wrong) {
          await settled(call(failing().operation), 300);
          jump(hourMs);
          const early = failing();
          await settled(call(early.operation), 100);
          if (early.begun() > 0) wrong('breaker: an hour forward ended its cooldown');
        },
      },
      {
        stack: { breaker: { failures: 1, cooldownMs: 300 } },
        async run(call, wrong) {
          await settled(call(failing().operation), 300);
          jump(-hourMs);
          await pause(500);
          const due = answered();
          ignore(call(due.operation));
          await pause(20);
          if (due.begun() === 0) wrong('breaker: an hour back kept it open after its cooldown');
        },
      },
      {
        stack: { retry: { attempts: 2, delayMs: 10, deadlineMs: 60_000 } },
        needs: 'deadline',
        async run(call, wrong) {
          let begun = 0;
          const operation = async () => {
            if (++begun > 1) return;
            jump(hourMs);
            throw new Error('down');
          };
          const { state } = await settled(call(operation), 300);
          if (state !== 'fulfilled') wrong('retry: an hour forward used up its time');
        },
      },
    ],
  },
  {
    name: 'async-context',
    title: "An operation runs in its own caller's async context (AsyncLocalStorage), whoever woke it",
    parts: [
      {
        stack: { retry: { attempts: 2, delayMs: 50 } },
        async run(call, wrong) {
          const caller = new AsyncLocalStorage();
          const seen = [];
          const operation = async () => {
            seen.push(caller.getStore());
            throw new Error('down');
          };
          await Promise.all(['a', 'b'].map((name) => settled(caller.run(name, call, operation), 500)));
          if (seen.join() !== 'a,b,a,b') wrong(`retry: attempts of a and b ran as ${seen.join(', ')}`);
        },
      },
      {
        stack: { bulkhead: { limit: 1, queue: 1 } },
        needs: 'queue',
        async run(call, wrong) {
          const caller = new AsyncLocalStorage();
          const first = answered();
          let seen;
          ignore(caller.run('a', call, first.operation));
          const second = caller.run('b', call, async () => void (seen = caller.getStore()));
          await pause(20);
          first.resolve();
          await settled(second, 300);
          if (seen !== 'b') wrong(`bulkhead: what b had queued ran as ${seen}`);
        },
      },
    ],
  },
  {
    name: 'fallback-keeps-error',
    title: 'A fallback that fails keeps the error that it was for',
    parts: [
      {
        stack: { fallback: { use: failsToo } },
        async run(call, wrong) {
          const { operation, error: first } = failing();
          const { state, error } = await settled(call(operation), 300);
          if (state !== 'rejected') wrong(state);
          else if (!causes(error).includes(first)) wrong('it is neither what came out nor the cause of that');
        },
      },
    ],
  },
];

function failsToo() {
  throw new Error('the fallback is down too');
}

/** @param {any} error */
function causes(error) {
  const chain = [];
  for (let at = error; at !== undefined && chain.length < 10; at = at?.cause) chain.push(at);
  return chain;
}
