/**
 * Runs examples one after another in one process: each is imported, what it prints is compared, and what it leaves unhandled is told.
 * The argument is a JSON file with a list of `Job`s; the verdicts are printed as JSON.
 */
import { readFileSync } from 'node:fs';
import { stripVTControlCharacters } from 'node:util';
import { pathToFileURL } from 'node:url';

export interface Job {
  readonly path: string;
  readonly output: string | undefined;
}

/** Nothing that a document shows takes longer. */
const LIMIT_MS = 5_000;

const jobs = JSON.parse(readFileSync(process.argv[2]!, 'utf8')) as Job[];
const write = process.stdout.write.bind(process.stdout);
let printed = '';
let unhandled: unknown[] = [];
process.stdout.write = process.stderr.write = (text) => {
  printed += String(text);
  return true;
};
process.on('unhandledRejection', (error) => unhandled.push(error));
process.on('uncaughtException', (error) => unhandled.push(error));

const verdicts: Record<string, string> = {};
for (const { path, output } of jobs) {
  printed = '';
  unhandled = [];
  const problem = await problemOf(path);
  const problems = [...(problem ? [problem] : []), ...unhandled.map((error) => `unhandled: ${describe(error)}`)];
  const text = stripVTControlCharacters(printed).trimEnd();
  if (output !== undefined && text !== output.trimEnd())
    problems.push(`it prints\n${text}\nthe document says\n${output.trimEnd()}`);
  if (problems.length > 0) verdicts[path] = problems.join('\n');
}
write(JSON.stringify(verdicts));
process.exit(0);

async function problemOf(path: string): Promise<string | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(`it has not ended after ${LIMIT_MS} ms`), LIMIT_MS);
  });
  try {
    const late = await Promise.race([import(pathToFileURL(path).href), limit]);
    // What it has left behind may still fail.
    await new Promise((resolve) => setImmediate(resolve));
    return typeof late === 'string' ? late : undefined;
  } catch (error) {
    return describe(error);
  } finally {
    clearTimeout(timer);
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? String(error)) : String(error);
}
