/**
 * Errors of the system, as Node and what follows it reports them: `code`, and `syscall` for the phase. What failed while it connected
 * has sent nothing. What failed later may have been sent, and done.
 *
 * Codes: `errno(3)`, libuv's `uv_strerror`, the chapter "Errors" of Node's documentation. The three in Bun's spelling are those of its `fetch`.
 */
import { classification, textOf, type Classification } from '../classification.ts';
import { tableOf } from './codes.ts';

const table = /* @__PURE__ */ tableOf([
  ['ECONNREFUSED ConnectionRefused', 'transient', 'connection refused', 'down'],
  ['ENOTFOUND EAI_AGAIN EAI_FAIL ESERVFAIL', 'transient', 'name not resolved', 'down'],
  [
    'EHOSTUNREACH ENETUNREACH EHOSTDOWN ENETDOWN FailedToOpenSocket ERR_SOCKET_CONNECTION_TIMEOUT ERR_SOCKET_CLOSED_BEFORE_CONNECTION',
    'transient',
    'not connected',
    'down',
  ],
  ['ETIMEDOUT ESOCKETTIMEDOUT ETIMEOUT', 'ambiguous', 'timeout', 'down'],
  [
    'ECONNRESET EPIPE ECONNABORTED ENETRESET ConnectionClosed ERR_STREAM_PREMATURE_CLOSE ERR_STREAM_DESTROYED ERR_SOCKET_CLOSED ERR_HTTP2_STREAM_ERROR ERR_HTTP2_STREAM_CANCEL ERR_HTTP2_SESSION_ERROR',
    'ambiguous',
    'connection lost',
    'down',
  ],
  // The request found a session that had ended: it never became a stream.
  ['ERR_HTTP2_GOAWAY_SESSION ERR_HTTP2_INVALID_SESSION', 'transient', 'session ended', 'none'],
  // EADDRNOTAVAIL while connecting: all local ports are taken.
  ['EMFILE ENFILE ENOBUFS ENOMEM EADDRNOTAVAIL', 'transient', 'overload here', 'none'],
  ['EAGAIN EBUSY ETXTBSY EADDRINUSE', 'transient', 'busy here', 'none'],
  ['EACCES EPERM', 'permanent', 'not permitted', 'none'],
  [
    'ENOENT EEXIST EISDIR ENOTDIR ENOTEMPTY EINVAL ENAMETOOLONG ELOOP EROFS EXDEV ENOSPC EDQUOT EFBIG EBADF ENOTSUP ENOSYS EAFNOSUPPORT',
    'permanent',
    'refused by the system',
    'none',
  ],
]);

export function nodeError(
  error: { readonly syscall?: unknown; readonly message?: unknown },
  code: string,
): Classification | undefined {
  const said = table.get(code);
  const { syscall } = error;
  if (syscall === 'connect') return duringConnect(said, code);
  if (said === undefined) return ofFamily(code);
  if (said.health !== 'down') return said;
  if (syscall === 'read' || syscall === 'write') return classification('ambiguous', 'connection lost', 'down', code);
  return syscall === undefined && NOT_BEGUN.test(textOf(error.message) ?? '') ? notConnected(code) : said;
}

/**
 * Two that only their text tells from the ambiguous ones with the same code: a connection that ended during the handshake of TLS, and
 * a stream that the server refused, of which RFC 9113 (8.7) says that nothing was done.
 */
const NOT_BEGUN = /before secure TLS|REFUSED_STREAM/;

/** Nothing has been sent, whatever it was: an address that this machine cannot use, a socket file that is not there yet. */
function duringConnect(said: Classification | undefined, code: string): Classification {
  const stays =
    said?.reason === 'connection refused' || said?.verdict === 'transient' || said?.reason === 'not permitted';
  return stays ? said : notConnected(code);
}

function notConnected(code: string): Classification {
  return classification('transient', 'not connected', 'down', code);
}

function ofFamily(code: string): Classification | undefined {
  // OpenSSL's and Node's codes for a certificate that does not hold: CERT_HAS_EXPIRED, ERR_TLS_CERT_ALTNAME_INVALID.
  if (/(^|_)CERT|^UNABLE_TO_VERIFY_LEAF/.test(code))
    return classification('permanent', 'bad certificate', 'down', code);
  // Alerts may come before the request was sent, or after.
  if (/^(ERR_SSL_|EPROTO$)/.test(code)) return classification('ambiguous', 'TLS failed', 'down', code);
  // Node's parser: something answered, and not in HTTP.
  if (code.startsWith('HPE_')) return classification('ambiguous', 'answer not understood', 'down', code);
}
