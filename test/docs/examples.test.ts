/**
 * The examples of the documentation compile with TypeScript in strict mode against the package, run on Node against dist/, and give what the comments
 * beside them say. `transform.ts` has the rules; docs/README.md tells them to writers.
 *
 * An example that uses a test runner is run by that one. One that is a process, because it calls `runMain`, gets one of its own.
 */
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { dirname, join } from 'node:path';
import { parseAst } from 'rolldown/parseAst';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { at, cacheFolder, pinnedNode, root, run, tail } from '../../scripts/lib/project.mjs';
import { setUp } from '../../scripts/lib/set-up.mjs';
import { allBlocks, type Block } from './blocks.ts';
import { transform, type Imports } from './transform.ts';

const folder = join(cacheFolder, `docs-${process.pid}`);
const blocks = allBlocks();
/** What is wrong with an example, by where it stands. */
const problems = new Map<string, string>();

describe('the examples of the documentation', () => {
  beforeAll(prepareAndRun, 60_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test.for(blocks.filter((block) => block.mode !== 'ignore'))('$where', ({ where }) => {
    expect(problems.get(where) ?? '').toBe('');
  });
});

async function prepareAndRun(): Promise<void> {
  await setUp();
  mkdirSync(join(folder, 'node_modules'), { recursive: true });
  symlinkSync(root, join(folder, 'node_modules', 'holdfast'));
  writeFileSync(join(folder, 'data.txt'), 'one\ntwo\n');
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ type: 'module', jest: { transform: {}, testEnvironment: 'node' } }),
  );
  writeFileSync(join(folder, 'vitest.config.mjs'), `export default { test: { include: ['*.vitest.ts'] } };`);
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({
      compilerOptions: {
        strict: true,
        noEmit: true,
        target: 'es2024',
        lib: ['es2024'],
        module: 'nodenext',
        types: ['node'],
        typeRoots: [at('node_modules', '@types')],
        verbatimModuleSyntax: true,
        erasableSyntaxOnly: true,
        allowImportingTsExtensions: true,
        skipLibCheck: true,
      },
      include: ['*.ts'],
    }),
  );

  const imports = knownNames();
  const files = new Map<string, Block>();
  for (const block of blocks) {
    if (block.mode === 'ignore') continue;
    const path = join(
      folder,
      `${block.file.replace(/\W+/g, '-')}-${block.line}${usesTestRunner(block, 'vitest') ? '.vitest' : ''}.ts`,
    );
    try {
      writeFileSync(path, transform(block.code, imports, '../../test/docs/expect.ts', block));
      files.set(path, block);
    } catch (error) {
      problems.set(block.where, String(error));
    }
  }
  // Compiled and run at once: what does not compile is told together with what it does.
  await Promise.all([compile(files), runFiles(files)]);
}

/** The names of the package and of the prelude, by where they come from. */
function knownNames(): Imports[] {
  const from = (specifier: string, source: string): Imports => {
    const values = new Set<string>();
    const types = new Set<string>();
    const program = parseAst(readFileSync(at(source), 'utf8'), { lang: 'ts' }) as unknown as {
      body: ExportDeclaration[];
    };
    for (const statement of program.body) {
      if (statement.type === 'ExportAllDeclaration') {
        const all = from(specifier, join(dirname(source), statement.source!.value));
        for (const name of all.values) values.add(name);
        for (const name of all.types) types.add(name);
      }
      if (statement.type !== 'ExportNamedDeclaration') continue;
      const { declaration } = statement;
      const declared =
        declaration?.declarations?.map(({ id }) => id.name) ?? (declaration?.id ? [declaration.id.name] : []);
      for (const name of declared) values.add(name);
      for (const { exported, exportKind } of statement.specifiers)
        (statement.exportKind === 'type' || exportKind === 'type' ? types : values).add(exported.name);
    }
    return { from: specifier, values, types };
  };
  return [
    from('holdfast', 'src/index.ts'),
    from('holdfast/testing', 'src/testing/index.ts'),
    from('holdfast/node', 'src/node/index.ts'),
    from('../../test/docs/prelude.ts', 'test/docs/prelude.ts'),
  ];
}

