/**
 * Turns an example into a module that checks itself.
 *
 *   expression;            // 5              the value of the expression; `=> 5` says the same
 *   const x = expression;  // 'ok', a word   what stands behind a comma is for people
 *   expression;            // throws NAME    the error's name, code or message
 *
 * Only a literal counts as a value: numbers, texts, `true`, `false`, `null`, `undefined`, and lists and objects of those. A comment that begins in
 * another way is prose. Line numbers stay what they were, one further down.
 */
import { parseAst } from 'rolldown/parseAst';

interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [key: string]: unknown;
}

/** Where the names come from that an example need not import. */
export interface Imports {
  readonly from: string;
  readonly values: ReadonlySet<string>;
  readonly types: ReadonlySet<string>;
}

export interface Place {
  readonly file: string;
  readonly line: number;
}

export function transform(code: string, imports: readonly Imports[], helpers: string, { file, line }: Place): string {
  const program = parseAst(code, { lang: 'ts', preserveParens: false }) as unknown as Node;
  const nodes = [...nodesOf(program)];
  const inserts: { at: number; text: string }[] = [];

  for (const node of nodes) {
    const target = targetOf(node);
    if (target === undefined) continue;
    const comment = /^[ \t]*\/\/[ \t]*(.*)/.exec(code.slice(node.end))?.[1];
    const expected = comment === undefined ? undefined : expectation(comment);
    if (expected === undefined) continue;
    const where = `'${file}:${line + code.slice(0, node.end).split('\n').length - 1}'`;
    const text = code.slice(target.start, target.end);
    if ('name' in expected) {
      const [head, run] = /\bawait\b/.test(text) ? ['await $rejects', 'async () =>'] : ['$throws', '() =>'];
      inserts.push(
        { at: target.start, text: `${head}(${run} (` },
        { at: target.end, text: `), ${JSON.stringify(expected.name)}, ${where})` },
      );
    } else {
      inserts.push({ at: target.start, text: '$gives((' }, { at: target.end, text: `), ${expected.value}, ${where})` });
    }
  }

  let result = code;
  for (const { at, text } of inserts.toSorted((a, b) => b.at - a.at))
    result = result.slice(0, at) + text + result.slice(at);
  const head = [
    `import { gives as $gives, throws as $throws, rejects as $rejects } from '${helpers}';`,
    ...importsFor(nodes, imports),
    'export {};',
  ];
  return `${head.join(' ')}\n${result}\n`;
}

/** The expression whose value a comment behind this statement tells. */
function targetOf(node: Node): Node | undefined {
  if (node.type === 'ExpressionStatement') return node['expression'] as Node;
  if (node.type !== 'VariableDeclaration') return undefined;
  const declarations = node['declarations'] as { init: Node | null }[];
  return declarations.length === 1 ? (declarations[0]!.init ?? undefined) : undefined;
}

const SCALAR =
  /^(?:-?\d[\d_]*(?:\.\d+)?|-?Infinity|NaN|true|false|null|undefined|'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")(?=$|[,;] )/;

export function expectation(comment: string): { value: string } | { name: string } | undefined {
  const [, arrow, text] = /^(=>)?\s*(.*?)\s*$/.exec(comment)!;
  const [, name] = /^throws ([A-Za-z_]\w*|'[^']*')/.exec(text!) ?? [];
  if (name !== undefined) return { name: name.replaceAll("'", '') };
  const value = SCALAR.exec(text!)?.[0] ?? bracketed(text!);
  if (value === undefined && arrow) throw new Error(`no value that can be compared: ${comment}`);
  return value === undefined ? undefined : { value: value.startsWith('{') ? `(${value})` : value };
}

/** A list or an object at the beginning of the text. */
function bracketed(text: string): string | undefined {
  if (!/^[[{]/.test(text)) return undefined;
  for (let end = 1; end <= text.length; end++) {
    if (!/[\]}]/.test(text[end - 1]!) || !/^($|[,;] )/.test(text.slice(end))) continue;
    try {
      parseAst(`(${text.slice(0, end)});`);
      return text.slice(0, end);
    } catch {
      // Not yet the whole of it.
    }
  }
  return undefined;
}

function* nodesOf(node: Node): Generator<Node> {
  yield node;
  for (const value of Object.values(node)) {
    for (const each of Array.isArray(value) ? value : [value]) {
      if (typeof each === 'object' && each !== null && typeof (each as Node).type === 'string')
        yield* nodesOf(each as Node);
    }
  }
}

/** Imports of all names that the example uses and neither imports nor declares. */
function importsFor(nodes: readonly Node[], imports: readonly Imports[]): string[] {
  const used = new Set<string>();
  const own = new Set<string>();
  const notUses = new Set<unknown>();
  for (const node of nodes) {
    if (node.type === 'MemberExpression' && node['computed'] === false) notUses.add(node['property']);
    if (
      (node.type === 'Property' || node.type === 'PropertyDefinition') &&
      node['computed'] === false &&
      node['shorthand'] !== true
    )
      notUses.add(node['key']);
  }
  for (const node of nodes) {
    if (node.type === 'Identifier' && !notUses.has(node)) used.add(node['name'] as string);
    for (const name of declaredBy(node)) own.add(name);
  }
  return imports.flatMap(({ from, values, types }) => {
    const names = [...used].filter((name) => !own.has(name) && (values.has(name) || types.has(name)));
    for (const name of names) own.add(name);
    return names.length === 0
      ? []
      : [`import { ${names.map((name) => (values.has(name) ? name : `type ${name}`)).join(', ')} } from '${from}';`];
  });
}

function declaredBy(node: Node): string[] {
  switch (node.type) {
    case 'VariableDeclarator':
      return bound(node['id'] as Node);
    case 'ImportSpecifier':
    case 'ImportDefaultSpecifier':
    case 'ImportNamespaceSpecifier':
      return bound(node['local'] as Node);
    case 'FunctionDeclaration':
    case 'FunctionExpression':
    case 'ArrowFunctionExpression':
      return [...bound(node['id'] as Node | null), ...(node['params'] as Node[]).flatMap(bound)];
    case 'CatchClause':
      return bound(node['param'] as Node | null);
    case 'ClassDeclaration':
    case 'TSInterfaceDeclaration':
    case 'TSTypeAliasDeclaration':
      return bound(node['id'] as Node | null);
    default:
      return [];
  }
}

/** The names that a pattern binds. */
function bound(pattern: Node | null): string[] {
  switch (pattern?.type) {
    case 'Identifier':
      return [pattern['name'] as string];
    case 'AssignmentPattern':
      return bound(pattern['left'] as Node);
    case 'RestElement':
      return bound(pattern['argument'] as Node);
    case 'ArrayPattern':
      return (pattern['elements'] as (Node | null)[]).flatMap(bound);
    case 'ObjectPattern':
      return (pattern['properties'] as Node[]).flatMap((each) => bound((each['value'] ?? each) as Node));
    default:
      return [];
  }
}
