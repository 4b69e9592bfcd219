import library from 'p-timeout';

/** @type {import('./index.mjs').Peer} */
export const peer = {
  layers: { timeout: ({ ms }) => ({ milliseconds: ms }) },
  stack:
    ([options]) =>
    (operation, signal) =>
      library(operation({}), signal ? { ...options, signal } : options),
  cancellable: ['timeout'],
};
