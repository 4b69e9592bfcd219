/**
 * Shrinks a program that shows a difference: drops what can be dropped, one thing at a time, as long as it still differs.
 *
 * It works on the JSON, without knowing much of its meaning: every list loses its items, every optional field goes, every frame is lifted in
 * place of the frame around it, every end becomes a plain return. The numbers of sites stay as they were, so that what remains is found again
 * in the program that it came from.
 */
import { at, changed, isEnd, isFrame, isScript, walk } from './edit.ts';
import type { End, Program } from './program.ts';

/** Fields without which a program is still one. */
const OPTIONAL = new Set([
  'catch',
  'timeout',
  'cleanupTimeout',
  'recover',
  'value',
  'reason',
  'outer',
  'abortAt',
  'on',
  'float',
  'sync',
]);
const RETURN: End = { end: 'return', value: null };

/** At most this many programs are tried: a shrink that goes on for minutes helps nobody. */
const TRIES = 4000;

export async function shrink(program: Program, differs: (candidate: Program) => Promise<boolean>): Promise<Program> {
  let smallest = program;
  let tries = 0;
  for (let progress = true; progress && tries < TRIES;) {
    progress = false;
    for (const candidate of candidates(smallest)) {
      if (++tries > TRIES) break;
      if (!(await differs(candidate))) continue;
      smallest = candidate;
      progress = true;
      break;
    }
  }
  return smallest;
}

/** Largest cuts first. */
function* candidates(program: Program): Generator<Program> {
  for (const path of walk(program)) {
    const value = at(program, path);
    const key = path.at(-1);
    if (isFrame(value) && key === 'frame') for (const inner of framesIn(value)) yield changed(program, path, inner);
    if (isFrame(value) && key === 'frame')
      yield { ...program, root: { ...program.root, body: (value as unknown as Program['root']).body } };
    if (Array.isArray(value))
      for (let i = 0; i < value.length; i++)
        if (key !== 'frames' || value.length > 1) yield changed(program, path, value.toSpliced(i, 1));
    if (typeof key === 'string' && OPTIONAL.has(key)) yield changed(program, path, undefined);
    if (isEnd(value) && JSON.stringify(value) !== JSON.stringify(RETURN)) yield changed(program, path, RETURN);
    if (isScript(value) && value.sync !== true && value.steps.length === 0)
      yield changed(program, path, { ...value, sync: true });
    if (key === 'kind' && value !== 'plain') yield changed(program, path, 'plain');
    if (key === 'depth' && value !== 1) yield changed(program, path, 1);
    if (key === 'link' && value !== 'none') yield changed(program, path, 'none');
    if (key === 'do' && (value === 'use' || value === 'adopt')) yield changed(program, path, 'defer');
  }
}

function framesIn(frame: Record<string, unknown>): unknown[] {
  return [...walk(frame)].map((path) => at(frame, path)).filter((value) => isFrame(value));
}
