package redis_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/store/redis"
)

func TestOpenParametersAreDocumented(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("url.go")
	require.NoError(t, err)
	document, err := os.ReadFile("../../../docs/operations.md")
	require.NoError(t, err)
	read := regexp.MustCompile(`\.take(?:File)?\("(\w+)"`).FindAllStringSubmatch(string(source), -1)
	require.Len(t, read, 6)
	for _, parameter := range read {
		require.Regexp(t, "(?m)^\\| .*`"+parameter[1]+"`.* \\| ", string(document))
	}
}

func TestOpenRefusesAWrongURLWithoutQuotingItsPassword(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "not a certificate")
	require.NoError(t, os.WriteFile(file, []byte("hello"), 0o600))
	for url, want := range map[string]string{
		"":                           "not of the form",
		"redis:":                     "not of the form",
		"redis://u:hunter2@":         "not of the form",
		"redis://u:hunter2@h:port":   "not of the form",
		"redis://u:hunter2@h%zz":     "not of the form",
		"http://u:hunter2@h":         "not of the form",
		"redis://u:hunter2@h/x":      "invalid database number",
		"redis://u:hunter2@h?what=1": "unexpected option: what",
		"redis://u:hunter2@h?addr=b": "unexpected option: addr",
		"redis://u:hunter2@h?cluster=1&master_name=m":      "unexpected option: master_name",
		"redis://u:hunter2@h?cluster=1&addr=b":             "unable to parse addr",
		"redis://u:hunter2@h?read_timeout=soon":            "invalid read_timeout duration",
		"redis://u:hunter2@h?prefix=%7B":                   "prefix holds a brace",
		"redis://u:hunter2@h?prefix=a&prefix=b":            "prefix is given 2 times",
		"redis://u:hunter2@h?cluster=perhaps":              "cluster is neither true nor false",
		"redis://u:hunter2@h/1?cluster=1":                  "a Cluster has no database but 0",
		"redis://h?cluster=1&read_only=true":               "read_only is not supported",
		"rediss://h?skip_verify=true":                      "skip_verify is not supported",
		"redis://h?master_name=m&password=hunter2":         "password is not supported",
		"redis://u:hunter2@h?password_file=/missing":       "password_file: no such file",
		"redis://u:hunter2@h?username_file=/missing":       "username_file: no such file",
		"rediss://u:hunter2@h?ca_file=/missing":            "ca_file: no such file",
		"rediss://u:hunter2@h?ca_file=" + file:             "holds no certificate",
		"redis://u:hunter2@h?ca_file=" + file:              "ca_file needs rediss://",
		"redis://u:hunter2@h?sentinel_password_file=/miss": "sentinel_password_file: no such file",
	} {
		_, err := redis.Open(url, time.Now, slog.New(slog.DiscardHandler))
		require.ErrorContains(t, err, want, url)
		require.NotContains(t, err.Error(), "hunter2", url)
	}
}

func TestOpenReportsAllErrorsOfOurParameters(t *testing.T) {
	t.Parallel()
	_, err := redis.Open("redis://h?prefix=%7B&cluster=perhaps&ca_file=/missing", time.Now, slog.New(slog.DiscardHandler))
	for _, want := range []string{"prefix", "cluster", "ca_file"} {
		require.ErrorContains(t, err, want)
	}
}
