package helm_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// What release.yml pushes for a tag is what the chart that it packages pulls.
func TestChartOfAReleaseTakesTheReleasedImage(t *testing.T) {
	t.Parallel()
	const image = "registry.example.org/somebody/a-fork"
	folder := t.TempDir()
	bin, err := filepath.Abs(filepath.Dir(tool(t, "helm")))
	require.NoError(t, err)
	sh := func(script string, environ ...string) {
		command := exec.Command("sh", "-ec", script)
		command.Dir = root
		command.Env = append(os.Environ(), append(environ, "PATH="+bin+":"+os.Getenv("PATH"))...)
		out, err := command.CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	sh(`release/chart.sh "$IMAGE" "$TO"`, "IMAGE="+image, "TO="+folder)
	packages, err := filepath.Glob(folder + "/ghscoped-service-*.tgz")
	require.NoError(t, err)
	require.Len(t, packages, 1)
	out, err := helm(t, "template", release, packages[0], "--kube-version", kubernetes, "--values", given(t, enough))
	require.NoError(t, err)
	pulled := container(t, objects(t, out))["image"]

	content, err := os.ReadFile(root + "/.github/workflows/release.yml")
	require.NoError(t, err)
	require.Contains(t, string(content), `release/chart.sh "$IMAGE" chart`)
	var workflow struct {
		Jobs map[string]struct{ Steps []struct{ ID, Run string } }
	}
	require.NoError(t, yaml.Unmarshal(content, &workflow))
	require.Contains(t, string(content), "tags: ${{ env.IMAGE }}:${{ steps.version.outputs.number }}\n")
	for _, step := range workflow.Jobs["image"].Steps {
		if step.ID == "version" {
			sh(step.Run, "GITHUB_REF_NAME=v"+version(t), "GITHUB_OUTPUT="+folder+"/output")
		}
	}
	told, err := os.ReadFile(folder + "/output")
	require.NoError(t, err)
	require.Equal(t, pulled, image+":"+strings.TrimSpace(strings.TrimPrefix(string(told), "number=")))
}

// version is the chart's, which a release's tag has too.
func version(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile(chart + "/Chart.yaml")
	require.NoError(t, err)
	var about struct{ Version string }
	require.NoError(t, yaml.Unmarshal(content, &about))
	return about.Version
}
