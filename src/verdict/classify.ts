/**
 * The classifier: one pass over an error and what it wraps, outermost first.
 *
 * Each object is asked: is it marked, does a rule know it, do the tables know it? The first that is known decides. Two
 * things are weaker than that. A name (`TypeError`) is a guess, and gives way to what the error wraps. Several errors in one
 * (`AggregateError`) decide together.
 *
 * Any of it may be hostile: getters that throw, proxies, cycles, chains without end. So every read stands in a `try`, and
 * two limits end the walk, whatever it walks over; no set of visited objects is needed.
 */
import { classification, isObject, UNKNOWN, VERDICTS, type Classification } from './classification.ts';
import { markOf } from './mark.ts';
import { askRules } from './rule.ts';
import { ownError } from './tables/holdfast.ts';
import { httpAnswer } from './tables/http.ts';
import { guessOf } from './tables/names.ts';
import { nodeError } from './tables/node.ts';

/** How deep: wrappers of wrappers are four or five deep in practice. */
const MAX_LINKS = 16;
/** How many objects in all, since links branch. One that nothing is known of takes some 100 ns, so this bounds the time too. */
const MAX_OBJECTS = 64;

interface Fields {
  readonly code?: unknown;
  readonly name?: unknown;
  readonly response?: unknown;
  readonly retryAfterMs?: unknown;
  readonly syscall?: unknown;
  readonly errors?: unknown;
  readonly cause?: unknown;
  readonly original?: unknown;
  readonly parent?: unknown;
  readonly originalError?: unknown;
  readonly driverError?: unknown;
  readonly suppressed?: unknown;
  readonly error?: unknown;
}

/** The walk under way. A rule, or a hostile getter, may call `classify` in the midst of it: that is part of the same walk. */
let outermost: unknown;
let left = 0;
let depth = 0;

/**
 * What is known of an error: may the operation be run again, and what does it tell of the server?
 *
 * @param error anything that can be thrown; also a result that tells of a failure, such as a `Response`. Up to 16 wrappers deep,
 * and 64 objects, are looked at.
 * @returns frozen. Never throws: a hostile or primitive value is `unknown`, with health `down`.
 *
 * @example
 * classify(new TypeError('fetch failed', { cause: Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }) })).verdict; // 'transient'
 * classify(new Response('', { status: 503, headers: { 'retry-after': '7' } })).retryAfterMs; // 7000
 * classify(new Error('who knows')).verdict; // 'unknown'
 */
export function classify(error: unknown): Classification {
  const under = outermost;
  if (under === undefined) {
    outermost = error;
    left = MAX_OBJECTS;
    depth = 0;
  }
  try {
    return look(error) ?? UNKNOWN;
  } finally {
    outermost = under;
  }
}

/** What is known of an object and of what it wraps, if anything is. */
function look(it: unknown): Classification | undefined {
  if (!isObject(it) || depth > MAX_LINKS || left <= 0) return;
  left--;
  depth++;
  try {
    return markOf(it) ?? askRules(it, outermost) ?? ofTables(it);
  } catch {
    // Hostile: a getter or a proxy that throws.
  } finally {
    depth--;
  }
}

function ofTables(error: Fields): Classification | undefined {
  const code = typeof error.code === 'string' ? error.code : undefined;
  return (
    httpAnswer(error) ??
    (Array.isArray(error.errors) ? leastRetryable(error.errors) : undefined) ??
    (code === undefined ? undefined : (ownError(error, code) ?? nodeError(error, code))) ??
    ofName(error, code) ??
    (code !== undefined && error === outermost ? classification('unknown', 'unknown', 'down', code) : undefined)
  );
}

/** What the name tells, unless what is wrapped tells more. */
function ofName(error: Fields, code: string | undefined): Classification | undefined {
  const guess = guessOf(error, code);
  const below = wrapped(error);
  if (below === undefined || guess === undefined) return below ?? guess;
  // Its cause says why it was ended, and cannot promise that nothing had happened by then.
  const ended = error.name === 'AbortError' || error.name === 'TimeoutError';
  return ended && below.verdict !== 'ambiguous' ? guess : below;
}

/** Spelt out, not a list of names: that way each read is a few nanoseconds. */
function wrapped(error: Fields): Classification | undefined {
  return (
    look(error.cause) ??
    // sequelize; mssql; typeorm
    look(error.original) ??
    look(error.parent) ??
    look(error.originalError) ??
    look(error.driverError) ??
    // What `using` makes of two errors. The one that came first decides. Other things have an `error` too.
    look(error.suppressed) ??
    (error.suppressed === undefined ? undefined : look(error.error))
  );
}

/** The one of several errors that allows least: all of them would have to be repeated. The first among equals. */
function leastRetryable(errors: readonly unknown[]): Classification | undefined {
  let least: Classification | undefined;
  for (const error of errors) {
    // What is not looked at any more is not known.
    const tooMany = left-- <= 0;
    const said = look(error) ?? UNKNOWN;
    if (least === undefined || VERDICTS.indexOf(said.verdict) > VERDICTS.indexOf(least.verdict)) least = said;
    if (tooMany) break;
  }
  return least === UNKNOWN ? undefined : least;
}
