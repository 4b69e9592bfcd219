/** A server that fails now and then, always in the same way: every request meets the next of its faults. */
import { transient } from 'holdfast';

type Fault = 'busy' | 'hangs' | 'fine';

export class Server {
  readonly #faults: Fault[];
  readonly log: string[] = [];
  #receipts = 0;

  constructor(faults: readonly Fault[]) {
    this.#faults = [...faults];
  }

  get<T>(path: string, signal?: AbortSignal): Promise<T> {
    return this.#answer(`GET ${path}`, () => ({ pieces: 7 }) as T, signal);
  }

  post<T>(path: string, _body: unknown): Promise<T> {
    return this.#answer(`POST ${path}`, () => ({ receipt: ++this.#receipts }) as T);
  }

  async #answer<T>(request: string, answer: () => T, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted();
    const fault = this.#faults.shift() ?? 'fine';
    this.log.push(`${request}: ${fault}`);
    if (fault === 'busy') throw transient(new Error('503 with Retry-After'));
    if (fault === 'hangs') return new Promise(() => {});
    return answer();
  }
}
