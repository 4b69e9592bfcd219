/** Inside a browser: the suite in a page, which sends the report to the server that it came from. */
import { runTests } from '../suite/harness.ts';
import { groups } from '../suite/index.ts';
import { handlers } from '../suite/requests.ts';

const { search } = (globalThis as unknown as { location: { search: string } }).location;
const unreachable = new URLSearchParams(search).get('unreachable') ?? '';
const report = await runTests(groups, { unreachable, request: (name) => handlers[name]!() });
await fetch('/report', { method: 'POST', body: JSON.stringify(report) });
