/** undici, by code: `lib/core/errors.js` and the page "Errors" of its documentation, version 8. Its fetch wraps them in a TypeError. */
import { classification, type Classification } from '../classification.ts';
import { tableOf } from './codes.ts';

const PREFIX = 'UND_ERR_';

const table = /* @__PURE__ */ tableOf(
  [
    ['CONNECT_TIMEOUT', 'transient', 'connect timeout', 'down'],
    ['HEADERS_TIMEOUT BODY_TIMEOUT', 'ambiguous', 'timeout', 'down'],
    ['SOCKET INFO RES_CONTENT_LENGTH_MISMATCH', 'ambiguous', 'connection lost', 'down'],
    ['MAX_ORIGINS_REACHED', 'transient', 'overload here', 'none'],
    [
      'HEADERS_OVERFLOW RES_EXCEEDED_MAX_SIZE WS_MESSAGE_SIZE_EXCEEDED REDIRECT_MAX',
      'permanent',
      'over a limit',
      'none',
    ],
    ['DESTROYED CLOSED', 'permanent', 'client closed', 'none'],
    [
      'INVALID_ARG INVALID_RETURN_VALUE NOT_SUPPORTED REQ_CONTENT_LENGTH_MISMATCH BPL_MISSING_UPSTREAM',
      'permanent',
      'a bug',
      'none',
    ],
  ],
  PREFIX,
);

export function undiciError(code: string): Classification | undefined {
  return table.get(code);
}

/** The others (a proxy that failed, a parser that gave up, codes still to come) have a cause, or the phase is not known. */
export function undiciGuess(code: string): Classification | undefined {
  return code.startsWith(PREFIX) ? classification('ambiguous', 'request failed', 'down', code) : undefined;
}
