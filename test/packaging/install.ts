import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { at, pinnedNode, run } from '../../scripts/lib/project.mjs';
import { setUp } from '../../scripts/lib/set-up.mjs';
import { nodeOf, otherNodes } from '../nodes.ts';

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
  const versions = Object.values(otherNodes);
  if (process.env['HOLDFAST_REQUIRE_ALL'] !== '1') return versions.map((version) => ({ version }));
  return Promise.all(versions.map(async (version) => ({ version, program: await nodeOf(version) })));
}
