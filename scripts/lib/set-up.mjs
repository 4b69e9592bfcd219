// Everything a fresh clone needs before a command can run: the dependencies of the lock file, the pinned Node, dist/.
// Runs on Node 20 with nothing installed. Each part is skipped when it is already as it should be.
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, delimiter, dirname, join } from 'node:path';
import { locked } from './lock.mjs';
import { at, cacheFolder, foreignPath, pinnedNode, readJson, run, runNode, tail } from './project.mjs';
import { Failure, note, step } from './say.mjs';

const installStamp = at('node_modules', '.holdfast-installed');
const buildStamp = at('dist', '.built-from');

/**
 * @param {{ build?: 'never' | 'when stale' | 'always' }} [wanted]
 */
export async function setUp({ build = 'when stale' } = {}) {
  const staleBuild = () => build === 'always' || (build === 'when stale' && !isBuilt());
  if (isInstalled() && !staleBuild()) return;
  await locked(async () => {
    // Asked again: another process may have done it while this one waited.
    if (!isInstalled()) await install();
    if (staleBuild()) await buildPackage();
  });
}

// Dependencies

function installId() {
  const lock = readFileSync(at('package-lock.json'));
  return `${createHash('sha256').update(lock).digest('hex')} ${process.platform} ${process.arch}\n`;
}

function isInstalled() {
  return readText(installStamp) === installId() && existsSync(pinnedNode);
}

async function install() {
  const version = lockedNode();
  const complete = holdsLockedVersions();
  if (!complete || !existsSync(pinnedNode)) {
    const program = join(cacheFolder, `node-${version}`, basename(pinnedNode));
    note(`the first run sets everything up, about a minute: Node ${version} comes first`);
    await step('node', `Node ${version}, for every tool and test`, () => fetchNode(version, program));
    if (!complete) {
      note('installing the dependencies of the lock file with npm ci, this takes about half a minute');
      await step('install', 'npm ci', () => npmCi(dirname(program)));
    }
    putPinnedNode(program);
  }
  await checkPinnedNode(version);
  writeFileSync(installStamp, installId());
}

function lockedNode() {
  return readJson(at('package-lock.json')).packages['node_modules/node'].version;
}

/** True after somebody ran `npm ci` or `npm install` by hand. npm writes its hidden lock file last. */
function holdsLockedVersions() {
  try {
    const wanted = Object.entries(readJson(at('package-lock.json')).packages);
    const present = readJson(at('node_modules', '.package-lock.json')).packages;
    return wanted.every(([path, entry]) => {
      if (path === '' || (entry.optional && !isForThisPlatform(entry))) return true;
      return present[path]?.version === entry.version;
    });
  } catch {
    return false;
  }
}

/**
 * Of the optional packages only the binaries of the tools count: an old Node leaves them out without a word.
 * @param {{ os?: string[], cpu?: string[], libc?: string[] }} entry
 */
function isForThisPlatform({ os, cpu, libc }) {
  if (!os || !cpu) return false;
  return os.includes(process.platform) && cpu.includes(process.arch) && (!libc || libc.includes(systemLibc()));
}

/** @type {string | undefined} */
let libc;

/** Asked once: a report of the process takes its time. */
function systemLibc() {
  return (libc ??= reportedLibc());
}

function reportedLibc() {
  const { header } = /** @type {{ header: { glibcVersionRuntime?: string } }} */ (process.report.getReport());
  return header.glibcVersionRuntime ? 'glibc' : 'musl';
}

/**
 * npm ci runs on the pinned Node: npm leaves out an optional package, and such are the binaries of the tools, when the Node
 * that runs npm is too old for it. Install scripts are not run: nothing here needs them but `node`, whose binary is there.
 * @param {string} nodeFolder
 */
async function npmCi(nodeFolder) {
  const ended = await npm(['ci', '--ignore-scripts', '--no-audit', '--no-fund'], nodeFolder);
  if (ended.code !== 0) {
    throw new Failure('npm ci failed, the dependencies are not installed', {
      why: tail(ended.output),
      todo: 'Look at the last lines above: mostly it is the network, or a registry that npm is not set up for\n(`npm config get registry`). Then run the same command again.',
    });
  }
  return ended.output.match(/added \d+ packages/)?.[0] ?? 'npm ci';
}

/**
 * @param {string[]} args
 * @param {string} [nodeFolder] where the Node is that runs npm, if not the machine's own
 */
