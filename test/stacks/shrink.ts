/**
 * Shrinks a script that shows a difference: drops what can be dropped, one thing at a time, as long as it still differs.
 *
 * It works on the JSON, without knowing its meaning. What is no script any more (an option that is refused) shows no difference.
 */
import type { Script } from './script.ts';

type Json = Record<string | number, unknown>;
type Path = readonly (string | number)[];

/** Lists whose places are numbers elsewhere. */
const NUMBERED = new Set(['budgets', 'breakers', 'bulkheads', 'stacks']);
const NEVER_EMPTY = new Set(['callers', 'attempts', 'cooldowns', 'delays']);
/** Fields without which a script is still one. */
const OPTIONAL = new Set(
  'retryOn retryIf idempotent maxElapsed minAttemptTime maxRetryAfter onRetryThrows fn fails judge failures ratio window lastCalls minCalls slow maxWait priority abortAfter scope timeout after disposable recovers onAbort'.split(
    ' ',
  ),
);
/** What a field is, when it is as simple as it can be. */
const SIMPLEST: Readonly<Record<string, unknown>> = {
  budget: false,
  end: { as: 'value' },
  jitter: 'none',
  dryRun: false,
  detach: false,
  grace: 25,
  by: 'settle',
  probes: 1,
  backoff: { type: 'constant', delay: 10, jitter: 'none' },
  attempts: 2,
};

const TRIES = 3000;

export async function shrink(script: Script, differs: (candidate: Script) => Promise<boolean>): Promise<Script> {
  let smallest = script;
  let tries = 0;
  for (let progress = true; progress && tries < TRIES;) {
    progress = false;
    for (const candidate of candidates(smallest)) {
      if (++tries > TRIES) break;
      if (JSON.stringify(candidate) === JSON.stringify(smallest) || !(await differs(candidate))) continue;
      smallest = candidate;
      progress = true;
      break;
    }
  }
  return smallest;
}

function* candidates(script: Script): Generator<Script> {
  for (const path of walk(script)) {
    const value = at(script, path);
    const key = String(path.at(-1));
    const inNumbered = path.length === 1 && NUMBERED.has(key);
    if (Array.isArray(value) && !inNumbered)
      for (let i = 0; i < value.length; i++)
        if (!NEVER_EMPTY.has(key) || value.length > 1) yield changed(script, path, value.toSpliced(i, 1));
    const needed =
      (key === 'ratio' && path[0] !== 'breakers') ||
      (key === 'after' && (path.at(-2) === 'onAbort' || at(script, [...path.slice(0, -1), 'type']) === 'timeout'));
    if (OPTIONAL.has(key) && !needed) yield changed(script, path, undefined);
    if (key === 'grace' || key === 'detach') yield everywhere(script, key, SIMPLEST[key]);
    else if (key in SIMPLEST && typeof value === typeof SIMPLEST[key]) yield changed(script, path, SIMPLEST[key]);
    if (typeof value === 'number' && !Number.isInteger(value)) yield changed(script, path, Math.round(value));
  }
}

/** Timeouts that stand in each other have the same of it. */
function everywhere(script: Script, key: string, value: unknown): Script {
  return JSON.parse(JSON.stringify(script), (name, old) => (name === key ? value : (old as unknown))) as Script;
}

function* walk(node: object, path: Path = []): Generator<Path> {
  for (const [key, value] of Object.entries(node)) {
    const below = [...path, Array.isArray(node) ? Number(key) : key];
    yield below;
    if (typeof value === 'object' && value !== null) yield* walk(value as object, below);
  }
}

const at = (node: unknown, path: Path): unknown => path.reduce((value, key) => (value as Json)[key], node);

/** A copy with another value at `path`; `undefined` takes the field away. */
function changed(script: Script, path: Path, value: unknown): Script {
  const copy = structuredClone(script);
  const parent = at(copy, path.slice(0, -1)) as Json;
  const key = path.at(-1) as string | number;
  if (value === undefined) delete parent[key];
  else parent[key] = structuredClone(value);
  return copy;
}
