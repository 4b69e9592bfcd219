/** The Nodes besides the pinned one that the package is tried on. They come from npm, into a cache, when they are first asked for. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder } from '../scripts/lib/project.mjs';
import { fetchNode } from '../scripts/lib/set-up.mjs';

/** The oldest that package.json allows, then the newest of the lines that are in use. */
export const otherNodes = { oldest: '22.12.0', 22: '22.23.3', 26: '26.10.0' } as const;

/** The program of a Node. */
export async function nodeOf(version: string): Promise<string> {
  const cache = join(cacheFolder, 'nodes');
  mkdirSync(cache, { recursive: true });
  const program = join(cache, `node-${version}-${process.platform}-${process.arch}`);
  await fetchNode(version, program);
  return program;
}
