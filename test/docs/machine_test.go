package docs_test

import (
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/githubsim"
	"github.com/ghscoped/ghscoped-service/internal/hubtest"
	"github.com/ghscoped/ghscoped-service/test/rig"
)

const unitPath = "deploy/systemd/ghscoped-service.service"

// machine is what the documents call by names that are not those of a test.
type machine struct {
	github  *githubsim.Server
	port    int // of the Hub's proxy
	service string
	dir     string
	token   string // the path of the file with the Hub token
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	m := &machine{github: rig.NewGitHub(t, githubsim.Options{Interval: time.Second}), dir: t.TempDir(),
		port: hubtest.FreePort(t), service: "http://" + rig.FreeAddress(t)}
	m.token = filepath.Join(m.dir, "hub-token")
	require.NoError(t, os.WriteFile(m.token, []byte(rand.Text()+"\n"), 0o600))
	return m
}

// here puts what is on this machine in place of what the documents name.
func (m *machine) here(t *testing.T, text string) string {
	t.Helper()
	me, err := user.Current()
	require.NoError(t, err)
	proxy := fmt.Sprintf("http://127.0.0.1:%d", m.port)
	for _, change := range [][2]string{
		{"/usr/local/bin/ghscoped-service", service}, {"/var/lib/ghscoped", m.dir}, {"/etc/ghscoped/hub-token", m.token},
		{"http://127.0.0.1:10101", m.service}, {"=127.0.0.1:10101", "=" + strings.TrimPrefix(m.service, "http://")},
		{"http://127.0.0.1:8000", proxy}, {`"http://127.0.0.1"`, `"` + proxy + `"`},
		{"Iv23…", githubsim.DefaultClientID}, {"https://github.com/apps/your-app", m.github.Info().AppURL},
		{`"user": "ghscoped"`, `"user": "` + me.Username + `"`},
	} {
		text = strings.ReplaceAll(text, change[0], change[1])
	}
	return text
}

// configuration is a document's block as the end of the demo's configuration,
// from which everything that has to do with the service is taken away first.
func (m *machine) configuration(t *testing.T, block string) string {
	t.Helper()
	return `
kept = [s for s in c.JupyterHub.services if s["name"] == "rig"], [r for r in c.JupyterHub.load_roles if r["name"] == "rig"]
c.JupyterHub.services, c.JupyterHub.load_roles = [], []
if version_info >= (6,):
    c.JupyterHub.extra_user_scopes = set()
del ACCESS
` + m.here(t, block) + `
c.JupyterHub.services.extend(kept[0])
c.JupyterHub.load_roles.extend(kept[1])
for service in c.JupyterHub.services:
    if "environment" in service:
        service["environment"]["GHSCOPED_GITHUB_URL"] = "` + m.github.URL() + `"
`
}

// requireJourney: a user gets a code, approves it, and has the credential.
func (m *machine) requireJourney(t *testing.T, hub *hubtest.Hub) {
	t.Helper()
	require.NoError(t, hub.ServiceAnswers(hubtest.Context(t)))
	w := rig.World{Hub: hub, GitHub: m.github}
	w.StartServer(t, "ada", "")
	w.Connect(t, w.Visit(t, "ada"), "octocat")
	require.FileExists(t, w.CredentialFile("ada"))
}

func TestManagedBlocksWorkOnARealHub(t *testing.T) {
	t.Parallel()
	readme := ""
	for _, b := range inLanguage(t, "python") {
		if b.path == "README.md" && strings.Contains(b.text, `"command"`) {
			readme = b.text
		}
	}
	require.NotEmpty(t, readme)
	for name, test := range map[string]struct{ version, block string }{
		"README":                   {"hub6", readme},
		"jupyterhub_config.py":     {"hub6", marked(t, "docs/single-machine.md", "managed")},
		"The Littlest JupyterHub":  {"hub5", tljh(t)},
		"an older Hub, by its way": {"hub4", older(t)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t)
			hub := hubtest.New(t, hubtest.Options{Version: test.version, Port: m.port, Users: []string{"ada"}, Extra: m.configuration(t, test.block)})
			m.requireJourney(t, hub)
		})
	}
}

// tljh is the snippet as The Littlest JupyterHub reads it: from a file of a
// folder, after a configuration that has a service of its own already.
func tljh(t *testing.T) string {
	t.Helper()
	return `
import textwrap, tempfile
c.JupyterHub.services = [{"name": "cull-idle", "api_token": "a-token-of-the-culler"}]
folder = tempfile.mkdtemp(dir=data)
with open(os.path.join(folder, "connect-github.py"), "w") as snippet:
    snippet.write(textwrap.dedent('''` + marked(t, "docs/single-machine.md", "tljh") + `'''))
load_subconfig(os.path.join(folder, "connect-github.py"))
assert [service["name"] for service in c.JupyterHub.services] == ["cull-idle", "connect-github"]
`
}

