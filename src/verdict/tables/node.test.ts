import { describe, expect, test } from 'vitest';
import { classify, type Classification } from '../index.ts';

/** An error as Node makes them: a code, and the system call that failed where it was one. */
function system(code: string, syscall?: string, message = 'x'): Error {
  return Object.assign(new Error(message), { code }, syscall !== undefined && { syscall });
}

const words = ({ verdict, health, reason }: Classification): string[] => [verdict, health, reason];

describe('before anything was sent, an error is transient and counts against the server', () => {
  test.each([
    ['ECONNREFUSED', 'connect', 'connection refused'],
    ['ECONNREFUSED', undefined, 'connection refused'],
    ['ConnectionRefused', undefined, 'connection refused'],
    ['ENOTFOUND', 'getaddrinfo', 'name not resolved'],
    ['ENOTFOUND', undefined, 'name not resolved'],
    ['EAI_AGAIN', 'getaddrinfo', 'name not resolved'],
    ['EAI_FAIL', 'getaddrinfo', 'name not resolved'],
    ['ESERVFAIL', 'queryA', 'name not resolved'],
    ['EHOSTUNREACH', 'connect', 'not connected'],
    ['EHOSTUNREACH', undefined, 'not connected'],
    ['ENETUNREACH', 'connect', 'not connected'],
    ['ENETUNREACH', 'sendmsg', 'not connected'],
    ['EHOSTDOWN', undefined, 'not connected'],
    ['ENETDOWN', undefined, 'not connected'],
    ['ETIMEDOUT', 'connect', 'not connected'],
    ['ECONNRESET', 'connect', 'not connected'],
    ['ECONNABORTED', 'connect', 'not connected'],
    ['ENOENT', 'connect', 'not connected'],
    ['EINVAL', 'connect', 'not connected'],
    ['EAFNOSUPPORT', 'connect', 'not connected'],
    ['EWHATEVER', 'connect', 'not connected'],
    ['UND_ERR_CONNECT_TIMEOUT', undefined, 'not connected'],
    ['FailedToOpenSocket', undefined, 'not connected'],
  ])('%s of %s: %s', (code, syscall, reason) => {
    expect(classify(system(code, syscall))).toEqual({ verdict: 'transient', health: 'down', reason, code });
  });

  test.each([
    ['ECONNRESET', 'Client network socket disconnected before secure TLS connection was established'],
    ['ERR_HTTP2_STREAM_ERROR', 'Stream closed with error code NGHTTP2_REFUSED_STREAM'],
  ])('%s, when its text says so: %s', (code, message) => {
    expect(words(classify(system(code, undefined, message)))).toEqual(['transient', 'down', 'not connected']);
    expect(words(classify(system(code)))).toEqual(['ambiguous', 'down', 'connection lost']);
  });
});

describe('after something may have been sent, an error is ambiguous and counts against the server', () => {
  test.each([
    ['ECONNRESET', 'read', 'connection lost'],
    ['ECONNRESET', 'write', 'connection lost'],
    ['ECONNRESET', undefined, 'connection lost'],
    ['EPIPE', 'write', 'connection lost'],
    ['EPIPE', undefined, 'connection lost'],
    ['ECONNABORTED', undefined, 'connection lost'],
    ['ENETRESET', undefined, 'connection lost'],
    ['EPROTO', 'write', 'connection lost'],
    ['EPROTO', undefined, 'connection lost'],
    ['EHOSTUNREACH', 'read', 'connection lost'],
    ['ENETUNREACH', 'write', 'connection lost'],
    ['ENETDOWN', 'read', 'connection lost'],
    ['EIO', 'write', 'connection lost'],
    ['ERR_SSL_SSLV3_ALERT_BAD_RECORD_MAC', undefined, 'connection lost'],
    ['ERR_STREAM_PREMATURE_CLOSE', undefined, 'connection lost'],
    ['ERR_STREAM_DESTROYED', undefined, 'connection lost'],
    ['ERR_SOCKET_CLOSED', undefined, 'connection lost'],
    ['ERR_HTTP2_STREAM_ERROR', undefined, 'connection lost'],
    ['ERR_HTTP2_STREAM_CANCEL', undefined, 'connection lost'],
    ['ERR_HTTP2_SESSION_ERROR', undefined, 'connection lost'],
    ['ConnectionClosed', undefined, 'connection lost'],
    ['ETIMEDOUT', 'read', 'timeout'],
    ['ETIMEDOUT', undefined, 'timeout'],
    ['ESOCKETTIMEDOUT', undefined, 'timeout'],
    ['ETIMEOUT', 'queryA', 'timeout'],
    ['HPE_INVALID_CONSTANT', undefined, 'answer not understood'],
    ['UND_ERR_HEADERS_TIMEOUT', undefined, 'timeout'],
    ['UND_ERR_BODY_TIMEOUT', undefined, 'timeout'],
    ['UND_ERR_SOCKET', undefined, 'connection lost'],
    ['UND_ERR_INFO', undefined, 'connection lost'],
    ['UND_ERR_RES_CONTENT_LENGTH_MISMATCH', undefined, 'connection lost'],
    ['UND_ERR_REQ_RETRY', undefined, 'connection lost'],
    ['UND_ERR_RESPONSE', undefined, 'connection lost'],
    ['UND_ERR_PRX_CONN', undefined, 'connection lost'],
    ['UND_ERR_PRX_TLS', undefined, 'connection lost'],
    ['UND_ERR_SOCKS5', undefined, 'connection lost'],
    ['UND_ERR_OF_TOMORROW', undefined, 'connection lost'],
  ])('%s of %s: %s', (code, syscall, reason) => {
    expect(classify(system(code, syscall))).toEqual({ verdict: 'ambiguous', health: 'down', reason, code });
  });
});

