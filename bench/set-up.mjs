// The peers stand in a lock file of their own, and are installed when they are first needed: nothing else of the project
// needs them. After that no network is needed.
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { locked } from '../scripts/lib/lock.mjs';
import { readJson, run, tail } from '../scripts/lib/project.mjs';
import { Failure, note } from '../scripts/lib/say.mjs';

const folder = fileURLToPath(new URL('.', import.meta.url));
const locks = `${folder}package-lock.json`;

export async function setUpPeers() {
  if (isInstalled()) return;
  await locked(async () => {
    if (isInstalled()) return;
    note('installing the peers that Holdfast is compared with, into bench/node_modules');
    const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
    const { code, output } = await run(npm, ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: folder });
    if (code === 0) return;
    throw new Failure('npm ci failed in bench/, the peers are not installed', {
      why: tail(output),
      todo: 'Run the same command again where a registry is reachable.',
    });
  });
}

/** npm writes the lock file inside node_modules last. */
function isInstalled() {
  try {
    const present = readJson(`${folder}node_modules/.package-lock.json`).packages;
    return packages().every(([path, { version }]) => present[path]?.version === version);
  } catch {
    return false;
  }
}

/** @returns {[path: string, entry: { version: string }][]} */
const packages = () => Object.entries(readJson(locks).packages).filter(([path]) => path !== '');

/** The versions of the peers. @returns {Record<string, string>} */
export const versions = () => readJson(`${folder}package.json`).dependencies;

/** Where, when and with what a table was made. */
export function about() {
  const own = readJson(fileURLToPath(new URL('../package.json', import.meta.url))).version;
  const peers = Object.entries(versions()).map(([name, version]) => `${name} ${version}`);
  const machine = `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown processor'}`;
  return `${new Date().toISOString().slice(0, 10)}, Node ${process.versions.node}, ${machine}. holdfast ${own}, ${peers.join(', ')}.`;
}
