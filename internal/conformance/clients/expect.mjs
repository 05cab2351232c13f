// What every client is expected to see, whoever made it.
import assert from 'node:assert/strict';

export const options = JSON.parse(process.argv[2]); // {url, token, command, args}

/** A good call, and one that the server refuses in words that the model reads. */
export async function expectCalls(client) {
  const { tools } = await client.listTools();
  assert(tools.some((t) => t.name === 'get_weather'), 'get_weather is not listed');
  const good = await client.callTool({ name: 'get_weather', arguments: { city: 'Paris' } });
  assert(!good.isError, JSON.stringify(good));
  assert(good.structuredContent, 'no structured content');
  const refused = await client.callTool({ name: 'get_weather', arguments: { city: 'Atlantis' } });
  assert(refused.isError, JSON.stringify(refused));
  assert.match(refused.content[0].text, /Paris.*London/s);
  assert(!refused.content[0].text.includes('Atlantis'), 'it repeats what was sent');
}

/** Without credentials nobody gets in. */
export async function expectUnauthenticated(connect) {
  await assert.rejects(connect, /401|[Uu]nauthorized|invalid_token|nobody knows/);
}
