import { classification, type Classification } from '../classification.ts';
import { byCode } from './codes.ts';

const table = /* @__PURE__ */ byCode([
  ['ECONNREFUSED', 'transient', 'connection refused', 'down'],
  ['ENOTFOUND EAI_AGAIN EAI_FAIL EAI_NODATA', 'transient', 'name not resolved', 'down'],
  ['EHOSTUNREACH ENETUNREACH EHOSTDOWN ENETDOWN', 'transient', 'unreachable', 'down'],
  ['ECONNRESET EPIPE ECONNABORTED ENETRESET ERR_STREAM_PREMATURE_CLOSE', 'ambiguous', 'connection lost', 'down'],
  ['ETIMEDOUT', 'ambiguous', 'timeout', 'down'],
  ['EMFILE ENFILE ENOBUFS ENOMEM EADDRNOTAVAIL EADDRINUSE EAGAIN EBUSY', 'transient', 'local overload', 'none'],
  ['EACCES EPERM', 'permanent', 'not permitted', 'none'],
  [
    'ENOENT EEXIST EISDIR ENOTDIR ENOTEMPTY EINVAL ENAMETOOLONG ELOOP EROFS ENOSPC EBADF',
    'permanent',
    'refused by the system',
    'none',
  ],
]);

export function nodeError(error: { readonly syscall?: unknown }, code: string): Classification | undefined {
  const said = table.get(code);
  if (said === undefined) return;
  const { syscall } = error;
  if (syscall === 'connect' && (said.health === 'down' || code === 'ENOENT')) {
    return classification('transient', said.reason, 'down', code);
  }
  if (said.health === 'down' && (syscall === 'read' || syscall === 'write')) {
    return classification('ambiguous', 'connection lost', 'down', code);
  }
  return said;
}
