package config_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/config"
)

// authority is a certificate of nobody's.
const authority = "-----BEGIN CERTIFICATE-----\n" +
	"MIIBezCCASGgAwIBAgIUJzB1+00HlKRVAScKaqp6mfm+RK0wCgYIKoZIzj0EAwIw\n" +
	"EjEQMA4GA1UEAwwHZXhhbXBsZTAgFw0yNjExMjgxMjMxMjhaGA8yMTI2MTEwNDEy\n" +
	"MzEyOFowEjEQMA4GA1UEAwwHZXhhbXBsZTBZMBMGByqGSM49AgEGCCqGSM49AwEH\n" +
	"A0IABMBpJOIyidZscNIefffzQhmMf+j/ygtw4kJzp+/H1dsEqYKLCOtKwhJy/Fdn\n" +
	"/bTNuGEPWMXNAioLpyldBA/OUKijUzBRMB0GA1UdDgQWBBRLBiUZnjKISmrtlbpn\n" +
	"ns00BeQLczAfBgNVHSMEGDAWgBRLBiUZnjKISmrtlbpnns00BeQLczAPBgNVHRMB\n" +
	"Af8EBTADAQH/MAoGCCqGSM49BAMCA0gAMEUCIQDwjVEwVt9EU8dWNitfFQk8sNwC\n" +
	"RsOjxaNlr1jUGg6z+QIgW9mR6G8KZoeyo9yjsqWmwYl6ZlOIYrj++XQ/2euAhaM=\n" +
	"-----END CERTIFICATE-----\n"

// pair is the part of an error that a case names.
type pair struct{ setting, problem string }

