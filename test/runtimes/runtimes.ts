/** The runtimes that the core is run on: where each comes from, how it is started, and what it is known not to have. */
import { createServer, type AddressInfo } from 'node:net';
import { pinnedNode, run } from '../../scripts/lib/project.mjs';
import { nodeOf, otherNodes } from '../nodes.ts';
import { inChromium } from './run/chromium.ts';
import { inProcess } from './run/process.ts';
import { inWorkerd } from './run/workerd.ts';
import { chromium, programOf } from './set-up.ts';
import type { Feature, Report } from './suite/harness.ts';

/** Where to run the tests, and with what. */
interface Around {
  readonly folder: string;
  readonly unreachable: string;
}

/** Of what it has no test can tell: it is how the library works there. */
const requestsEnd = "a timer for each wait; a request's work ends with it";

export interface Runtime {
  readonly name: string;
  /** What `navigator.userAgent` has in it there: that the tests ran where they were to run. */
  readonly userAgent: string;
  /** What it does not have. A difference to what the tests find is a failure, in both directions. */
  readonly lacks: readonly Feature[];
  /** Other differences that its users should know of; for the table. */
  readonly differs?: string;
  /** Runs in every `npm test`, not only where everything is asked for. */
  readonly always?: boolean;
  /** Gets it, if need be. */
  program(): Promise<string>;
  run(program: string, around: Around): Promise<Report>;
}

const node = (line: 22 | 24 | 26, more: Partial<Runtime> = {}): Runtime => ({
  name: `Node ${line}`,
  userAgent: `Node.js/${line}`,
  lacks: [],
  program: async () => (line === 24 ? pinnedNode : nodeOf(otherNodes[line])),
  run: (program, { folder, unreachable }) => inProcess(program, [], folder, unreachable),
  ...more,
});

export const runtimes: readonly Runtime[] = [
  node(22, { lacks: ['DisposableStack'], always: true }),
  node(24, { always: true }),
  node(26),
  {
    name: 'Bun',
    userAgent: 'Bun/',
    lacks: [],
    program: () => programOf('bun'),
    run: (program, { folder, unreachable }) => inProcess(program, ['run'], folder, unreachable),
  },
  {
    name: 'Deno',
    userAgent: 'Deno/',
    lacks: [],
    program: () => programOf('deno'),
    run: (program, { folder, unreachable }) => {
      // The library needs no permission; the tests need one, to ask where nobody listens.
      const flags = ['run', '--no-prompt', '--no-config', '--no-lock', `--allow-net=${new URL(unreachable).host}`];
      return inProcess(program, flags, folder, unreachable);
    },
  },
  {
    name: 'workerd',
    userAgent: 'Cloudflare-Workers',
    lacks: [],
    differs: requestsEnd,
    program: () => programOf('workerd'),
    run: (program, around) => inWorkerd(program, around),
  },
  {
    name: 'workerd without `nodejs_compat`',
    userAgent: 'Cloudflare-Workers',
    lacks: ['async context', 'diagnostics_channel'],
    differs: requestsEnd,
    program: () => programOf('workerd'),
    run: (program, around) => inWorkerd(program, { ...around, flags: ['no_nodejs_compat', 'no_nodejs_compat_v2'] }),
  },
  {
    name: 'Chromium',
    userAgent: 'Chrome/',
    lacks: ['async context', 'diagnostics_channel'],
    program: async () => chromium(),
    run: (program, { folder, unreachable }) => inChromium(program, folder, unreachable),
  },
];

export interface Found {
  readonly version: string;
  readonly report: Report;
  /** What is wrong, in words. None: all is as it should be. */
  readonly problems: readonly string[];
}

/** Runs the tests on a runtime that is there. */
export async function runOn(runtime: Runtime, program: string, folder: string): Promise<Found> {
  const version = /\d+[.-]\d+[\d.-]*/.exec((await run(program, ['--version'])).output)?.[0] ?? 'unknown';
  const report = await runtime.run(program, { folder, unreachable: await closedPort() });
  return { version, report, problems: problemsOf(runtime, report) };
}

/** What a report has against a runtime. */
export function problemsOf(
  { userAgent, lacks }: Pick<Runtime, 'userAgent' | 'lacks'>,
  { failed, ...report }: Report,
): string[] {
  const problems = failed.map(({ title, error }) => `${title}\n${error}`);
  if (!report.userAgent.includes(userAgent)) problems.push(`it ran on ${report.userAgent}, not on ${userAgent}`);
  const found = Object.keys(report.lacks).sort().join(', ');
  const known = [...lacks].sort().join(', ');
  if (found !== known) problems.push(`it lacks '${found}', and was known to lack '${known}'`);
  return problems;
}

/** A URL of this machine at which nobody listens any more. */
async function closedPort(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return `http://127.0.0.1:${port}/`;
}
