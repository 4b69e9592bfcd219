// A call that succeeds at once, under a timeout of 30 s. Alone it is the only one that has a timer, which is the dear case;
// in a crowd timers of the same duration can be shared.
import { calling, contenders, report, times } from '../case.mjs';
import { compare } from '../compare.mjs';

const rows = async () =>
  (await contenders({ timeout: { ms: 30_000 } })).map(({ name, call }) => ({ name, run: calling(call) }));
report([
  times('a timeout, one call at a time', await compare(await rows())),
  times('a timeout, 100 calls at once', await compare(await rows(), { atOnce: 100 })),
]);
