/** Makes random scripts: `generate(seed, index)` is always the same one. */
import { Random } from '../fuzz/random.ts';
import type {
  AdminScript,
  AttemptScript,
  BackoffScript,
  BreakerScript,
  BudgetScript,
  BulkheadScript,
  CallerScript,
  CleanupScript,
  End,
  ErrorKind,
  FallbackScript,
  JitterScript,
  JudgedKind,
  LayerScript,
  Match,
  RetryScript,
  Script,
  Thrown,
  TimeoutScript,
} from './script.ts';

const ERRORS: readonly ErrorKind[] = [
  'transient',
  'transient',
  'busy',
  'permanent',
  'conflict',
  'missing',
  'reset',
  'reset',
  'unknown',
  'unknown',
  'unknown',
  'coded',
  'bug',
  'aborted',
  'commit',
  'frozen',
  'shared',
  'text',
  'nothing',
];
/** Those that a `cause`, which a fallback gives them, makes no other verdict of. */
const MARKED: readonly ErrorKind[] = [
  'transient',
  'busy',
  'permanent',
  'conflict',
  'missing',
  'reset',
  'commit',
  'frozen',
  'text',
  'nothing',
];
const JUDGED: readonly JudgedKind[] = ['status 503', 'status 429', 'status 404', 'odd'];
const MATCHES: readonly Match[] = [
  'TIMEOUT',
  'CIRCUIT_OPEN',
  'BULKHEAD_FULL',
  'COMMIT_UNKNOWN',
  'ECONNRESET',
  'E_ODD',
  'TypeError',
];

/** A script, and how wild it is: of its callers, layers and attempts. */
export function generate(seed: string, index: number): Script {
  return new Generator(Random.of(seed, index)).script();
}

class Generator {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  script(): Script {
    const kind = this.#random.below(10);
    return kind === 0 ? this.#breakerDrill() : kind === 1 ? this.#bulkheadDrill() : this.#anything();
  }

