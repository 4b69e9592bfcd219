/** `failWhen` (P1.6): results that are failures. What a retry makes of them is in P3.12, who disposes of them in the tests of `dispose`. */
import { describe, expect, test } from 'vitest';
import { fail, scripted } from '../../testing/index.ts';
import { errorOf } from '../../../test/settle.ts';
import { watchUnhandledRejections } from '../../../test/unhandled.ts';
import {
  attemptsOf,
  breaker,
  constant,
  failWhen,
  fallback,
  layer,
  policy,
  retry,
  stoppedBy,
  timeout,
} from '../../index.ts';

watchUnhandledRejections();

const zero = constant(0);
const throws = (error: unknown) => (): never => {
  throw error;
};

describe('P1.6 a result for which failWhen answers true', () => {
  test('is a failure for a retry: there is another attempt', async () => {
    const made = policy(
      retry({ backoff: zero }),
      failWhen((it) => it === 'busy'),
    );
    expect(await made.run(scripted(['busy', 'busy', 'ok']))).toBe('ok');
  });

  test('is a failure for a breaker', async () => {
    const inventory = breaker({ failures: 2 });
    const made = policy(
      inventory,
      failWhen((it) => it === 'busy'),
    );
    expect([await made.run(() => 'busy'), await made.run(() => 'busy')]).toEqual(['busy', 'busy']);
    expect(inventory.state).toBe('open');
  });

  test('is a failure for a fallback, which is given it', async () => {
    const given: unknown[] = [];
    const made = policy(
      fallback((error) => {
        given.push(error);
        return 'instead';
      }),
      failWhen((it) => it === 'busy'),
    );
    expect([await made.run(() => 'busy'), given]).toEqual(['instead', ['busy']]);
  });

  test('comes out as the result that it is when it is the last one', async () => {
    const made = policy(
      retry({ attempts: 2, backoff: zero }),
      failWhen(() => true),
    );
    for (const value of [undefined, null, 0, '', {}, () => {}, new Error('a result')]) {
      const outcome = await made.settle(() => value);
      expect(outcome).toMatchObject({ ok: true, stoppedBy: 'attempts' });
      expect(Object.is((outcome as { value: unknown }).value, value)).toBe(true);
    }
    expect(
      await policy(
        timeout('1h'),
        failWhen(() => true),
      ).run(() => 'bad'),
    ).toBe('bad');
    expect(await failWhen(() => true).run(() => 'bad')).toBe('bad');
  });

  test('has a history, if it is an object: attemptsOf and stoppedBy tell', async () => {
    const busy = { status: 429 };
    const made = policy(
      retry({ attempts: 2, backoff: zero }),
      failWhen(() => true),
    );
    expect(await made.run(() => busy)).toBe(busy);
    expect(attemptsOf(busy).map(({ error, verdict }) => [error, verdict])).toEqual([
      [busy, 'transient'],
      [busy, 'transient'],
    ]);
    expect(stoppedBy(busy)).toBe('attempts');
  });
});

describe('P1.6 failWhen', () => {
  test('is asked of what the attempt came to, cleanups included', async () => {
    const asked: unknown[] = [];
    const made = policy(failWhen((it) => (asked.push(it), false)));
    await made.run((s) => {
      s.defer((exit) => exit.set('set'));
      return 'returned';
    });
    await made.run((s) => {
      s.defer((exit) => exit.recover('recovered'));
      throw new Error('down');
    });
    expect(asked).toEqual(['set', 'recovered']);
  });

  test('is not asked of errors', async () => {
    const made = policy(failWhen(() => expect.fail('asked')));
    expect(await errorOf(made.run(throws('down')))).toBe('down');
  });

  test('that answers false makes a success of a result, whatever that is', async () => {
    const inventory = breaker({ failures: 1 });
    const made = policy(
      inventory,
      failWhen(() => false),
    );
    for (const value of [undefined, new Error('a result'), { status: 503 }])
      expect(await made.run(() => value)).toBe(value);
    expect(inventory.state).toBe('closed');
  });

  test('may be innermost of an inner policy, and judges for the outer layers too', async () => {
    const inner = policy(
      breaker(),
      failWhen((it) => it === 'busy'),
    );
    const own = layer({ name: 'own', run: (next) => next() });
    const made = policy(retry({ backoff: zero }), own, inner);
    expect(await made.run(scripted(['busy', fail(new Error('down')), 'ok']))).toBe('ok');
  });

  test('that answers with a promise is a mistake of the program: it would judge every result a failure', async () => {
    for (const judge of [async () => false, async () => throws(new Error('late'))()]) {
      const made = policy(retry({ backoff: zero }), failWhen(judge as () => never));
      expect(await errorOf(made.run(() => 'result'))).toMatchObject({ code: 'BAD_OPTION', option: 'failWhen' });
    }
  });

  test('P1.2 refuses what is no function', () => {
    for (const given of [undefined, null, true, 'text', {}, /busy/]) {
      const make = (): unknown => failWhen(given as never);
      expect(make).toThrow(TypeError);
      expect(make).toThrow(
        expect.objectContaining({ code: 'BAD_OPTION', option: 'failWhen', given, expected: 'a function' }),
      );
    }
  });

  test('is shown by its name', () => {
    expect(String(failWhen(() => false))).toBe('failWhen');
  });
});
