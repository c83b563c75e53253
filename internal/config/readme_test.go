package config_test

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/config"
)

var update = flag.Bool("update", false, "write the README's table of settings anew")

func TestREADMEHasTheTableOfSettings(t *testing.T) {
	const (
		path  = "../../README.md"
		begin = "-update` -->\n"
		end   = "<!-- /settings -->\n"
	)
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	head, rest, found := strings.Cut(string(content), begin)
	require.True(t, found, "the README has no %q", begin)
	table, tail, found := strings.Cut(rest, end)
	require.True(t, found, "the README has no %q", end)

	var made bytes.Buffer
	require.NoError(t, config.WriteMarkdown(&made))
	want := "\n" + made.String() + "\n"
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(head+begin+want+end+tail), 0o644))
		return
	}
	require.Equal(t, want, table, "make it anew: go test ./internal/config -run README -update")
}
