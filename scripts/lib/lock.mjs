// One set-up at a time in a checkout: `npm test` and `npm start` may be called at the same moment.
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cacheFolder } from './project.mjs';
import { note } from './say.mjs';

const folder = join(cacheFolder, 'set-up.lock');
const pollMs = 200;
/** A lock without an owner's name is one whose owner died between its two steps, which take microseconds. */
const namelessMs = 5_000;

/**
 * Runs `action` while holding the checkout's lock. Making a folder is atomic, so only one process can hold it; one whose
 * owner is dead is taken over.
 * @template T
 * @param {() => Promise<T>} action
 * @returns {Promise<T>}
 */
export async function locked(action) {
  mkdirSync(cacheFolder, { recursive: true });
  await acquire();
  const release = () => rmSync(folder, { recursive: true, force: true });
  process.once('exit', release);
  try {
    return await action();
  } finally {
    process.removeListener('exit', release);
    release();
  }
}

async function acquire() {
  for (let told = false; ; await sleep(pollMs)) {
    try {
      mkdirSync(folder);
      writeFileSync(join(folder, 'owner'), String(process.pid));
      return;
    } catch (error) {
      if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EEXIST') throw error;
    }
    const owner = readOwner();
    if (isDead(owner)) breakLock(owner);
    else if (!told) {
      note(`waiting for the set-up that process ${owner ?? '?'} is doing`);
      told = true;
    }
  }
}

function readOwner(of = folder) {
  try {
    return Number(readFileSync(join(of, 'owner'), 'utf8')) || undefined;
  } catch {
    return undefined;
  }
}

/** @param {number | undefined} owner */
function isDead(owner) {
  try {
    if (owner === undefined) return Date.now() - statSync(folder).mtimeMs > namelessMs;
    process.kill(owner, 0);
    return false;
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === 'ESRCH';
  }
}

/**
 * Of several waiting processes only one can rename the folder away. It may have come late, when another had broken the lock and
 * taken it: then the owner in the folder is not the dead one, and the folder goes back.
 * @param {number | undefined} dead
 */
function breakLock(dead) {
  const grave = `${folder}.${process.pid}`;
  try {
    renameSync(folder, grave);
  } catch {
    return;
  }
  if (readOwner(grave) !== dead) {
    renameSync(grave, folder);
    return;
  }
  rmSync(grave, { recursive: true, force: true });
}