func TestLoadNamesTheSourceOfAnError(t *testing.T) {
	t.Parallel()
	disk := files{
		"/file": "content", "/empty": "\n", "/ca.pem": authority,
		"bad.yaml":  "identity: [",
		"list.yaml": "- one",
		"keys.yaml": "identity: any\ncolour: blue\nidentity: match\nlogo: {a: b}\nhub_token: x\n",
	}
	for name, test := range map[string]struct {
		drop, more []string
		want       config.Error
	}{
		"a required setting is missing": {
			drop: []string{"GHSCOPED_CLIENT_ID"},
			want: config.Error{Setting: "client_id", Source: "not set", Problem: "it is required", Fix: "set GHSCOPED_CLIENT_ID; take it from the App's settings page at GitHub"},
		},
		"a choice that is not known": {
			more: []string{"GHSCOPED_IDENTITY=strict"},
			want: config.Error{Setting: "identity", Source: "environment GHSCOPED_IDENTITY", Problem: `"strict" is not known`, Fix: "choose one of [any bound match]"},
		},
		"a switch that is neither on nor off": {
			more: []string{"GHSCOPED_REFRESH=maybe"},
			want: config.Error{Setting: "refresh", Source: "environment GHSCOPED_REFRESH", Problem: `"maybe" is neither true nor false`, Fix: "write true or false"},
		},
		"GitHub without encryption": {
			more: []string{"GHSCOPED_GITHUB_URL=http://github.example.org", "GHSCOPED_APP_URL=https://github.example.org/apps/x"},
			want: config.Error{Setting: "github_url", Source: "environment GHSCOPED_GITHUB_URL", Problem: `"http://github.example.org" is not encrypted`, Fix: "use https (http only on loopback)"},
		},
		"GitHub with a path": {
			more: []string{"GHSCOPED_GITHUB_URL=https://github.com/enterprise"},
			want: config.Error{Setting: "github_url", Source: "environment GHSCOPED_GITHUB_URL", Problem: `"https://github.com/enterprise" has a path`, Fix: "leave only scheme, host and port"},
		},
		"an App on another GitHub": {
			more: []string{"GHSCOPED_APP_URL=https://github.example.org/apps/x"},
			want: config.Error{Setting: "app_url", Source: "environment GHSCOPED_APP_URL", Problem: "the App is on github.example.org, GitHub on github.com", Fix: "set GHSCOPED_GITHUB_URL to the GitHub that has the App"},
		},
		"an address that is none": {
			more: []string{"GHSCOPED_HELP_URL=help"},
			want: config.Error{Setting: "help_url", Source: "environment GHSCOPED_HELP_URL", Problem: `"help" is not an http or https address`, Fix: "write it as https://host/path"},
		},
		"a session longer than a token": {
			more: []string{"GHSCOPED_SESSION_LIFETIME=24h"},
			want: config.Error{Setting: "session_lifetime", Source: "environment GHSCOPED_SESSION_LIFETIME", Problem: `"24h" is not a time between 1m0s and 8h0m0s`, Fix: "write it as 8h or 30m"},
		},
		"scopes that are no list": {
			drop: []string{"JUPYTERHUB_OAUTH_CLIENT_ALLOWED_SCOPES"},
			more: []string{"JUPYTERHUB_OAUTH_CLIENT_ALLOWED_SCOPES=servers"},
			want: config.Error{Setting: "hub_allowed_scopes", Source: "environment JUPYTERHUB_OAUTH_CLIENT_ALLOWED_SCOPES", Problem: "it is not a JSON list of strings", Fix: `write it as ["one","two"]`},
		},
		"a service name with a blank": {
			drop: []string{"JUPYTERHUB_SERVICE_NAME"},
			more: []string{"JUPYTERHUB_SERVICE_NAME=Connect GitHub"},
			want: config.Error{Setting: "JUPYTERHUB_SERVICE_NAME", Source: "environment JUPYTERHUB_SERVICE_NAME", Problem: `"Connect GitHub" has a blank or control character`, Fix: "remove it"},
		},
		"a base path elsewhere": {
			drop: []string{"JUPYTERHUB_BASE_URL"},
			more: []string{"JUPYTERHUB_BASE_URL=//evil.example/"},
			want: config.Error{Setting: "JUPYTERHUB_BASE_URL", Source: "environment JUPYTERHUB_BASE_URL", Problem: `"//evil.example/" is not a path of this Hub`, Fix: `write a path that begins with one "/"`},
		},
		"a secret's file that is not there": {
			more: []string{"GHSCOPED_CLIENT_SECRET_FILE=/none"},
			want: config.Error{Setting: "client_secret_file", Source: "environment GHSCOPED_CLIENT_SECRET_FILE", Problem: "the file cannot be read: file does not exist", Fix: "check the path and its permissions"},
		},
		"a secret's file that is empty": {
			more: []string{"GHSCOPED_CLIENT_SECRET_FILE=/empty"},
			want: config.Error{Setting: "client_secret_file", Source: "environment GHSCOPED_CLIENT_SECRET_FILE", Problem: "the file /empty is empty", Fix: "put the value into it"},
		},
		"a key file that is named but missing": {
			more: []string{"GHSCOPED_KEY_FILE=/none"},
			want: config.Error{Setting: "key_file", Source: "environment GHSCOPED_KEY_FILE", Problem: "the file cannot be read: file does not exist", Fix: "check the path and its permissions"},
		},
		"a credential nowhere in particular": {
			more: []string{"GHSCOPED_GIT_CREDENTIALS_PATH=credential"},
			want: config.Error{Setting: "git_credentials_path", Source: "environment GHSCOPED_GIT_CREDENTIALS_PATH", Problem: `"credential" is neither absolute nor in the home folder`, Fix: "begin it with / or ~/"},
		},
		"no store": {
			more: []string{"GHSCOPED_STORE=mysql://x"},
			want: config.Error{Setting: "store", Source: "environment GHSCOPED_STORE", Problem: "it names no store", Fix: "write bolt:PATH, redis://host:port/0 or rediss://host:port/0"},
		},
		"a password in the store's address": {
			more: []string{"GHSCOPED_STORE=redis://u:marker-password@h", "GHSCOPED_KEY_FILE=/file"},
			want: config.Error{Setting: "store", Source: "environment GHSCOPED_STORE", Problem: "the address holds a user or password", Fix: "put them into files: …?username_file=PATH&password_file=PATH"},
		},
		"Redis without a key file": {
			more: []string{"GHSCOPED_STORE=rediss://h:6379/0"},
			want: config.Error{Setting: "key_file", Source: "not set", Problem: "Redis needs a key file that every replica has", Fix: "make one with 'ghscoped-service keys new' and set GHSCOPED_KEY_FILE"},
		},
		"the same token twice": {
			more: []string{"GHSCOPED_HUB_TOKEN_FILE=/file"},
			want: config.Error{Setting: "hub_token_file", Source: "environment GHSCOPED_HUB_TOKEN_FILE", Problem: "JUPYTERHUB_API_TOKEN is set as well", Fix: "unset one of them"},
		},
		"no token": {
			drop: []string{"JUPYTERHUB_API_TOKEN"},
			want: config.Error{Setting: "JUPYTERHUB_API_TOKEN", Source: "not set", Problem: "the service's own Hub token is required", Fix: "set GHSCOPED_HUB_TOKEN_FILE or JUPYTERHUB_API_TOKEN"},
		},
		"an address of servers that nobody knows": {
			drop: []string{"GHSCOPED_PROXY_URL"},
			want: config.Error{Setting: "proxy_url", Source: "not set", Problem: "the Hub did not say at which address users' servers are reached", Fix: "set GHSCOPED_PROXY_URL to where the Hub's proxy listens, as in http://127.0.0.1:8000, or public_url at the Hub"},
		},
		"push without tokens for servers": {
			drop: []string{"JUPYTERHUB_OAUTH_CLIENT_ALLOWED_SCOPES"},
			more: []string{`JUPYTERHUB_OAUTH_CLIENT_ALLOWED_SCOPES=["read:users!user","read:servers!user","access:servers!user"]`},
			want: config.Error{Setting: "hub_allowed_scopes", Source: "environment JUPYTERHUB_OAUTH_CLIENT_ALLOWED_SCOPES", Problem: "push delivery cannot make a token that opens a user's server", Fix: "add tokens!user and read:servers!user to oauth_client_allowed_scopes at the Hub, or set delivery to pull"},
		},
		"users who cannot be told apart": {
			drop: []string{"JUPYTERHUB_OAUTH_CLIENT_ALLOWED_SCOPES"},
			more: []string{`JUPYTERHUB_OAUTH_CLIENT_ALLOWED_SCOPES=["read:users:name!user","read:servers!user","tokens!user"]`},
			want: config.Error{Setting: "hub_allowed_scopes", Source: "environment JUPYTERHUB_OAUTH_CLIENT_ALLOWED_SCOPES", Problem: "the service cannot tell a user from a later one of the same name", Fix: "add read:users!user to oauth_client_allowed_scopes at the Hub, and to GHSCOPED_HUB_ALLOWED_SCOPES where that is set"},
		},
		"refresh with pull": {
			more: []string{"GHSCOPED_DELIVERY=pull", "GHSCOPED_REFRESH=true"},
			want: config.Error{Setting: "refresh", Source: "environment GHSCOPED_REFRESH", Problem: "it has no meaning when delivery is pull", Fix: "unset it, or set delivery to push"},
		},
		"one-repository tokens with push": {
			more: []string{"GHSCOPED_ONE_REPOSITORY=true"},
			want: config.Error{Setting: "one_repository", Source: "environment GHSCOPED_ONE_REPOSITORY", Problem: "push delivery writes one file for all repositories", Fix: "unset it, or set delivery to pull"},
		},
		"one-repository tokens without the client secret": {
			more: []string{"GHSCOPED_DELIVERY=pull", "GHSCOPED_ONE_REPOSITORY=true"},
			want: config.Error{Setting: "client_secret_file", Source: "not set", Problem: "one_repository is set, but GitHub narrows a token only for an App with its client secret", Fix: "set GHSCOPED_CLIENT_SECRET_FILE, or unset one_repository"},
		},
		"revoking at a server's stop with pull": {
			more: []string{"GHSCOPED_DELIVERY=pull", "GHSCOPED_REVOKE_ON_STOP=true"},
			want: config.Error{Setting: "revoke_on_stop", Source: "environment GHSCOPED_REVOKE_ON_STOP", Problem: "it has no meaning when delivery is pull", Fix: "unset it, or set delivery to push"},
		},
		"a policy without a key": {
			more: []string{"GHSCOPED_BOT_POLICY=/file"},
			want: config.Error{Setting: "app_private_key_file", Source: "not set", Problem: "bot_policy is set, but bot tokens need the App's private key", Fix: "set GHSCOPED_APP_PRIVATE_KEY_FILE, or unset bot_policy"},
		},
		"a key without a policy": {
			more: []string{"GHSCOPED_APP_PRIVATE_KEY_FILE=/file"},
			want: config.Error{Setting: "bot_policy", Source: "not set", Problem: "the App's private key is set, but no policy says who may use it", Fix: "set GHSCOPED_BOT_POLICY, or unset app_private_key_file"},
		},
		"the repository's word without bots": {
			more: []string{"GHSCOPED_BOT_REPOSITORY_FILE=true"},
			want: config.Error{Setting: "bot_repository_file", Source: "environment GHSCOPED_BOT_REPOSITORY_FILE", Problem: "there are no bot tokens to allow", Fix: "set bot_policy and app_private_key_file, or unset it"},
		},
		"issuers without bots": {
			more: []string{"GHSCOPED_BOT_ISSUERS=actions", "JUPYTERHUB_PUBLIC_URL=https://hub.example.org/services/x/"},
			want: config.Error{Setting: "bot_issuers", Source: "environment GHSCOPED_BOT_ISSUERS", Problem: "there are no bot tokens to ask for", Fix: "set bot_policy and app_private_key_file, or unset it"},
		},
		"an issuer that is none": {
			more: []string{"GHSCOPED_BOT_ISSUERS=actions github"},
			want: config.Error{Setting: "bot_issuers", Source: "environment GHSCOPED_BOT_ISSUERS", Problem: "entry 2 is no issuer", Fix: "write actions, kubernetes, or the issuer's https address without a user, password or query"},
		},
		"an issuer without encryption": {
			more: []string{"GHSCOPED_BOT_ISSUERS=http://gitlab.example.org"},
			want: config.Error{Setting: "bot_issuers", Source: "environment GHSCOPED_BOT_ISSUERS", Problem: "entry 1 is no issuer", Fix: "write actions, kubernetes, or the issuer's https address without a user, password or query"},
		},
		"an issuer twice": {
			more: []string{"GHSCOPED_BOT_ISSUERS=actions,actions=https://github.example.org/_services/token"},
			want: config.Error{Setting: "bot_issuers", Source: "environment GHSCOPED_BOT_ISSUERS", Problem: "entry 2 stands twice", Fix: "leave one of them; a second actions is named by its address alone"},
		},
		"authorities without issuers": {
			more: []string{"GHSCOPED_BOT_ISSUERS_CA_FILE=/ca.pem"},
			want: config.Error{Setting: "bot_issuers_ca_file", Source: "environment GHSCOPED_BOT_ISSUERS_CA_FILE", Problem: "there are no issuers", Fix: "set bot_issuers, or unset it"},
		},
		"authorities that are none": {
			more: []string{"GHSCOPED_BOT_ISSUERS_CA_FILE=/file", "GHSCOPED_BOT_ISSUERS=actions", "GHSCOPED_BOT_POLICY=/file", "GHSCOPED_APP_PRIVATE_KEY_FILE=/file", "JUPYTERHUB_PUBLIC_URL=https://hub.example.org/services/x/"},
			want: config.Error{Setting: "bot_issuers_ca_file", Source: "environment GHSCOPED_BOT_ISSUERS_CA_FILE", Problem: "it has no certificate in the form PEM", Fix: "put certificates of authorities into it, each from -----BEGIN CERTIFICATE----- on"},
		},
		"issuers without a public address": {
			more: []string{"GHSCOPED_BOT_ISSUERS=actions", "GHSCOPED_BOT_POLICY=/file", "GHSCOPED_APP_PRIVATE_KEY_FILE=/file", "GHSCOPED_DELIVERY=pull"},
			want: config.Error{Setting: "bot_issuers", Source: "environment GHSCOPED_BOT_ISSUERS", Problem: "the service does not know its public address, for which identity tokens are made", Fix: "set JUPYTERHUB_PUBLIC_URL, or public_url at the Hub"},
		},
		"an admin scope that nobody signs in with": {
			more: []string{"GHSCOPED_ADMIN_SCOPE=custom:connect-github:admin"},
			want: config.Error{Setting: "admin_scope", Source: "environment GHSCOPED_ADMIN_SCOPE", Problem: "nobody signs in with this scope, since the service does not ask for it", Fix: "add it to oauth_client_allowed_scopes at the Hub and to GHSCOPED_HUB_ALLOWED_SCOPES"},
		},
		"two names that disagree": {
			more: []string{"GH_SCOPED_CREDS_CLIENT_ID=other"},
			want: config.Error{Setting: "client_id", Source: "environment GH_SCOPED_CREDS_CLIENT_ID", Problem: "it differs from GHSCOPED_CLIENT_ID", Fix: "set only one of them"},
		},
		"a misspelt variable": {
			more: []string{"GHSCOPED_IDENTIY=match"},
			want: config.Error{Setting: "GHSCOPED_IDENTIY", Source: "environment", Problem: "there is no such setting", Fix: "did you mean GHSCOPED_IDENTITY?"},
		},
		"a variable like none": {
			more: []string{"GHSCOPED_FAVOURITE_COLOUR=blue"},
			want: config.Error{Setting: "GHSCOPED_FAVOURITE_COLOUR", Source: "environment", Problem: "there is no such setting", Fix: "correct the name, or unset it; 'ghscoped-service help settings' lists all"},
		},
		"a setting that was removed": {
			more: []string{"GHSCOPED_ADMIN_GROUP=staff"},
			want: config.Error{Setting: "GHSCOPED_ADMIN_GROUP", Source: "environment", Problem: "this setting was removed", Fix: "set GHSCOPED_ADMIN_SCOPE, and give that scope to the group by a role at the Hub (docs/admins.md)"},
		},
		"another client id at the Hub": {
			drop: []string{"JUPYTERHUB_CLIENT_ID"},
			more: []string{"JUPYTERHUB_CLIENT_ID=service-other"},
			want: config.Error{Setting: "JUPYTERHUB_CLIENT_ID", Source: "environment", Problem: "the service signs in as service-connect-github", Fix: "the client id follows from the service's name; remove it, and oauth_client_id of the service at the Hub"},
		},
		"nothing to listen on": {
			drop: []string{"JUPYTERHUB_SERVICE_URL"},
			want: config.Error{Setting: "listen", Source: "not set", Problem: "there is nothing to listen on", Fix: "set JUPYTERHUB_SERVICE_URL or GHSCOPED_LISTEN"},
		},
		"an address without a port": {
			more: []string{"GHSCOPED_LISTEN=localhost"},
			want: config.Error{Setting: "listen", Source: "environment GHSCOPED_LISTEN", Problem: `"localhost" is not an address to listen on`, Fix: "write it as 127.0.0.1:8080 or :8080"},
		},
		"cookies for https only": {
			drop: []string{"JUPYTERHUB_PUBLIC_URL"},
			more: []string{"JUPYTERHUB_PUBLIC_URL=http://hub.example.org/services/connect-github/", "JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED=1"},
			want: config.Error{Setting: "JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED", Source: "environment JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED", Problem: "browsers take cookies with the prefix __Host- over https only, and the service is reached at http://hub.example.org", Fix: "unset JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED, or serve the Hub over https"},
		},
		"metrics on the service's own address": {
			more: []string{"GHSCOPED_METRICS_ADDR=127.0.0.1:10101"},
			want: config.Error{Setting: "metrics_addr", Source: "environment GHSCOPED_METRICS_ADDR", Problem: "it is the address of the service itself", Fix: "choose another port, or unset it"},
		},
		"a level that is none": {
			more: []string{"GHSCOPED_LOG_LEVEL=loud"},
			want: config.Error{Setting: "log_level", Source: "environment GHSCOPED_LOG_LEVEL", Problem: `"loud" is not a level`, Fix: "choose one of debug, info, warn, error"},
		},
		"a file that is not there": {
			more: []string{"GHSCOPED_CONFIG=none.yaml"},
			want: config.Error{Setting: "config", Source: "environment GHSCOPED_CONFIG", Problem: "the file cannot be read: file does not exist", Fix: "check the path and its permissions"},
		},
		"a file that is a list": {
			more: []string{"GHSCOPED_CONFIG=list.yaml"},
			want: config.Error{Setting: "config", Source: "list.yaml line 1", Problem: "it is not a list of settings", Fix: "write lines such as client_id: Iv23…"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := load(append(without(managed(), test.drop...), test.more...), disk)
			require.Equal(t, config.Errors{test.want}, errorsOf(t, err))
			require.NotContains(t, err.Error(), "marker-")
		})
	}
}

