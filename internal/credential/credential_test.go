package credential_test

import (
	"bytes"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/credential"
	"github.com/ghscoped/ghscoped-service/internal/credential/credentialtest"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

func TestParseWhatGitAsks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, in string
		want     credential.Request
	}{
		{"the least", "protocol=https\nhost=github.com\n\n", credential.Request{Protocol: "https", Host: "github.com"}},
		{"without the empty line", "protocol=https\nhost=github.com", credential.Request{Protocol: "https", Host: "github.com"}},
		{"nothing after the empty line", "host=a\n\nhost=b\n", credential.Request{Host: "a"}},
		{"nothing at all", "", credential.Request{}},
		{"useHttpPath and a user name", "protocol=https\nhost=github.com\npath=octo/papers.git\nusername=octo\n",
			credential.Request{Protocol: "https", Host: "github.com", Path: "octo/papers.git", Username: "octo"}},
		{"git 2.41", "host=h\nwwwauth[]=Basic realm=\"GitHub\"\nwwwauth[]=Bearer\n",
			credential.Request{Host: "h", WWWAuth: []string{`Basic realm="GitHub"`, "Bearer"}}},
		{"git 2.46", "capability[]=authtype\ncapability[]=state\nhost=h\n",
			credential.Request{Host: "h", Capabilities: []string{"authtype", "state"}}},
		{"an empty value empties a list", "wwwauth[]=a\nwwwauth[]=\nwwwauth[]=b\n", credential.Request{WWWAuth: []string{"b"}}},
		{"the whole address", "url=https://octo@github.com/o/p.git\n",
			credential.Request{Protocol: "https", Host: "github.com", Path: "o/p.git", Username: "octo"}},
		{"store and erase", "host=h\npassword=p\npassword_expiry_utc=1700000000\n",
			credential.Request{Host: "h", Password: secret.New("p"), ExpiresAt: time.Unix(1700000000, 0)}},
		{"what is not known is read over", "shiny=1\nhost=h\n", credential.Request{Host: "h"}},
		{"an equals sign in a value", "path=a=b\n", credential.Request{Path: "a=b"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := credential.Parse(strings.NewReader(c.in))
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
}

func TestParseRefusesWhatGitWouldNotAsk(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]string{
		"a line without an equals sign": "protocol\n",
		"a line without a key":          "=https\n",
		"CR in a value":                 "host=github.com\rhost=evil.example\n",
		"CR at a line's end":            "host=github.com\r\n",
		"NUL in a value":                "host=git\x00hub.com\n",
		"NUL in a key that is unknown":  "sh\x00iny=1\n",
		"LF hidden in an address":       "url=https://github.com%0ahost=evil.example/\n",
		"LF hidden in a path":           "url=https://github.com/a%0ahost=evil.example\n",
		"CR hidden in a user":           "url=https://a%0d@github.com/\n",
		"an expiry that is none":        "password_expiry_utc=soon\n",
		"no address":                    "url=github.com\n",
		"endless":                       "host=" + strings.Repeat("a", 300<<10),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := credential.Parse(strings.NewReader(in))
			require.Error(t, err)
		})
	}
}

func TestRequestFor(t *testing.T) {
	t.Parallel()
	for _, q := range credentialtest.Questions() {
		t.Run(q.Name, func(t *testing.T) {
			t.Parallel()
			host, err := url.Parse(q.GitHub)
			require.NoError(t, err)
			request, err := credential.Parse(strings.NewReader(q.Text()))
			require.NoError(t, err)
			require.Equal(t, q.Answered, request.For(host))
		})
	}
	for _, beyond := range []string{"http://github.com", "http://10.0.0.1"} { // others could read it
		host, err := url.Parse(beyond)
		require.NoError(t, err)
		require.False(t, credential.Request{Protocol: "http", Host: host.Host}.For(host), beyond)
	}
}

func TestWriteAnswersAsGitUnderstands(t *testing.T) {
	t.Parallel()
	answer := credential.Answer{Username: "x-access-token", Password: secret.New("ghu_1"), ExpiresAt: time.Unix(1700000000, 0)}
	for _, c := range []struct {
		name         string
		answer       credential.Answer
		capabilities []string
		want         string
	}{
		{"an older git", answer, nil, "username=x-access-token\npassword=ghu_1\npassword_expiry_utc=1700000000\n"},
		{"git 2.46", answer, []string{"authtype", "state"},
			"capability[]=authtype\nephemeral=1\nusername=x-access-token\npassword=ghu_1\npassword_expiry_utc=1700000000\n"},
		{"no expiry", credential.Answer{Username: "u", Password: secret.New("p")}, nil, "username=u\npassword=p\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			require.NoError(t, c.answer.Write(&out, credential.Request{Capabilities: c.capabilities}))
			require.Equal(t, c.want, out.String())
		})
	}
}

func TestWriteRefusesAnAnswerThatWouldBeTwo(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"a\nhost=evil.example", "a\rb", "a\x00b", ""} {
		var out bytes.Buffer
		require.Error(t, credential.Answer{Username: "u", Password: secret.New(bad)}.Write(&out, credential.Request{}))
		require.Empty(t, out.String())
	}
}

// Whatever is read can be written in one line, and says again what it said.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"protocol=https\nhost=github.com\n\n", "url=https://u:p@h/p\n", "a=b\r\n", "password=\x00\n", "wwwauth[]=x\nwwwauth[]=\n", "=\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		request, err := credential.Parse(bytes.NewReader(in))
		if err != nil {
			return
		}
		for _, value := range append([]string{request.Protocol, request.Host, request.Path, request.Username,
			request.Password.Reveal()}, append(request.WWWAuth, request.Capabilities...)...) {
			require.NotContains(t, value, "\n")
			require.NotContains(t, value, "\r")
			require.NotContains(t, value, "\x00")
		}
		var out bytes.Buffer
		answer := credential.Answer{Username: request.Username, Password: request.Password}
		if answer.Write(&out, credential.Request{}) != nil {
			return
		}
		again, err := credential.Parse(&out)
		require.NoError(t, err)
		require.Equal(t, request.Username, again.Username)
		require.Equal(t, request.Password.Reveal(), again.Password.Reveal())
	})
}
