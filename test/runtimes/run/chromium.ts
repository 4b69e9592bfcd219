/** Chromium without a window: a page of a server on this machine, which gets the report. */
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, normalize } from 'node:path';
import { text } from 'node:stream/consumers';
import { tail } from '../../../scripts/lib/project.mjs';
import type { Report } from '../suite/harness.ts';
import { runProgram } from './child.ts';

const page = '<!doctype html><title>Holdfast</title><script type="module" src="/page.js"></script>';

/** Nothing that it does by itself, and nothing that a machine without a screen or with root alone does not have. */
const flags = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--disable-dev-shm-usage',
  '--disable-extensions',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export async function inChromium(program: string, folder: string, unreachable: string): Promise<Report> {
  const done = new AbortController();
  const { promise, resolve } = Promise.withResolvers<Report>();
  const server = createServer((request, response) => void answer(request, response, folder, resolve));
  try {
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    const { port } = server.address() as AddressInfo;
    const url = `http://127.0.0.1:${port}/?unreachable=${encodeURIComponent(unreachable)}`;
    const ended = runProgram(program, [...flags, `--user-data-dir=${join(folder, 'profile')}`, url], {
      cwd: folder,
      limitMs: 120_000,
      signal: done.signal,
    });
    const report = await Promise.race([promise, ended]);
    done.abort();
    const { complained } = await ended;
    if ('passed' in report) return report;
    throw new Error(`Chromium ended without a report:\n${tail(complained)}`);
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  folder: string,
  report: (report: Report) => void,
): Promise<void> {
  const path = (request.url ?? '/').split('?')[0]!;
  if (path === '/report') {
    report(JSON.parse(await text(request)) as Report);
    response.end();
  } else if (path === '/') {
    response.setHeader('content-type', 'text/html').end(page);
  } else {
    try {
      response.setHeader('content-type', 'text/javascript').end(readFileSync(join(folder, normalize(path))));
    } catch {
      response.writeHead(404).end();
    }
  }
}
