// Where things are, and how a tool of the project is started. Runs on Node 20 as well: it is used before the set-up.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..');
export const cacheFolder = join(root, '.cache');

/** @param {...string} parts */
export const at = (...parts) => join(root, ...parts);

/** @param {string} path */
export const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'));

/** The Node that every tool and every test runs on, whatever Node started the command. */
export const pinnedNode = at('node_modules', 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node');

/** The environment for children: `node` and the tools are the project's own, wherever a child looks them up. */
export function toolEnvironment() {
  const path = [dirname(pinnedNode), at('node_modules', '.bin'), foreignPath()].join(delimiter);
  return { ...process.env, PATH: path };
}

/** The PATH without this project's own tools, which `npm run` puts first. */
export function foreignPath() {
  return (process.env['PATH'] ?? '')
    .split(delimiter)
    .filter((folder) => !resolve(folder).startsWith(at('node_modules')))
    .join(delimiter);
}

/**
 * @typedef {{ code: number, signal: NodeJS.Signals | null, output: string, ms: number }} Ended
 * @typedef {{ cwd?: string, env?: NodeJS.ProcessEnv, echo?: boolean, input?: string }} RunOptions
 */

/**
 * Runs a program to its end and keeps what it said. Never throws for a bad exit code.
 * @param {string} program
 * @param {readonly string[]} args
 * @param {RunOptions} [options] `echo` shows the output while it comes
 * @returns {Promise<Ended>}
 */
export function run(program, args, { cwd = root, env = toolEnvironment(), echo = false } = {}) {
  const start = performance.now();
  return new Promise((resolvePromise, reject) => {
    const child = spawn(program, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    const forget = endWithUs(child);
    let output = '';
    /** @param {NodeJS.WriteStream} stream */
    const keep = (stream) => (/** @type {string} */ text) => {
      output += text;
      if (echo) stream.write(text);
    };
    child.stdout.setEncoding('utf8').on('data', keep(process.stdout));
    child.stderr.setEncoding('utf8').on('data', keep(process.stderr));
    child.on('error', (error) => {
      forget();
      reject(error);
    });
    child.on('close', (code, signal) => {
      forget();
      resolvePromise({ code: code ?? 1, signal, output, ms: performance.now() - start });
    });
  });
}

/** @type {Set<import('node:child_process').ChildProcess>} */
const children = new Set();
/** @type {NodeJS.Signals[]} */
const endingSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** How long children may clean up after a signal. */
const patienceMs = 5_000;
/** @type {number | undefined} the exit code, once a signal ends this process */
let ending;

/** @param {NodeJS.Signals} signal */
function endAll(signal) {
  ending = 128 + constants.signals[signal];
  for (const child of children) child.kill(signal);
  setTimeout(() => process.exit(ending), patienceMs);
}

/**
 * While a child runs, a signal that ends this process ends the child first.
 * @param {import('node:child_process').ChildProcess} child
 * @returns says that the child has ended
 */
export function endWithUs(child) {
  if (children.size === 0) for (const signal of endingSignals) process.on(signal, endAll);
  children.add(child);
  return () => {
    children.delete(child);
    if (children.size > 0) return;
    if (ending !== undefined) process.exit(ending);
    for (const signal of endingSignals) process.removeListener(signal, endAll);
  };
}

/**
 * Runs a script with the pinned Node.
 * @param {readonly string[]} args
 * @param {RunOptions} [options]
 */
export const runNode = (args, options) => run(pinnedNode, args, options);

/** @param {string} text @param {number} [lines] */
export const tail = (text, lines = 30) => text.trimEnd().split('\n').slice(-lines).join('\n');
