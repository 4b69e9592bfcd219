import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, inject, test } from 'vitest';
import { at, runNode } from '../../scripts/lib/project.mjs';

/** How consumers set up TypeScript. None lists esnext.disposable: the declarations bring it themselves. */
const consumers = {
  nodenext: { module: 'nodenext', target: 'es2022', lib: ['es2022', 'dom'] },
  bundler: { module: 'preserve', moduleResolution: 'bundler', target: 'es2022', lib: ['es2022', 'dom'] },
  'nodenext, without the DOM': { module: 'nodenext', target: 'es2022', lib: ['es2022'], types: ['node'] },
};

describe.each(Object.entries(consumers))('%s', (name, settings) => {
  /** Compiles the files as that consumer and returns what the compiler says. */
  async function compile(title: string, files: Record<string, string>, more: object = {}): Promise<string> {
    const folder = join(inject('consumer'), 'types', name.replace(/\W+/g, '-'), title);
    mkdirSync(folder, { recursive: true });
    for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text);
    const compilerOptions = {
      strict: true,
      exactOptionalPropertyTypes: true,
      noEmit: true,
      types: [],
      typeRoots: [at('node_modules', '@types')],
      ...settings,
      ...more,
    };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*'] }));
    const tsc = at('node_modules', 'typescript', 'bin', 'tsc');
    return (await runNode([tsc, '-p', folder, '--pretty', 'false'], { cwd: folder })).output.trim();
  }

  test('every subpath compiles, its declarations too', async () => {
    const said = await compile('all', {
      'main.ts': `
        import { scope, type Scope } from 'holdfast';
        import { runMain } from 'holdfast/node';
        import { virtualTime } from 'holdfast/testing';
        export const size: Promise<number> = scope(async (s: Scope) => {
          const file = s.use({ size: 7, [Symbol.dispose]: () => {} });
          await s.sleep('5ms');
          return file.size;
        });
        export const rested: Promise<void> = virtualTime({ seed: 1 }, async (time) => {
          await time.advance('1h');
        });
        export const main: unknown = runMain;
      `,
    });
    expect(said).toBe('');
  });

  test('what is no resource is a compile error, also where declarations are not checked', async () => {
    const source = `import { scope } from 'holdfast';
export const wrong = scope((s) => {
  s.use(5);
});
`;
    const said = await compile('wrong', { 'main.ts': source }, { skipLibCheck: true });
    expect(said).toMatch(/^main\.ts\(3,9\): error TS2345: .*'5'|^main\.ts\(3,9\): error TS2345: .*number/);
  });

  test.each(['holdfast', 'holdfast/testing', 'holdfast/node'])(
    '%s alone brings the lib of disposables',
    async (subpath) => {
      const source = `import * as all from '${subpath}';
export type All = typeof all;
export const resource: Disposable & AsyncDisposable = {
  [Symbol.dispose]: () => {},
  [Symbol.asyncDispose]: async () => {},
};
`;
      expect(await compile(`alone-${subpath.replace('/', '-')}`, { 'main.ts': source }, { skipLibCheck: true })).toBe(
        '',
      );
    },
  );
});
