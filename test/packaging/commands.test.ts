import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, expect, test } from 'vitest';
import { at, pinnedNode, run } from '../../scripts/lib/project.mjs';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-commands-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A program that counts the signals it sees, and takes a moment to end cleanly. */
const program = join(folder, 'program.mjs');
writeFileSync(
  program,
  `let seen = 0;
   const open = setInterval(() => {}, 1000);
   for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => {
     if (++seen > 1) process.exit(99);
     setTimeout(() => { console.log('ended cleanly after ' + signal); clearInterval(open); process.exitCode = 7; }, 500);
   });
   console.log('ready');`,
);

/** Runs the program as the commands do, acts once it is ready, and returns what came of it. */
async function inForeground(
  act: (pid: number) => Promise<void> | void,
): Promise<{ code: number | null; output: string }> {
  const launcher = `import { runInForeground } from ${JSON.stringify(at('scripts', 'lib', 'foreground.mjs'))};
    process.exitCode = await runInForeground([${JSON.stringify(program)}]);`;
  const parent = spawn(pinnedNode, ['--input-type=module', '-e', launcher], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  parent.stdout.setEncoding('utf8');
  parent.stdout.on('data', (text: string) => {
    if (output === '') void act(parent.pid!);
    output += text;
  });
  const [code] = (await once(parent, 'close')) as [number | null];
  return { code, output };
}

test('a program sees one signal, however often one press of Ctrl-C arrives, and its exit code comes through', async () => {
  const { code, output } = await inForeground(async (pid) => {
    process.kill(pid, 'SIGINT');
    await sleep(20);
    process.kill(pid, 'SIGINT');
  });
  expect(output).toContain('ended cleanly after SIGINT');
  expect(code).toBe(7);
});

test('a second press reaches the program, which then need not wait', async () => {
  const { code } = await inForeground(async (pid) => {
    process.kill(pid, 'SIGINT');
    await sleep(350);
    process.kill(pid, 'SIGINT');
  });
  expect(code).toBe(99);
});

test('SIGTERM to the command alone is passed on', async () => {
  const { code, output } = await inForeground((pid) => void process.kill(pid, 'SIGTERM'));
  expect(output).toContain('ended cleanly after SIGTERM');
  expect(code).toBe(7);
});

test('when the command is killed hard, the program is told to end', async () => {
  const { output } = await inForeground((pid) => void process.kill(pid, 'SIGKILL'));
  expect(output).toContain('ended cleanly after SIGTERM');
});

test('a command that does not exist is refused with the list of those that do', async () => {
  const { code, output } = await run(pinnedNode, [at('scripts', 'run.mjs'), 'tests']);
  expect(code).toBe(2);
  expect(output).toContain('start, test, full');
});

test('the lock file names no registry', async () => {
  const { output } = await run('git', ['grep', '-c', '"resolved"', '--', 'package-lock.json']);
  expect(output).toBe('');
});
