/**
 * Exhaustive, where the fuzzer samples: in a few rich programs every callback of the user (body, cleanup, disposer, `recover`, item of a map,
 * contender of a race) is numbered, and made to fail in every way: it throws at once, it rejects, it never settles; before its own steps or
 * after them; alone, and together with each other one. Every run must do what the reference says, keep the invariants of `invariants.ts`,
 * and lose no error: what failed comes out, or is kept beside what comes out, or is told by an event, or was handed to `recover` or a catch.
 *
 * Not covered: what never settles where nothing bounds it, by design: a cleanup without `cleanupTimeout` (children have none), and `recover`.
 * A body that never settles here is one that waits for its signal, and the program is cancelled in the end.
 */
import { describe, expect, test } from 'vitest';
import { check, type Verdict } from './check.ts';
import { at, changed, isScript, walk, type Path } from './edit.ts';
import { broken } from './invariants.ts';
import type { Cleanup, Frame, Program, Script, Step } from './program.ts';
import { withRunner, type Runner } from './run.ts';
import { Fault, sideBySide, type Trace } from './trace.ts';

let sites = 0;
const site = (): number => ++sites;

const script = (steps: Step[] = [], value: number | null = null): Script => ({ steps, end: { end: 'return', value } });
const frame = (steps: Step[], options: Partial<Frame> = {}): Frame => {
  const id = site();
  return { id, ...options, body: script(steps, id) };
};
const cleanup = (...steps: Step[]): Cleanup => ({ id: site(), script: script(steps) });
const syncCleanup = (...steps: Step[]): Cleanup => ({ id: site(), script: { ...script(steps), sync: true } });
const defer = (...steps: Step[]): Step => ({ do: 'defer', cleanup: cleanup(...steps) });
const deferSync = (...steps: Step[]): Step => ({ do: 'defer', cleanup: syncCleanup(...steps) });
const sleep = (ms: number): Step => ({ do: 'sleep', ms });
const deaf = (ms: number): Step => ({ do: 'deaf', ms });
const child = (...steps: Step[]): Step => ({ do: 'go', task: site(), frame: frame(steps) });
const linked = (options: Partial<Frame>, ...steps: Step[]): Step => ({
  do: 'scope',
  link: 'scope',
  frame: frame(steps, options),
});
const peek: Step = { do: 'peek' };

/** Every duration is another power of two, so that no two sums of them are alike. */
const programs: Record<string, Program> = {
  'cleanups of every kind, one after another': {
    root: frame(
      [
        deferSync(peek),
        defer(sleep(2 ** 4 * 10), peek),
        { do: 'use', cleanup: syncCleanup() },
        sleep(2 ** 5 * 10),
        { do: 'adopt', cleanup: cleanup(deaf(2 ** 6 * 10)) },
        defer(peek, { do: 'defer', cleanup: cleanup(deaf(2 ** 7 * 10)) }, deaf(2 ** 8 * 10)),
        linked({ cleanupTimeout: 2 ** 15 * 10 }, defer(sleep(2 ** 9 * 10))),
      ],
      { cleanupTimeout: 2 ** 14 * 10 },
    ),
  },
  'a tree with a deadline and recover': {
    root: frame(
      [
        defer(peek, linked({ cleanupTimeout: 2 ** 16 * 10 }, deferSync(), sleep(2 ** 5 * 10))),
        child(defer(), sleep(2 ** 6 * 10), child(deferSync(), sleep(2 ** 7 * 10))),
        child(deferSync(), deaf(2 ** 8 * 10)),
        linked(
          { cleanupTimeout: 2 ** 15 * 10, recover: script([deaf(2 ** 9 * 10)], 1) },
          deferSync(peek),
          child(sleep(2 ** 10 * 10)),
        ),
        deferSync(peek),
      ],
      {
        timeout: 2 ** 12 * 10,
        cleanupTimeout: 2 ** 14 * 10,
        recover: script([{ do: 'defer', cleanup: cleanup(peek) }, deaf(2 ** 11 * 10)], 2),
      },
    ),
  },
  'race and map': {
    root: frame(
      [
        deferSync(peek),
        {
          do: 'race',
          task: 1001,
          frames: [frame([defer(), sleep(2 ** 4 * 10)]), frame([deaf(2 ** 5 * 10), deferSync()]), prize(2 ** 6)],
        },
        {
          do: 'map',
          task: 1002,
          concurrency: 2,
          frames: [frame([sleep(2 ** 7 * 10)]), frame([deferSync(), deaf(2 ** 8 * 10)]), frame([sleep(2 ** 9 * 10)])],
        },
        { do: 'await', task: 1001 },
        defer({ do: 'recover', value: 3 }, peek),
        { do: 'await', task: 1002 },
        defer(peek),
      ],
      { cleanupTimeout: 2 ** 14 * 10 },
    ),
  },
  'code without promises': {
    root: frame([
      {
        do: 'scopeSync',
        frame: {
          id: site(),
          body: {
            ...script([deferSync(peek), { do: 'use', cleanup: syncCleanup() }, deferSync({ do: 'recover' }, peek)], 4),
            sync: true,
          },
        },
      },
    ]),
  },
};

