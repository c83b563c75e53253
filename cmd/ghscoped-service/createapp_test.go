package main

import (
	"bytes"
	"context"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/githubsim"
)

// deployer is the browser of somebody who is signed in at GitHub.
type deployer struct {
	t    *testing.T
	http *http.Client
	at   *url.URL
	page string
}

func newDeployer(t *testing.T, github *githubsim.Server, login string) *deployer {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	d := &deployer{t: t, http: &http.Client{Jar: jar}}
	d.do(http.MethodGet, github.URL()+"/login", nil)
	d.do(http.MethodPost, github.URL()+"/session", url.Values{"login": {login}})
	return d
}

func (d *deployer) do(method, address string, form url.Values) {
	d.t.Helper()
	request, err := http.NewRequest(method, address, strings.NewReader(form.Encode()))
	require.NoError(d.t, err)
	if form != nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	response, err := d.http.Do(request)
	if err != nil && strings.Contains(err.Error(), "127.0.0.1:9") { // a printed form leads nowhere
		d.at, err = url.Parse(regexp.MustCompile(`http://127\.0\.0\.1:9/\S+[^":\s]`).FindString(err.Error()))
		require.NoError(d.t, err)
		return
	}
	require.NoError(d.t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(d.t, err)
	d.at, d.page = response.Request.URL, string(body)
}

// field is the value of a form's field of the page.
func (d *deployer) field(name string) string {
	match := regexp.MustCompile(`name="` + name + `" value="([^"]*)"`).FindStringSubmatch(d.page)
	require.NotNil(d.t, match, "no field %s in %s", name, d.page)
	return html.UnescapeString(match[1])
}

// send fills the program's form in and clicks "Create GitHub App".
func (d *deployer) send(name string) {
	d.t.Helper()
	action := html.UnescapeString(regexp.MustCompile(`action="([^"]+)"`).FindStringSubmatch(d.page)[1])
	d.do(http.MethodPost, action, url.Values{"manifest": {d.field("manifest")}})
	d.do(http.MethodPost, d.at.ResolveReference(&url.URL{Path: "/settings/apps/new/confirmation"}).String(),
		url.Values{"pending": {d.field("pending")}, "name": {name}, "authenticity_token": {d.field("authenticity_token")}})
}

func newGitHub(t *testing.T) *githubsim.Server {
	t.Helper()
	github := githubsim.New(githubsim.Options{})
	require.NoError(t, github.Start())
	t.Cleanup(func() { require.NoError(t, github.Close()) })
	return github
}

// listener hands over the address that a program prints.
type listener struct {
	bytes.Buffer
	address chan string
}

func (l *listener) Write(text []byte) (int, error) {
	if match := regexp.MustCompile(`http://127\.0\.0\.1:\d+/\n`).Find(text); match != nil {
		l.address <- string(bytes.TrimSpace(match))
	}
	return l.Buffer.Write(text)
}

func TestCreateAppByTheFormThatTheProgramServes(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args  []string
		owner string
	}{
		"for oneself":         {nil, "octocat"},
		"for an organisation": {[]string{"--org", "octo-org"}, "octo-org"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			github, folder := newGitHub(t), t.TempDir()
			browser := newDeployer(t, github, "octocat")
			var stdout bytes.Buffer
			stderr := &listener{address: make(chan string, 1)}
			ended := make(chan int, 1)
			go func() {
				ended <- run(t.Context(), invocation{stdout: &stdout, stderr: stderr, args: append([]string{"create-app",
					"--hub", "https://hub.example.org/jhub", "--github-url", github.URL(), "--out", folder, "--permission", "workflows:write"}, test.args...)})
			}()
			address := <-stderr.address
			browser.do(http.MethodGet, address+"created?code=forged&state=guessed", nil)
			require.Contains(t, browser.page, "Not what was asked for")
			browser.do(http.MethodGet, address, nil)
			browser.send("My Hub")
			require.Contains(t, browser.page, "The GitHub App is there")
			require.Equal(t, exitOK, <-ended, stderr.String())

			require.Regexp(t, `^GHSCOPED_CLIENT_ID=Iv23\w+
GHSCOPED_APP_URL=`+regexp.QuoteMeta(github.URL())+`/apps/my-hub
GHSCOPED_CLIENT_SECRET_FILE=`+regexp.QuoteMeta(folder)+`/client-secret
GHSCOPED_GITHUB_URL=`+regexp.QuoteMeta(github.URL())+`\n$`, stdout.String())
			requirePrivate(t, filepath.Join(folder, "client-secret"), `^[0-9a-f]{40,}\n$`)
			requirePrivate(t, filepath.Join(folder, "app-private-key.pem"), `^-----BEGIN RSA PRIVATE KEY-----\n`)
			require.Contains(t, stderr.String(), `tick "Enable Device Flow"`)
			require.Contains(t, stderr.String(), "settings/apps/my-hub\n")
			requireRegistered(t, github, "my-hub", test.owner)
		})
	}
}

