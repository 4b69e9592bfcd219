// A call that succeeds at once, under everything: timeout, retry, breaker, bulkhead.
import { calling, contenders, report, times } from '../case.mjs';
import { compare } from '../compare.mjs';
import { callOf } from '../peers/index.mjs';
import { pipeline } from '../pipeline.mjs';

async function rows() {
  const found = await contenders(pipeline);
  const rows = found.map(({ name, call }) => ({ name, run: calling(call) }));
  const own = found.find(({ name }) => name === 'holdfast');
  if (!own) return rows;
  const budgeted = callOf(own.peer, { ...pipeline, retry: { ...pipeline.retry, budget: 'default' } });
  const cleaning = 'async (s) => { s.defer(() => {}); return 42; }';
  return [
    ...rows,
    { name: 'holdfast, with its default budget', run: calling(budgeted) },
    { name: 'holdfast, with one s.defer', run: calling(own.call, cleaning) },
  ];
}

report([
  times('timeout, retry, breaker, bulkhead, one call at a time', await compare(await rows())),
  times('timeout, retry, breaker, bulkhead, 100 calls at once', await compare(await rows(), { atOnce: 100 })),
]);
