// Calls through the whole stack on virtual time, as a simulation makes them: how many in a second of one core, and where it goes.
//
// 1000 callers, each with one call after the other, of an operation that takes 10 ms; in the last row a third of the attempts fails and is repeated after a
// back-off. A wait alone is what the clock costs: a timer, and the turn of the event loop in which promises come to rest after it. Measured in CPU time of
// the process, so that another program beside it changes little.
import { report } from '../case.mjs';
import { breaker, bulkhead, exponential, policy, retry, scope, timeout } from '../../dist/index.js';
import { seededRandom, virtualTime } from '../../dist/testing.js';

const CALLERS = 1_000;
const CALLS = 200_000;

const stack = policy(
  timeout('3s'),
  retry({ attempts: 4, backoff: exponential('20ms'), budget: false }),
  breaker({ ratio: 0.9, window: '10s' }),
  bulkhead({ limit: CALLERS }),
  timeout('800ms'),
);
const failed = new Error('failed'); // made before: its trace is the operation's
const random = seededRandom(1);
const tenMs = (s) => s.sleep(10);
const flaky = async (s) => {
  await s.sleep(10);
  if (random() < 1 / 3) throw failed;
};
const rows = {
  'a wait alone, in one scope': (s) => s.sleep(10),
  'a wait, in a scope of its own': (s) => scope({ signal: s }, tenMs),
  'a call through timeout, retry, breaker, bulkhead, timeout': (s) => stack.run(tenMs, { signal: s }),
  'the same without a caller’s scope': () => stack.run(tenMs),
  'the same, 1.5 attempts a call': () => stack.run(flaky).catch(() => {}),
};

/** @param {(s: import('../../dist/types/index.d.ts').Scope) => Promise<unknown>} call */
function measure(call, calls) {
  return virtualTime(async (time) => {
    const caller = async (s) => {
      for (let i = 0; i < calls / CALLERS; i++) await call(s);
    };
    const cpu = process.cpuUsage();
    const all = scope((s) => Promise.all(Array.from({ length: CALLERS }, () => caller(s))));
    await time.advance('1h');
    await all;
    const { user, system } = process.cpuUsage(cpu);
    return (user + system) / calls;
  });
}

const measured = [];
for (const [name, call] of Object.entries(rows)) {
  await measure(call, CALLS / 10);
  const us = await measure(call, CALLS);
  measured.push({ name, values: [us, 1e6 / us] });
}
report([{ title: 'on virtual time', columns: ['µs CPU each', 'a second, of one core'], rows: measured }]);
