package docs_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// python runs a script by the Python of a JupyterHub, with a value as JSON on
// standard input.
func python(t *testing.T, hub, script string, value any) string {
	t.Helper()
	program := filepath.Join(root, ".demo", hub, "bin", "python")
	_, err := os.Stat(program)
	require.NoError(t, err, "run demo/install.sh %s", hub)
	encoded, err := json.Marshal(value)
	require.NoError(t, err)
	cmd := exec.Command(program, "-I", "-c", script)
	cmd.Stdin = strings.NewReader(string(encoded))
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	return string(out)
}

// compileAll compiles each block, and reads it as JupyterHub reads its
// configuration where it is one: every name must be a trait, every value one
// that the trait takes, every scope one that the Hub knows.
const compileAll = `
import json, os, sys, tempfile
from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader
from jupyterhub.app import JupyterHub
from jupyterhub.scopes import _check_scopes_exist, define_custom_scopes

classes = {cls.__name__: cls for cls in JupyterHub().classes}
classes["JupyterHub"] = JupyterHub
folder = tempfile.mkdtemp()
token = os.path.join(folder, "token")
open(token, "w").write("a-token-of-a-service")
for where, text in json.load(sys.stdin):
    compile(text, where, "exec")
    if "c." not in text:
        continue
    text = text.replace("/etc/ghscoped/hub-token", token)
    before = "" if "ACCESS =" in text else 'ACCESS = "access:services!service=connect-github"\n'
    before += "c = get_config()\nc.JupyterHub.services = []\nc.JupyterHub.load_roles = []\n"
    path = os.path.join(folder, "jupyterhub_config.py")
    open(path, "w").write(before + text)
    config = PyFileConfigLoader("jupyterhub_config.py", path=folder).load_config()
    for name, section in config.items():
        cls = classes[name]
        for trait, value in section.items():
            if trait not in cls.class_traits():
                raise SystemExit(f"{where}: {name} has no {trait}")
    hub = JupyterHub(config=Config({"JupyterHub": config["JupyterHub"]}))
    scopes = set(hub.extra_user_scopes)
    for role in hub.load_roles:
        scopes |= set(role["scopes"])
    for service in hub.services:
        scopes |= set(service.get("oauth_client_allowed_scopes", []))
    define_custom_scopes(hub.custom_scopes)
    _check_scopes_exist(scopes)
    print(where)
`

func TestPythonBlocksAreValid(t *testing.T) {
	t.Parallel()
	var all [][2]string
	for _, b := range inLanguage(t, "python") {
		all = append(all, [2]string{b.String(), b.text})
	}
	loaded := python(t, "hub6", compileAll, all)
	t.Logf("%d blocks; read as configuration:\n%s", len(all), loaded)
	require.Contains(t, loaded, "README.md")
	require.Contains(t, loaded, "docs/single-machine.md")
}

func TestTemplatesAreValid(t *testing.T) {
	t.Parallel()
	for _, b := range inLanguage(t, "html") {
		python(t, "hub6", `import json, sys, jinja2; jinja2.Environment().parse(json.load(sys.stdin))`, b.text)
	}
}

func TestOtherBlocksAreParsed(t *testing.T) {
	t.Parallel()
	for _, b := range inLanguage(t, "json") {
		for values := json.NewDecoder(strings.NewReader(b.text)); values.More(); {
			var value any
			require.NoError(t, values.Decode(&value), "%v", b)
		}
	}
	for _, b := range inLanguage(t, "dockerfile") {
		for line := range strings.Lines(b.text) {
			if strings.HasPrefix(line, " ") || strings.HasPrefix(line, "#") || strings.TrimSpace(line) == "" {
				continue
			}
			instruction, _, _ := strings.Cut(line, " ")
			require.Contains(t, []string{"ARG", "COPY", "ENV", "FROM", "RUN", "USER", "WORKDIR"}, instruction, "%v", b)
		}
	}
}
