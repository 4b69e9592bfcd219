/** Node, Bun and Deno: a process, which has to end by itself when the tests have ended, whatever timeouts they began. */
import { tail } from '../../../scripts/lib/project.mjs';
import type { Report } from '../suite/harness.ts';
import { runProgram } from './child.ts';

const limitMs = 120_000;

/** @param args what stands before the script */
export async function inProcess(program: string, args: string[], folder: string, unreachable: string): Promise<Report> {
  const { code, said, complained } = await runProgram(program, [...args, 'process.js', unreachable], {
    cwd: folder,
    limitMs,
  });
  const last = said.trimEnd().split('\n').at(-1) ?? '';
  if (code !== 0 || !last.startsWith('{')) {
    const why = code === null ? `had not ended by itself after ${limitMs / 1_000} s` : `ended with exit code ${code}`;
    throw new Error(`the process ${why}:\n${tail(`${said}\n${complained}`)}`);
  }
  return JSON.parse(last) as Report;
}
