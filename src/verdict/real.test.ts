/** Errors as they really come: from Node, from its fetch, from the system, on the loopback. */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import net, { type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { classify } from './index.ts';

let open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const it of open) it.close();
  open = [];
});

async function listen(server: Server | http.Server | http2.Http2Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  if (server instanceof http.Server) open.push({ close: () => server.closeAllConnections() });
  open.push(server);
  return (server.address() as AddressInfo).port;
}

const serve = (answer: http.RequestListener): Promise<number> => listen(http.createServer(answer));

/** A port on which nothing listens: it was free a moment ago. */
async function closedPort(): Promise<number> {
  const server = net.createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

const failed = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    (value) => expect.fail(`it did not fail: ${String(value)}`),
    (error: unknown) => error,
  );

const fetchFails = (port: number, init?: RequestInit): Promise<unknown> =>
  failed(fetch(`http://127.0.0.1:${port}/`, init).then((response) => response.text()));

/** The first error of a request, or of its response. */
function requestFails(port: number, options: http.RequestOptions = {}): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const request = http.get({ port, host: '127.0.0.1', agent: false, ...options }, (response) => {
      response.on('error', resolve).on('end', () => reject(new Error('it did not fail')));
      response.resume();
    });
    request.on('error', resolve);
  });
}

function connectFails(options: net.NetConnectOpts): Promise<unknown> {
  return new Promise((resolve) => net.connect(options).on('error', resolve));
}

const CONNECTION_REFUSED = {
  verdict: 'transient',
  reason: 'connection refused',
  health: 'down',
  code: 'ECONNREFUSED',
};

describe('nothing listens on the port', () => {
  test('fetch: a TypeError, looked through', async () => {
    const error = await fetchFails(await closedPort());
    expect(error).toBeInstanceOf(TypeError);
    expect(classify(error)).toEqual(CONNECTION_REFUSED);
  });

  test('node:http and node:net', async () => {
    const port = await closedPort();
    expect(classify(await requestFails(port))).toEqual(CONNECTION_REFUSED);
    expect(classify(await connectFails({ port, host: '127.0.0.1' }))).toEqual(CONNECTION_REFUSED);
  });

  test('neither at the first address of a name nor at the second: an AggregateError', async () => {
    const addresses = ['127.0.0.1', '127.0.0.2'].map((address) => ({ address, family: 4 }));
    const error = await connectFails({
      port: await closedPort(),
      host: 'two.addresses.example',
      autoSelectFamily: true,
      lookup: (_host, _options, done) => done(null, addresses),
    });
    expect(error).toBeInstanceOf(AggregateError);
    expect(classify(error)).toEqual(CONNECTION_REFUSED);
  });
});

test('the socket file is not there: not connected', async () => {
  const error = await connectFails({ path: join(tmpdir(), `no-such-socket-${process.pid}`) });
  expect(error).toMatchObject({ code: 'ENOENT', syscall: 'connect' });
  expect(classify(error)).toMatchObject({ verdict: 'transient', health: 'down', reason: 'not connected' });
});

test('a name that cannot be resolved', async () => {
  // Too long for a label: refused without asking a server.
  const error = await failed(fetch(`http://${'a'.repeat(64)}.invalid/`));
  expect(classify(error)).toMatchObject({ verdict: 'transient', health: 'down', reason: 'name not resolved' });
});

test('the connection ends during the handshake of TLS: nothing was sent', async () => {
  const port = await listen(
    net.createServer((socket) => socket.on('error', () => {}).once('data', () => socket.destroy())),
  );
  const byHttps = await new Promise((resolve) =>
    https.get({ port, host: '127.0.0.1', agent: false }).on('error', resolve),
  );
  const byFetch = await failed(fetch(`https://127.0.0.1:${port}/`));
  for (const error of [byHttps, byFetch])
    expect(classify(error)).toMatchObject({ verdict: 'transient', health: 'down', reason: 'not connected' });
});

describe('the connection is lost after the request was sent', () => {
  const LOST = { verdict: 'ambiguous', health: 'down', reason: 'connection lost' };

  test.each<[string, (request: http.IncomingMessage, response: http.ServerResponse) => void]>([
    ['closed before the answer', (request) => request.socket.destroy()],
    ['reset before the answer', (request) => void request.socket.resetAndDestroy()],
    [
      'closed in the middle of the answer',
      (request, response) => {
        response.writeHead(200, { 'content-length': '100' });
        response.write('half', () => request.socket.destroy());
      },
    ],
  ])('%s', async (_, answer) => {
    const port = await serve(answer);
    expect(classify(await fetchFails(port, { method: 'POST', body: 'order' }))).toMatchObject(LOST);
    expect(classify(await requestFails(port))).toMatchObject(LOST);
  });

  test('a write after the other side has gone', async () => {
    const port = await listen(net.createServer((socket) => socket.on('error', () => {}).destroy()));
    const socket = net.connect(port, '127.0.0.1');
    socket.on('error', () => {}).resume();
    await once(socket, 'close');
    const error = await new Promise((resolve) => socket.write('late', resolve));
    expect(classify(error)).toMatchObject(LOST);
  });
});

