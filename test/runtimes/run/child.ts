/** A program at work, that is ended if it does not end. */
import { spawn } from 'node:child_process';
import { endWithUs } from '../../../scripts/lib/project.mjs';

export interface Ended {
  /** `null` if it had to be ended. */
  readonly code: number | null;
  readonly said: string;
  readonly complained: string;
}

export async function runProgram(
  program: string,
  args: readonly string[],
  { cwd, limitMs, signal }: { cwd: string; limitMs: number; signal?: AbortSignal },
): Promise<Ended> {
  const child = spawn(program, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  let complained = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complained += text));
  const kill = (): void => void child.kill();
  const overdue = setTimeout(() => child.kill('SIGKILL'), limitMs);
  const forget = endWithUs(child);
  signal?.addEventListener('abort', kill);
  try {
    return await new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code) => resolve({ code, said, complained }));
    });
  } finally {
    clearTimeout(overdue);
    forget();
    signal?.removeEventListener('abort', kill);
  }
}
