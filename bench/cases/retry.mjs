// A call that succeeds at once, under a retry.
import { calling, contenders, report, times } from '../case.mjs';
import { compare } from '../compare.mjs';

const rows = (await contenders({ retry: { attempts: 4, delayMs: 0 } })).map(({ name, call }) => ({
  name,
  run: calling(call),
}));
report([times('a retry that is not needed', await compare(rows))]);
