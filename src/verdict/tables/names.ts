/**
 * What a name tells: the errors of the language and of the DOM. Names, not `instanceof`: errors come from other realms too
 * (Jest, `node:vm`, frames). A name is a guess where the error wraps another one, which knows better.
 */
import type { Classification } from '../classification.ts';
import { lookUp, type Row } from './row.ts';

/** Over name and message, with a space between them. */
const rows: readonly Row[] = [
  [/^AbortError /, 'permanent', 'none', 'cancelled'],
  [/^TimeoutError /, 'ambiguous', 'down', 'timeout'],
  // How the platforms' `fetch` says that the network failed; a TypeError with another text is a bug. There is no standard.
  // Collected in the package is-network-error 1.3: Chrome, Firefox, Safari, Node, Bun, Deno, Cloudflare, React Native.
  [
    /^(NetworkError |Error Network connection lost\.$|TypeError (fetch failed|failed to fetch|load failed|terminated$|error sending req| ?a network err|network ?(err|req|conn)|the (internet|network) conn))/i,
    'ambiguous',
    'down',
    'network failure',
  ],
  // `JSON.parse` of what a server sent: the request was answered, so it may have been done.
  [/^(Syntax|HTTPParser)Error /, 'ambiguous', 'down', 'answer not understood'],
  [/^(Type|Range|Reference|URI|Assertion|DataClone)Error /, 'permanent', 'none'],
];

/** How workerd says it, in an error that has no name of its own. */
const CONNECTION_LOST = 'Network connection lost.';

export function guessOf(
  { name, message }: { readonly name?: unknown; readonly message?: unknown },
  code: string | undefined,
): Classification | undefined {
  // By far the most common one, and it tells nothing.
  if (typeof name !== 'string' || (name === 'Error' && message !== CONNECTION_LOST)) return;
  return lookUp(rows, `${name} ${typeof message === 'string' ? message : ''}`, `a bug: ${name}`, code);
}
