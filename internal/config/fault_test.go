package config_test

import (
	"flag"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/config"
)

// pair is the part of a fault that a case names.
type pair struct{ setting, problem string }

func TestEachFaultIsNamedWithItsSource(t *testing.T) {
	t.Parallel()
	disk := files{
		"/file": "content", "/empty": "\n",
		"bad.yaml":  "identity: [",
		"list.yaml": "- one",
		"keys.yaml": "identity: any\ncolour: blue\nidentity: match\nlogo: {a: b}\nhub_token: x\n",
	}
	for name, test := range map[string]struct {
		args, drop, more []string
		want             config.Fault
	}{
		"a required setting is missing": {
			drop: []string{"GHSCOPED_CLIENT_ID"},
			want: config.Fault{Setting: "client-id", Source: "not set", Problem: "it is required", Fix: "set GHSCOPED_CLIENT_ID; take it from the App's settings page at GitHub"},
		},
		"a choice that is not known": {
			more: []string{"GHSCOPED_IDENTITY=strict"},
			want: config.Fault{Setting: "identity", Source: "environment GHSCOPED_IDENTITY", Problem: `"strict" is not known`, Fix: "choose one of [any bound match]"},
		},
		"a switch that is neither on nor off": {
			args: []string{"-refresh=maybe"},
			want: config.Fault{Setting: "refresh", Source: "flag -refresh", Problem: `"maybe" is neither true nor false`, Fix: "write true or false"},
		},
		"GitHub without encryption": {
			args: []string{"-github-url=http://github.example.org", "-app-url=https://github.example.org/apps/x"},
			want: config.Fault{Setting: "github-url", Source: "flag -github-url", Problem: `"http://github.example.org" is not encrypted`, Fix: "use https (http only on loopback)"},
		},
		"GitHub with a path": {
			args: []string{"-github-url=https://github.com/enterprise"},
			want: config.Fault{Setting: "github-url", Source: "flag -github-url", Problem: `"https://github.com/enterprise" has a path`, Fix: "leave only scheme, host and port"},
		},
		"an App on another GitHub": {
			args: []string{"-app-url=https://github.example.org/apps/x"},
			want: config.Fault{Setting: "app-url", Source: "flag -app-url", Problem: "the App is on github.example.org, GitHub on github.com", Fix: "set github-url to the GitHub that has the App"},
		},
		"an address that is none": {
			args: []string{"-help-url=help"},
			want: config.Fault{Setting: "help-url", Source: "flag -help-url", Problem: `"help" is not an http or https address`, Fix: "write it as https://host/path"},
		},
		"a session longer than a token": {
			args: []string{"-session-lifetime=24h"},
			want: config.Fault{Setting: "session-lifetime", Source: "flag -session-lifetime", Problem: `"24h" is not a time between 1m0s and 8h0m0s`, Fix: "write it as 8h or 30m"},
		},
		"scopes that are no list": {
			drop: []string{"JUPYTERHUB_OAUTH_CLIENT_ALLOWED_SCOPES"},
			more: []string{"JUPYTERHUB_OAUTH_CLIENT_ALLOWED_SCOPES=servers"},
			want: config.Fault{Setting: "hub-allowed-scopes", Source: "environment JUPYTERHUB_OAUTH_CLIENT_ALLOWED_SCOPES", Problem: "it is not a JSON list of strings", Fix: `write it as ["one","two"]`},
		},
		"a service name with a blank": {
			drop: []string{"JUPYTERHUB_SERVICE_NAME"},
			more: []string{"JUPYTERHUB_SERVICE_NAME=Connect GitHub"},
			want: config.Fault{Setting: "service-name", Source: "environment JUPYTERHUB_SERVICE_NAME", Problem: `"Connect GitHub" has a blank or control character`, Fix: "remove it"},
		},
		"a logo elsewhere": {
			args: []string{"-logo=//evil.example/logo"},
			want: config.Fault{Setting: "logo", Source: "flag -logo", Problem: `"//evil.example/logo" is not a path of this Hub`, Fix: `write a path that begins with one "/"`},
		},
		"a secret's file that is not there": {
			args: []string{"-client-secret-file=/none"},
			want: config.Fault{Setting: "client-secret-file", Source: "flag -client-secret-file", Problem: "the file cannot be read: file does not exist", Fix: "check the path and its permissions"},
		},
		"a secret's file that is empty": {
			args: []string{"-client-secret-file=/empty"},
			want: config.Fault{Setting: "client-secret-file", Source: "flag -client-secret-file", Problem: "the file /empty is empty", Fix: "put the value into it"},
		},
		"a key file that is named but missing": {
			args: []string{"-key-file=/none"},
			want: config.Fault{Setting: "key-file", Source: "flag -key-file", Problem: "the file cannot be read: file does not exist", Fix: "check the path and its permissions"},
		},
		"a credential nowhere in particular": {
			args: []string{"-git-credentials-path=credential"},
			want: config.Fault{Setting: "git-credentials-path", Source: "flag -git-credentials-path", Problem: `"credential" is neither absolute nor in the home folder`, Fix: "begin it with / or ~/"},
		},
		"no store": {
			args: []string{"-store=mysql://x"},
			want: config.Fault{Setting: "store", Source: "flag -store", Problem: "it names no store", Fix: "write bolt:PATH, redis://host:port/0 or rediss://host:port/0"},
		},
		"a password in the store's address": {
			args: []string{"-store=redis://u:marker-password@h", "-key-file=/file"},
			want: config.Fault{Setting: "store", Source: "flag -store", Problem: "the address holds a user or password", Fix: "put them into files: …?username_file=PATH&password_file=PATH"},
		},
		"Redis without a key file": {
			args: []string{"-store=rediss://h:6379/0"},
			want: config.Fault{Setting: "key-file", Source: "not set", Problem: "Redis needs a key file that every replica has", Fix: "make one with 'ghscoped-service keys new' and set GHSCOPED_KEY_FILE"},
		},
		"the same token twice": {
			args: []string{"-hub-token-file=/file"},
			want: config.Fault{Setting: "hub-token-file", Source: "flag -hub-token-file", Problem: "JUPYTERHUB_API_TOKEN is set as well", Fix: "unset one of them"},
		},
		"no token": {
			drop: []string{"JUPYTERHUB_API_TOKEN"},
			want: config.Fault{Setting: "hub-token", Source: "not set", Problem: "the service's own Hub token is required", Fix: "set GHSCOPED_HUB_TOKEN_FILE or JUPYTERHUB_API_TOKEN"},
		},
		"an address of servers that nobody knows": {
			drop: []string{"GHSCOPED_PROXY_URL"},
			want: config.Fault{Setting: "proxy-url", Source: "not set", Problem: "the Hub did not say at which address users' servers are reached", Fix: "set GHSCOPED_PROXY_URL to where the Hub's proxy listens, as in http://127.0.0.1:8000, or public_url at the Hub"},
		},
		"push without tokens for servers": {
			drop: []string{"JUPYTERHUB_OAUTH_CLIENT_ALLOWED_SCOPES"},
			more: []string{`JUPYTERHUB_OAUTH_CLIENT_ALLOWED_SCOPES=["read:users!user","read:servers!user","access:servers!user"]`},
			want: config.Fault{Setting: "hub-allowed-scopes", Source: "environment JUPYTERHUB_OAUTH_CLIENT_ALLOWED_SCOPES", Problem: "push delivery cannot make a token that opens a user's server", Fix: "add tokens!user and read:servers!user to oauth_client_allowed_scopes at the Hub, or set delivery to pull"},
		},
		"users who cannot be told apart": {
			drop: []string{"JUPYTERHUB_OAUTH_CLIENT_ALLOWED_SCOPES"},
			more: []string{`JUPYTERHUB_OAUTH_CLIENT_ALLOWED_SCOPES=["read:users:name!user","read:servers!user","tokens!user"]`},
			want: config.Fault{Setting: "hub-allowed-scopes", Source: "environment JUPYTERHUB_OAUTH_CLIENT_ALLOWED_SCOPES", Problem: "the service cannot tell a user from a later one of the same name", Fix: "add read:users!user to oauth_client_allowed_scopes at the Hub, and to GHSCOPED_HUB_ALLOWED_SCOPES where that is set"},
		},
		"refresh with pull": {
			args: []string{"-delivery=pull", "-refresh"},
			want: config.Fault{Setting: "refresh", Source: "flag -refresh", Problem: "it has no meaning when delivery is pull", Fix: "unset it, or set delivery to push"},
		},
		"one-repository tokens with push": {
			args: []string{"-one-repository"},
			want: config.Fault{Setting: "one-repository", Source: "flag -one-repository", Problem: "push delivery writes one file for all repositories", Fix: "unset it, or set delivery to pull"},
		},
		"one-repository tokens without the client secret": {
			args: []string{"-delivery=pull", "-one-repository"},
			want: config.Fault{Setting: "client-secret-file", Source: "not set", Problem: "one-repository is set, but GitHub narrows a token only for an App with its client secret", Fix: "set GHSCOPED_CLIENT_SECRET_FILE, or unset one-repository"},
		},
		"revoking at a server's stop with pull": {
			args: []string{"-delivery=pull", "-revoke-on-stop"},
			want: config.Fault{Setting: "revoke-on-stop", Source: "flag -revoke-on-stop", Problem: "it has no meaning when delivery is pull", Fix: "unset it, or set delivery to push"},
		},
		"a policy without a key": {
			args: []string{"-bot-policy=/file"},
			want: config.Fault{Setting: "app-private-key-file", Source: "not set", Problem: "bot-policy is set, but bot tokens need the App's private key", Fix: "set GHSCOPED_APP_PRIVATE_KEY_FILE, or unset bot-policy"},
		},
		"a key without a policy": {
			args: []string{"-app-private-key-file=/file"},
			want: config.Fault{Setting: "bot-policy", Source: "not set", Problem: "the App's private key is set, but no policy says who may use it", Fix: "set GHSCOPED_BOT_POLICY, or unset app-private-key-file"},
		},
		"the repository's word without bots": {
			args: []string{"-bot-repository-file"},
			want: config.Fault{Setting: "bot-repository-file", Source: "flag -bot-repository-file", Problem: "there are no bot tokens to allow", Fix: "set bot-policy and app-private-key-file, or unset it"},
		},
		"an admin scope that nobody signs in with": {
			args: []string{"-admin-scope=custom:connect-github:admin"},
			want: config.Fault{Setting: "admin-scope", Source: "flag -admin-scope", Problem: "nobody signs in with this scope, since the service does not ask for it", Fix: "add it to oauth_client_allowed_scopes at the Hub and to GHSCOPED_HUB_ALLOWED_SCOPES"},
		},
		"two names that disagree": {
			more: []string{"GH_SCOPED_CREDS_CLIENT_ID=other"},
			want: config.Fault{Setting: "client-id", Source: "environment GH_SCOPED_CREDS_CLIENT_ID", Problem: "it differs from GHSCOPED_CLIENT_ID", Fix: "set only one of them"},
		},
		"a misspelt variable": {
			more: []string{"GHSCOPED_IDENTIY=match"},
			want: config.Fault{Setting: "GHSCOPED_IDENTIY", Source: "environment", Problem: "there is no such setting", Fix: "correct the name, or unset it"},
		},
		"an unknown flag": {
			args: []string{"-colour=blue", "-refresh"},
			want: config.Fault{Setting: "command line", Source: "flag", Problem: "flag provided but not defined: -colour", Fix: "see -help"},
		},
		"an argument too many": {
			args: []string{"stray"},
			want: config.Fault{Setting: "command line", Source: "argument", Problem: `"stray" is not expected`, Fix: "see -help"},
		},
		"a token on the command line": {
			args: []string{"-hub-token=x"},
			want: config.Fault{Setting: "command line", Source: "flag", Problem: "flag provided but not defined: -hub-token", Fix: "see -help"},
		},
		"nothing to listen on": {
			drop: []string{"JUPYTERHUB_SERVICE_URL"},
			want: config.Fault{Setting: "listen", Source: "not set", Problem: "there is nothing to listen on", Fix: "set JUPYTERHUB_SERVICE_URL or GHSCOPED_LISTEN"},
		},
		"an address without a port": {
			args: []string{"-listen=localhost"},
			want: config.Fault{Setting: "listen", Source: "flag -listen", Problem: `"localhost" is not an address to listen on`, Fix: "write it as 127.0.0.1:8080 or :8080"},
		},
		"cookies for https only": {
			drop: []string{"JUPYTERHUB_PUBLIC_URL"},
			more: []string{"JUPYTERHUB_PUBLIC_URL=http://hub.example.org/services/connect-github/", "JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED=1"},
			want: config.Fault{Setting: "cookie-host-prefix", Source: "environment JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED", Problem: "browsers take cookies with the prefix __Host- over https only, and the service is reached at http://hub.example.org", Fix: "unset JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED, or serve the Hub over https"},
		},
		"metrics on the service's own address": {
			args: []string{"-metrics-addr=127.0.0.1:10101"},
			want: config.Fault{Setting: "metrics-addr", Source: "flag -metrics-addr", Problem: "it is the address of the service itself", Fix: "choose another port, or unset it"},
		},
		"a client id of no service": {
			args: []string{"-hub-client-id=connect"},
			want: config.Fault{Setting: "hub-client-id", Source: "flag -hub-client-id", Problem: "the client id of a Hub service begins with service-", Fix: "take the one the Hub uses"},
		},
		"a level that is none": {
			args: []string{"-log-level=loud"},
			want: config.Fault{Setting: "log-level", Source: "flag -log-level", Problem: `"loud" is not a level`, Fix: "choose one of debug, info, warn, error"},
		},
		"a file that is not there": {
			args: []string{"-config=none.yaml"},
			want: config.Fault{Setting: "config", Source: "flag -config", Problem: "the file cannot be read: file does not exist", Fix: "check the path and its permissions"},
		},
		"a file that is a list": {
			more: []string{"GHSCOPED_CONFIG=list.yaml"},
			want: config.Fault{Setting: "config", Source: "list.yaml line 1", Problem: "it is not a list of settings", Fix: "write lines such as client_id: Iv23…"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := load(test.args, append(without(managed(), test.drop...), test.more...), disk)
			require.Equal(t, config.Faults{test.want}, faults(t, err))
			require.NotContains(t, err.Error(), "marker-")
		})
	}
}

