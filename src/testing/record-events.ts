/** Events as a list. */
import { EVERY_EVENT, subscribe, type HoldfastEvent } from '../foundation/index.ts';

/** Events in the order in which they came, each with the fields of its kind. Disposing of the list ends the recording and keeps what it holds. */
export type RecordedEvents = (HoldfastEvent & Readonly<Record<string, unknown>>)[] & Disposable;

/**
 * Records every event of the process, from now until disposed of.
 *
 * @example
 * using events = recordEvents();
 * await scope((s) => s.defer(() => { throw new Error('close failed'); })).catch(() => {});
 * events.map((e) => e.event); // ['scope:cleanup-failed']
 */
export function recordEvents(): RecordedEvents {
  const events: RecordedEvents[number][] = [];
  const subscription = subscribe<RecordedEvents[number]>(EVERY_EVENT, (event) => events.push(event));
  // Not enumerable, so that a comparison sees a plain list.
  return Object.defineProperty(events, Symbol.dispose, {
    value: () => subscription[Symbol.dispose](),
  }) as RecordedEvents;
}
