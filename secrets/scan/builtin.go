package scan

// DefaultRules returns rules for secrets that say themselves what they are: private
// keys, and tokens whose makers gave them a prefix so that they can be found. They
// seldom find what is none, and know nothing of passwords.
func DefaultRules() []Rule {
	const end = `(?:[^0-9A-Za-z_-]|$)`
	return []Rule{
		{ID: "private-key", Pattern: `-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----[A-Za-z0-9+/=\\\s:,.()-]{40,}?-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----`, Keywords: []string{"private key"}},
		{ID: "age-identity", Pattern: `AGE-SECRET-KEY-(?:PQ-)?1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58,}`, Keywords: []string{"age-secret-key-"}},
		{ID: "aws-access-key", Pattern: `\b((?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16})\b`, Keywords: []string{"akia", "asia", "abia", "acca"}, Entropy: 2.5},
		{ID: "aws-secret-key", Pattern: `(?i:aws)[\w.\s"':-]{0,40}?(?i:secret)[\w.\s"':-]{0,20}?(?:=>|[:=])\s{0,4}["']?([A-Za-z0-9/+]{40})(?:[^A-Za-z0-9/+=]|$)`, Keywords: []string{"aws"}, Entropy: 3.5},
		{ID: "github-token", Pattern: `\b(gh[pousr]_[0-9A-Za-z]{36,251})` + end, Keywords: []string{"ghp_", "gho_", "ghu_", "ghs_", "ghr_"}, Entropy: 3},
		{ID: "github-fine-grained-token", Pattern: `\b(github_pat_[0-9A-Za-z_]{70,255})` + end, Keywords: []string{"github_pat_"}, Entropy: 3},
		{ID: "gitlab-token", Pattern: `\b(gl(?:pat|ptt|dt|rt|cbt|oas|soat|ft|imt|agent|ffct)-[0-9A-Za-z_=.-]{20,300})`, Keywords: []string{"glpat-", "glptt-", "gldt-", "glrt-", "glcbt-", "gloas-", "glsoat-", "glft-", "glimt-", "glagent-", "glffct-"}, Entropy: 3},
		{ID: "slack-token", Pattern: `\b(xox[abeoprs]-[0-9A-Za-z-]{10,250})`, Keywords: []string{"xoxa-", "xoxb-", "xoxe-", "xoxo-", "xoxp-", "xoxr-", "xoxs-"}, Entropy: 2.5},
		{ID: "slack-app-token", Pattern: `\b(xapp-\d-[0-9A-Z]{1,30}-\d{1,20}-[0-9a-z]{10,100})`, Keywords: []string{"xapp-"}},
		{ID: "slack-webhook", Pattern: `(?i)hooks\.slack\.com/(?:services|workflows|triggers)/([0-9A-Za-z+/]{40,60})`, Keywords: []string{"hooks.slack.com"}},
		{ID: "stripe-key", Pattern: `\b((?:sk|rk)_(?:live|test|prod)_[0-9A-Za-z]{10,250})` + end, Keywords: []string{"sk_live_", "sk_test_", "sk_prod_", "rk_live_", "rk_test_", "rk_prod_"}, Entropy: 2.5},
		{ID: "stripe-webhook-secret", Pattern: `\b(whsec_[0-9A-Za-z+/]{24,100}={0,2})`, Keywords: []string{"whsec_"}, Entropy: 3},
		{ID: "google-api-key", Pattern: `\b(AIza[0-9A-Za-z_-]{35})` + end, Keywords: []string{"aiza"}, Entropy: 3},
		{ID: "google-oauth-secret", Pattern: `\b(GOCSPX-[0-9A-Za-z_-]{28})` + end, Keywords: []string{"gocspx-"}},
		{ID: "google-access-token", Pattern: `\b(ya29\.[0-9A-Za-z_-]{20,1000})`, Keywords: []string{"ya29."}, Entropy: 3},
		{ID: "azure-storage-key", Pattern: `(?i:AccountKey)=([A-Za-z0-9+/]{86}==)`, Keywords: []string{"accountkey"}},
		{ID: "azure-client-secret", Pattern: `(?:^|[^0-9A-Za-z_~.-])([0-9A-Za-z_~.]{3}\dQ~[0-9A-Za-z_~.-]{31,34})(?:[^0-9A-Za-z_~.-]|$)`, Keywords: []string{"q~"}, Entropy: 3},
		{ID: "jwt", Pattern: `\b(eyJ[0-9A-Za-z_-]{10,}\.eyJ[0-9A-Za-z_-]{10,}\.[0-9A-Za-z_-]{10,})`, Keywords: []string{"eyj"}, Entropy: 3},
		{ID: "authorization-header", Pattern: `(?i)\bauthorization["']?\s{0,4}[:=]\s{0,4}["']?(?:bearer|basic|token)\s{1,4}([0-9a-z_.~+/=-]{16,})`, Keywords: []string{"authorization"}, Entropy: 2.5},
		{ID: "url-password", Pattern: `\b[a-zA-Z][a-zA-Z0-9+.-]{1,20}://[^\s/:@"'<>]{0,100}:([^\s/@"'<>\[\]]{3,200})@[0-9A-Za-z\[]`, Keywords: []string{"://"}},
		{ID: "npm-token", Pattern: `\b(npm_[0-9A-Za-z]{36})` + end, Keywords: []string{"npm_"}, Entropy: 3},
		{ID: "pypi-token", Pattern: `\b(pypi-AgE[0-9A-Za-z_-]{50,1000})`, Keywords: []string{"pypi-age"}, Entropy: 3},
		{ID: "rubygems-token", Pattern: `\b(rubygems_[0-9a-f]{48})\b`, Keywords: []string{"rubygems_"}},
		{ID: "crates-token", Pattern: `\b(cio[0-9A-Za-z]{32})\b`, Keywords: []string{"cio"}, Entropy: 3.5},
		{ID: "docker-token", Pattern: `\b(dckr_(?:pat|oat)_[0-9A-Za-z_-]{27,64})`, Keywords: []string{"dckr_pat_", "dckr_oat_"}},
		{ID: "vault-token", Pattern: `\b(hv[sbr]\.[0-9A-Za-z_-]{20,300})`, Keywords: []string{"hvs.", "hvb.", "hvr."}, Entropy: 3},
		{ID: "openai-key", Pattern: `\b(sk-(?:proj-|svcacct-|admin-)?[0-9A-Za-z_-]{16,200}T3BlbkFJ[0-9A-Za-z_-]{16,200})`, Keywords: []string{"t3blbkfj"}},
		{ID: "anthropic-key", Pattern: `\b(sk-ant-[0-9a-z]{3,10}-[0-9A-Za-z_-]{80,200})`, Keywords: []string{"sk-ant-"}},
		{ID: "huggingface-token", Pattern: `\b(hf_[0-9A-Za-z]{34})\b`, Keywords: []string{"hf_"}, Entropy: 3},
		{ID: "sendgrid-key", Pattern: `\b(SG\.[0-9A-Za-z_-]{22}\.[0-9A-Za-z_-]{43})` + end, Keywords: []string{"sg."}, Entropy: 3},
		{ID: "twilio-key", Pattern: `\b(SK[0-9a-f]{32})\b`, Keywords: []string{"sk"}, Entropy: 3},
		{ID: "telegram-bot-token", Pattern: `\b(\d{6,12}:AA[0-9A-Za-z_-]{33})` + end, Keywords: []string{":aa"}, Entropy: 3},
		{ID: "shopify-token", Pattern: `\b(shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32})\b`, Keywords: []string{"shpat_", "shpca_", "shppa_", "shpss_"}},
		{ID: "digitalocean-token", Pattern: `\b(do[opr]_v1_[0-9a-f]{64})\b`, Keywords: []string{"doo_v1_", "dop_v1_", "dor_v1_"}},
		{ID: "databricks-token", Pattern: `\b(dapi[0-9a-f]{32}(?:-\d)?)\b`, Keywords: []string{"dapi"}, Entropy: 3},
		{ID: "linear-key", Pattern: `\b(lin_(?:api|oauth)_[0-9A-Za-z]{40,64})\b`, Keywords: []string{"lin_api_", "lin_oauth_"}},
		{ID: "notion-token", Pattern: `\b(ntn_[0-9A-Za-z]{40,60})\b`, Keywords: []string{"ntn_"}, Entropy: 3},
		{ID: "tailscale-key", Pattern: `\b(tskey-[a-z]{2,12}-[0-9A-Za-z]{5,40}-[0-9A-Za-z]{10,60})\b`, Keywords: []string{"tskey-"}},
		{ID: "cloudflare-origin-key", Pattern: `\b(v1\.0-[0-9a-f]{24}-[0-9a-f]{146})\b`, Keywords: []string{"v1.0-"}},
		{ID: "grafana-token", Pattern: `\b(gl(?:c|sa)_[0-9A-Za-z_+/=]{32,400})`, Keywords: []string{"glc_", "glsa_"}, Entropy: 3},
	}
}