function prize(ms: number): Frame {
  const contender = frame([deaf(ms * 10)]);
  return { ...contender, body: { ...contender.body, end: { end: 'resource', cleanup: cleanup(deaf(2 ** 10 * 10)) } } };
}

type Failure = 'throws' | 'rejects' | 'never settles';
type When = 'before its steps' | 'after them';
interface Edit {
  readonly path: Path;
  readonly failure: Failure;
  readonly when: When;
}

const callbacks = (program: Program): Path[] => [...walk(program)].filter((path) => isScript(at(program, path)));

/** What stands at `path` fails, if anything still does: what a callback registers is gone when that fails before its steps. */
function failing(program: Program, { path, failure, when }: Edit, error: number): Program | undefined {
  const original = at(program, path);
  if (!isScript(original)) return undefined;
  const isBody = path.at(-1) === 'body';
  const steps = when === 'after them' ? original.steps : [];
  const waits =
    failure !== 'throws' ||
    !!original.sync ||
    steps.some(({ do: step }) => ['sleep', 'deaf', 'await', 'scope'].includes(step));
  if (failure === 'never settles') return neverSettling(program, path, { steps, end: original.end }, isBody);
  if (failure === 'rejects' && isSync(program, path)) return undefined;
  const wait: Step[] = failure === 'rejects' ? [deaf(error * 10 + 1)] : [];
  const end = { end: 'throw', error: { id: error, kind: 'plain' } } as const;
  return changed(program, path, {
    steps: [...steps, ...wait],
    end,
    ...((!waits || isSync(program, path)) && { sync: true }),
  });
}

function neverSettling(program: Program, path: Path, script: Script, isBody: boolean): Program | undefined {
  if (isSync(program, path)) return undefined;
  // Only the program's end ends such a body; a linked or child body ends with it.
  if (isBody)
    return {
      ...changed(program, path, { ...script, steps: [...script.steps, sleep(2 ** 40)] }),
      outer: { abortAt: 2 ** 20 * 10, reason: { id: REASON, kind: 'plain' } },
    };
  if (path.at(-1) === 'recover' || !isBounded(program, path)) return undefined;
  return changed(program, path, { ...script, steps: [...script.steps, { do: 'never' }] });
}

const isSync = (program: Program, path: Path): boolean =>
  path.some((_, i) => (at(program, path.slice(0, i)) as { do?: string }).do === 'scopeSync');

/** Whether the frame whose cleanup this is has a cleanupTimeout. */
function isBounded(program: Program, path: Path): boolean {
  for (let i = path.length - 1; i >= 0; i--) {
    const node = at(program, path.slice(0, i)) as Partial<Frame>;
    if (node.body) return node.cleanupTimeout !== undefined && path[i] === 'body' && path.at(-3) !== 'end';
  }
  return false;
}

/** The error with which a program is cancelled in the end, whether that still concerns anybody or not. */
const REASON = 999;

/** Every error that was thrown is somewhere. */
function lost(trace: Trace): Fault[] {
  const seen = new Set<unknown>();
  const see = (value: unknown): void => {
    if (!(value instanceof Fault) || seen.has(value)) return;
    seen.add(value);
    value.suppressed.forEach(see);
  };
  for (const list of trace.lists) for (const entry of list ?? []) entry.forEach(see);
  for (const entry of [...trace.outcomes, ...trace.events]) entry?.forEach(see);
  return trace.made.filter((fault) => fault !== undefined && fault.id !== REASON && !seen.has(fault)) as Fault[];
}

async function judge(program: Program, run: Runner): Promise<void> {
  const verdict: Verdict = await check(program, run);
  if ('differs' in verdict) {
    const { what, expected, actual } = verdict.differs;
    expect.fail(`${what}\n${JSON.stringify(program)}\n${sideBySide(expected, actual, ['the rules', 'the scope'])}`);
  }
  const trace = await run(program);
  expect(broken(trace)).toEqual([]);
  expect({ program, lost: lost(trace).map(({ id }) => id) }).toEqual({ program, lost: [] });
}

const FAILURES: readonly Failure[] = ['throws', 'rejects', 'never settles'];
const WHENS: readonly When[] = ['before its steps', 'after them'];

describe.each(Object.entries(programs))('%s', (_, program) => {
  const paths = callbacks(program);
  const edits = FAILURES.flatMap((failure) => WHENS.map((when) => ({ failure, when })));

  test('ends as it should when nothing fails', async () => {
    await withRunner((run) => judge(program, run));
  });

  test.each(edits)('ends as it should whichever callback $failure $when', async ({ failure, when }) => {
    await withRunner(async (run) => {
      for (const path of paths) {
        const edited = failing(program, { path, failure, when }, 901);
        if (edited) await judge(edited, run);
      }
    });
  });

  test.each(edits)(
    'ends as it should whichever callback $failure $when and whichever other one throws or rejects',
    async ({ failure, when }) => {
      await withRunner(async (run) => {
        for (const path of paths) {
          for (const other of paths) {
            if (path === other) continue;
            for (const second of ['throws', 'rejects'] as const) {
              const once = failing(program, { path, failure, when }, 901);
              const twice = once && failing(once, { path: other, failure: second, when: 'after them' }, 902);
              if (twice) await judge(twice, run);
            }
          }
        }
      });
    },
  );
});
