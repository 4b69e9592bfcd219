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
import { classification, isObject, textOf, UNKNOWN, type Classification } from './classification.ts';
import { markOf } from './mark.ts';
import { askRules } from './rule.ts';
import { ownError } from './tables/holdfast.ts';
import { httpAnswer } from './tables/http.ts';
import { guessOf } from './tables/names.ts';
import { nodeError } from './tables/node.ts';
import { undiciError, undiciGuess } from './tables/undici.ts';

/** How deep: wrappers of wrappers are four or five deep in practice. */
const MAX_LINKS = 16;
/** How many objects in all: links branch. An error that nothing is known of is looked at in some 100 ns, so this bounds the time too. */
const MAX_OBJECTS = 64;

/** Where an error keeps the one that it wraps. `suppressed` comes before `error`: it is the failure that came first. */
interface Fields {
  readonly cause?: unknown;
  /** sequelize; typeorm has `driverError`, mssql `originalError`. */
  readonly original?: unknown;
  readonly parent?: unknown;
  readonly originalError?: unknown;
  readonly driverError?: unknown;
  /** prisma: `meta.driverAdapterError`. */
  readonly meta?: unknown;
  readonly driverAdapterError?: unknown;
  readonly suppressed?: unknown;
  readonly error?: unknown;
  readonly errors?: unknown;
  readonly code?: unknown;
  readonly name?: unknown;
  readonly message?: unknown;
  readonly response?: unknown;
  readonly retryAfterMs?: unknown;
}

/** The walk under way. A rule, or a hostile getter, may call `classify` in the midst of it: that is part of the same walk. */
let walking = false;
let left = 0;

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
  if (!isObject(error)) return UNKNOWN;
  if (walking) return walk(error, 0, error) ?? UNKNOWN;
  walking = true;
  left = MAX_OBJECTS;
  try {
    return walk(error, 0, error) ?? unknown(error);
  } finally {
    walking = false;
  }
}

function unknown({ code }: Fields): Classification {
  return typeof code === 'string' ? classification('unknown', 'unknown', 'down', code) : UNKNOWN;
}

/** What is known of an object and of what it wraps, if anything is. */
function walk(error: Fields, depth: number, outermost: object): Classification | undefined {
  if (depth > MAX_LINKS || left-- <= 0) return;
  try {
    return markOf(error) ?? askRules(error, outermost) ?? ofTables(error, depth, outermost);
  } catch {
    // Hostile: a getter or a proxy that throws.
  }
}

function ofTables(error: Fields, depth: number, outermost: object): Classification | undefined {
  const code = textOf(error.code);
  const { errors } = error;
  return (
    ownError(error, code) ??
    httpAnswer(error) ??
    (Array.isArray(errors) ? leastRetryable(errors, depth, outermost) : undefined) ??
    (code === undefined ? undefined : (nodeError(error, code) ?? undiciError(code))) ??
    ofName(error, code, depth, outermost)
  );
}

/** What the name tells, unless what is wrapped tells more. */
function ofName(error: Fields, code: string | undefined, depth: number, outermost: object): Classification | undefined {
  const { name } = error;
  const guess = guessOf(name, error, code) ?? (code === undefined ? undefined : undiciGuess(code));
  const below = wrapped(error, depth, outermost);
  if (below === undefined || guess === undefined) return below ?? guess;
  // Its cause says why something was ended, and cannot promise that nothing had happened by then.
  const ended = name === 'AbortError' || name === 'TimeoutError';
  return ended && below.verdict !== 'ambiguous' ? guess : below;
}

/** Spelt out, not a list of names: that way each read is a few nanoseconds. */
function wrapped(error: Fields, depth: number, outermost: object): Classification | undefined {
  const { suppressed } = error;
  return (
    link(error.cause, depth, outermost) ??
    link(error.original, depth, outermost) ??
    link(error.parent, depth, outermost) ??
    link(error.originalError, depth, outermost) ??
    link(error.driverError, depth, outermost) ??
    link(error.meta, depth, outermost) ??
    link(error.driverAdapterError, depth, outermost) ??
    link(suppressed, depth, outermost) ??
    // Many things have an `error`; only beside `suppressed` it is known to be one that came out.
    (suppressed === undefined ? undefined : link(error.error, depth, outermost))
  );
}

function link(to: unknown, depth: number, outermost: object): Classification | undefined {
  return isObject(to) ? walk(to, depth + 1, outermost) : undefined;
}

const RANK = { transient: 0, unknown: 1, ambiguous: 2, permanent: 3 };

/** The one of several errors that allows least: all of them would have to be repeated. The first among equals. */
function leastRetryable(errors: readonly unknown[], depth: number, outermost: object): Classification | undefined {
  let least: Classification | undefined;
  for (const error of errors) {
    // What is not looked at any more is not known.
    const tooMany = left-- <= 0;
    const said = (tooMany ? undefined : link(error, depth, outermost)) ?? UNKNOWN;
    if (least === undefined || RANK[said.verdict] > RANK[least.verdict]) least = said;
    if (tooMany) break;
  }
  return least === UNKNOWN ? undefined : least;
}
