// A call that succeeds at once, under a hedge: the extra call after 30 s is never made. No peer has one; it is compared with
// what one writes by hand, a timer and an `AbortController`. That has no budget, and no percentile.
import { calling, contenders, report, times } from '../case.mjs';
import { compare } from '../compare.mjs';

const rows = async (hedge) => (await contenders({ hedge })).map(({ name, call }) => ({ name, run: calling(call) }));
const fixed = () => rows({ ms: 30_000 });
const live = async () => (await rows({ percentile: 95 })).filter(({ name }) => name !== 'by hand');
report([
  times('a hedge that is not needed, one call at a time', await compare(await fixed())),
  times('a hedge that is not needed, 100 calls at once', await compare(await fixed(), { atOnce: 100 })),
  times('a hedge after a live percentile', await compare(await live())),
]);
