// An OpenID provider for tests: oidc-provider with the keys that the test has, one client, and a user who agrees to
// everything. Arguments: JSON {keys, redirect, resource}. It says where it listens; POST /test/keys replaces its keys.
import http from 'node:http';
import Provider from 'oidc-provider';

const { keys, redirect, resource } = JSON.parse(process.argv[2]);
let provider;

const server = http.createServer(async (req, res) => {
  try {
    if (req.method === 'POST' && req.url === '/test/keys') {
      let body = '';
      for await (const chunk of req) body += chunk;
      provider = make(JSON.parse(body));
      res.end();
    } else if (req.url.startsWith('/interaction/')) {
      await agree(req, res);
    } else {
      provider.callback()(req, res);
    }
  } catch (e) {
    res.statusCode = 500;
    res.end(String(e));
  }
});

function make(keys) {
  return new Provider(`http://127.0.0.1:${server.address().port}`, {
    jwks: { keys },
    clients: [
      {
        client_id: 'app',
        token_endpoint_auth_method: 'none',
        redirect_uris: [redirect],
        grant_types: ['authorization_code'],
        response_types: ['code'],
        application_type: 'native',
        id_token_signed_response_alg: 'ES256',
      },
    ],
    cookies: { keys: ['test'] },
    pkce: { required: () => true },
    ttl: { AccessToken: 300, AuthorizationCode: 60, Grant: 3600, Interaction: 600, Session: 3600, IdToken: 300 },
    findAccount: (_ctx, sub) => ({ accountId: sub, claims: () => ({ sub }) }),
    interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    features: {
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => undefined,
        useGrantedResource: () => true,
        getResourceServerInfo: (_ctx, indicator) => ({
          scope: 'basic weather.read',
          audience: indicator === resource ? resource : indicator,
          accessTokenFormat: 'jwt',
          accessTokenTTL: 300,
          jwt: { sign: { alg: 'ES256' } },
        }),
      },
    },
  });
}

async function agree(req, res) {
  const { prompt, params, session, grantId } = await provider.interactionDetails(req, res);
  if (prompt.name === 'login') {
    await provider.interactionFinished(req, res, { login: { accountId: 'ada' } }, { mergeWithLastSubmission: false });
    return;
  }
  const grant = grantId ? await provider.Grant.find(grantId) : new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  if (prompt.details.missingOIDCScope) grant.addOIDCScope(prompt.details.missingOIDCScope.join(' '));
  for (const [indicator, scopes] of Object.entries(prompt.details.missingResourceScopes ?? {})) grant.addResourceScope(indicator, scopes.join(' '));
  const id = await grant.save();
  await provider.interactionFinished(req, res, { consent: grantId ? {} : { grantId: id } }, { mergeWithLastSubmission: true });
}

server.listen(0, '127.0.0.1', () => {
  provider = make(keys);
  console.log(`http://127.0.0.1:${server.address().port}`);
});
