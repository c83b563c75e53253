package docs_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/config"
)

// tools are other people's programs that the documents call; a new one is to be
// looked at before it is added.
var tools = []string{"base64", "cd", "chmod", "cosign", "cp", "curl", "demo/install.sh", "docker", "echo", "export", "gh", "git", "go", "gofmt", "helm", "install",
	"journalctl", "jq", "kubectl", "openssl", "pip", "printf", "release/notes.sh", "sha256sum", "ssh", "systemctl", "tee", "tljh-config", "useradd", "xxd"}

// calls are the simple commands of a block, as words.
func calls(text string) [][]string {
	text = strings.ReplaceAll(text, "\\\n", " ")
	text = regexp.MustCompile(`(?m)(^|\s)#.*$`).ReplaceAllString(text, "")
	text = regexp.MustCompile(`\$\(([^()]*)\)`).ReplaceAllString(text, "VALUE")
	text = regexp.MustCompile(`'[^']*'`).ReplaceAllString(text, "WORD")
	text = regexp.MustCompile(`\bsudo (-u \w+ )?(env -C \S+ )?`).ReplaceAllString(text, "")
	var found [][]string
	for _, part := range regexp.MustCompile(`\n|\||&&|;`).Split(text, -1) {
		words := strings.Fields(part)
		for len(words) > 0 && assignment.MatchString(words[0]) {
			words = words[1:]
		}
		if len(words) > 0 {
			found = append(found, words)
		}
	}
	return found
}

var assignment = regexp.MustCompile(`^[A-Z][A-Z0-9_]*=`)

// shell are the commands of all documents: those of sh blocks, what is typed in
// console blocks.
func shell(t *testing.T) []block {
	t.Helper()
	found := inLanguage(t, "sh")
	for _, b := range inLanguage(t, "console") {
		var typed []string
		for line := range strings.Lines(b.text) {
			if input, prompted := strings.CutPrefix(line, "$ "); prompted {
				typed = append(typed, input)
			}
		}
		b.text = strings.Join(typed, "")
		found = append(found, b)
	}
	return found
}

func TestCommandsExist(t *testing.T) {
	t.Parallel()
	targets := makeTargets(t)
	for _, b := range shell(t) {
		check := exec.Command("sh", "-n")
		check.Stdin = strings.NewReader(b.text)
		out, err := check.CombinedOutput()
		require.NoError(t, err, "%v: %s", b, out)
		for _, words := range calls(b.text) {
			switch name := words[0]; name {
			case "ghscoped-service":
				requireCall(t, b, service, words[1:])
			case "ghscoped", "gh-scoped-creds":
				requireCall(t, b, command, words[1:])
			case "make":
				for _, word := range words[1:] {
					require.True(t, strings.Contains(word, "=") || targets[word], "%v: there is no target %s", b, word)
				}
			default:
				require.Contains(t, tools, name, "%v: %s", b, strings.Join(words, " "))
				requirePaths(t, b, words[1:])
			}
		}
	}
}

// requireCall compares a command line with what the program's help says: its
// command, that one's own commands, and its flags.
func requireCall(t *testing.T, b block, program string, args []string) {
	t.Helper()
	if len(args) == 0 {
		return
	}
	help := helpOf(t, program, "help")
	name := args[0]
	if !strings.HasPrefix(name, "-") {
		require.Regexp(t, `(?m)^\s*(ghscoped )?`+regexp.QuoteMeta(name)+`\b`, help, "%v: no command %s", b, name)
		own := helpOf(t, program, name)
		help += own
		if _, list, group := strings.Cut(own, "\nAvailable Commands:\n"); group { // as cobra writes it
			require.Greater(t, len(args), 1, "%v: %s", b, name)
			require.Regexp(t, `(?m)^  `+regexp.QuoteMeta(args[1])+`\b`, list, "%v: %s", b, name)
			help += helpOf(t, program, name, args[1])
		}
	}
	for _, arg := range args {
		if arg == "--" {
			return // what follows is somebody else's command
		}
		if strings.HasPrefix(arg, "-") {
			flag, _, _ := strings.Cut(arg, "=")
			require.Regexp(t, `(?m)(^|[\s\[|])`+regexp.QuoteMeta(flag)+`\b`, help, "%v: %s", b, strings.Join(args, " "))
		}
	}
}

var helps = map[string]string{}

// helpOf is what a program says of a command; of none, of itself.
func helpOf(t *testing.T, program string, path ...string) string {
	t.Helper()
	args := append(path, "--help")
	if slices.Equal(path, []string{"help"}) {
		args = path
	}
	key := program + strings.Join(args, " ")
	if _, asked := helps[key]; !asked {
		call := exec.Command(program, args...)
		call.Env = []string{"HOME=" + t.TempDir()}
		out, _ := call.CombinedOutput() // some help exits with 2
		helps[key] = string(out)
	}
	return helps[key]
}

// requirePaths: what looks like a path of this repository is there.
func requirePaths(t *testing.T, b block, words []string) {
	t.Helper()
	for _, word := range words {
		if strings.HasPrefix(word, "deploy/") || strings.HasPrefix(word, "helm/") || strings.HasPrefix(word, "./") && !strings.HasPrefix(word, "./oci") {
			_, err := os.Stat(filepath.Join(root, strings.TrimSuffix(word, "/...")))
			require.NoError(t, err, "%v", b)
		}
	}
}

func makeTargets(t *testing.T) map[string]bool {
	t.Helper()
	content, err := os.ReadFile(root + "/Makefile")
	require.NoError(t, err)
	targets := map[string]bool{}
	for _, match := range regexp.MustCompile(`(?m)^([a-z][a-z-]*):`).FindAllStringSubmatch(string(content), -1) {
		targets[match[1]] = true
	}
	return targets
}

// settings of the command in servers, which the table of the service lacks.
var commandVariables = []string{"GHSCOPED_URL", "GHSCOPED_IMAGE", "GHSCOPED_TOKEN"}

func TestVariablesAreSettings(t *testing.T) {
	t.Parallel()
	var known []string
	for _, setting := range config.Table() {
		known = append(known, setting.Env...)
	}
	known = append(append(known, "GHSCOPED_CONFIG"), commandVariables...)
	variable := regexp.MustCompile(`\b(?:GHSCOPED|GH_SCOPED_CREDS)_[A-Z0-9_]+\b`)
	for _, b := range blocks(t) {
		for _, name := range variable.FindAllString(b.text, -1) {
			if !slices.Contains(known, name) {
				t.Errorf("%v: there is no setting %s", b, name)
			}
		}
	}
}

func TestEnvironmentFilesAreGoodSettings(t *testing.T) {
	t.Parallel()
	file := marked(t, "docs/single-machine.md", "environment")
	for _, b := range inLanguage(t, "sh") {
		if b.path == "README.md" && strings.Contains(b.text, "GHSCOPED_LISTEN=") {
			file += "\x00" + b.text
		}
	}
	files := strings.Split(file, "\x00")
	require.Len(t, files, 2)
	for _, text := range files {
		environ := append(strings.Split(strings.TrimSpace(text), "\n"), "GHSCOPED_HUB_TOKEN_FILE=/token")
		_, err := config.Load("", environ, func(string) ([]byte, error) { return []byte("a-token"), nil })
		require.NoError(t, err)
	}
}