func TestLoadNamesTheLineOfTheFile(t *testing.T) {
	t.Parallel()
	disk := files{
		"keys.yaml": "identity: any\ncolour: blue\nidentity: match\nhub_name: {a: b}\nhub_token: x\nidentify: any\nlogo: /x\npublic_url: https://x\n",
		"bad.yaml":  "identity: any\nhub_name: [\n",
	}
	_, err := config.Load("keys.yaml", managed(), disk.read)
	const all = "correct the name, or unset it; 'ghscoped-service help settings' lists all"
	require.Equal(t, config.Errors{
		{Setting: "colour", Source: "keys.yaml line 2", Problem: "there is no such setting", Fix: all},
		{Setting: "identity", Source: "keys.yaml line 3", Problem: "it was set in line 1 already", Fix: "remove one of the two"},
		{Setting: "hub_name", Source: "keys.yaml line 4", Problem: "it is neither a plain value nor a list of them", Fix: "write a plain value"},
		{Setting: "hub_token", Source: "keys.yaml line 5", Problem: "there is no such setting", Fix: all},
		{Setting: "identify", Source: "keys.yaml line 6", Problem: "there is no such setting", Fix: "did you mean identity?"},
		{Setting: "logo", Source: "keys.yaml line 7", Problem: "this setting was removed", Fix: "the page shows the Hub's own logo; set c.JupyterHub.logo_file at the Hub"},
		{Setting: "public_url", Source: "keys.yaml line 8", Problem: "this setting was removed", Fix: "JupyterHub's own variables are read from the environment only: set JUPYTERHUB_PUBLIC_URL"},
	}, errorsOf(t, err))

	_, err = config.Load("bad.yaml", managed(), disk.read)
	require.Len(t, errorsOf(t, err), 1)
	require.ErrorContains(t, err, "it is not YAML")
	require.ErrorContains(t, err, "line 2")

	_, err = config.Load("none.yaml", managed(), disk.read)
	require.Equal(t, config.Errors{{Setting: "config", Source: "--config", Problem: "the file cannot be read: file does not exist", Fix: "check the path and its permissions"}}, errorsOf(t, err))
}

