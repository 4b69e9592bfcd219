/** What the payment server tells: what it knows of a key (also in the file of a server that is gone), and when it was asked. */
import { readFileSync } from 'node:fs';

export interface Charge {
  readonly id: string;
  readonly cents: number;
}

export interface LedgerEntry {
  readonly key: string;
  /** The order that the sender named; '' if the key was only ever asked about. */
  order: string;
  /** How often the server was asked to charge this key. */
  sends: number;
  /** At most one, if the server and the sender both do their work. The audit counts. */
  charges: Charge[];
  declined: boolean;
  /** Nothing is charged under this key any more. */
  closed: boolean;
}

/** Every request to charge, and every question, at the server's door. */
export interface Traffic {
  /** When the first one came, in milliseconds since 1970. */
  readonly openedAt: number;
  /** When each came, counted from then. */
  readonly requestsMs: readonly number[];
}

/** Each line is the state of a key after a change, so the last one of a key holds. */
export function readLedgerFile(file: string): LedgerEntry[] {
  let text = '';
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return []; // a server that never charged anything has written nothing
  }
  const entries = new Map<string, LedgerEntry>();
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const entry = JSON.parse(line) as LedgerEntry;
    entries.set(entry.key, entry);
  }
  return [...entries.values()];
}
