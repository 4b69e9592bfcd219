import library from 'async-retry';

/** @type {import('./index.mjs').Peer} */
export const peer = {
  layers: {
    retry: ({ attempts, delayMs, capMs, deadlineMs }) => ({
      retries: attempts - 1,
      minTimeout: delayMs,
      ...(capMs === undefined
        ? { factor: 1, maxTimeout: delayMs, randomize: false }
        : { factor: 2, maxTimeout: capMs }),
      ...(deadlineMs === undefined ? {} : { maxRetryTime: deadlineMs }),
    }),
  },
  stack:
    ([options]) =>
    (operation) =>
      library(operation, options),
  features: { deadline: true },
};
