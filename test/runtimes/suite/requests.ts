/**
 * Calls in requests of their own that share something of ours. Where a server has no such thing as a request, these are calls beside each
 * other; on workerd a request's timers end with it, and its promises go on only in it.
 */
import { bulkhead, policy, scope, timeout } from 'holdfast';
import { equal, type Group } from './harness.ts';

const permits = bulkhead({ limit: 1, queue: 1, maxWait: '8s' });
const bounded = policy(timeout(400, { grace: 0 }));

/** What a server does with a request, by its path. */
export const handlers: Readonly<Record<string, () => Promise<string>>> = {
  'sleep-briefly': () =>
    scope({ timeout: '400ms' }, async (s) => {
      await s.sleep(20);
      return 'slept';
    }),
  'sleep-too-long': () => scope({ timeout: '400ms', recover: (error) => String(error) }, (s) => s.sleep('1h')) as never,
  'answer-in-time': () => bounded.run((s) => s.sleep(20).then(() => 'answered')),
  hang: () => bounded.run((s) => s.sleep('1h').then(() => 'never')).catch((error) => (error as { code: string }).code),
  'hold-a-permit': () => permits.run((s) => s.sleep(60).then(() => 'held')),
  'wait-for-it': () => permits.run((s) => s.sleep(60).then(() => 'had it next')),
};

export const requests: Group = {
  about: 'requests',
  tests: {
    'a deadline passes though an earlier request with an equal one has ended meanwhile': async (here) => {
      const [brief, long] = await Promise.all([here.request('sleep-briefly'), here.request('sleep-too-long')]);
      equal(brief, 'slept');
      equal(long.startsWith('TimeoutError'), true, long);
    },

    'the timeout of a policy that requests share fires though an earlier request has ended meanwhile': async (here) => {
      equal(await Promise.all([here.request('answer-in-time'), here.request('hang')]), ['answered', 'TIMEOUT']);
    },

    'a permit goes from a request that ends to one that waits with a bound, and works there': async (here) => {
      equal(await Promise.all([here.request('hold-a-permit'), here.request('wait-for-it')]), ['held', 'had it next']);
    },
  },
};