// older is the managed block with its last line as for JupyterHub 4 and 5.
func older(t *testing.T) string {
	t.Helper()
	head, _, found := strings.Cut(marked(t, "docs/single-machine.md", "managed"), "c.JupyterHub.extra_user_scopes")
	require.True(t, found)
	for _, b := range inLanguage(t, "python") {
		if b.path == "docs/single-machine.md" && strings.HasPrefix(b.text, "c.JupyterHub.load_roles.append") {
			return head + b.text
		}
	}
	t.Fatal("docs/single-machine.md does not say how it is done on JupyterHub 4 and 5")
	return ""
}

// unit is the systemd unit: what it says of a key, in order.
func unit(t *testing.T, key string) []string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, unitPath))
	require.NoError(t, err)
	var values []string
	for _, match := range regexp.MustCompile(`(?m)^`+key+`=(.*)$`).FindAllStringSubmatch(string(content), -1) {
		values = append(values, match[1])
	}
	require.NotEmpty(t, values, key)
	return values
}

// TestUnitsCommandWorksBesideARealHub runs what systemd would run, in the
// environment that it would make of the unit and of the document's file.
func TestUnitsCommandWorksBesideARealHub(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	require.Equal(t, []string{"hub-token:/etc/ghscoped/hub-token"}, unit(t, "LoadCredential"))
	require.Equal(t, []string{"/etc/ghscoped/environment"}, unit(t, "EnvironmentFile"))
	require.NoError(t, os.Mkdir(filepath.Join(m.dir, "ghscoped"), 0o700))
	environ := strings.Split(strings.TrimSpace(m.here(t, marked(t, "docs/single-machine.md", "environment"))), "\n")
	for _, variable := range unit(t, "Environment") {
		environ = append(environ, strings.NewReplacer("%d", m.dir, "%S", m.dir).Replace(variable))
	}
	environ = append(environ, "GHSCOPED_GITHUB_URL="+m.github.URL())
	command := strings.Fields(m.here(t, unit(t, "ExecStart")[0]))

	hub := hubtest.New(t, hubtest.Options{Port: m.port, Users: []string{"ada"},
		Extra: m.configuration(t, marked(t, "docs/single-machine.md", "external")),
		External: func(env []string) error {
			for i, entry := range environ { // where the Hub listens is chosen for each test
				if strings.HasPrefix(entry, "JUPYTERHUB_API_URL=") {
					environ[i] = "JUPYTERHUB_API_URL=" + rig.Variable(env, "JUPYTERHUB_API_URL")
				}
			}
			rig.Run(t, environ, command[0], command[1:]...)
			return nil
		}})
	m.requireJourney(t, hub)
	require.FileExists(t, filepath.Join(m.dir, "ghscoped", "ghscoped.db.key"))

	// The doctor, as the document says it before the first start.
	file := filepath.Join(m.dir, "environment")
	require.NoError(t, os.WriteFile(file, []byte(strings.Join(environ, "\n")), 0o600))
	doctor := exec.Command(service, "doctor", "--env-file", file)
	out, err := doctor.CombinedOutput()
	require.NoError(t, err, string(out))
}

// TestUnitIsOneThatSystemdTakes, with the lines that a document adds.
func TestUnitIsOneThatSystemdTakes(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile(filepath.Join(root, unitPath))
	require.NoError(t, err)
	require.Len(t, inLanguage(t, "ini"), 1)
	content = append(content, marked(t, "docs/single-machine.md", "secrets")...)
	handed := regexp.MustCompile(`(?m)^LoadCredential=([\w-]+):`).FindAllStringSubmatch(string(content), -1)
	require.Len(t, handed, 4)
	for _, credential := range handed {
		require.Regexp(t, `(?m)^Environment=GHSCOPED_\w+=%d/`+credential[1]+`$`, string(content))
	}
	folder := t.TempDir()
	file := filepath.Join(folder, filepath.Base(unitPath))
	// The program is not installed here; its place is.
	require.NoError(t, os.WriteFile(file, []byte(strings.ReplaceAll(string(content), "/usr/local/bin/ghscoped-service", service)), 0o644))
	out, err := exec.Command("systemd-analyze", "verify", "--man=no", file).CombinedOutput()
	require.NoError(t, err, string(out))
	require.NotContains(t, string(out), filepath.Base(unitPath), "a warning of systemd's")

	out, err = exec.Command("systemd-analyze", "security", "--offline=yes", "--no-pager", file).CombinedOutput()
	require.NoError(t, err, string(out))
	score := regexp.MustCompile(`Overall exposure level for \S+: ([0-9.]+) `).FindStringSubmatch(string(out))
	require.NotNil(t, score, string(out))
	t.Log(score[0])
	exposure, err := strconv.ParseFloat(score[1], 64)
	require.NoError(t, err)
	require.Less(t, exposure, 2.0, "0 is best, 10 worst")
}
