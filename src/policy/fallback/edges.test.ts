/** What is told of a fallback: of the attempts when its function throws, and its name. */
import { expect, test } from 'vitest';
import { recordEvents } from '../../testing/index.ts';
import { errorOf } from '../../../test/settle.ts';
import { attemptsOf, constant, fallback, policy, retry, stoppedBy } from '../../index.ts';

test('an error of its function tells of the attempts that it was to stand for', async () => {
  const [down, own] = [new Error('down'), new Error('own')];
  const made = policy(
    fallback(() => {
      throw own;
    }),
    retry({ attempts: 2, backoff: constant(0) }),
  );
  const fail = (): never => {
    throw down;
  };
  expect(await errorOf(made.run(fail))).toBe(own);
  expect(attemptsOf(own).map(({ error }) => error)).toEqual([down, down]);
  expect(stoppedBy(own)).toBe('attempts');
});

test('what goes wrong in its scope is told under its name', async () => {
  using events = recordEvents();
  const made = fallback((_, s) => {
    s.defer(() => {
      throw new Error('cleanup');
    });
  });
  await errorOf(
    made.run(() => {
      throw new Error('down');
    }),
  );
  expect(events.filter(({ event }) => event === 'scope:cleanup-failed')).toMatchObject([{ name: 'fallback' }]);
});
