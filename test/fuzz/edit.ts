/** Programs as JSON: to find a part, to look at it, to put another in its place. */
import type { Program, Script } from './program.ts';

export type Path = readonly (string | number)[];

/** Every path below `node`, parents before their children. */
export function* walk(node: object, path: Path = []): Generator<Path> {
  for (const [key, value] of Object.entries(node)) {
    const below = [...path, Array.isArray(node) ? Number(key) : key];
    yield below;
    if (typeof value === 'object' && value !== null) yield* walk(value, below);
  }
}

/** What stands at `path`; `undefined` if nothing does. */
export const at = (node: unknown, path: Path): unknown =>
  path.reduce((value, key) => (value as Record<string | number, unknown> | undefined)?.[key], node);

/** A copy with another value at `path`; `undefined` takes the field away. */
export function changed(program: Program, path: Path, value: unknown): Program {
  const copy = structuredClone(program);
  const parent = at(copy, path.slice(0, -1)) as Record<string | number, unknown>;
  const key = path.at(-1) as string | number;
  if (value === undefined) delete parent[key];
  else parent[key] = structuredClone(value);
  return copy;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export const isFrame = (value: unknown): value is Record<string, unknown> =>
  isObject(value) && 'body' in value && 'id' in value;

export const isEnd = (value: unknown): boolean => isObject(value) && typeof value['end'] === 'string';

export const isScript = (value: unknown): value is Record<string, unknown> & Script =>
  isObject(value) && Array.isArray(value['steps']) && 'end' in value;
