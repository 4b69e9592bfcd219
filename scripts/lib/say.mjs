// What the commands tell a person: one calm line per step, and for a failure what, why and what to do.
// Progress goes to stderr, so that a program's own output can be piped.

/** A failure that a person can act on. Anything else that is thrown is a fault of these scripts. */
export class Failure extends Error {
  /**
   * @param {string} what what failed
   * @param {{ why?: string, todo?: string, code?: number }} [more]
   */
  constructor(what, { why, todo, code = 1 } = {}) {
    super(what);
    this.why = why;
    this.todo = todo;
    this.code = code;
  }
}

/** @param {number} ms */
export function seconds(ms) {
  if (ms < 100_000) return `${(ms / 1000).toFixed(1)} s`;
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`;
}

/**
 * @param {'ok' | 'failed' | 'skipped'} state
 * @param {string} name
 * @param {string} text
 * @param {number} [ms]
 */
export function line(state, name, text, ms) {
  const mark = { ok: '✓', failed: '✗', skipped: '–' }[state];
  const time = ms === undefined ? '' : seconds(ms).padStart(10);
  process.stderr.write(`${mark} ${name.padEnd(14)} ${text.padEnd(56)} ${time}`.trimEnd() + '\n');
}

/** @param {string} text */
export function note(text) {
  process.stderr.write(`  ${text}\n`);
}

/**
 * Runs `action` as a named step. What it returns is the text of the line.
 * @param {string} name
 * @param {string} text said when the step fails, or when `action` returns nothing
 * @param {() => Promise<string | void> | string | void} action
 */
export async function step(name, text, action) {
  const start = performance.now();
  try {
    line('ok', name, (await action()) ?? text, performance.now() - start);
  } catch (error) {
    line('failed', name, text, performance.now() - start);
    throw error;
  }
}

/** @param {unknown} error */
export function explainFailure(error) {
  if (!(error instanceof Failure)) return error instanceof Error ? (error.stack ?? String(error)) : String(error);
  const parts = [`\nholdfast: ${error.message}`];
  if (error.why) parts.push(indent('why: ', error.why));
  if (error.todo) parts.push(indent('do:  ', error.todo));
  return parts.join('\n');
}

/**
 * @param {string} label
 * @param {string} text
 */
function indent(label, text) {
  return `  ${label}${text
    .trimEnd()
    .split('\n')
    .join(`\n  ${' '.repeat(label.length)}`)}`;
}

/**
 * The frame of every command: a failure is explained, and the exit code is right.
 * @param {() => Promise<number | void>} main returns the exit code
 */
export async function command(main) {
  try {
    process.exitCode = (await main()) ?? 0;
  } catch (error) {
    process.stderr.write(`${explainFailure(error)}\n`);
    process.exitCode = error instanceof Failure ? error.code : 1;
  }
}