test('what answers does not speak HTTP', async () => {
  const port = await listen(
    net.createServer((socket) => socket.on('error', () => {}).once('data', () => socket.end('garbage\r\n\r\n'))),
  );
  for (const error of [await fetchFails(port), await requestFails(port)])
    expect(classify(error)).toMatchObject({ verdict: 'ambiguous', health: 'down' });
});

test('an answer that is no JSON', async () => {
  const port = await serve((_request, response) => response.end('<html>busy</html>'));
  const error = await failed(fetch(`http://127.0.0.1:${port}/`).then((response) => response.json()));
  expect(classify(error)).toMatchObject({ verdict: 'ambiguous', reason: 'answer not understood' });
});

test('a stream of HTTP/2 that the server refused', async () => {
  const server = http2.createServer();
  server.on('stream', (stream) => stream.on('error', () => {}).close(http2.constants.NGHTTP2_REFUSED_STREAM));
  const client = http2.connect(`http://127.0.0.1:${await listen(server)}`);
  open.unshift({ close: () => client.destroy() });
  const error = await new Promise((resolve) => client.request({ ':path': '/' }).on('error', resolve));
  expect(classify(error)).toMatchObject({ verdict: 'transient', code: 'ERR_HTTP2_STREAM_ERROR' });
});

describe('a signal ends it', () => {
  const never: http.RequestListener = () => {};

  test('AbortSignal.timeout: a timeout, also where Node wraps it in an AbortError', async () => {
    const port = await serve(never);
    const byFetch = await fetchFails(port, { signal: AbortSignal.timeout(5) });
    const byHttp = await requestFails(port, { signal: AbortSignal.timeout(5) });
    const byTimer = await failed(delay(60_000, undefined, { signal: AbortSignal.timeout(5) }));
    expect(byHttp).toHaveProperty('name', 'AbortError');
    for (const error of [byFetch, byHttp, byTimer])
      expect(classify(error)).toMatchObject({ verdict: 'ambiguous', reason: 'timeout', health: 'down' });
  });

  test('abort: a cancellation', async () => {
    const port = await serve(never);
    const signal = AbortSignal.abort();
    for (const error of [
      await fetchFails(port, { signal }),
      await requestFails(port, { signal }),
      await failed(delay(60_000, undefined, { signal })),
      await failed(readFile(import.meta.filename, { signal })),
    ])
      expect(classify(error)).toMatchObject({ verdict: 'permanent', reason: 'cancelled', health: 'none' });
  });
});

describe('a Response', () => {
  test('of a real server, with its Retry-After', async () => {
    const port = await serve((_request, response) => response.writeHead(503, { 'retry-after': '3' }).end());
    expect(classify(await fetch(`http://127.0.0.1:${port}/`))).toMatchObject({
      verdict: 'transient',
      retryAfterMs: 3_000,
    });
    const message = await new Promise<http.IncomingMessage>((resolve) =>
      http.get({ port, host: '127.0.0.1', agent: false }, (response) => resolve(response.resume())),
    );
    expect(classify(message)).toMatchObject({ verdict: 'transient', retryAfterMs: 3_000 });
  });
});

describe('on this side', () => {
  test('a file that is not there', async () => {
    const error = await failed(readFile(join(import.meta.dirname, 'no-such-file')));
    expect(classify(error)).toMatchObject({ verdict: 'permanent', health: 'none', code: 'ENOENT' });
  });

  test('a port that is taken', async () => {
    const port = await serve(() => {});
    const error = await new Promise((resolve) => net.createServer().listen(port, '127.0.0.1').on('error', resolve));
    expect(classify(error)).toMatchObject({ verdict: 'transient', health: 'none', code: 'EADDRINUSE' });
  });

  test.each([
    ['an address that is none', () => fetch('http://')],
    ['a header that is none', () => fetch('http://127.0.0.1/', { headers: { 'x\n': '1' } })],
  ])('a wrong call of fetch is a bug: %s', async (_, call) => {
    expect(classify(await failed(call()))).toMatchObject({ verdict: 'permanent', health: 'none' });
  });

  test('Promise.any, when all have failed', async () => {
    const port = await closedPort();
    const all = (...more: Promise<never>[]): Promise<unknown> =>
      failed(Promise.any([fetch(`http://127.0.0.1:${port}/`), ...more]));
    expect(classify(await all())).toMatchObject({ verdict: 'transient' });
    expect(classify(await all(Promise.reject(new DOMException('late', 'TimeoutError'))))).toMatchObject({
      verdict: 'ambiguous',
    });
  });
});