  /** A breaker that opens and closes all the time. */
  #breakerDrill(): Script {
    const { chance } = this.#tools;
    const { judge: _none, ...breaker } = this.#breaker();
    return {
      ...this.#nothing(),
      breakers: [
        {
          ...breaker,
          failures: 1 + this.#random.below(2),
          cooldowns: this.#list(1 + this.#random.below(3), () => this.#ms(2, 40)),
          probeLease: this.#ms(5, 60),
          dryRun: false,
        },
      ],
      stacks: [[{ type: 'breaker', which: 0 }, ...this.#list(this.#random.below(2), () => this.#timeout())]],
      callers: this.#list(24, () => ({
        ...this.#simply(400),
        attempts: [
          clean<AttemptScript>({
            cleanups: [],
            after: chance(0.2) ? undefined : this.#ms(1, 60),
            end: chance(0.5) ? { as: 'value' } : { as: 'error', error: this.#thrown() },
          }),
        ],
      })),
    };
  }

  /** A queue that is long enough for a bulkhead to learn what it costs. */
  #bulkheadDrill(): Script {
    const { chance, pick } = this.#tools;
    const waits: LayerScript[] = [{ type: 'bulkhead', which: 0 }];
    return {
      ...this.#nothing(),
      bulkheads: [clean({ ...this.#bulkhead(), limit: pick([1, 1, 2]), queue: 20, dryRun: false })],
      stacks: [waits, [{ ...this.#timeout(), after: this.#ms(20, 300) }, ...waits]],
      callers: this.#list(20, () => ({
        ...this.#simply(chance(0.7) ? 60 : 400),
        scope: { cleanup: false, linkBy: 'scope' as const },
        priority: this.#random.below(3),
        stack: this.#random.below(2),
        attempts: [{ cleanups: [], after: this.#ms(3, 40), end: { as: 'value' } }],
      })),
    };
  }

  #nothing(): Omit<Script, 'stacks' | 'callers'> {
    return { seed: this.#random.below(1e9), nested: false, budgets: [], breakers: [], bulkheads: [], admin: [] };
  }

  #simply(until: number): Omit<CallerScript, 'attempts'> {
    const at = 1 + this.#random.below(until) + (1 + this.#random.below(1023)) / 1024;
    return { at, stack: 0, priority: 0, by: 'settle' };
  }

  #anything(): Script {
    const breakers = this.#list(this.#random.below(3), () => this.#breaker());
    const bulkheads = this.#list(this.#random.below(3), () => this.#bulkhead());
    const budgets = this.#list(this.#random.below(2), () => this.#budget());
    const stacks = this.#list(1 + this.#random.below(2), () =>
      this.#stack(budgets.length, breakers.length, bulkheads.length),
    );
    const crowd = this.#random.pick([1, 2, 4, 8, 12]);
    return {
      seed: this.#random.below(1e9),
      nested: this.#random.chance(0.3),
      budgets,
      breakers,
      bulkheads,
      stacks,
      callers: this.#list(crowd, () => this.#caller(stacks.length)),
      admin: breakers.length > 0 && this.#random.chance(0.15) ? this.#list(2, () => this.#admin(breakers.length)) : [],
    };
  }

  #list<T>(length: number, make: () => T): T[] {
    return Array.from({ length }, make);
  }

  #maybe<T>(probability: number, make: () => T): T | undefined {
    return this.#random.chance(probability) ? make() : undefined;
  }

  /** Evenly on a scale of powers, with a fraction that hardly any other time has. */
  #ms(from: number, to: number): number {
    const whole = Math.floor(from * (to / from) ** this.#random.next());
    return whole + (1 + this.#random.below(1023)) / 1024;
  }

  // --- layers

  #stack(budgets: number, breakers: number, bulkheads: number): LayerScript[] {
    const layers: LayerScript[] = [];
    if (this.#random.chance(0.85)) layers.push(this.#retry(budgets));
    const usual = this.#random.chance(0.5);
    const timeouts = this.#list(usual ? 2 : this.#random.pick([0, 1, 1, 2, 3]), () => this.#timeout());
    layers.push(...timeouts);
    if (breakers > 0 && this.#random.chance(0.6)) layers.push({ type: 'breaker', which: this.#random.below(breakers) });
    if (bulkheads > 0 && this.#random.chance(0.6))
      layers.push({ type: 'bulkhead', which: this.#random.below(bulkheads) });
    if (this.#random.chance(0.15)) layers.push(this.#fallback());
    if (this.#random.chance(0.15)) layers.push({ type: 'layer' });
    // What an abandoned body does in the instant in which the next attempt begins, before or after that, is nobody's promise.
    if (timeouts.some(({ grace }) => grace === 0))
      for (const [i, layer] of layers.entries())
        if (layer.type === 'retry' && layer.backoff.type === 'constant' && layer.backoff.delay === 0)
          layers[i] = { ...layer, backoff: { ...layer.backoff, delay: this.#ms(1, 10) } };
    if (usual) return this.#inUsualOrder(layers, timeouts);
    // With no grace, a retry that waits would be taken for work that was left behind, in the instant in which its wait ends.
    const isGraceful = timeouts[0]?.grace !== 0;
    if (this.#random.chance(0.1) && isGraceful) layers.push(this.#retry(budgets));
    // Each run in a run has a grace of its own.
    const same = timeouts.map((layer) => ({ ...layer, grace: timeouts[0]?.grace ?? null, detach: false }));
    for (const [i, layer] of layers.entries()) if (layer.type === 'timeout') layers[i] = same.pop() as TimeoutScript;
    for (let i = layers.length - 1; i > 0; i--) {
      const j = this.#random.below(i + 1);
      [layers[i], layers[j]] = [layers[j] as LayerScript, layers[i] as LayerScript];
    }
    if (this.#random.chance(0.3)) layers.push(this.#failWhen());
    return layers;
  }

  /** fallback → timeout → retry → breaker, bulkhead → timeout → failWhen. */
  #inUsualOrder(layers: LayerScript[], timeouts: TimeoutScript[]): LayerScript[] {
    const { chance } = this.#tools;
    const of = (...types: string[]): LayerScript[] => layers.filter(({ type }) => types.includes(type));
    const gates = chance(0.5) ? of('breaker', 'bulkhead') : of('breaker', 'bulkhead').reverse();
    return [
      ...of('layer', 'fallback'),
      ...timeouts.slice(0, chance(0.6) ? 1 : 0),
      ...of('retry'),
      ...gates,
      ...timeouts.slice(1, chance(0.6) ? 2 : 1),
      ...(chance(0.3) ? [this.#failWhen()] : []),
    ];
  }

  #retry(budgets: number): RetryScript {
    const { chance, pick } = this.#tools;
    return clean({
      type: 'retry',
      attempts: pick([1, 2, 3, 3, 4, 6]),
      backoff: this.#backoff(),
      retryOn: this.#maybe(0.2, () => this.#list(1 + this.#random.below(3), () => pick(MATCHES))),
      retryIf: this.#maybe(0.15, () =>
        Object.fromEntries(
          this.#list(1 + this.#random.below(3), () => [
            pick([...ERRORS, ...JUDGED]),
            chance(0.1) ? 'throws' : chance(0.6),
          ]),
        ),
      ),
      idempotent: this.#maybe(0.6, () => chance(0.75)),
      budget: chance(0.3) ? false : budgets > 0 && chance(0.7) ? this.#random.below(budgets) : this.#budget(),
      maxElapsed: this.#maybe(0.15, () => this.#ms(20, 2000)),
      minAttemptTime: this.#maybe(0.3, () => pick([0, this.#ms(1, 100)])),
      maxRetryAfter: this.#maybe(0.3, () => this.#ms(10, 500)),
      onRetryThrows: this.#maybe(0.05, () => 1 + this.#random.below(2)),
    });
  }

  get #tools(): { chance: (p: number) => boolean; pick: <T>(list: readonly T[]) => T } {
    return { chance: (p) => this.#random.chance(p), pick: (list) => this.#random.pick(list) };
  }

  #backoff(): BackoffScript {
    const jitter = this.#random.pick<JitterScript>(['none', 'full', 'equal', 0.25, 1]);
    const base = this.#ms(2, 100);
    const cap = base * this.#random.pick([1, 1.5, 4, 50]);
    switch (this.#random.below(6)) {
      case 0:
        return { type: 'constant', delay: this.#random.pick([0, base]), jitter };
      case 1:
        return { type: 'linear', step: base, cap, jitter };
      case 2:
        return { type: 'decorrelated', base, cap };
      case 3:
        return { type: 'sequence', delays: this.#list(1 + this.#random.below(3), () => this.#ms(1, 100)) };
      default:
        return { type: 'exponential', base, factor: this.#random.pick([1, 1.5, 2, 3]), cap, jitter };
    }
  }

  #budget(): BudgetScript {
    const cap = this.#random.pick([1, 2, 3, 10, 100]);
    return {
      cap,
      initial: this.#random.pick([0, 0.5, 1, 2, cap].filter((initial) => initial <= cap)),
      ratio: this.#random.pick([0, 0.2, 0.5, 1]),
      trickle: this.#random.pick([0, 0, 1, 7]),
    };
  }

  #timeout(): TimeoutScript {
    const { chance, pick } = this.#tools;
    const grace = pick([25, 25, 0, null, 10.5, 60.25]);
    return { type: 'timeout', after: this.#ms(10, 1000), grace, detach: chance(0.15) };
  }

  #fallback(): FallbackScript {
    const fn = this.#maybe(0.5, () => clean({ fails: this.#maybe(0.6, () => this.#thrown(MARKED)) }));
    return clean({ type: 'fallback', fn });
  }

  #failWhen(): LayerScript {
    return clean({ type: 'failWhen', throws: this.#maybe(0.1, () => 1 + this.#random.below(2)) });
  }

  #breaker(): BreakerScript {
    const { chance, pick } = this.#tools;
    const window = this.#maybe(0.4, () => this.#ms(50, 2000));
    const lastCalls = window === undefined ? this.#maybe(0.5, () => 1 + this.#random.below(8)) : undefined;
    const looks = window !== undefined || lastCalls !== undefined;
    const slow = looks ? this.#maybe(0.4, () => ({ over: this.#ms(5, 100), ratio: pick([0.3, 0.5, 1]) })) : undefined;
    const ratio = looks && (slow === undefined || chance(0.5)) ? pick([0.25, 0.5, 0.75, 1]) : undefined;
    const least = this.#maybe(0.8, () => 1 + this.#random.below(Math.min(5, lastCalls ?? 5)));
    return clean({
      failures: this.#maybe(ratio === undefined ? 0.9 : 0.3, () => 1 + this.#random.below(4)),
      ratio,
      window,
      lastCalls,
      minCalls: looks ? least : undefined,
      slow,
      cooldowns: this.#list(1 + this.#random.below(3), () => this.#ms(10, 1000)),
      probes: 1 + this.#random.below(3),
      probeLease: this.#ms(20, 2000),
      blameAfter: pick([0, 100, this.#ms(5, 200)]),
      judge: this.#maybe(0.15, () =>
        Object.fromEntries(
          this.#list(1 + this.#random.below(3), () => [
            pick([...ERRORS, ...JUDGED, 'value', 'TimeoutError']),
            chance(0.1) ? 'throws' : pick(['success', 'failure', 'neither'] as const),
          ]),
        ),
      ),
      dryRun: chance(0.1),
    });
  }

  #bulkhead(): BulkheadScript {
    const { pick } = this.#tools;
    return clean({
      limit: pick([1, 1, 2, 3]),
      queue: pick([0, 1, 2, 5, 20]),
      maxWait: this.#maybe(0.4, () => this.#ms(5, 300)),
      priority: this.#maybe(0.4, () => pick(['caller', 'attempt'] as const)),
      dryRun: this.#random.chance(0.1),
    });
  }

  #admin(breakers: number): AdminScript {
    return {
      at: this.#ms(1, 2000),
      breaker: this.#random.below(breakers),
      does: this.#random.pick(['isolate', 'reset']),
    };
  }

  // --- callers

  #caller(stacks: number): CallerScript {
    const { chance, pick } = this.#tools;
    const inScope = chance(0.4);
    return clean({
      at: this.#ms(1, chance(0.5) ? 50 : 2000),
      stack: this.#random.below(stacks),
      abortAfter: this.#maybe(0.25, () => (chance(0.1) ? -1 : this.#ms(1, 500))),
      idempotent: this.#maybe(0.4, () => chance(0.7)),
      scope: inScope
        ? clean({
            timeout: this.#maybe(0.5, () => this.#ms(10, 2000)),
            cleanup: chance(0.7),
            linkBy: pick(['scope', 'signal'] as const),
          })
        : undefined,
      priority: inScope ? this.#random.below(3) : 0,
      by: pick(['run', 'settle'] as const),
      attempts: this.#list(1 + this.#random.below(3), () => this.#attempt()),
    });
  }

  #attempt(): AttemptScript {
    const { chance } = this.#tools;
    return clean({
      cleanups: this.#list(this.#random.pick([0, 0, 1, 2]), () => this.#cleanup()),
      after: this.#maybe(0.8, () => this.#ms(1, chance(0.15) ? 5000 : 300)),
      end: this.#end(),
      onAbort: this.#maybe(0.6, () => ({
        after: this.#random.pick([0, 0, this.#ms(1, 20), this.#ms(20, 200)]),
        end: chance(0.6)
          ? ({ as: 'reason' } as const)
          : chance(0.3)
            ? { as: 'envelope', depth: 1 + this.#random.below(3) }
            : this.#end(),
      })),
    });
  }

  #end(): End {
    const { chance, pick } = this.#tools;
    if (chance(0.3)) return clean({ as: 'value', disposable: chance(0.3) });
    if (chance(0.2)) return clean({ as: 'judged', kind: pick(JUDGED), disposable: chance(0.3) });
    return { as: 'error', error: this.#thrown() };
  }

  #thrown(kinds = ERRORS): Thrown {
    const kind = this.#random.pick(kinds);
    return kind === 'busy' ? { kind, retryAfter: this.#ms(1, 400) } : { kind };
  }

  #cleanup(): CleanupScript {
    return clean({
      after: this.#maybe(0.4, () => this.#ms(1, 100)),
      fails: this.#maybe(0.2, () => this.#thrown()),
      recovers: this.#random.chance(0.1),
    });
  }
}

/** Without what is undefined: a script is JSON. */
function clean<T extends object>(it: T): T {
  return Object.fromEntries(Object.entries(it).filter(([, value]) => value !== undefined)) as T;
}
