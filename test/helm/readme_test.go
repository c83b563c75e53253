package helm_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// blocks are the README's of one language.
func blocks(t *testing.T, language string) []string {
	t.Helper()
	content, err := os.ReadFile(chart + "/README.md")
	require.NoError(t, err)
	var found []string
	for _, match := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(string(content), -1) {
		found = append(found, match[1])
	}
	require.NotEmpty(t, found)
	return found
}

func TestREADMEValuesWork(t *testing.T) {
	t.Parallel()
	for _, block := range blocks(t, "yaml") {
		values := []string{block}
		if !strings.Contains(block, "config:") {
			values = []string{enough, block}
		}
		require.Contains(t, objects(t, render(t, values...)), deployment, block)
	}
}

// readme runs the README's installation as it stands there. helm test and
// kubectl it cannot run: there is nothing that runs pods.
func (c *cluster) readme(t *testing.T) {
	c.namespace(t, "hub")
	_, command, found := strings.Cut(blocks(t, "sh")[0], "helm ")
	require.True(t, found)
	args := strings.Fields(strings.ReplaceAll(command, "--values values.yaml", "--values "+given(t, blocks(t, "yaml")[0])))
	for i, arg := range args {
		if arg == "./helm/ghscoped-service" {
			args[i] = filepath.Join(root, arg)
		}
	}
	out, err := helm(t, append(args, "--kubeconfig", c.kubeconfig)...)
	require.NoError(t, err)
	require.Contains(t, out, "helm test ghscoped-service --namespace hub --logs")
}