func TestLoadReportsEveryErrorAtOnce(t *testing.T) {
	t.Parallel()
	disk := files{"c.yaml": "colour: blue\nrefresh: perhaps\n"}
	_, err := config.Load("c.yaml", []string{
		"GHSCOPED_LOG_LEVEL=loud", "GHSCOPED_IDENTITY=strict", "GHSCOPED_STORE=redis://h", "GHSCOPED_BOT_POLICY=/none",
	}, disk.read)
	var got []pair
	for _, f := range errorsOf(t, err) {
		got = append(got, pair{f.Setting, f.Problem})
	}
	require.Equal(t, []pair{
		{"colour", "there is no such setting"},
		{"client_id", "it is required"},
		{"app_url", "it is required"},
		{"identity", `"strict" is not known`},
		{"JUPYTERHUB_SERVICE_NAME", "it is required"},
		{"JUPYTERHUB_API_URL", "it is required"},
		{"log_level", `"loud" is not a level`},
		{"refresh", `"perhaps" is neither true nor false`},
		{"bot_policy", "the file cannot be read: file does not exist"},
		{"listen", "there is nothing to listen on"},
		{"JUPYTERHUB_API_TOKEN", "the service's own Hub token is required"},
		{"key_file", "Redis needs a key file that every replica has"},
		{"proxy_url", "the Hub did not say at which address users' servers are reached"},
		{"app_private_key_file", "bot_policy is set, but bot tokens need the App's private key"},
	}, got)
}

