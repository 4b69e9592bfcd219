/** What one sees while it runs: on a terminal one line, redrawn; elsewhere (a pipe, a log) a line every two seconds. */
import type { WriteStream } from 'node:tty';

export interface Progress extends Disposable {
  /** Prints something that stays, above the line that does not. */
  log(text: string): void;
}

export function showProgress(line: () => string, out: WriteStream, options: { quiet: boolean }): Progress {
  const live = out.isTTY && !options.quiet;
  const erase = live ? '\r\u001B[2K' : '';
  const draw = (): void => void out.write(live ? erase + cut(line(), out.columns) : `${line()}\n`);
  const timer = options.quiet ? undefined : setInterval(draw, live ? 100 : 2_000);
  timer?.unref();

  return {
    log(text) {
      out.write(`${erase}${text}\n`);
      if (live) draw();
    },
    [Symbol.dispose]() {
      clearInterval(timer);
      if (!options.quiet) out.write(`${erase}${line()}\n`);
    },
  };
}

/** A line that wraps cannot be redrawn. Some terminals do not know their width and say 0. */
function cut(text: string, columns: number): string {
  const width = columns || 80;
  return text.length < width ? text : `${text.slice(0, width - 2)}…`;
}
