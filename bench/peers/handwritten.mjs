// What one writes without a library: enough for the good case, and for most of the others.
import { nested } from './nested.mjs';

/** @type {import('./index.mjs').Peer} */
export const peer = {
  stack: nested,
  layers: {
    retry:
      ({ attempts, delayMs }) =>
      (next) =>
      async (operation, signal) => {
        for (let attempt = 1; ; attempt++) {
          try {
            return await next(operation, signal);
          } catch (error) {
            if (attempt >= attempts) throw error;
          }
          if (delayMs > 0) await sleep(delayMs, signal);
        }
      },
    timeout:
      ({ ms }) =>
      (next) =>
      (operation) => {
        const controller = new AbortController();
        let timer;
        const passed = new Promise((_, reject) => {
          timer = setTimeout(() => {
            const error = new Error(`timed out after ${ms} ms`);
            controller.abort(error);
            reject(error);
          }, ms);
        });
        return Promise.race([next(operation, controller.signal), passed]).finally(() => clearTimeout(timer));
      },
    hedge:
      ({ ms }) =>
      (next) =>
      (operation) =>
        new Promise((resolve, reject) => {
          const controllers = [];
          const errors = [];
          const launch = () => {
            const controller = new AbortController();
            controllers.push(controller);
            next(operation, controller.signal).then(
              (value) => {
                clearTimeout(timer);
                resolve(value);
                for (const other of controllers) if (other !== controller) other.abort();
              },
              (error) => {
                errors.push(error);
                clearTimeout(timer);
                if (controllers.length === 1) launch();
                else if (errors.length === 2) reject(errors[0]);
              },
            );
          };
          const timer = setTimeout(launch, ms);
          launch();
        }),
    breaker: ({ failures, cooldownMs }) => {
      let inARow = 0;
      let openUntil = 0;
      return (next) => async (operation, signal) => {
        if (openUntil > 0 && performance.now() < openUntil) throw new Error('open');
        try {
          const value = await next(operation, signal);
          inARow = 0;
          openUntil = 0;
          return value;
        } catch (error) {
          if (++inARow >= failures) openUntil = performance.now() + cooldownMs;
          throw error;
        }
      };
    },
    rateLimit: ({ limit, perMs }) => {
      let tokens = limit;
      let lastMs = performance.now();
      return (next) => async (operation, signal) => {
        const nowMs = performance.now();
        tokens = Math.min(limit, tokens + ((nowMs - lastMs) * limit) / perMs);
        lastMs = nowMs;
        if (tokens < 1) throw new Error('used up');
        tokens--;
        return next(operation, signal);
      };
    },
    bulkhead: ({ limit, queue }) => {
      let running = 0;
      const waiting = [];
      return (next) => async (operation, signal) => {
        if (running < limit) running++;
        else if (waiting.length < queue) await new Promise((resolve) => waiting.push(resolve));
        else throw new Error('full');
        try {
          return await next(operation, signal);
        } finally {
          if (waiting.length > 0) waiting.shift()();
          else running--;
        }
      };
    },
  },
};

function sleep(ms, signal) {
  return new Promise((resolve, reject) => {
    const abort = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', abort);
      resolve();
    }, ms);
    signal?.addEventListener('abort', abort, { once: true });
  });
}
