/** An outer signal that counts its listeners. */
import { getEventListeners } from 'node:events';

export class CountedController extends AbortController {
  /** Listeners that were ever added, and removed. */
  added = 0;
  removed = 0;

  constructor() {
    super();
    const { signal } = this;
    const { addEventListener, removeEventListener } = signal;
    signal.addEventListener = (...args: unknown[]) => {
      this.added++;
      Reflect.apply(addEventListener, signal, args);
    };
    signal.removeEventListener = (...args: unknown[]) => {
      this.removed++;
      Reflect.apply(removeEventListener, signal, args);
    };
  }

  /** Listeners that are there now, as the platform says. */
  get listeners(): number {
    return getEventListeners(this.signal, 'abort').length;
  }
}
