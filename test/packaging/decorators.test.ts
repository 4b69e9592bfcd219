/** P14: `resilient` as consumers compile it with TypeScript, in both forms of decorators: what runs, and what does not compile. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, inject, test } from 'vitest';
import { at, pinnedNode, run, runNode } from '../../scripts/lib/project.mjs';

const forms = { standard: {}, legacy: { experimentalDecorators: true } };

/** What both forms can do. Prints what came of it. */
const program = `
import { attemptsOf, breaker, constant, fallback, onEvent, policy, resilient, retry } from 'holdfast';

const again = retry({ attempts: 3, backoff: constant(0), budget: false });
const elseNone = policy(fallback(undefined), retry({ attempts: 2, backoff: constant(0), budget: false }));
const report: unknown[] = [];
const busy = (times: { left: number }): void => {
  if (times.left-- > 0) throw new Error('busy');
};

class Shop {
  failures = { left: 0 };
  readonly #secret = 'secret';

  @resilient(again, { signal: (_id, signal) => signal })
  async place(id: number, signal?: AbortSignal): Promise<string> {
    signal?.throwIfAborted();
    busy(this.failures);
    return \`placed \${id}, \${this.#secret}\`;
  }

  @resilient(elseNone)
  async first<T>(items: readonly T[]): Promise<T | undefined> {
    busy(this.failures);
    return items[0];
  }

  @resilient(again)
  protected later(id: number): Promise<number> {
    busy(this.failures);
    return Promise.resolve(id);
  }

  laterOf(id: number): Promise<number> {
    return this.later(id);
  }

  @resilient(breaker())
  async size(): Promise<number> {
    return 1;
  }

  @resilient(again, { name: 'shops' })
  static async open<T extends Shop>(this: new () => T): Promise<T> {
    busy(Shop.staticFailures);
    return new this();
  }

  static staticFailures = { left: 2 };
}

class Big extends Shop {
  @resilient(again)
  override async place(id: number, signal?: AbortSignal): Promise<string> {
    return \`big: \${await super.place(id, signal)}\`;
  }
}

const shop = new Shop();
shop.failures.left = 2;
const placed: Promise<string> = shop.place(1);
report.push(await placed);

shop.failures.left = 5;
report.push(await shop.place(2).catch((error: Error) => [error.message, attemptsOf(error).length]));
report.push(await shop.place(3, AbortSignal.abort('gone')).catch((reason: unknown) => reason));

shop.failures.left = 1;
const first: number | undefined = await shop.first([7, 8]);
shop.failures.left = 9;
report.push([first, (await shop.first(['a'])) ?? 'none']);

shop.failures.left = 2;
report.push(await shop.laterOf(5));

const names: (string | undefined)[] = [];
{
  using _ = onEvent('call:start', (event) => names.push(event.name));
  const big: Big = await Big.open();
  report.push(big instanceof Big);
  big.failures.left = 1;
  report.push(await big.place(4));
}
report.push(names, Shop.prototype.place.name, Shop.prototype.place.length);
console.log(JSON.stringify(report));
`;

const reported = [
  'placed 1, secret',
  ['busy', 3],
  'gone',
  [7, 'none'],
  5,
  true,
  'big: placed 4, secret',
  ['shops', 'place', 'place'],
  'place',
  2,
];

/** What is wrong, and what the compiler says of it. */
const mistakes: readonly (readonly [what: string, member: string, said: RegExp])[] = [
  [
    'a fallback that does not fit what the method returns',
    `@resilient(zero) async name(): Promise<string> { return 'a'; }`,
    /'the fallback of this policy gives a type that the method does not return': 0/,
  ],
  [
    'a method that returns no promise',
    '@resilient(plain) count(): number { return 1; }',
    /Type 'number' is not assignable to type 'Promise<any>'/,
  ],
  ['a field', '@resilient(plain) field = async () => 1;', /TS1240: Unable to resolve signature of property decorator/],
  ['a getter', '@resilient(plain) get size(): number { return 1; }', /TS1241: Unable to resolve signature/],
  [
    'an option that does not exist',
    '@resilient(plain, { retries: 3 }) async name(): Promise<string> { return "a"; }',
    /'retries' does not exist in type 'BindOptions<any\[\]>'/,
  ],
  [
    'a layer that was not made',
    '@resilient(retry) async name(): Promise<string> { return "a"; }',
    /is not assignable to parameter of type 'Policy<unknown>'/,
  ],
];