func requirePrivate(t *testing.T, path, content string) {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	read, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Regexp(t, content, string(read))
}

func requireRegistered(t *testing.T, github *githubsim.Server, slug, owner string) {
	t.Helper()
	response, err := http.Get(github.APIURL() + "/apps/" + slug)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Contains(t, string(body), `"permissions":{"contents":"write","metadata":"read","workflows":"write"}`)
	require.Contains(t, string(body), `"login":"`+owner+`"`)
}

func TestCreateAppByAPrintedFormAndAPastedAddress(t *testing.T) {
	t.Parallel()
	github, folder := newGitHub(t), t.TempDir()
	args := []string{"--hub", "https://hub.example.org", "--github-url", github.URL(), "--out", folder}
	var form, stdout, stderr bytes.Buffer
	require.Equal(t, exitOK, run(t.Context(), invocation{stdout: &form, stderr: &stderr, args: append([]string{"create-app", "--print"}, args...)}))
	browser := newDeployer(t, github, "mona")
	browser.page = form.String()
	browser.send("Printed")
	require.Equal(t, exitOK, run(t.Context(), invocation{stdin: strings.NewReader(browser.at.String() + "\n"),
		stdout: &stdout, stderr: &stderr, args: append([]string{"create-app", "--paste"}, args...)}), stderr.String())
	require.Contains(t, stdout.String(), "/apps/printed\n")

	// The code works once, and what is there is not written over.
	again := append([]string{"create-app", "--paste"}, args...)
	require.Equal(t, exitFault, run(t.Context(), invocation{stdin: strings.NewReader(browser.at.String()), stdout: &stdout, stderr: &stderr, args: again}))
	require.Contains(t, stderr.String(), "client-secret: file exists")
	again[len(again)-1] = t.TempDir()
	require.Equal(t, exitFault, run(t.Context(), invocation{stdin: strings.NewReader(browser.at.String()), stdout: &stdout, stderr: &stderr, args: again}))
	require.Contains(t, stderr.String(), "it works once, within an hour")
	left, err := os.ReadDir(again[len(again)-1])
	require.NoError(t, err)
	require.Empty(t, left)
	require.NotContains(t, stderr.String()+stdout.String(), browser.at.Query().Get("code"))
}

func TestCreateAppRefuses(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		"--hub must be an address":              nil,
		"the address to listen on must be on l": {"--hub=https://hub.example.org", "--listen=0.0.0.0:0", "--out=" + t.TempDir()},
		`--permission "x" must be NAME:LEVEL`:   {"--hub=https://hub.example.org", "--permission=x"},
		`unexpected argument "stray"`:           {"--hub=https://hub.example.org", "stray"},
		"no code on standard input":             {"--hub=https://hub.example.org", "--paste", "--out=" + t.TempDir()},
	} {
		var stderr bytes.Buffer
		code := run(context.Background(), invocation{args: append([]string{"create-app"}, args...), stdin: strings.NewReader(""), stderr: &stderr})
		require.NotEqual(t, exitOK, code)
		require.Contains(t, stderr.String(), want)
	}
}
