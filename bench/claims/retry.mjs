import { failing, ignore, pause, settled, shown } from './see.mjs';

/** @type {import('./index.mjs').Claim[]} */
export const retryClaims = [
  {
    name: 'abort-in-backoff',
    title: 'An abort during a back-off ends the call at once, and no attempt begins',
    parts: [
      {
        stack: { retry: { attempts: 3, delayMs: 400 } },
        cancels: true,
        async run(call, wrong) {
          const { operation, begun } = failing();
          const controller = new AbortController();
          const promise = call(operation, controller.signal);
          ignore(promise);
          await pause(50);
          controller.abort(new Error('not wanted any more'));
          const { state } = await settled(promise, 150);
          if (state === 'pending') wrong('the call slept on');
          await pause(600);
          if (begun() > 1) wrong(`attempts after the abort: ${begun() - 1}`);
        },
      },
    ],
  },
  {
    name: 'delay-fits-deadline',
    title: 'A delay that would pass the deadline is not begun: the error in hand comes out at once',
    parts: [
      { stack: { retry: { attempts: 3, delayMs: 600, deadlineMs: 200 } }, needs: 'deadline' },
      { stack: { timeout: { ms: 200 }, retry: { attempts: 3, delayMs: 600 } } },
    ].map((part) => ({
      ...part,
      async run(call, wrong) {
        const { operation, error, begun } = failing();
        const promise = call(operation);
        const inTime = await settled(promise, 100);
        if (inTime.state !== 'pending') {
          if (inTime.error !== error) wrong(`came out as ${shown(inTime.error)}`);
          return;
        }
        const late = await settled(promise, 1_500);
        if (late.error !== error) wrong(`waited for nothing, then ${shown(late.error)} hid the error`);
        else wrong(`waited for nothing, then attempt ${begun()}`);
      },
    })),
  },
  {
    name: 'cap-after-jitter',
    title: 'The cap of a back-off holds after jitter',
    parts: [
      {
        stack: { retry: { attempts: 4, delayMs: 60, capMs: 120 } },
        async run(call, wrong) {
          /** @type {number[]} */
          const at = [];
          const operation = async () => {
            at.push(performance.now());
            throw new Error('down');
          };
          await settled(call(operation), 2_000);
          const longest = Math.max(...at.slice(1).map((time, i) => time - (at[i] ?? NaN)));
          // Nearly twice the cap would come of jitter that is added to it; a busy machine adds a little.
          if (longest > 190) wrong(`waited ${Math.round(longest)} ms with a cap of 120`);
        },
      },
    ],
  },
  {
    name: 'refusals-not-retried',
    title: 'A refusal by an open breaker or a full bulkhead inside uses up no attempts and no time',
    parts: [
      {
        stack: { retry: { attempts: 4, delayMs: 100 }, breaker: { failures: 1, cooldownMs: 10_000 } },
        async run(call, wrong) {
          await settled(call(failing().operation), 1_000);
          const { state } = await settled(call(failing().operation), 60);
          if (state === 'pending') wrong('retry + breaker: asked the open breaker again and again');
        },
      },
      {
        stack: { retry: { attempts: 4, delayMs: 100 }, bulkhead: { limit: 1, queue: 0 } },
        async run(call, wrong) {
          ignore(call(() => new Promise(() => {})));
          const { state } = await settled(call(failing().operation), 60);
          if (state === 'pending') wrong('retry + bulkhead: asked the full bulkhead again and again');
        },
      },
    ],
  },
  {
    name: 'budget',
    title: 'A budget of retries is asked before the sleep, and hides no error',
    parts: [
      {
        stack: { retry: { attempts: 4, delayMs: 400, budget: 'empty' } },
        needs: 'budget',
        async run(call, wrong) {
          const { operation, error, begun } = failing();
          const outcome = await settled(call(operation), 150);
          if (outcome.state === 'pending') wrong('slept before it asked');
          else if (outcome.error !== error) wrong(`came out as ${shown(outcome.error)}`);
          if (begun() > 1) wrong(`attempts: ${begun()}`);
        },
      },
    ],
  },
];