func TestInsteadNamesWhereAnOptionWent(t *testing.T) {
	t.Parallel()
	for option, want := range map[string]string{
		"client-id":    "set GHSCOPED_CLIENT_ID in the environment, or client_id in the file that --config names",
		"service-name": "JupyterHub's own variables are read from the environment only: set JUPYTERHUB_SERVICE_NAME",
		"logo":         "the page shows the Hub's own logo; set c.JupyterHub.logo_file at the Hub",
	} {
		got, found := config.Instead(option)
		require.True(t, found)
		require.Equal(t, want, got)
	}
	_, found := config.Instead("colour")
	require.False(t, found)
}

func TestLoadTakesNoVariablesThatKubernetesAdds(t *testing.T) {
	t.Parallel()
	_, err := load(managed(
		"GHSCOPED_SERVICE_SERVICE_HOST=10.0.0.1", "GHSCOPED_SERVICE_SERVICE_PORT=8080",
		"GHSCOPED_SERVICE_SERVICE_PORT_HTTP=8080", "GHSCOPED_SERVICE_PORT=tcp://10.0.0.1:8080",
		"GHSCOPED_SERVICE_PORT_8080_TCP=tcp://10.0.0.1:8080", "GHSCOPED_SERVICE_PORT_8080_TCP_ADDR=10.0.0.1",
		"GHSCOPED_SERVICE_PORT_8080_TCP_PORT=8080", "GHSCOPED_SERVICE_PORT_8080_TCP_PROTO=tcp"), nil)
	require.NoError(t, err)
}