interface ExportDeclaration {
  readonly type: string;
  readonly exportKind?: string;
  readonly source?: { value: string } | null;
  readonly declaration: { id?: { name: string }; declarations?: { id: { name: string } }[] } | null;
  readonly specifiers: { exported: { name: string }; exportKind?: string }[];
}

function report(block: Block, problem: string): void {
  problems.set(block.where, [problems.get(block.where), problem].filter(Boolean).join('\n'));
}

async function compile(files: ReadonlyMap<string, Block>): Promise<void> {
  const { output } = await run(
    pinnedNode,
    [at('node_modules', 'typescript', 'bin', 'tsc'), '-p', folder, '--pretty', 'false'],
    { cwd: folder },
  );
  let told = false;
  for (const line of output.split('\n')) {
    const [, name, row, message] = /^(\S+\.ts)\((\d+),\d+\): (.*)/.exec(line) ?? [];
    const block = name === undefined ? undefined : files.get(join(folder, name));
    if (block) report(block, `${block.file}:${block.line + Number(row) - 2}: ${message}`);
    told ||= block !== undefined;
  }
  if (!told && output.trim() !== '') throw new Error(`the examples cannot be compiled:\n${output}`);
}

function usesTestRunner({ code }: Block, runner: 'vitest' | '@jest/globals' | 'node:test'): boolean {
  return code.includes(`from '${runner}'`);
}

/** By the pinned Node, whichever Node runs this. */
async function runFiles(files: ReadonlyMap<string, Block>): Promise<void> {
  const together: string[] = [];
  const alone: (() => Promise<void>)[] = [];
  for (const [path, block] of files) {
    if (block.mode === 'no-run') continue;
    if (usesTestRunner(block, 'vitest'))
      alone.push(() => runAlone(block, [at('node_modules', 'vitest', 'vitest.mjs'), 'run', '--root', folder, path]));
    else if (usesTestRunner(block, '@jest/globals')) alone.push(() => runInJest(path, block));
    else if (usesTestRunner(block, 'node:test') || /\brunMain\b/.test(block.code))
      alone.push(() => runAlone(block, [path]));
    else together.push(path);
  }
  const jobs = join(folder, 'jobs.json');
  writeFileSync(jobs, JSON.stringify(together.map((path) => ({ path, output: files.get(path)!.output }))));
  const inOneProcess = run(pinnedNode, [at('test', 'docs', 'run.ts'), jobs], { cwd: folder });
  for (const each of alone) await each();
  const { code, output } = await inOneProcess;
  if (code !== 0) throw new Error(`the examples ended their process with exit code ${code}:\n${output}`);
  for (const [path, problem] of Object.entries(JSON.parse(output) as Record<string, string>))
    report(files.get(path)!, problem);
}

async function runAlone(block: Block, args: readonly string[]): Promise<void> {
  const { code, output } = await run(pinnedNode, args, { cwd: folder });
  if (code !== block.exitCode) report(block, `exit code ${code}, not ${block.exitCode}:\n${tail(output)}`);
  if (block.output !== undefined && output.trimEnd() !== block.output.trimEnd())
    report(block, `it prints\n${output}\nthe document says\n${block.output}`);
}

/** Jest reads no TypeScript. */
async function runInJest(path: string, block: Block): Promise<void> {
  const test = path.replace(/\.ts$/, '.test.js');
  const helpers = `const $gives = (value) => value;`;
  writeFileSync(
    test,
    `${helpers} ${stripTypeScriptTypes(readFileSync(path, 'utf8').replace(/^import \{ gives.*?; /, ''))}`,
  );
  const jest = at('node_modules', 'jest', 'bin', 'jest.js');
  await runAlone(block, [
    '--experimental-vm-modules',
    jest,
    '--rootDir',
    folder,
    '--ci',
    '--no-cache',
    '--runInBand',
    '--runTestsByPath',
    test,
  ]);
}