func TestFaultsOfTheFileNameTheLine(t *testing.T) {
	t.Parallel()
	disk := files{
		"keys.yaml": "identity: any\ncolour: blue\nidentity: match\nlogo: {a: b}\nhub_token: x\n",
		"bad.yaml":  "identity: any\nlogo: [\n",
	}
	_, err := load([]string{"-config=keys.yaml"}, managed(), disk)
	require.Equal(t, config.Faults{
		{Setting: "colour", Source: "keys.yaml line 2", Problem: "there is no such setting", Fix: "correct the key; -help lists all"},
		{Setting: "identity", Source: "keys.yaml line 3", Problem: "it was set in line 1 already", Fix: "remove one of the two"},
		{Setting: "logo", Source: "keys.yaml line 4", Problem: "it is neither a plain value nor a list of them", Fix: "write a plain value"},
		{Setting: "hub_token", Source: "keys.yaml line 5", Problem: "there is no such setting", Fix: "correct the key; -help lists all"},
	}, faults(t, err))

	_, err = load([]string{"-config=bad.yaml"}, managed(), disk)
	require.Len(t, faults(t, err), 1)
	require.ErrorContains(t, err, "it is not YAML")
	require.ErrorContains(t, err, "line 2")
}

func TestEveryFaultIsReportedAtOnce(t *testing.T) {
	t.Parallel()
	disk := files{"c.yaml": "colour: blue\nrefresh: perhaps\n"}
	_, err := load([]string{"-nonsense", "-log-level=loud", "-config=c.yaml"},
		[]string{"GHSCOPED_IDENTITY=strict", "GHSCOPED_STORE=redis://h", "GHSCOPED_BOT_POLICY=/none"}, disk)
	var got []pair
	for _, f := range faults(t, err) {
		got = append(got, pair{f.Setting, f.Problem})
	}
	require.Equal(t, []pair{
		{"command line", "flag provided but not defined: -nonsense"},
		{"colour", "there is no such setting"},
		{"client-id", "it is required"},
		{"app-url", "it is required"},
		{"identity", `"strict" is not known`},
		{"service-name", "it is required"},
		{"hub-api-url", "it is required"},
		{"log-level", `"loud" is not a level`},
		{"refresh", `"perhaps" is neither true nor false`},
		{"bot-policy", "the file cannot be read: file does not exist"},
		{"listen", "there is nothing to listen on"},
		{"hub-token", "the service's own Hub token is required"},
		{"key-file", "Redis needs a key file that every replica has"},
		{"proxy-url", "the Hub did not say at which address users' servers are reached"},
		{"app-private-key-file", "bot-policy is set, but bot tokens need the App's private key"},
	}, got)
}

