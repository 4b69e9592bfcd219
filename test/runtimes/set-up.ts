/**
 * Where the programs come from. Bun, Deno and workerd stand in a lock file of their own and are installed when they are first needed; nothing
 * else of the project needs them. No install script is run: the programs themselves are packages, one for each platform.
 */
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { locked } from '../../scripts/lib/lock.mjs';
import { readJson, run, tail } from '../../scripts/lib/project.mjs';
import { Failure, note } from '../../scripts/lib/say.mjs';

const folder = fileURLToPath(new URL('./programs/', import.meta.url));

interface Manifest {
  readonly version: string;
  readonly optionalDependencies: Readonly<Record<string, string>>;
}

/** The program of a package that has one for each platform as an optional dependency. */
export async function programOf(name: 'bun' | 'deno' | 'workerd'): Promise<string> {
  const found = find(name) ?? (await locked(async () => find(name) ?? (await install(name))));
  if (found !== undefined) return found;
  throw new Failure(`${name} has no program for ${process.platform} ${process.arch}`);
}

function find(name: string): string | undefined {
  const wanted = (readJson(join(folder, 'package.json')) as { dependencies: Record<string, string> }).dependencies[
    name
  ];
  const own = manifest(name);
  if (own === undefined || own.version !== wanted) return undefined;
  // npm has installed only what is for this platform. It may be several: for processors with and without a feature.
  for (const part of Object.keys(own.optionalDependencies)) {
    for (const place of [name, join('bin', name)]) {
      const program = join(folder, 'node_modules', part, place);
      if (manifest(part)?.version === wanted && existsSync(program)) return program;
    }
  }
  return undefined;
}

function manifest(name: string): Manifest | undefined {
  const file = join(folder, 'node_modules', name, 'package.json');
  return existsSync(file) ? (readJson(file) as Manifest) : undefined;
}

async function install(name: string): Promise<string | undefined> {
  note('installing Bun, Deno and workerd, into test/runtimes/programs/node_modules');
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  const { code, output } = await run(npm, ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: folder });
  if (code === 0) return find(name);
  throw new Failure('npm ci failed in test/runtimes/programs/, Bun, Deno and workerd are not installed', {
    why: tail(output),
    todo: 'Run the same command again where a registry is reachable.',
  });
}

/** The browser that the machine has. */
export function chromium(): string {
  for (const directory of (process.env['PATH'] ?? '').split(delimiter)) {
    for (const name of ['chromium', 'chromium-browser', 'google-chrome']) {
      const program = join(directory, name);
      if (existsSync(program)) return program;
    }
  }
  throw new Failure('no Chromium on the PATH', { todo: 'Install it; on Debian it is the package chromium.' });
}
