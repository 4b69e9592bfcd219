import { expect, test } from 'vitest';
import { virtualTime } from '../../testing/index.ts';
import { hedge } from '../../index.ts';

test('first', async () => {
  await virtualTime(async (time) => {
    let n = 0;
    const call = hedge({ after: 50, idempotent: true }).run(async (s) => {
      const me = ++n;
      await s.sleep(me === 1 ? 1000 : 20);
      return me;
    });
    await time.advance(70);
    expect(await call).toBe(2);
  });
});
