import { isObject, UNKNOWN, type Classification } from './classification.ts';
import { markOf } from './mark.ts';
import { askRules } from './rule.ts';
import { CANCELLED, ofName } from './tables/dom.ts';
import { ownError } from './tables/holdfast.ts';
import { httpAnswer } from './tables/http.ts';
import { nodeError } from './tables/node.ts';
import { undiciError } from './tables/undici.ts';

const MAX_LINKS = 16;
const MAX_OBJECTS = 64;

interface Any {
  readonly [key: string]: unknown;
}

let left = 0;
let busy = false;

/** Tells what is known of an error: may the operation that threw it be run again? */
export function classify(error: unknown): Classification {
  if (!isObject(error)) return UNKNOWN;
  if (busy) return walk(error, 0) ?? UNKNOWN;
  busy = true;
  left = MAX_OBJECTS;
  try {
    return walk(error, 0) ?? UNKNOWN;
  } finally {
    busy = false;
  }
}

function walk(error: object, depth: number): Classification | undefined {
  if (depth > MAX_LINKS || left-- <= 0) return;
  let said = markOf(error) ?? askRules(error);
  if (said !== undefined) return said;
  try {
    const it = error as Any;
    const { code, errors } = it;
    said = ownError(it, code) ?? httpAnswer(it);
    if (said !== undefined) return said;
    if (Array.isArray(errors)) {
      said = leastRetryable(errors, depth);
      if (said !== undefined) return said;
    }
    if (typeof code === 'string') {
      said = nodeError(it, code) ?? undiciError(code);
      if (said !== undefined) return said;
    }
    const { name } = it;
    said = typeof name === 'string' ? ofName(name, it['message']) : undefined;
    const below =
      look(it['cause'], depth) ??
      look(it['original'], depth) ??
      look(it['originalError'], depth) ??
      look(it['parent'], depth) ??
      look(it['driverError'], depth) ??
      look(it['suppressed'], depth);
    return said === CANCELLED && below?.verdict !== 'ambiguous' ? said : (below ?? said);
  } catch {
    return said;
  }
}

function look(it: unknown, depth: number): Classification | undefined {
  return isObject(it) ? walk(it, depth + 1) : undefined;
}

const RANK = { transient: 0, unknown: 1, ambiguous: 2, permanent: 3 };

function leastRetryable(errors: readonly unknown[], depth: number): Classification | undefined {
  let worst: Classification | undefined;
  for (const error of errors.slice(0, MAX_OBJECTS)) {
    const said = look(error, depth) ?? UNKNOWN;
    if (worst === undefined || RANK[said.verdict] > RANK[worst.verdict]) worst = said;
  }
  return worst === UNKNOWN ? undefined : worst;
}