describe.each(Object.entries(forms))('%s decorators', (form, settings) => {
  /** Compiles the files, and returns what the compiler says, and where its output is. */
  async function compile(title: string, files: Record<string, string>): Promise<{ said: string; folder: string }> {
    const folder = join(inject('consumer'), 'decorators', form, title);
    mkdirSync(folder, { recursive: true });
    for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text);
    const compilerOptions = {
      strict: true,
      exactOptionalPropertyTypes: true,
      target: 'es2022',
      lib: ['es2022', 'dom'],
      module: 'nodenext',
      types: [],
      rootDir: '.',
      outDir: 'out',
      ...settings,
    };
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module' }));
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }));
    const tsc = at('node_modules', 'typescript', 'bin', 'tsc');
    const { output } = await runNode([tsc, '-p', folder, '--pretty', 'false'], { cwd: folder });
    return { said: output.trim(), folder };
  }

  async function output(title: string, source: string): Promise<unknown> {
    const { said, folder } = await compile(title, { 'main.ts': source });
    expect(said).toBe('');
    const ran = await run(pinnedNode, [join(folder, 'out', 'main.js')]);
    expect(ran.code, ran.output).toBe(0);
    return JSON.parse(ran.output) as unknown;
  }

  test('P14.1 methods and static methods keep their types, `this` and what they override', async () => {
    expect(await output('run', program)).toEqual(reported);
  });

  test('P14.4 what does not fit does not compile, and the error says why', async () => {
    const head = `import { fallback, resilient, retry } from 'holdfast';\nconst plain = retry();\nconst zero = fallback(0);\n`;
    const files = mistakes.map(([, member], i) => [
      `mistake-${i}.ts`,
      `${head}export class Shop {\n  ${member}\n}\nexport const used = [plain, zero];\n`,
    ]);
    const { said } = await compile('mistakes', Object.fromEntries(files) as Record<string, string>);
    for (const [i, [what, , expected]] of mistakes.entries()) {
      const lines = said.split(/\n(?=mistake)/).filter((line) => line.startsWith(`mistake-${i}.ts(5,`));
      expect(lines.join('\n'), what).toMatch(expected);
    }
    expect(said.split(/\n(?=mistake)/).every((line) => /^mistake-\d\.ts\(5,/.test(line))).toBe(true);
  });

  test('P14.4 what compiles without types is refused when the class is defined', async () => {
    const source = `
import { resilient, retry } from 'holdfast';
const decorate: any = resilient(retry());
const refused: string[] = [];
const attempt = (define: () => unknown): void => {
  try {
    define();
  } catch (error) {
    refused.push((error as Error).message.replace(/^.* got /, ''));
  }
};
attempt(() => { class Shop { @decorate field = 1; } return Shop; });
attempt(() => { class Shop { @decorate get size(): number { return 1; } } return Shop; });
attempt(() => { @decorate class Whole {} return Whole; });
console.log(JSON.stringify(refused));
`;
    const kinds =
      form === 'standard'
        ? ['"field field"', '"getter size"', '"class Whole"']
        : ['"field field"', '"accessor size"', '"class"'];
    expect(await output('refused', source)).toEqual(kinds);
  });
});

test('P14.1 standard decorators take private methods', async () => {
  const folder = join(inject('consumer'), 'decorators', 'private');
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, 'main.mts'),
    `import { constant, resilient, retry } from 'holdfast';
class Shop {
  failures = 2;
  @resilient(retry({ backoff: constant(0) })) async #hidden(id: number): Promise<number> {
    if (this.failures-- > 0) throw new Error('busy');
    return id;
  }
  @resilient(retry({ backoff: constant(0) })) static async #own(): Promise<string> { return 'own'; }
  static open(): Promise<string> { return Shop.#own(); }
  find(id: number): Promise<number> { return this.#hidden(id); }
}
console.log(JSON.stringify([await new Shop().find(7), await Shop.open()]));
`,
  );
  const tsc = at('node_modules', 'typescript', 'bin', 'tsc');
  const flags = ['--strict', '--target', 'es2022', '--module', 'nodenext', '--types', '', '--pretty', 'false'];
  expect((await runNode([tsc, ...flags, 'main.mts'], { cwd: folder })).output.trim()).toBe('');
  expect((await run(pinnedNode, [join(folder, 'main.mjs')])).output.trim()).toBe('[7,"own"]');
});
