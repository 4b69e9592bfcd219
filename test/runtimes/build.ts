/**
 * A folder that every runtime can be pointed at: dist/ as it is, and beside it the tests with their types taken off, which import it by
 * relative path.
 */
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { rolldown } from 'rolldown';
import { at, cacheFolder } from '../../scripts/lib/project.mjs';

/** The folder. Disposed of, it is removed. */
export interface Place extends Disposable {
  readonly folder: string;
}

export async function build(): Promise<Place> {
  const folder = mkdtempSync(join(cacheFolder, 'runtimes-'));
  // A browser may have children that still write there for a moment.
  const remove = (): void => rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
  const place = { folder, [Symbol.dispose]: remove };
  process.once('exit', remove);
  cpSync(at('dist'), join(folder, 'dist'), { recursive: true, filter: (path) => !path.endsWith('types') });
  await using bundle = await rolldown({
    input: ['process', 'worker', 'page'].map((host) => at('test', 'runtimes', 'hosts', `${host}.ts`)),
    platform: 'neutral',
    transform: { target: 'es2024' },
    plugins: [{ name: 'dist beside the tests', resolveId: (id) => entryPoints[id] ?? null }],
  });
  await bundle.write({ dir: folder, format: 'esm', chunkFileNames: '[name].js' });
  return place;
}

const external = (file: string): { id: string; external: true } => ({ id: `./dist/${file}`, external: true });
const entryPoints: Readonly<Record<string, ReturnType<typeof external>>> = {
  holdfast: external('index.js'),
  'holdfast/testing': external('testing.js'),
};
