import Bottleneck from 'bottleneck';

/** @type {import('./index.mjs').Peer} */
export const peer = {
  // What is used up waits without end, unless its queue is bounded.
  layers: {
    rateLimit: ({ limit, perMs }) =>
      new Bottleneck({
        reservoir: limit,
        reservoirRefreshAmount: limit,
        reservoirRefreshInterval: perMs,
        highWater: 0,
        strategy: Bottleneck.strategy.OVERFLOW,
      }),
  },
  stack:
    ([limiter]) =>
    (operation) =>
      limiter.schedule(operation),
};
