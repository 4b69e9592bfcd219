import library from 'p-limit';

/** @type {import('./index.mjs').Peer} */
export const peer = {
  // Its queue has no bound.
  layers: { bulkhead: ({ limit }) => library(limit) },
  stack:
    ([limited]) =>
    (operation) =>
      limited(operation),
  features: { queue: true },
};
