// @modelcontextprotocol/inspector, by its command line; --strict finds nothing in our schemas.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import path from 'node:path';
import { options } from './expect.mjs';

const bin = path.join(path.dirname(createRequire(import.meta.url).resolve('@modelcontextprotocol/inspector/package.json')), 'clients/launcher/build/index.js');

function inspect(token, ...args) {
  const target = options.url ? [options.url, '--transport', 'http', ...(token ? ['--header', `Authorization: Bearer ${token}`] : [])] : [options.command, ...options.args];
  const run = spawnSync(process.execPath, [bin, '--cli', ...target, ...args], { encoding: 'utf8', timeout: 60_000 });
  return { code: run.status, out: run.stdout + run.stderr };
}

const list = inspect(options.token, '--method', 'tools/list', '--strict', '--format', 'json');
assert.equal(list.code, 0, list.out);
const listed = JSON.parse(list.out.slice(list.out.indexOf('{')));
assert(JSON.stringify(listed).includes('get_weather'), list.out);
assert.deepEqual(listed.schemaFindings ?? [], [], list.out); // warnings leave the exit code as it is
const good = inspect(options.token, '--method', 'tools/call', '--tool-name', 'get_weather', '--tool-arg', 'city=Paris');
assert.equal(good.code, 0, good.out);
const refused = inspect(options.token, '--method', 'tools/call', '--tool-name', 'get_weather', '--tool-arg', 'city=Atlantis');
assert.match(refused.out, /"isError": true/);
assert.match(refused.out, /Paris.*London/s);
if (options.token) {
  const nobody = inspect('', '--method', 'tools/list');
  assert.notEqual(nobody.code, 0, nobody.out);
}
