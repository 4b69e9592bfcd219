// A call that fails once and is repeated without a delay. A peer that sleeps through a timer all the same shows it: a
// millisecond, which many calls at once share.
import { contenders, report, times } from '../case.mjs';
import { compare, fresh } from '../compare.mjs';

const error = new Error('flaky'); // made before: its cost is the operation's
const twice = async (operation) => {
  try {
    return await operation();
  } catch {
    return await operation();
  }
};

async function rows() {
  return (await contenders({ retry: { attempts: 4, delayMs: 0 } })).map(({ name, call }) => ({
    name: name === 'bare' ? 'bare, called twice' : name,
    run: fresh(`(call, error) => () => {
      let failed = false;
      return call(async () => {
        if (failed) return 42;
        failed = true;
        throw error;
      });
    }`)(name === 'bare' ? twice : call, error),
  }));
}

report([
  times('one failure, one call at a time', await compare(await rows())),
  times('one failure, 500 calls at once', await compare(await rows(), { atOnce: 500 })),
]);
