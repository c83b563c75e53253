package client_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/client"
)

// The JupyterLab extension finds the service by the same rule: its test reads the
// same table (python/tests/test_server.py).
func TestFindTheServiceByWhatTheHubTellsAServer(t *testing.T) {
	t.Parallel()
	var table []struct {
		Name          string
		Env           map[string]string
		Service, Page string
	}
	content, err := os.ReadFile("testdata/find.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(content, &table))
	require.NotEmpty(t, table)
	for _, test := range table {
		getenv := func(variable string) string { return test.Env[variable] }
		found := ""
		if place := client.Find(getenv); place.URL != nil {
			found = place.URL.String()
		}
		require.Equal(t, test.Service, found, test.Name)
		require.Equal(t, test.Page, client.Page(getenv), test.Name)
	}
}
