/** The links of a Markdown file, and the places that one can link to. */

export interface Found {
  readonly line: number;
  readonly target: string;
  /** The text in quotes behind the target. Behind a link to a test it is a title that stands in that file. */
  readonly title: string | undefined;
}

/** The lines of a text, those inside fenced blocks emptied. */
function proseOf(text: string): string[] {
  let mark: string | undefined;
  return text.split('\n').map((line) => {
    const [, fence] = /^\s*(`{3,}|~{3,})/.exec(line) ?? [];
    if (mark === undefined && fence === undefined) return line;
    if (mark === undefined) mark = fence;
    else if (fence?.startsWith(mark)) mark = undefined;
    return '';
  });
}

export function linksOf(text: string): Found[] {
  return proseOf(text).flatMap((line, index) => {
    const prose = line.replace(/`[^`]*`/g, (code) => ' '.repeat(code.length));
    const inline = [...line.matchAll(/\]\(\s*<?([^\s)>]+)>?(?:\s+"([^"]*)")?\s*\)/g)].filter(
      (found) => prose[found.index] === ']',
    );
    const reference = [...line.matchAll(/^\s*\[[^\]]+\]:\s*<?(\S+?)>?(?:\s+"([^"]*)")?\s*$/g)];
    return [...inline, ...reference].map(([, target, title]) => ({ line: index + 1, target: target!, title }));
  });
}

/** The anchors that GitHub makes of the headings. */
export function anchorsOf(text: string): Set<string> {
  const anchors = new Set<string>();
  for (const line of proseOf(text)) {
    const [, heading] = /^#{1,6}\s+(.*?)\s*#*$/.exec(line) ?? [];
    if (heading === undefined) {
      for (const [, id] of line.matchAll(/<a (?:id|name)="([^"]+)"/g)) anchors.add(id!);
      continue;
    }
    const slug = heading
      .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .replace(/[`*]/g, '')
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replace(/\s/g, '-');
    let anchor = slug;
    for (let n = 1; anchors.has(anchor); n++) anchor = `${slug}-${n}`;
    anchors.add(anchor);
  }
  return anchors;
}
