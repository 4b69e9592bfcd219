// What a breaker that is open costs whoever it refuses: the call, its error, and catching it.
import { contenders, report, times } from '../case.mjs';
import { compare, fresh } from '../compare.mjs';

const failing = async () => {
  throw new Error('down');
};
const error = new Error('made before');

const rows = [];
for (const { name, call } of await contenders({ breaker: { failures: 5, cooldownMs: 3_600_000 } })) {
  for (let i = 0; i < 5; i++) await call(failing).catch(() => {});
  rows.push({
    name: name === 'bare' ? 'bare, an error made before' : name,
    run: fresh(`(call, operation) => async () => { try { await call(operation); } catch {} }`)(
      call,
      fresh('(error) => async () => { throw error; }')(error),
    ),
  });
}
report([times('refused by an open breaker', await compare(rows))]);
