/** Inside Node, Bun and Deno: the suite in a process, which has to end by itself. Its last line is the report. */
import { runTests } from '../suite/harness.ts';
import { groups } from '../suite/index.ts';
import { handlers } from '../suite/requests.ts';

const [unreachable = ''] = process.argv.slice(2);
const report = await runTests(groups, { unreachable, request: (name) => handlers[name]!() });
console.log(JSON.stringify(report));
