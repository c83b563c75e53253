package flow

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/github"
)

func TestMatchAccountComparesASCIIOnly(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		login, hub string
		same       bool
	}{
		"the same":            {"sam", "sam", true},
		"in other case":       {"Sam-K", "sAM-k", true},
		"another":             {"sam", "tim", false},
		"longer":              {"sam", "sams", false},
		"nobody":              {"", "", true},
		"a long s":            {"sam", "ſam", false},
		"a Kelvin sign":       {"kim", "\u212aim", false},
		"a dotless i":         {"kim", "kım", false},
		"a capital dotted I":  {"kim", "kİm", false},
		"full-width letters":  {"sam", "ｓａｍ", false},
		"an Å of another":     {"\u00e5sa", "\u212bsa", false},
		"bytes around them":   {"a[z]", "A{Z}", false},
		"no letters at all":   {"a-1_2", "A-1_2", true},
		"a letter with a bit": {"sam", "s\u0430m", false}, // Cyrillic а
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mismatch := MatchAccount.check(&User{Name: c.hub}, github.Account{ID: 1, Login: c.login})
			require.Equal(t, c.same, mismatch == nil)
		})
	}
}
