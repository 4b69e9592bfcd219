import { describe, expect, test } from 'vitest';
import { retry } from '../retry/retry.ts';
import { constant } from '../retry/backoff.ts';

const again = retry({ attempts: 3, backoff: constant('1h') });

/** Works until it is told to stop. */
const work = (sku: string, signal?: AbortSignal): Promise<string> =>
  new Promise((resolve, reject) => {
    if (signal === undefined) resolve(sku);
    else signal.addEventListener('abort', () => reject(signal.reason));
  });

describe.each([
  [
    'bind',
    again.bind((_s, sku: string, signal?: AbortSignal) => work(sku, signal), { signal: (_sku, signal) => signal }),
  ],
  ['wrap', again.wrap(work, { signal: (_sku, signal) => signal })],
])('the signal of a function that %s gives', (_, call) => {
  test('is found in its arguments, and cancels that call alone', async () => {
    const [one, two] = [new AbortController(), new AbortController()];
    const first = call('4711', one.signal);
    const second = call('4712', two.signal);
    one.abort('enough');
    await expect(first).rejects.toBe('enough');
    two.abort('enough of this too');
    await expect(second).rejects.toBe('enough of this too');
  });

  test('may be none', async () => {
    await expect(call('4711')).resolves.toBe('4711');
  });
});

test('what finds the signal may throw, or find something else: the call rejects with that, and nothing runs', async () => {
  let runs = 0;
  const run = (): number => ++runs;
  const error = new Error('no context');
  const throws = again.wrap(run, {
    signal: () => {
      throw error;
    },
  });
  await expect(throws()).rejects.toBe(error);
  await expect(again.wrap(run, { signal: (() => 5) as never })()).rejects.toMatchObject({ option: 'signal' });
  expect(runs).toBe(0);
});
