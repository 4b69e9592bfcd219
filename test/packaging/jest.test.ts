import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, inject, test } from 'vitest';
import { at, runNode } from '../../scripts/lib/project.mjs';

test('the test kit works under Jest', async () => {
  const folder = join(inject('consumer'), 'with-jest');
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ type: 'module', jest: { transform: {}, testEnvironment: 'node' } }),
  );
  writeFileSync(
    join(folder, 'sleep.test.js'),
    `import { scope } from 'holdfast';
     import { virtualTime } from 'holdfast/testing';

     test('an hour passes at once', async () => {
       const start = performance.now();
       await virtualTime({ seed: 1 }, async (time) => {
         const slept = scope(async (s) => {
           await s.sleep('1h');
           return 'rested';
         });
         await time.advance('1h');
         expect(await slept).toBe('rested');
       });
       expect(performance.now() - start).toBeLessThan(5_000);
     });
    `,
  );
  const jest = at('node_modules', 'jest', 'bin', 'jest.js');
  const flags = ['--rootDir', folder, '--ci', '--no-cache', '--runInBand'];
  const { code, output } = await runNode(['--experimental-vm-modules', jest, ...flags], { cwd: folder });
  expect(output).toContain('1 passed');
  expect(code).toBe(0);
});
