/** Inside workerd: the suite runs in one request, and what the tests ask for in further ones to the same worker. */
import { runTests } from '../suite/harness.ts';
import { groups } from '../suite/index.ts';
import { handlers } from '../suite/requests.ts';

interface Environment {
  readonly self: { fetch(url: string): Promise<Response> };
  readonly unreachable: string;
}

const urlOf = (path: string): string => `http://worker/${path}`;

export default {
  async fetch(request: Request, env: Environment): Promise<Response> {
    const path = new URL(request.url).pathname.slice(1);
    if (path !== 'suite') return new Response(await handlers[path]!());
    const report = await runTests(groups, {
      unreachable: env.unreachable,
      request: async (name) => (await env.self.fetch(urlOf(name))).text(),
    });
    return Response.json(report);
  },

  /** Called by `workerd test`. */
  async test(_controller: unknown, env: Environment): Promise<void> {
    console.log(await (await env.self.fetch(urlOf('suite'))).text());
  },
};
