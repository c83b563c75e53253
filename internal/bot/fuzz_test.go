package bot

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func FuzzPolicy(f *testing.F) {
	f.Add([]byte(goodPolicy))
	for _, bad := range badPolicies {
		f.Add([]byte(bad.text))
	}
	root := readSchema(f, Schema)
	f.Add([]byte(goodWorkloads))
	workload := deploy(map[string]string{})
	caller := Caller{Kind: Service, Name: "nbbot", Groups: []string{"teachers-1"}}
	request := Request{Repositories: []string{"octo-org/shared"}, Permissions: map[string]string{"contents": "write"}}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := ParsePolicy(data)
		if err != nil {
			require.Nil(t, p)
			require.NotEmpty(t, err.Error())
			return
		}
		// Whatever is accepted is what the schema describes, and decides without fear.
		value, ok := asJSON(t, string(data))
		require.True(t, ok)
		require.True(t, root.valid(value))
		explained := p.Explain(caller, request)
		last := len(explained.Steps) - 1
		require.Equal(t, explained.Allowed, last >= 0 && explained.Steps[last].Allowed)
		require.False(t, p.Explain(Caller{}, request).Allowed)
		require.False(t, p.Explain(workload, request).Allowed, "whose token has no numbers")
	})
}

func FuzzRepositoryFile(f *testing.F) {
	root := readSchema(f, RepositoryFileSchema)
	for _, seed := range []string{"", "version: 1\nallow: []\n", "version: 1\nallow:\n  - callers: [service:nbbot]\n    permissions: {contents: write}\n",
		"version: 1\nallow: &a [*a]\n", "version: 1\nallow: [{callers: ['user:*'], permissions: {contents: read}, reason: x}]\n", "{", "- - -", "version: !!binary x",
		"version: 1\nallow:\n  - callers: [actions:octo/deploy]\n    where: {repository_owner_id: '583231', repository_id: ['1296269']}\n    permissions: {contents: write}\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := ParseRepositoryFile(data)
		if err != nil {
			require.Nil(t, file)
			return
		}
		require.False(t, file.Allows(Caller{}, map[string]string{"contents": "read"}))
		require.False(t, file.Allows(deploy(map[string]string{}), map[string]string{"contents": "read"}))
		value, ok := asJSON(t, string(data))
		require.True(t, ok)
		require.True(t, root.valid(value))
		require.False(t, file.Allows(Caller{Kind: Service, Name: "a"}, map[string]string{"no-permission": "read"}))
	})
}

func FuzzGlob(f *testing.F) {
	f.Add("a*b", "axb")
	f.Add("**", "")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if glob(pattern, text) {
			require.True(t, glob("*", text))
			require.True(t, glob(pattern+"*", text+"x"))
		}
		require.True(t, glob(pattern, pattern), "a star stands for a star too")
	})
}
