/** What an editor shows of the main functions, asked of TypeScript's own language server: short, and no type that users do not know. */
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { at, pinnedNode } from '../../scripts/lib/project.mjs';

/** Lines of a program, and what the editor shows of what stands behind `const`. */
const values: readonly (readonly [line: string, shown: string])[] = [
  ['const retried = retry({ attempts: 3 });', 'Policy<never>'],
  ["const timed = timeout('3s');", 'Policy<never>'],
  ['const broken = breaker();', 'Breaker'],
  ['const bulk = bulkhead({ limit: 1 });', 'Bulkhead'],
  ['const limited = rateLimit({ limit: 1 });', 'RateLimit'],
  ["const hedged = hedge({ after: '1s' });", 'Hedge'],
  ['const judged = failWhen(() => false);', 'Policy<never>'],
  ["const instead = fallback('none');", 'Policy<"none">'],
  ["const own = layer({ name: 'own', run: (next) => next() });", 'Policy<never>'],
  ['const shared = budget();', 'Budget'],
  ["const all = policy(fallback(0), timeout('3s'), retry(), breaker(), bulkhead({ limit: 1 }));", 'Policy<0>'],
  ['const usual = standard();', 'Policy<never>'],
  ["const usually = standard({ fallback: async () => 'none' });", 'Policy<string>'],
  ['const hosts = perKey((host: string) => breaker({ name: host }));', 'PerKey<string, Breaker>'],
  ['const decorate = resilient(usually);', 'Resilient<string>'],
  ['const ran = all.run(() => query(7));', 'Promise<0 | Row>'],
  ['const settled = retried.settle(() => query(7));', 'Promise<PolicyOutcome<Row>>'],
  ['const bound = retried.bind((s, id: number) => query(id));', '(id: number) => Promise<Row>'],
  ['const wrapped = all.wrap(query);', '(id: number) => Promise<0 | Row>'],
  ['const scoped = scope(() => query(7));', 'Promise<Row>'],
  ["const recovered = scope({ recover: () => 'none' }, () => query(7));", 'Promise<string | Row>'],
  ['const backoff = exponential(100);', 'Backoff'],
];

/** Functions, and how long what the editor shows of their signature may be. */
const functions = {
  retry: 80,
  timeout: 80,
  breaker: 80,
  bulkhead: 80,
  rateLimit: 80,
  hedge: 80,
  layer: 80,
  failWhen: 120,
  fallback: 160,
  budget: 80,
  policy: 140,
  standard: 140,
  perKey: 160,
  resilient: 160,
  exponential: 160,
  scope: 250,
  onEvent: 200,
};

/** Types that users can import, or that the language has. */
const known = new Set([
  ...[...readFileSync(at('docs', 'surface', 'index.api.md'), 'utf8').matchAll(/^export .*?\b([A-Z]\w+)/gm)].map(
    ([, name]) => name!,
  ),
  'Promise',
  'PromiseLike',
  'Disposable',
]);

const head = `import { ${Object.keys(functions).join(', ')} } from 'holdfast';
interface Row { readonly id: number }
declare const query: (id: number) => Promise<Row>;
`;
const program =
  head +
  values.map(([line]) => `${line}\n`).join('') +
  Object.keys(functions)
    .map((name) => `void ${name};\n`)
    .join('');

/** The language server of the compiler: requests are answered by number. */
class Server {
  private readonly child = spawn(pinnedNode, [at('node_modules', 'typescript', 'bin', 'tsc'), '--lsp', '--stdio'], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  private readonly waiting = new Map<number, (message: Answer) => void>();
  private received = Buffer.alloc(0);
  private last = 0;

  constructor() {
    this.child.stdout.on('data', (data: Buffer) => {
      this.received = Buffer.concat([this.received, data]);
      for (let message = this.take(); message !== undefined; message = this.take()) {
        if (message.method !== undefined && message.id !== undefined) this.send({ id: message.id, result: null });
        else if (message.id !== undefined) this.waiting.get(message.id)?.(message);
      }
    });
  }

  async ask(method: string, params: unknown): Promise<unknown> {
    const id = ++this.last;
    const answer = new Promise<Answer>((resolve) => this.waiting.set(id, resolve));
    this.send({ id, method, params });
    const { error, result } = await answer;
    if (error !== undefined) throw new Error(`${method}: ${JSON.stringify(error)}`);
    return result;
  }

  tell(method: string, params: unknown): void {
    this.send({ method, params });
  }

  async end(): Promise<void> {
    await this.ask('shutdown', undefined);
    this.tell('exit', undefined);
    this.child.stdin.end();
  }

  private send(message: object): void {
    const text = JSON.stringify({ jsonrpc: '2.0', ...message });
    this.child.stdin.write(`Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
  }

  private take(): Answer | undefined {
    const end = this.received.indexOf('\r\n\r\n');
    if (end < 0) return undefined;
    const length = Number(/Content-Length: (\d+)/i.exec(this.received.toString('utf8', 0, end))?.[1]);
    const whole = end + 4 + length;
    if (this.received.length < whole) return undefined;
    const text = this.received.toString('utf8', end + 4, whole);
    this.received = this.received.subarray(whole);
    return JSON.parse(text) as Answer;
  }
}

interface Answer {
  readonly id?: number;
  readonly method?: string;
  readonly result?: unknown;
  readonly error?: unknown;
}

const lines = program.split('\n');
let server: Server;
let uri: string;

/** The code of the hover over the name behind this word, in one line. */
async function hoverOf(line: number, word: string): Promise<string> {
  const position = { line, character: lines[line]!.indexOf(word) + word.length + 1 };
  const answer = (await server.ask('textDocument/hover', { textDocument: { uri }, position })) as {
    contents: { value: string };
  };
  return /```\w*\n([^]*?)\n```/.exec(answer.contents.value)![1]!.replaceAll(/\s+/g, ' ');
}

beforeAll(async () => {
  const folder = join(realpathSync(inject('consumer')), 'hovers');
  mkdirSync(folder, { recursive: true });
  const compilerOptions = {
    strict: true,
    module: 'nodenext',
    target: 'es2022',
    lib: ['es2022', 'dom'],
    types: [],
    noEmit: true,
  };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }));
  writeFileSync(join(folder, 'main.ts'), program);
  uri = pathToFileURL(join(folder, 'main.ts')).href;
  server = new Server();
  const textDocument = { hover: { contentFormat: ['markdown'] } };
  const rootUri = pathToFileURL(folder).href;
  await server.ask('initialize', { processId: null, rootUri, capabilities: { textDocument } });
  server.tell('initialized', {});
  server.tell('textDocument/didOpen', { textDocument: { uri, languageId: 'typescript', version: 1, text: program } });
}, 30_000);

afterAll(() => server.end());

describe('an editor shows', () => {
  test.each(values.map(([line, shown], i) => [line, shown, i] as const))(
    'of %s the type %s',
    async (line, shown, i) => {
      const name = /^const (\w+)/.exec(line)![1]!;
      expect(await hoverOf(head.split('\n').length - 1 + i, 'const')).toBe(`const ${name}: ${shown}`);
    },
  );

  test.each(Object.entries(functions))(
    'of `%s` a signature of at most %i characters, of types that users know',
    async (name, most) => {
      const hover = await hoverOf(lines.indexOf(`void ${name};`), 'void');
      expect(hover).toContain(name);
      for (const [type] of hover.matchAll(/\b[A-Z]\w+/g)) expect(known, hover).toContain(type);
      expect(hover).not.toContain('import(');
      expect(hover.length, hover).toBeLessThanOrEqual(most);
    },
  );
});