describe('a shortage on this side is transient and tells nothing of the server', () => {
  test.each([
    ['EMFILE', 'open'],
    ['EMFILE', 'connect'],
    ['ENFILE', undefined],
    ['ENOBUFS', 'connect'],
    ['ENOMEM', undefined],
    ['EADDRNOTAVAIL', 'connect'],
    ['EADDRINUSE', 'listen'],
    ['EAGAIN', 'read'],
    ['EBUSY', 'unlink'],
    ['UND_ERR_MAX_ORIGINS_REACHED', undefined],
  ])('%s of %s', (code, syscall) => {
    expect(words(classify(system(code, syscall)))).toEqual(['transient', 'none', 'local overload']);
  });
});

describe('what this side refuses is permanent and tells nothing of the server', () => {
  test.each([
    ['ENOENT', 'open'],
    ['ENOENT', 'spawn nosuch'],
    ['ENOENT', undefined],
    ['EACCES', 'open'],
    ['EACCES', 'connect'],
    ['EPERM', 'connect'],
    ['EPERM', 'unlink'],
    ['EEXIST', 'mkdir'],
    ['EISDIR', 'read'],
    ['ENOTDIR', 'scandir'],
    ['ENOTEMPTY', 'rmdir'],
    ['EINVAL', 'write'],
    ['ENOSPC', 'write'],
    ['EROFS', 'open'],
    ['UND_ERR_INVALID_ARG', undefined],
    ['UND_ERR_INVALID_RETURN_VALUE', undefined],
    ['UND_ERR_NOT_SUPPORTED', undefined],
    ['UND_ERR_REQ_CONTENT_LENGTH_MISMATCH', undefined],
    ['UND_ERR_DESTROYED', undefined],
    ['UND_ERR_CLOSED', undefined],
    ['UND_ERR_BPL_MISSING_UPSTREAM', undefined],
    ['UND_ERR_HEADERS_OVERFLOW', undefined],
    ['UND_ERR_RES_EXCEEDED_MAX_SIZE', undefined],
    ['UND_ERR_REDIRECT_MAX', undefined],
    ['UND_ERR_WS_MESSAGE_SIZE_EXCEEDED', undefined],
  ])('%s of %s', (code, syscall) => {
    expect(words(classify(system(code, syscall)))).toEqual(['permanent', 'none', 'refused locally']);
  });
});

describe('a certificate that does not hold is permanent and counts against the server', () => {
  test.each([
    'CERT_HAS_EXPIRED',
    'CERT_NOT_YET_VALID',
    'DEPTH_ZERO_SELF_SIGNED_CERT',
    'SELF_SIGNED_CERT_IN_CHAIN',
    'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    'ERR_TLS_CERT_ALTNAME_INVALID',
    'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED',
  ])('%s', (code) => {
    expect(words(classify(system(code)))).toEqual(['permanent', 'down', 'bad certificate']);
  });
});

test.each([
  'E404',
  'EREQUEST',
  'ESOCKET',
  'P2034',
  '40001',
  'ER_LOCK_DEADLOCK',
  'ECONNREFUSED_NOT',
  'XECONNREFUSED',
  'XENOTFOUND',
  'ENOTFOUNDS',
  'XEMFILE',
  'EMFILES',
  'EHOSTUNREACHABLE',
  'XETIMEDOUT',
  'ETIMEDOUTS',
  'XEPIPE',
  'EPIPES',
  'XHPE_INVALID',
  'XENOENT',
  'ENOENTS',
  'TIMEOUT',
  'ACERTAIN',
  'MY_CERTAINTY',
  'MY_ERR_STREAM_DESTROYED',
  'XUND_ERR_SOCKET',
])('another code, %s, is not known, and is told', (code) => {
  expect(classify(system(code))).toEqual({ verdict: 'unknown', reason: 'unknown', health: 'down', code });
});

test.each(['reconnect', 'spread', 'connection', 'getaddrinfo'])('another system call, %s, is no phase', (syscall) => {
  expect(classify(system('EWHATEVER', syscall)).verdict).toBe('unknown');
});

test.each([5, 23, {}, ['ECONNREFUSED'], { toString: () => 'ECONNREFUSED' }, Symbol('EPIPE'), null, true])(
  'a code that is no text, %o, tells nothing',
  (code) => {
    expect(classify(Object.assign(new Error('x'), { code }))).toEqual({
      verdict: 'unknown',
      reason: 'unknown',
      health: 'down',
    });
  },
);

test.each([5, {}, Symbol('connect'), null])('a syscall that is no text, %o, tells no phase', (syscall) => {
  expect(classify(Object.assign(new Error('x'), { code: 'ECONNRESET', syscall })).verdict).toBe('ambiguous');
});
