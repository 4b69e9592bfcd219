/**
 * The examples of the documentation: every ```ts block of the Markdown files, and every `@example` of a doc comment in src/.
 *
 * After `ts`, or after `@example`, a word may say that an example is not run; the reason is not optional:
 *
 *   no-run: REASON     it is compiled only
 *   ignore: REASON     it is neither compiled nor run
 *   exit N             it ends its process with this exit code (only for examples that are processes of their own)
 *
 * A block marked `text output` that follows is what the example prints, to the letter.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { at, root } from '../../scripts/lib/project.mjs';

export interface Block {
  /** File and line, as a person looks for it. */
  readonly where: string;
  readonly file: string;
  /** Of the first line of code, from 1. */
  readonly line: number;
  readonly code: string;
  readonly mode: 'run' | 'no-run' | 'ignore';
  readonly exitCode: number;
  /** What it prints, if the document says so. */
  readonly output: string | undefined;
}

/** All Markdown files that people read. */
export function markdownFiles(): string[] {
  const roots = readdirSync(root).filter((name) => name.endsWith('.md'));
  const docs = filesIn('docs').filter((path) => path.endsWith('.md') && !path.startsWith('docs/surface/'));
  const examples = filesIn('examples').filter((path) => path.endsWith('.md'));
  return [...roots, ...docs, ...examples].toSorted();
}

export function sourceFiles(): string[] {
  return filesIn('src').filter((path) => /(?<!\.(test|test-d|bench))\.ts$/.test(path));
}

export function filesIn(folder: string): string[] {
  return readdirSync(at(folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.includes('node_modules'))
    .map((entry) => `${relative(root, entry.parentPath)}/${entry.name}`)
    .toSorted();
}

export function allBlocks(): Block[] {
  return [
    ...markdownFiles().flatMap((file) => blocksOfMarkdown(file, readFileSync(at(file), 'utf8'))),
    ...sourceFiles().flatMap((file) => blocksOfComments(file, readFileSync(at(file), 'utf8'))),
  ];
}

interface Fence {
  readonly info: string;
  readonly line: number;
  readonly body: string[];
  /** Only blank lines stand between this fence and the one before. */
  readonly follows: boolean;
}

function fencesOf(text: string): Fence[] {
  const fences: Fence[] = [];
  let open: { mark: string; fence: Fence } | undefined;
  let follows = false;
  for (const [index, line] of text.split('\n').entries()) {
    if (open === undefined) {
      const [, mark, info] = /^(`{3,})(.*)$/.exec(line) ?? [];
      if (mark === undefined) follows &&= line.trim() === '';
      else open = { mark, fence: { info: info!.trim(), line: index + 2, body: [], follows } };
    } else if (line.trimEnd() === open.mark) {
      fences.push(open.fence);
      open = undefined;
      follows = true;
    } else open.fence.body.push(line);
  }
  if (open) throw new Error(`line ${open.fence.line - 1}: this block has no end`);
  return fences;
}

export function blocksOfMarkdown(file: string, text: string): Block[] {
  const fences = fencesOf(text);
  return fences.flatMap((fence, index) => {
    const [, info] = /^ts(?:\s+(.*))?$/.exec(fence.info) ?? [];
    if (!/^ts\b/.test(fence.info)) return [];
    const next = fences[index + 1];
    const output = next?.follows && next.info === 'text output' ? next.body.join('\n') : undefined;
    return [block(file, fence.line, fence.body, info ?? '', output)];
  });
}

export function blocksOfComments(file: string, text: string): Block[] {
  const blocks: Block[] = [];
  let open: { line: number; info: string; body: string[] } | undefined;
  const close = (): void => {
    if (open) blocks.push(block(file, open.line, open.body, open.info, undefined));
    open = undefined;
  };
  for (const [index, line] of text.split('\n').entries()) {
    const [, example] = /^\s*\* @example\b(.*)$/.exec(line) ?? [];
    if (example !== undefined) {
      close();
      open = { line: index + 2, info: example.trim(), body: [] };
    } else if (/^\s*(\* @|\*\/)/.test(line)) close();
    else open?.body.push(line.replace(/^\s*\* ?/, ''));
  }
  return blocks;
}

function block(file: string, line: number, body: string[], info: string, output: string | undefined): Block {
  const where = `${file}:${line}`;
  const [, word, rest] = /^(no-run|ignore|exit)(?::?\s+(.*))?$/.exec(info) ?? [];
  if (info !== '' && word === undefined)
    throw new Error(`${where}: '${info}' is none of: no-run: REASON, ignore: REASON, exit N`);
  if (word !== undefined && !rest)
    throw new Error(`${where}: ${word} needs a ${word === 'exit' ? 'number' : 'reason'}`);
  return {
    where,
    file,
    line,
    code: body.join('\n'),
    mode: word === 'no-run' || word === 'ignore' ? word : 'run',
    exitCode: word === 'exit' ? Number(rest) : 0,
    output,
  };
}
