// Runs the program that a command is for, in front of the person who called it.
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { pinnedNode, root, toolEnvironment } from './project.mjs';

/** @type {NodeJS.Signals[]} */
const passedOn = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/**
 * One press of Ctrl-C can reach this process more than once: from the terminal, and from npm, which passes on what it got.
 * The program must see one, because a second one means "do not wait for the clean-up". npm's copy comes within a few
 * milliseconds; nobody presses twice on purpose in a quarter of a second.
 */
const samePressMs = 250;

/**
 * Starts `args` with the pinned Node and resolves with its exit code. The program is in a process group of its own, so that
 * what a terminal sends to everybody reaches it only through here: each signal once, however it came.
 * @param {readonly string[]} args
 * @returns {Promise<number>}
 */
export function runInForeground(args) {
  const detached = process.platform !== 'win32';
  /** @type {Map<NodeJS.Signals, number>} */
  const lastSent = new Map();
  const handlers = passedOn.map((signal) => {
    const handler = () => {
      const now = performance.now();
      if (now - (lastSent.get(signal) ?? -Infinity) < samePressMs) return;
      lastSent.set(signal, now);
      send(child.pid, signal, detached);
    };
    process.on(signal, handler);
    return () => process.removeListener(signal, handler);
  });
  // Last: on a busy machine the program may be there, and somebody press Ctrl-C, before the next line here has run.
  const child = spawn(pinnedNode, args, { cwd: root, env: toolEnvironment(), stdio: 'inherit', detached });
  const mourner = detached && child.pid !== undefined ? endWithThisProcess(child.pid) : undefined;
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      for (const remove of handlers) remove();
      mourner?.stdin?.end('ended\n');
      resolve(code ?? 128 + (signal === null ? 1 : constants.signals[signal]));
    });
  });
}

/**
 * @param {number | undefined} pid
 * @param {NodeJS.Signals} signal
 * @param {boolean} group
 */
function send(pid, signal, group) {
  if (pid === undefined) return;
  try {
    process.kill(group ? -pid : pid, signal);
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'ESRCH') throw error;
  }
}

/**
 * A program in its own group would outlive this process if it is killed hard. A shell that reads from us notices that and
 * ends the group.
 * @param {number} pid
 */
function endWithThisProcess(pid) {
  const shell = spawn('/bin/sh', ['-c', 'read _ || kill -s TERM -- "-$0"', String(pid)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  shell.on('error', () => {});
  shell.stdin?.on('error', () => {});
  shell.unref();
  return shell;
}
