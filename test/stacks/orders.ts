/**
 * Every order of so many layers, each under every fault: the scripts of `generate.ts` are random, these are all there are. One kind of layer may
 * stand in a stack more than once; what has state is another instance then. `failWhen` is innermost in half of the stacks, as it must be.
 *
 * A script has four callers with the same fault: three that meet each other, and one that finds what they have left.
 */
import type { AttemptScript, CallerScript, LayerScript, Script } from './script.ts';

const KINDS = ['retry', 'timeout', 'breaker', 'bulkhead', 'fallback', 'layer'] as const;

type Kind = (typeof KINDS)[number];

/** So far apart that the one outside is mostly the longer one, with fractions that no other time has. */
const TIMEOUTS = [301.5703125, 143.2890625, 61.140625, 27.0703125] as const;

/** The layer of this kind at this place, from 0. */
function layerAt(kind: Kind, place: number): LayerScript {
  switch (kind) {
    case 'retry': {
      const delay = 7.0078125 + place / 2;
      const backoff = { type: 'exponential', base: delay, factor: 2, cap: 10 * delay, jitter: 'equal' } as const;
      return { type: 'retry', attempts: 3, backoff, idempotent: place % 2 === 0, budget: false };
    }
    case 'timeout':
      return { type: 'timeout', after: TIMEOUTS[place]!, grace: 25, detach: false };
    case 'breaker':
    case 'bulkhead':
      return { type: kind, which: place };
    case 'fallback':
      return place % 2 === 0 ? { type: 'fallback' } : { type: 'fallback', fn: {} };
    case 'layer':
      return { type: 'layer' };
  }
}

/** All lists of so many kinds. */
function* lists(length: number): Generator<readonly Kind[]> {
  if (length === 0) return yield [];
  for (const rest of lists(length - 1)) for (const kind of KINDS) yield [kind, ...rest];
}

type Fault = Partial<Pick<CallerScript, 'abortAfter' | 'scope' | 'idempotent'>> & {
  readonly attempts: readonly AttemptScript[];
};

const none = { cleanups: [] } as const;
const value = { as: 'value' } as const;
const error = (kind: 'transient' | 'permanent' | 'reset' | 'unknown'): AttemptScript['end'] => ({
  as: 'error',
  error: { kind },
});
const slow: AttemptScript = { ...none, after: 20.046875, end: value };
/** Longer than every timeout. */
const hangs: AttemptScript = { ...none, after: 900.3359375, end: value };
const listens: AttemptScript = { ...hangs, onAbort: { after: 3.0234375, end: { as: 'reason' } } };

const FAULTS: Readonly<Record<string, Fault>> = {
  'succeeds at once': { attempts: [{ ...none, end: value }] },
  'succeeds after a time': { attempts: [slow] },
  'fails twice, then succeeds': {
    attempts: [{ ...none, end: error('transient') }, { ...none, after: 5.0390625, end: error('unknown') }, slow],
  },
  'always fails': { attempts: [{ ...none, after: 4.0546875, end: error('transient') }] },
  'fails for good': { attempts: [{ ...none, end: error('permanent') }] },
  'leaves open whether it happened': { attempts: [{ ...none, after: 4.0546875, end: error('reset') }, slow] },
  'is busy': {
    attempts: [{ ...none, end: { as: 'error', error: { kind: 'busy', retryAfter: 11.0859375 } } }, slow],
  },
  'hangs, and listens to its signal': { attempts: [listens, slow] },
  'hangs, and does not listen': { attempts: [hangs, slow] },
  'gives what may be judged a failure': {
    attempts: [{ ...none, after: 2.0703125, end: { as: 'judged', kind: 'status 503', disposable: true } }, slow],
  },
  'cleans up, which takes its time and fails': {
    attempts: [
      { cleanups: [{ after: 6.1015625, fails: { kind: 'unknown' } }, {}], after: 3.0859375, end: value },
      slow,
    ],
  },
  'is cancelled while it works': { attempts: [listens], abortAfter: 12.1171875 },
  'is cancelled between attempts': { attempts: [{ ...none, end: error('transient') }], abortAfter: 3.1328125 },
  'has a deadline of its own': {
    attempts: [{ ...none, after: 30.1484375, end: error('transient') }],
    scope: { timeout: 50.1640625, cleanup: true, linkBy: 'scope' },
  },
};

const STARTS = [1.0009765625, 2.1025390625, 9.2041015625, 1_800.3056640625] as const;

export interface Order {
  /** For people: the layers, outermost first, and the fault. */
  readonly title: string;
  readonly script: Script;
}

/** Every order of `length` layers, under every fault. */
export function* orders(length: number): Generator<Order> {
  for (const kinds of lists(length)) {
    for (const judges of [false, true]) {
      const layers: LayerScript[] = kinds.map(layerAt);
      if (judges) layers.push({ type: 'failWhen' });
      const names = [...kinds, ...(judges ? ['failWhen'] : [])].join(' → ');
      for (const [title, fault] of Object.entries(FAULTS))
        yield { title: `${names}: ${title}`, script: scriptOf(layers, fault) };
    }
  }
}

function scriptOf(layers: readonly LayerScript[], fault: Fault): Script {
  return {
    seed: 1,
    nested: false,
    budgets: [],
    breakers: TIMEOUTS.map((_, i) => ({
      failures: 2,
      cooldowns: [40.1796875 + i],
      probes: 1,
      probeLease: 1_000,
      blameAfter: 10,
      dryRun: false,
    })),
    bulkheads: TIMEOUTS.map(() => ({ limit: 1, queue: 1, dryRun: false })),
    stacks: [layers],
    callers: STARTS.map((at, i) => ({ ...fault, at, stack: 0, priority: 0, by: i % 2 === 0 ? 'settle' : 'run' })),
    admin: [],
  };
}