func TestEveryFaultOfTheCommandLineIsReported(t *testing.T) {
	t.Parallel()
	const unknown, noOption = "flag provided but not defined: ", "bad flag syntax: "
	for name, test := range map[string]struct {
		args []string
		want []string
	}{
		"no option at all":           {[]string{"---x", "-=", "-one"}, []string{noOption + "---x", noOption + "-=", unknown + "-one"}},
		"options behind an argument": {[]string{"word", "-one=1", "-two=2"}, []string{`"word" is not expected`, unknown + "-one", unknown + "-two"}},
		"arguments only":             {[]string{"a", "b", "a"}, []string{`"a" is not expected`, `"b" is not expected`, `"a" is not expected`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := load(test.args, managed(), nil)
			var got []string
			for _, f := range faults(t, err) {
				got = append(got, f.Problem)
			}
			require.Equal(t, test.want, got)
		})
	}
	_, err := load([]string{"word", "-bogus", "-help"}, managed(), nil)
	require.ErrorIs(t, err, flag.ErrHelp)
}

func TestVariablesThatKubernetesAddsAreNotOurs(t *testing.T) {
	t.Parallel()
	_, err := load(nil, managed(
		"GHSCOPED_SERVICE_SERVICE_HOST=10.0.0.1", "GHSCOPED_SERVICE_SERVICE_PORT=8080",
		"GHSCOPED_SERVICE_SERVICE_PORT_HTTP=8080", "GHSCOPED_SERVICE_PORT=tcp://10.0.0.1:8080",
		"GHSCOPED_SERVICE_PORT_8080_TCP=tcp://10.0.0.1:8080", "GHSCOPED_SERVICE_PORT_8080_TCP_ADDR=10.0.0.1",
		"GHSCOPED_SERVICE_PORT_8080_TCP_PORT=8080", "GHSCOPED_SERVICE_PORT_8080_TCP_PROTO=tcp"), nil)
	require.NoError(t, err)
}
