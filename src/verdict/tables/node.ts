/**
 * Errors of the system and of Node's fetch (undici), by `code`, and by `syscall` for the phase. What failed while it connected has sent
 * nothing. What failed later may have been sent, and done.
 *
 * Codes: errno(3); the chapter "Errors" of Node's documentation; `lib/core/errors.js` of undici 8; Bun's `fetch` (`ConnectionRefused`,
 * `ConnectionClosed`, `FailedToOpenSocket`).
 */
import type { Classification } from '../classification.ts';
import { lookUp, type Row } from './row.ts';

/** Over the phase and the code, with a space between them. */
const rows: readonly Row[] = [
  [/ (ECONN|Connection)REFUSED$/i, 'transient', 'down', 'connection refused'],
  [/ (ENOTFOUND|EAI_\w+|ESERVFAIL)$/, 'transient', 'down', 'name not resolved'],
  // EADDRNOTAVAIL while connecting: all local ports are taken.
  [/ (E[MN]FILE|ENOBUFS|ENOMEM|EADDR\w+|EAGAIN|EBUSY|\w+MAX_ORIGINS\w+)$/, 'transient', 'none', 'local overload'],
  // Whatever else it was: a socket file that is not there yet, an address that this machine cannot reach.
  [
    /^connect (?!EACCES|EPERM)|^(?!read|write)\w+ (E(HOST|NET)(UNREACH|DOWN)|UND_ERR_CONNECT_TIMEOUT|FailedToOpenSocket)$/,
    'transient',
    'down',
    'not connected',
  ],
  [
    / (E(ACCES|PERM|NOENT|EXIST|ISDIR|NOTDIR|NOTEMPTY|INVAL|NOSPC|ROFS)|UND_ERR_(INVALID|NOT_|REQ_CONT|DESTR|CLOSED|BPL|HEADERS_OVER|RES_EXC|REDIR|WS_)\w*)$/,
    'permanent',
    'none',
    'refused locally',
  ],
  [/[ _]CERT(_|I|$)|_LEAF_/, 'permanent', 'down', 'bad certificate'],
  [/ (E|UND_ERR_)\w*TIMED?OUT$/, 'ambiguous', 'down', 'timeout'],
  [
    /^(read|write) E| (E(CONN(RESET|ABORTED)|PIPE|NETRESET|PROTO)|ConnectionClosed|(UND_ERR_(?!ABORT)|ERR_(SSL|HTTP2_S|STREAM_PREM|STREAM_DESTR|SOCKET_CLOSED))\w*)$/,
    'ambiguous',
    'down',
    'connection lost',
  ],
  [/ HPE_/, 'ambiguous', 'down', 'answer not understood'],
];

/**
 * Two that only their text tells from ambiguous ones with the same code: a connection that ended during the handshake of TLS,
 * and a stream that the server refused, of which RFC 9113 (8.7) says that nothing was done.
 */
const NOT_BEGUN = /before secure TLS|REFUSED_STREAM/;

export function nodeError(
  error: { readonly syscall?: unknown; readonly message?: unknown },
  code: string,
): Classification | undefined {
  const phase = NOT_BEGUN.test(String(error.message)) ? 'connect' : String(error.syscall);
  return lookUp(rows, `${phase} ${code}`, code, code);
}
