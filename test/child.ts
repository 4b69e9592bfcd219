/** Programs in a process of their own, as a dialogue: what they say, the signals they are sent, how they end. */
import { spawn } from 'node:child_process';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import type * as foundation from '../src/foundation/index.ts';
import type * as node from '../src/node/index.ts';
import type * as scope from '../src/scope/index.ts';

/** What a program is given: these modules of `src/`, and a way to speak. */
type Kit = typeof foundation &
  typeof scope &
  typeof node & {
    /** Prints a line. */
    say(line: unknown): void;
  };

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The lines it said. */
  readonly said: string[];
  /** All of its standard error. */
  readonly errors: string;
}

interface Child {
  /** Waits until the program has said this line. Fails if it ends without. */
  says(line: string): Promise<void>;
  send(signal: NodeJS.Signals): void;
  readonly ended: Promise<Ended>;
}

/** Beyond what any of these programs takes, on a machine that is busy; a program that hangs is killed. */
const LIMIT_MS = 20_000;

const urls = ['foundation', 'scope', 'node'].map((name) => new URL(`../src/${name}/index.ts`, import.meta.url).href);

/** Stripped of their types and compiled, the modules are loaded in a fifth of the time. */
const cache = fileURLToPath(new URL('../.cache/compile', import.meta.url));

/** Starts a program. It is sent as text, so that it sees nothing but what it is given and what is global. */
export function start(program: (kit: Kit) => unknown): Child {
  const source = `
    const modules = await Promise.all(${JSON.stringify(urls)}.map((url) => import(url)));
    void (${program.toString()})(Object.assign({ say: (line) => console.log(line) }, ...modules));`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', source], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NODE_COMPILE_CACHE: cache },
    timeout: LIMIT_MS,
    killSignal: 'SIGKILL',
  });
  let output = '';
  let errors = '';
  const said = (): string[] => output.split('\n').slice(0, -1);
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, said: said(), errors }));
  });
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  return {
    says: (line) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (said().includes(line)) resolve();
        };
        child.stdout.on('data', look);
        look();
        void ended.then((end) => reject(new Error(`it never said ${JSON.stringify(line)}: ${JSON.stringify(end)}`)));
      }),
    send: (signal) => void child.kill(signal),
    ended,
  };
}

/** Runs a program to its end. */
export function run(program: (kit: Kit) => unknown): Promise<Ended> {
  return start(program).ended;
}
