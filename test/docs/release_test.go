package docs_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// workflow is what is looked at of a workflow of GitHub's.
type workflow struct {
	Permissions *map[string]string `yaml:"permissions"`
	Jobs        map[string]struct {
		Uses        string             `yaml:"uses"`
		Container   string             `yaml:"container"`
		Permissions *map[string]string `yaml:"permissions"`
		Steps       []struct {
			Uses string `yaml:"uses"`
			Run  string `yaml:"run"`
		} `yaml:"steps"`
	} `yaml:"jobs"`
}

func workflows(t *testing.T) map[string]string {
	t.Helper()
	paths, err := filepath.Glob(root + "/.github/workflows/*.yml")
	require.NoError(t, err)
	require.Len(t, paths, 2)
	texts := map[string]string{}
	for _, path := range paths {
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		texts[filepath.Base(path)] = string(content)
	}
	return texts
}

func TestWorkflowsPinWhatTheyUseAndHoldNoSecret(t *testing.T) {
	t.Parallel()
	// A tag can be moved to other code; the version behind it is what Dependabot
	// reads and changes.
	pinned := regexp.MustCompile(`(?m)^ *(?:- )?uses: ([\w-]+/[\w./-]+@[0-9a-f]{40}) # v\d+\.\d+\.\d+$`)
	image := regexp.MustCompile(`^[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}$`)
	for name, text := range workflows(t) {
		var w workflow
		require.NoError(t, yaml.Unmarshal([]byte(text), &w), name)
		require.NotNil(t, w.Permissions, name)
		require.Empty(t, *w.Permissions, "%s: permissions are given job by job", name)
		require.NotContains(t, text, "secrets.", name)
		var known []string
		for _, match := range pinned.FindAllStringSubmatch(text, -1) {
			known = append(known, match[1])
		}
		for job, j := range w.Jobs {
			require.NotNil(t, j.Permissions, "%s: %s", name, job)
			if j.Container != "" {
				require.Regexp(t, image, j.Container, name)
			}
			if j.Uses != "" {
				require.Equal(t, "./.github/workflows/ci.yml", j.Uses, "our own")
			}
			for _, step := range j.Steps {
				if step.Uses != "" {
					require.Contains(t, known, step.Uses, "%s: by its commit, and its version in a comment", name)
				}
				// A name from outside in a script would be run.
				require.NotContains(t, step.Run, "${{", "%s: %s", name, job)
			}
		}
	}
}

// TestDockerfileNamesItsBaseByDigest: in a FROM, and the one in which CI tests.
func TestDockerfileNamesItsBaseByDigest(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile(root + "/Dockerfile")
	require.NoError(t, err)
	bases := regexp.MustCompile(`(?m)^FROM (?:--platform=\S+ )?(\S+)`).FindAllStringSubmatch(string(content), -1)
	require.Len(t, bases, 3)
	require.Regexp(t, `^golang:[\d.]+-bookworm@sha256:[0-9a-f]{64}$`, bases[0][1])
	require.Equal(t, []string{"${BUILDER}", "${FINAL}"}, []string{bases[1][1], bases[2][1]})
	require.Contains(t, string(content), "ARG BUILDER=golang\nARG FINAL=scratch\n", "the first one, and none")
	var ci workflow
	require.NoError(t, yaml.Unmarshal([]byte(workflows(t)["ci.yml"]), &ci))
	for name, job := range ci.Jobs {
		require.Equal(t, bases[0][1], job.Container, name)
	}
}

// TestDependabotLooksEverywhere: in each folder that has a list of what others made.
func TestDependabotLooksEverywhere(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile(root + "/.github/dependabot.yml")
	require.NoError(t, err)
	var bot struct {
		Updates []struct {
			Ecosystem   string   `yaml:"package-ecosystem"`
			Directory   string   `yaml:"directory"`
			Directories []string `yaml:"directories"`
		} `yaml:"updates"`
	}
	require.NoError(t, yaml.Unmarshal(content, &bot))
	watched := map[string][]string{}
	for _, update := range bot.Updates {
		watched[update.Ecosystem] = append(update.Directories, update.Directory)
	}
	out, err := exec.Command("git", "-C", root, "ls-files").Output()
	require.NoError(t, err)
	for path := range strings.Lines(string(out)) {
		path = "/" + strings.TrimSpace(path)
		ecosystem := map[string]string{"go.mod": "gomod", "package.json": "npm", "pyproject.toml": "pip", "Dockerfile": "docker"}[filepath.Base(path)]
		switch {
		case strings.HasPrefix(path, "/.github/workflows/"):
			require.Contains(t, watched["github-actions"], "/")
		case strings.HasPrefix(path, "/demo/requirements/"):
			ecosystem = "pip"
		}
		if ecosystem != "" {
			require.Contains(t, watched[ecosystem], filepath.Dir(path), path)
		}
	}
}

func TestReleaseIsOfOneVersion(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	files := map[string]string{
		"helm/ghscoped-service/Chart.yaml": "version: 1.2.3\nappVersion: 1.2.3\n",
		"python/pyproject.toml":            "version = \"1.2.3\"\n",
		"python/labextension/package.json": "{\n  \"version\": \"1.2.3\",\n}\n",
		"CHANGELOG.md":                     "# Changelog\n\n## [Unreleased]\n\n- later\n\n## [1.2.3] - 2026-11-30\n\n- this\n\n## [1.2.2] - 2026-10-30\n\n- before\n",
	}
	script, err := os.ReadFile(root + "/release/notes.sh")
	require.NoError(t, err)
	files["release/notes.sh"] = string(script)
	for path, content := range files {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(folder, path)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(folder, path), []byte(content), 0o755))
	}
	notes := func(tag string) (string, error) {
		out, err := exec.Command(filepath.Join(folder, "release/notes.sh"), tag).CombinedOutput()
		return strings.TrimSpace(string(out)), err
	}
	out, err := notes("v1.2.3")
	require.NoError(t, err, out)
	require.Equal(t, "- this", out)
	for path := range files {
		if path == "release/notes.sh" {
			continue
		}
		require.NoError(t, os.WriteFile(filepath.Join(folder, path), []byte(strings.ReplaceAll(files[path], "1.2.3", "1.2.4")), 0o755))
		_, err = notes("v1.2.3")
		require.Error(t, err, path)
		require.NoError(t, os.WriteFile(filepath.Join(folder, path), []byte(files[path]), 0o755))
	}
}

func TestVersionIsThatOfAllParts(t *testing.T) {
	t.Parallel()
	version := regexp.MustCompile(`(?m)^(?:appVersion: |version: |version = ")([0-9.]+)`)
	var found []string
	for _, path := range []string{"helm/ghscoped-service/Chart.yaml", "python/pyproject.toml"} {
		content, err := os.ReadFile(filepath.Join(root, path))
		require.NoError(t, err)
		for _, match := range version.FindAllStringSubmatch(string(content), -1) {
			found = append(found, match[1])
		}
	}
	require.Len(t, found, 3)
	require.Equal(t, []string{found[0], found[0], found[0]}, found)
}
