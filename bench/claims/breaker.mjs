import { answered, failing, ignore, pause, settled } from './see.mjs';

const cooldownMs = 100;
const breaker = { failures: 1, cooldownMs };

/** Opens it and waits until it is half-open. */
async function half(call) {
  await settled(call(failing().operation), 300);
  await pause(cooldownMs + 50);
}

/** @type {import('./index.mjs').Claim[]} */
export const breakerClaims = [
  {
    name: 'stale-results',
    title: 'A result that belongs to an earlier state of the breaker is ignored',
    parts: ['failure', 'success'].map((kind) => ({
      stack: { breaker },
      async run(call, wrong) {
        const stale = answered();
        ignore(call(stale.operation));
        await half(call);
        const probe = answered();
        ignore(call(probe.operation));
        await pause(20);
        if (kind === 'failure') stale.reject(new Error('from before'));
        else stale.resolve();
        await pause(20);
        if (call.state?.() !== 'half-open') wrong(`a stale ${kind}: ${call.state?.()} before its probe has answered`);
      },
    })),
  },
  {
    name: 'cancelled-probe',
    title: 'A probe that its caller cancels neither opens nor closes the breaker',
    parts: [
      {
        stack: { breaker },
        async run(call, wrong) {
          await half(call);
          const controller = new AbortController();
          const probe = answered();
          ignore(call(probe.operation, controller.signal));
          await pause(20);
          controller.abort();
          probe.reject(controller.signal.reason);
          await pause(20);
          if (call.state?.() !== 'half-open') wrong(`it is ${call.state?.()}`);
        },
      },
    ],
  },
  {
    name: 'probes-bounded',
    title: 'A half-open breaker lets only its probes through',
    parts: [
      {
        stack: { breaker },
        async run(call, wrong) {
          await half(call);
          const { operation, begun } = answered();
          for (let i = 0; i < 10; i++) ignore(call(operation));
          await pause(50);
          if (begun() !== 1) wrong(`of 10 calls at once ${begun()} went through`);
        },
      },
    ],
  },
  {
    name: 'probes-leased',
    title: 'A probe that hangs keeps its place for a limited time',
    parts: [
      {
        stack: { breaker: { ...breaker, leaseMs: 100 } },
        async run(call, wrong) {
          await half(call);
          ignore(call(answered().operation));
          const { operation, begun } = answered();
          for (let tries = 0; tries < 30 && begun() === 0; tries++) {
            await pause(50);
            ignore(call(operation));
          }
          if (begun() === 0) wrong('no other call was let through for 1.5 s');
        },
      },
    ],
  },
  {
    name: 'own-refusals',
    title: 'What a bulkhead inside refuses is no failure for the breaker',
    parts: [
      {
        stack: { breaker: { failures: 1, cooldownMs: 10_000 }, bulkhead: { limit: 1, queue: 0 } },
        async run(call, wrong) {
          ignore(call(answered().operation));
          await pause(20);
          await settled(call(answered().operation), 300);
          if (call.state?.() !== 'closed') wrong(`one refusal: it is ${call.state?.()}`);
        },
      },
    ],
  },
];