function npm(args, nodeFolder) {
  // Not through our own node_modules: npm ci removes that folder, with the Node inside it.
  const path = nodeFolder ? [nodeFolder, foreignPath()].join(delimiter) : foreignPath();
  return run(process.platform === 'win32' ? 'npm.cmd' : 'npm', args, { env: { ...process.env, PATH: path } });
}

/**
 * Puts the Node where `npm run` and the tools look for it.
 * @param {string} program
 */
function putPinnedNode(program) {
  const link = at('node_modules', '.bin', basename(pinnedNode));
  mkdirSync(dirname(pinnedNode), { recursive: true });
  copyFileSync(program, pinnedNode);
  if (!existsSync(link)) symlinkSync(join('..', 'node', 'bin', basename(pinnedNode)), link);
}

/**
 * Without the pinned Node everything would silently run on the machine's own.
 * @param {string} version
 */
async function checkPinnedNode(version) {
  const found = (await runNode(['--version'])).output.trim();
  if (found === `v${version}`) return;
  throw new Failure(`the project's Node is ${found || 'not there'}, not v${version}`, {
    why: `${pinnedNode} is not the one that package-lock.json names.`,
    todo: 'Remove node_modules and run the same command again.',
  });
}

/**
 * Puts the binary of a Node from npm at `target`, unless it is there. Runs no install script.
 * @param {string} version
 * @param {string} target
 */
export async function fetchNode(version, target) {
  if (existsSync(target)) return;
  const platform = process.platform === 'win32' ? 'win' : process.platform;
  const prefix = platform === 'darwin' && process.arch === 'arm64' ? 'node-bin' : 'node';
  const name = `${prefix}-${platform}-${process.arch}`;
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-fetch-'));
  try {
    writeFileSync(join(folder, 'package.json'), '{ "private": true }');
    const flags = ['--prefix', folder, '--ignore-scripts', '--no-audit', '--no-fund'];
    const ended = await npm(['install', ...flags, `${name}@${version}`]);
    if (ended.code !== 0) {
      throw new Failure(`Node ${version} could not be installed from npm`, {
        why: `${name} could not be fetched:\n${tail(ended.output)}`,
        todo: 'Run the same command again where the registry is reachable.',
      });
    }
    mkdirSync(dirname(target), { recursive: true });
    // Renamed into place, so that nobody starts half a file.
    const fresh = `${target}.${process.pid}`;
    copyFileSync(join(folder, 'node_modules', name, 'bin', basename(pinnedNode)), fresh);
    renameSync(fresh, target);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

// dist/

function isBuilt() {
  return readText(buildStamp) === sourceId();
}

async function buildPackage() {
  await step('build', 'dist/', async () => {
    const ended = await runNode([at('scripts', 'build.mjs'), sourceId()]);
    if (ended.code !== 0) {
      throw new Failure('the build failed, dist/ is as it was', {
        why: tail(ended.output, 60).replace(/^\s*holdfast: /, ''),
        todo: 'Mend the sources named above. `npm run check` shows all that is wrong with them.',
      });
    }
    return ended.output.trim().split('\n').at(-1) ?? 'dist/';
  });
}

/** Names the exact sources that a build is made from: content, not times, which git and copies do not keep. */
function sourceId() {
  const inputs = [
    'package.json',
    'package-lock.json',
    'tsconfig.json',
    'tsconfig.build.json',
    'scripts/build.mjs',
    'src',
  ];
  return `${contentId(inputs, (path) => !/\.(test|test-d|bench)\.ts$/.test(path))}\n`;
}

/**
 * A name for the content of files and folders.
 * @param {string[]} inputs
 * @param {(path: string) => boolean} [counts]
 */
export function contentId(inputs, counts = () => true) {
  const hash = createHash('sha256');
  for (const path of inputs.flatMap(filesIn)) {
    if (counts(path))
      hash
        .update(`${path}\0`)
        .update(readFileSync(at(path)))
        .update('\0');
  }
  return hash.digest('hex');
}

/**
 * @param {string} path
 * @returns {string[]}
 */
function filesIn(path) {
  if (!existsSync(at(path))) return [];
  if (!statSync(at(path)).isDirectory()) return [path];
  return readdirSync(at(path))
    .sort()
    .flatMap((name) => filesIn(`${path}/${name}`));
}

/** @param {string} path */
function readText(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
