import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { at, cacheFolder, pinnedNode, run } from '../../scripts/lib/project.mjs';
import { fetchNode, setUp } from '../../scripts/lib/set-up.mjs';

/** A Node to try the package on; `program` is absent where it was not asked for. */
export interface NodeUnderTest {
  version: string;
  program?: string;
}

declare module 'vitest' {
  interface ProvidedContext {
    /** An empty project that has installed the tarball as a consumer would. */
    consumer: string;
    nodes: NodeUnderTest[];
  }
}

/** The oldest Node that package.json allows, then the lines that are in use besides the pinned one. */
const otherNodes = ['22.12.0', '22.23.3', '26.10.0'];

export default async function install(project: TestProject): Promise<() => void> {
  await setUp();
  const consumer = mkdtempSync(join(tmpdir(), 'holdfast-consumer-'));
  const remove = (): void => rmSync(consumer, { recursive: true, force: true });
  process.once('exit', remove);
  const packed = await run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', consumer]);
  if (packed.code !== 0) throw new Error(`npm pack failed:\n${packed.output}`);
  const { name, version } = JSON.parse(readFileSync(at('package.json'), 'utf8')) as { name: string; version: string };
  writeFileSync(join(consumer, 'package.json'), JSON.stringify({ name: 'consumer', private: true }));
  const installed = await run('npm', ['install', '--offline', '--no-audit', '--no-fund', `./${name}-${version}.tgz`], {
    cwd: consumer,
  });
  if (installed.code !== 0) throw new Error(`the tarball cannot be installed:\n${installed.output}`);
  project.provide('consumer', consumer);
  project.provide('nodes', [await pinned(), ...(await others())]);
  return remove;
}

async function pinned(): Promise<NodeUnderTest> {
  const { output } = await run(pinnedNode, ['--version']);
  return { version: output.trim().slice(1), program: pinnedNode };
}

async function others(): Promise<NodeUnderTest[]> {
  if (process.env['HOLDFAST_REQUIRE_ALL'] !== '1') return otherNodes.map((version) => ({ version }));
  const cache = join(cacheFolder, 'nodes');
  mkdirSync(cache, { recursive: true });
  return Promise.all(
    otherNodes.map(async (version) => {
      const program = join(cache, `node-${version}-${process.platform}-${process.arch}`);
      await fetchNode(version, program);
      return { version, program };
    }),
  );
}
