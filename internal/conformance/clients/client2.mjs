// @modelcontextprotocol/client 2, in both eras.
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { expectCalls, expectUnauthenticated, options } from './expect.mjs';

const transport = (token) =>
  options.url
    ? new StreamableHTTPClientTransport(new URL(options.url), { requestInit: { headers: token ? { Authorization: `Bearer ${token}` } : {} } })
    : new StdioClientTransport({ command: options.command, args: options.args, stderr: 'ignore' });

for (const mode of ['legacy', 'auto']) {
  const connect = async (token) => {
    const client = new Client({ name: 'client2', version: '1' }, { versionNegotiation: { mode } });
    await client.connect(transport(token));
    return client;
  };
  const client = await connect(options.token);
  await expectCalls(client);
  await client.close();
  if (options.token) await expectUnauthenticated(() => connect());
}
