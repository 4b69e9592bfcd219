import { answered, ignore, pause, settled, shown } from './see.mjs';

const timeout = { ms: 60 };

/** @type {import('./index.mjs').Claim[]} */
export const timeoutClaims = [
  {
    name: 'cancel-is-no-timeout',
    title: "The caller's cancel is never reported as a timeout",
    parts: [
      {
        stack: { timeout: { ms: 5_000 } },
        cancels: true,
        async run(call, wrong) {
          const controller = new AbortController();
          const promise = call(answered().operation, controller.signal);
          ignore(promise);
          await pause(20);
          controller.abort(new Error('not wanted any more'));
          const { state, error } = await settled(promise, 300);
          if (state === 'pending') wrong('the call went on');
          else if (/time(d )?-?out/i.test(shown(error))) wrong(shown(error));
        },
      },
    ],
  },
  {
    name: 'own-signal',
    title: 'Each attempt has a signal of its own: one that timed out does not abort the next',
    parts: [
      {
        stack: { timeout: { ...timeout, signal: true } },
        needs: 'signal',
        async run(call, wrong) {
          await settled(call(answered().operation), 300);
          let aborted;
          await settled(
            call(async ({ signal }) => void (aborted = signal.aborted)),
            300,
          );
          if (aborted !== false) wrong(`the signal of the next call is ${aborted ? 'aborted' : 'not there'}`);
        },
      },
    ],
  },
  {
    name: 'late-rejection-handled',
    title: 'A rejection that comes after the timeout is no unhandledRejection',
    parts: [
      {
        stack: { timeout },
        async run(call, wrong) {
          const { operation, reject } = answered();
          const { state } = await settled(call(operation), 300);
          if (state !== 'rejected') wrong(`the call is ${state}`);
          reject(new Error('late'));
          await pause(50);
        },
      },
    ],
  },
  {
    name: 'late-rejection-told',
    title: 'A rejection that comes after the timeout is told by an event, and so not lost',
    parts: [
      {
        stack: { timeout },
        needs: 'late',
        async run(call, wrong, { features }) {
          /** @type {unknown[]} */
          const told = [];
          features.late((error) => told.push(error));
          const { operation, reject } = answered();
          await settled(call(operation), 300);
          const late = new Error('late');
          reject(late);
          await pause(50);
          if (!told.includes(late)) wrong('no event has it');
        },
      },
    ],
  },
  {
    name: 'linked-scope',
    title: 'A scope does not close what an operation still uses that a timeout has let go',
    parts: [
      {
        stack: { timeout },
        needs: 'scope',
        async run(call, wrong, { features }) {
          const { operation, resolve } = answered();
          let closed = false;
          const outer = features.scope(async (s) => {
            s.defer(() => void (closed = true));
            await call(operation, s.signal);
          });
          ignore(outer);
          await pause(300);
          if (closed) wrong('closed while the operation ran');
          resolve();
          await settled(outer, 300);
          if (!closed) wrong('not closed when it had ended');
        },
      },
    ],
  },
];
