import { answered, ignore, layersOf, pause, settled } from './see.mjs';

const bulkhead = { limit: 1, queue: 0 };
const timeout = { ms: 60 };

/** @type {import('./index.mjs').Claim[]} */
export const bulkheadClaims = [
  {
    name: 'permits-follow-work',
    title: 'A permit follows the work: it is not given back while an operation runs that a timeout has let go',
    parts: [
      { bulkhead, timeout },
      { timeout, bulkhead },
    ].map((stack) => ({
      stack,
      async run(call, wrong) {
        await settled(call(answered().operation), 300);
        const { operation, begun } = answered();
        ignore(call(operation));
        await pause(20);
        if (begun() > 0) wrong(`${layersOf(stack)}: two ran at once`);
      },
    })),
  },
  {
    name: 'aborted-waiter',
    title: 'A waiter that is aborted leaves the queue at once, and its place is free',
    parts: [
      {
        stack: { bulkhead: { limit: 1, queue: 1 } },
        cancels: true,
        needs: 'queue',
        async run(call, wrong) {
          ignore(call(answered().operation));
          const controller = new AbortController();
          const waiter = call(answered().operation, controller.signal);
          ignore(waiter);
          await pause(20);
          controller.abort(new Error('not wanted any more'));
          if ((await settled(waiter, 100)).state === 'pending') wrong('it waited on');
          if ((await settled(call(answered().operation), 50)).state !== 'pending') wrong('its place was still taken');
        },
      },
    ],
  },
];
