/**
 * What must hold of every trace of the real scope, whatever the program: judged from the trace alone, without the reference.
 *
 * - every cleanup that a scope took runs exactly once, the one registered last first, after the body has settled;
 * - one that came too late runs at once, in the call that registered it;
 * - a scope that began ends.
 *
 * Not judged here: outcomes, times, what an exit shows; and disposal by a race, which has no frame of its own.
 */
import type { Trace } from './trace.ts';

/** What is wrong with the cleanups of a trace; nothing if all is well. */
export function broken(trace: Trace): string[] {
  const problems: string[] = [];
  for (const [site, list] of trace.lists.entries()) {
    const waiting: unknown[] = [];
    const ran = new Set<unknown>();
    let settled = false;
    for (const [, kind, id] of list ?? []) {
      if (kind === 'settled') settled = true;
      if (kind === 'registers') waiting.push(id);
      if (kind === 'late' && waiting.length > 0) problems.push(`scope ${site} ended before all its cleanups had run`);
      if (kind !== 'cleanup' && !(kind === 'dispose' && id !== site)) continue;
      if (!settled) problems.push(`scope ${site}: a cleanup ran before the body had settled`);
      if (ran.has(id)) problems.push(`scope ${site}: cleanup ${String(id)} ran twice`);
      if (waiting.pop() !== id) problems.push(`scope ${site}: cleanup ${String(id)} ran out of turn`);
      ran.add(id);
    }
    if (waiting.length > 0) problems.push(`scope ${site}: cleanups ${waiting.join(', ')} never ran`);
  }
  return problems;
}
