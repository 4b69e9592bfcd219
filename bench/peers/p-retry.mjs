import library from 'p-retry';

/** @type {import('./index.mjs').Peer} */
export const peer = {
  layers: {
    retry: ({ attempts, delayMs, capMs, deadlineMs }) => ({
      retries: attempts - 1,
      minTimeout: delayMs,
      ...(capMs === undefined ? { factor: 1, maxTimeout: delayMs } : { factor: 2, maxTimeout: capMs, randomize: true }),
      ...(deadlineMs === undefined ? {} : { maxRetryTime: deadlineMs }),
    }),
  },
  stack:
    ([options]) =>
    (operation, signal) =>
      library(operation, signal ? { ...options, signal } : options),
  cancellable: ['retry'],
  features: { deadline: true },
};
