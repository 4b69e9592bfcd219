// A call that succeeds at once, under a rate limit that is never reached, and one that it refuses. By hand it is a bucket of tokens.
// Bottleneck and limiter count in windows, or in buckets that are filled by the wall clock.
import { calling, contenders, report, times } from '../case.mjs';
import { compare, fresh } from '../compare.mjs';

const ample = { limit: 1_000_000_000, perMs: 1000 };
const used = { limit: 1, perMs: 3_600_000 };

const passing = async () =>
  (await contenders({ rateLimit: ample })).map(({ name, call }) => ({ name, run: calling(call) }));

async function refused() {
  const rows = [];
  for (const { name, call } of await contenders({ rateLimit: used })) {
    await call(async () => 42);
    rows.push({
      name: name === 'bare' ? 'bare, an error made before' : name,
      run: fresh(`(call, operation) => async () => { try { await call(operation); } catch {} }`)(
        call,
        name === 'bare'
          ? fresh('(error) => async () => { throw error; }')(new Error('made before'))
          : fresh('async () => 42'),
      ),
    });
  }
  return rows;
}

report([
  times('a rate limit that is not reached, one call at a time', await compare(await passing())),
  times('a rate limit that is not reached, 100 calls at once', await compare(await passing(), { atOnce: 100 })),
  times('refused by a rate limit', await compare(await refused())),
]);
