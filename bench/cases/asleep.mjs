// Calls that wait: retries in a back-off, and scopes in a sleep. What each holds, what it costs to send it to sleep and to wake
// it, and how long one signal blocks that ends all of them. A timer and an abort listener each, as it is written by hand, are
// quadratic under one signal: those are measured at 10,000.
import { setTimeout as delay } from 'node:timers/promises';
import { contenders, report, wanted } from '../case.mjs';
import { scope } from '../../dist/index.js';

const turn = () => new Promise((resolve) => setImmediate(resolve));
const flaky = new Error('flaky');
const hourMs = 3_600_000;

/** Begins `count` calls that go to sleep, and returns what that took, with the heap as it is then. */
async function begin(count, sleep) {
  let settled = 0;
  const done = () => void settled++;
  globalThis.gc();
  const heap = process.memoryUsage().heapUsed;
  const cpu = process.cpuUsage();
  for (let i = 0; i < count; i++) {
    sleep().then(done, done);
    if (i % 5_000 === 4_999) await turn();
  }
  await turn();
  const beginUs = cpuUs(cpu) / count;
  globalThis.gc();
  const bytes = (process.memoryUsage().heapUsed - heap) / count;
  const end = async () => {
    while (settled < count) await delay(5);
  };
  return { beginUs, bytes, end, settled: () => settled };
}

/** Of this process, all threads. @param {NodeJS.CpuUsage} since */
function cpuUs(since) {
  const { user, system } = process.cpuUsage(since);
  return user + system;
}

/** Nobody cancels: they wake by themselves. */
async function wakes(count, sleepMs, sleep) {
  const started = performance.now();
  const { beginUs, bytes, end, settled } = await begin(count, sleep);
  if (settled() > 0) throw new Error(`woke before all ${count} were asleep`);
  // Waits by a timer and not by turns, which would be measured.
  await delay(Math.max(0, sleepMs - 200 - (performance.now() - started)));
  const cpu = process.cpuUsage();
  await delay(400);
  await end();
  return [bytes, beginUs, cpuUs(cpu) / count];
}

/** One signal ends them all. */
async function aborts(count, sleep) {
  const controller = new AbortController();
  const { beginUs, bytes, end } = await begin(count, () => sleep(controller.signal));
  const abortAt = performance.now();
  controller.abort(new Error('stop'));
  const abortMs = performance.now() - abortAt;
  await end();
  return [bytes, beginUs, abortMs];
}

const failing = async () => {
  throw flaky;
};
const retries = (delayMs) => contenders({ retry: { attempts: 2, delayMs } });

process.setMaxListeners(0);
const sleepMs = 3_000;
const many = 50_000;
const waking = [];
for (const { name, call } of await retries(sleepMs)) {
  if (name === 'bare') continue;
  const short = await contenders({ retry: { attempts: 2, delayMs: 300 } });
  await wakes(2_000, 300, () => short.find((one) => one.name === name).call(failing));
  waking.push({ name, values: await wakes(many, sleepMs, () => call(failing)) });
}

const ended = [];
for (const { name, peer, call } of await retries(hourMs)) {
  if (name === 'bare' || (name !== 'by hand' && !peer.cancellable?.includes('retry'))) continue;
  const sleep = (signal) => call(failing, signal);
  if (!(await obeys(sleep))) continue;
  await aborts(2_000, sleep);
  ended.push({ name: `${name}, 10,000`, values: await aborts(10_000, sleep) });
  if (name === 'holdfast') ended.push({ name: `${name}, 100,000`, values: await aborts(100_000, sleep) });
}
if (wanted('holdfast')) {
  const sleep = (signal) => scope({ signal }, (s) => s.sleep(hourMs));
  await aborts(2_000, sleep);
  ended.push({ name: 'holdfast, s.sleep in a scope, 10,000', values: await aborts(10_000, sleep) });
  ended.push({ name: 'holdfast, s.sleep in a scope, 100,000', values: await aborts(100_000, sleep) });
}

/** Does a signal end the sleep at all? */
async function obeys(sleep) {
  const controller = new AbortController();
  const sleeping = sleep(controller.signal).catch(() => {});
  await turn();
  controller.abort(new Error('stop'));
  return Promise.race([sleeping.then(() => true), delay(100, false)]);
}

report([
  {
    title: `${many.toLocaleString('en-US')} retries asleep`,
    columns: ['bytes each', 'begin each, µs CPU', 'wake each, µs CPU'],
    rows: waking,
  },
  { title: 'asleep under one signal', columns: ['bytes each', 'begin each, µs CPU', 'abort blocks, ms'], rows: ended },
]);
