// `npm run test:full`: everything at full figures, in named parts of at most half an hour.
//
//   --list           the parts, and how far each has come
//   --part NAME      this part alone (may be given again)
//   --scale X        all figures times X [1]
//   --minutes N      a part stops after so long and says how to go on [30]
//
// What a part found goes into docs/evidence.md, with date, commit and machine. How far an unfinished part has come is kept in
// .evidence/, until a source that it tests changes.
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { grouped, parts } from './full-parts.mjs';
import { writeEvidence } from './lib/evidence.mjs';
import { at, readJson, run } from './lib/project.mjs';
import { Failure, command, line, note, seconds } from './lib/say.mjs';
import { contentId } from './lib/set-up.mjs';

/** @typedef {import('./full-parts.mjs').Part} Part */
/**
 * @typedef {object} Progress
 * @property {string} of names what is tested, and the scale
 * @property {string} seed
 * @property {number} done
 * @property {number} ms
 * @property {Record<string, number>} found
 */

const unfinishedCode = 3;
const tellEveryMs = 15_000;

await command(async () => {
  const { values } = parseArgs({
    options: {
      list: { type: 'boolean', default: false },
      part: { type: 'string', multiple: true },
      scale: { type: 'string', default: '1' },
      minutes: { type: 'string', default: '30' },
    },
  });
  const scale = positive('--scale', values.scale);
  const limitMs = positive('--minutes', values.minutes) * 60_000;
  // Programs that a part starts read it too.
  process.env['HOLDFAST_SCALE'] = String(scale);
  if (values.list) return list(scale);

  const wanted = values.part ? values.part.map(partNamed) : parts;
  /** @type {Record<'finished' | 'unfinished' | 'failed', string[]>} */
  const ended = { finished: [], unfinished: [], failed: [] };
  for (const part of wanted) ended[await runPart(part, scale, limitMs)].push(part.name);
  const counts = Object.entries(ended).flatMap(([how, names]) => (names.length ? [`${how}: ${names.join(', ')}`] : []));
  process.stdout.write(`${counts.join('\n')}\n`);
  if (ended.failed.length > 0) return 1;
  return ended.unfinished.length > 0 ? unfinishedCode : 0;
});

/**
 * @param {string} name
 * @param {string} text
 */
function positive(name, text) {
  const value = Number(text);
  if (!(value > 0 && value < Infinity))
    throw new Failure(`${name} must be a number above 0; it is '${text}'`, { code: 2 });
  return value;
}

/** @param {string} name */
function partNamed(name) {
  const part = parts.find((each) => each.name === name);
  if (part) return part;
  throw new Failure(`no part is called '${name}'`, {
    todo: `One of: ${parts.map((each) => each.name).join(', ')}.`,
    code: 2,
  });
}

/** @param {number} scale */
function list(scale) {
  for (const part of parts) {
    const { done } = readProgress(part, scale);
    const begun = done > 0 ? `, ${grouped(done)} done` : '';
    process.stdout.write(`${part.name.padEnd(20)} ${grouped(part.total(scale))} ${part.unit}${begun}: ${part.what}\n`);
  }
}

/**
 * @param {Part} part
 * @param {number} scale
 * @param {number} limitMs
 * @returns {Promise<'finished' | 'unfinished' | 'failed'>}
 */
async function runPart(part, scale, limitMs) {
  const total = part.total(scale);
  const progress = readProgress(part, scale);
  progress.seed ||= (await run('git', ['rev-parse', '--short', 'HEAD'])).output.trim();
  if (progress.done > 0) note(`${part.name} goes on after ${grouped(progress.done)} of ${grouped(total)} ${part.unit}`);
  const start = performance.now();
  let toldAt = start;
  let slowestMs = 0;
  while (progress.done < total) {
    const stepStart = performance.now();
    // A step that would pass the limit is not begun.
    if (stepStart - start + slowestMs > limitMs && stepStart > start) {
      line(
        'skipped',
        part.name,
        `${grouped(progress.done)} of ${grouped(total)} ${part.unit}; the same command goes on from there`,
      );
      return 'unfinished';
    }
    const { failed, found = {} } = await part.step(
      progress.done,
      Math.min(part.stepSize, total - progress.done),
      progress.seed,
    );
    const now = performance.now();
    slowestMs = Math.max(slowestMs, now - stepStart);
    progress.ms += now - stepStart;
    if (failed !== undefined) {
      line('failed', part.name, part.what, now - start);
      process.stderr.write(`${failed}\n`);
      await writeEvidence({
        part: part.name,
        result: `**failed** after ${grouped(progress.done)}`,
        ...figures(part, scale, progress),
      });
      return 'failed';
    }
    progress.done = Math.min(total, progress.done + part.stepSize);
    for (const [name, count] of Object.entries(found)) progress.found[name] = (progress.found[name] ?? 0) + count;
    writeProgress(part, progress);
    if (now - toldAt > tellEveryMs) {
      note(`${part.name}: ${grouped(progress.done)} of ${grouped(total)} ${part.unit}, ${seconds(progress.ms)}`);
      toldAt = now;
    }
  }
  const result = part.result(progress.found);
  line('ok', part.name, `${grouped(total)} ${part.unit}: ${result}`, performance.now() - start);
  await writeEvidence({ part: part.name, result, ...figures(part, scale, progress) });
  rmSync(progressFile(part), { force: true });
  return 'finished';
}

/**
 * @param {Part} part
 * @param {number} scale
 * @param {Progress} progress
 */
function figures(part, scale, progress) {
  const count = `${grouped(part.total(scale))} ${part.unit}`;
  return { what: part.what, figures: scale === 1 ? count : `${count} (scale ${scale})`, ms: progress.ms };
}

/** @param {Part} part */
function progressFile(part) {
  return at('.evidence', `${part.name}.json`);
}

/**
 * @param {Part} part
 * @param {number} scale
 * @returns {Progress}
 */
function readProgress(part, scale) {
  const of = `${contentId(part.inputs)} × ${scale}`;
  if (existsSync(progressFile(part))) {
    const progress = readJson(progressFile(part));
    if (progress.of === of) return progress;
  }
  return { of, seed: '', done: 0, ms: 0, found: {} };
}

/**
 * @param {Part} part
 * @param {Progress} progress
 */
function writeProgress(part, progress) {
  mkdirSync(at('.evidence'), { recursive: true });
  // Renamed into place: a command that is killed while it writes leaves what stood there before.
  writeFileSync(`${progressFile(part)}.new`, JSON.stringify(progress));
  renameSync(`${progressFile(part)}.new`, progressFile(part));
}
