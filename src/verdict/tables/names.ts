/**
 * What a name tells: the errors of the language and of the DOM. Names, not `instanceof`: errors come from other realms too
 * (Jest, `node:vm`, frames). A name is a guess where the error wraps another one, which knows better.
 */
import { classification, textOf, type Classification } from '../classification.ts';

export function guessOf(
  name: unknown,
  error: { readonly message?: unknown },
  code: string | undefined,
): Classification | undefined {
  switch (name) {
    case 'AbortError':
      return classification('permanent', 'cancelled', 'none', code);
    case 'TimeoutError':
      return classification('ambiguous', 'timeout', 'down', code);
    case 'NetworkError':
      return networkFailure(code);
    // `JSON.parse` of what a server sent: the request was answered, so it may have been done.
    case 'SyntaxError':
      return classification('ambiguous', 'answer not understood', 'down', code);
    case 'TypeError':
      return ofTypeError(textOf(error.message) ?? '', code);
    case 'RangeError':
    case 'ReferenceError':
    case 'URIError':
    case 'AssertionError':
    case 'DataCloneError':
      return bug(name, code);
  }
}

/**
 * How the platforms' `fetch`, and the body of its response, say that the network failed; a TypeError with another text is a bug.
 * Collected in the package is-network-error 1.3 (Chrome, Firefox, Safari, Node, Bun, Deno, Cloudflare, React Native); there is no standard.
 */
const NETWORK =
  /^(fetch failed|failed to fetch|load failed|terminated$|error sending request| ?a network error|network ?(error|request failed|connection lost)|the (internet connection appears|network connection was lost))/i;

function ofTypeError(message: string, code: string | undefined): Classification {
  if (!NETWORK.test(message)) return bug('TypeError', code);
  // Deno tells the phase, in the text alone.
  if (message.includes('(Connect)')) return classification('transient', 'not connected', 'down', code);
  return networkFailure(code);
}

function networkFailure(code: string | undefined): Classification {
  return classification('ambiguous', 'network failure', 'down', code);
}

function bug(name: string, code: string | undefined): Classification {
  return classification('permanent', `a bug: ${name}`, 'none', code);
}
