// @modelcontextprotocol/sdk 1, which speaks 2025-11-25.
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { expectCalls, expectUnauthenticated, options } from './expect.mjs';

const connect = async (token) => {
  const client = new Client({ name: 'sdk1', version: '1' });
  await client.connect(
    options.url
      ? new StreamableHTTPClientTransport(new URL(options.url), { requestInit: { headers: token ? { Authorization: `Bearer ${token}` } : {} } })
      : new StdioClientTransport({ command: options.command, args: options.args, stderr: 'ignore' }),
  );
  return client;
};

const client = await connect(options.token);
await expectCalls(client);
await client.close();
if (options.token) await expectUnauthenticated(() => connect());
