/** The payment server's process as a resource: it is there when the scope has it, and gone when the scope has ended. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Scope } from 'holdfast';

/** It was not asked to stop, and is not there any more. */
export class PaymentServerGone extends Error {
  override readonly name = 'PaymentServerGone';
}

/** When the server works on nothing, in milliseconds from its first request on. */
export interface Outage {
  readonly fromMs: number;
  readonly toMs: number;
}

export interface PaymentProcess {
  readonly pid: number;
  readonly url: string;
}

/** Starts the server and waits until it listens. When it dies before `s` ends, `s` is cancelled with `PaymentServerGone`. */
export async function startPaymentServer(
  s: Scope,
  options: { seed: number; ledgerFile: string; outage: Outage },
): Promise<PaymentProcess> {
  const program = fileURLToPath(new URL('./payments.ts', import.meta.url));
  const { seed, ledgerFile, outage } = options;
  const words = { seed, ledger: ledgerFile, 'outage-from': outage.fromMs, 'outage-to': outage.toMs };
  const args = Object.entries(words).map(([name, value]) => `--${name}=${value}`);
  const child = s.adopt(
    fork(program, args, {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      // Ctrl-C at a terminal reaches every process of its group. This one is still needed then, to be asked what became of
      // the charges under way, so it is in a group of its own.
      detached: true,
    }),
    stop,
  );
  // Before the first wait: a process that dies while it starts is noticed like one that dies later.
  child.once('error', (error) => s.cancel(error));
  child.once('exit', (code, signal) =>
    s.cancel(new PaymentServerGone(`the payment server ended by itself (${signal ?? `code ${code}`})`)),
  );
  const [message] = (await once(child, 'message', { signal: s.signal })) as [{ port: number }];
  return { pid: child.pid as number, url: `http://127.0.0.1:${message.port}` };
}

/** Hanging up is how it is told to stop; one that does not listen is killed. */
async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  if (child.connected) child.disconnect();
  const impatience = setTimeout(() => child.kill('SIGKILL'), 2_000);
  await exited;
  clearTimeout(impatience);
}
