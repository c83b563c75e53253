package spelling_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/spelling"
)

func TestNearest(t *testing.T) {
	t.Parallel()
	known := []string{"callers", "name", "reason", "repositories", "reuse"}
	for name, want := range map[string]string{
		"reson": "reason", "reasons": "reason", "raeson": "reason", "caller": "callers", "repositorys": "repositories",
		"name": "name", "colour": "", "x": "", "": "", "nmae": "", "réason": "reason",
	} {
		require.Equal(t, want, spelling.Nearest(name, known), name)
	}
	require.Empty(t, spelling.Nearest("name", nil))
}
