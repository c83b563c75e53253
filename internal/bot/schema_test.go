package bot

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// schema is as much of JSON schema as ours uses. Reading it is strict, so that
// a keyword which is not checked here cannot slip into the file.
type schema struct {
	Schema      string            `json:"$schema"`
	Title       string            `json:"title"`
	Description string            `json:"description"`
	Defs        map[string]schema `json:"$defs"`
	Ref         string            `json:"$ref"`

	Type          string            `json:"type"`
	Const         any               `json:"const"`
	Enum          []string          `json:"enum"`
	Pattern       string            `json:"pattern"`
	MinLength     int               `json:"minLength"`
	Items         *schema           `json:"items"`
	MinItems      int               `json:"minItems"`
	MaxItems      *int              `json:"maxItems"`
	UniqueItems   bool              `json:"uniqueItems"`
	Properties    map[string]schema `json:"properties"`
	MinProperties int               `json:"minProperties"`
	Required      []string          `json:"required"`
	Additional    *bool             `json:"additionalProperties"`
}

func readSchema(t testing.TB) schema {
	t.Helper()
	var s schema
	decoder := json.NewDecoder(bytes.NewReader(Schema))
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(&s))
	return s
}

func (s schema) valid(root schema, value any) bool {
	if s.Ref != "" {
		return root.Defs[strings.TrimPrefix(s.Ref, "#/$defs/")].valid(root, value)
	}
	if s.Const != nil && value != s.Const {
		return false
	}
	switch v := value.(type) {
	case map[string]any:
		return (s.Type == "object") && s.validObject(root, v)
	case []any:
		return s.Type == "array" && s.validArray(root, v)
	case string:
		return (s.Type == "string" || s.Enum != nil) && (s.Enum == nil || slices.Contains(s.Enum, v)) &&
			len(v) >= s.MinLength && (s.Pattern == "" || regexp.MustCompile(s.Pattern).MatchString(v))
	}
	return s.Const != nil
}

func (s schema) validObject(root schema, v map[string]any) bool {
	for _, key := range s.Required {
		if _, there := v[key]; !there {
			return false
		}
	}
	for key, value := range v {
		property, known := s.Properties[key]
		if (!known && s.Additional != nil && !*s.Additional) || (known && !property.valid(root, value)) {
			return false
		}
	}
	return len(v) >= s.MinProperties
}

func (s schema) validArray(root schema, v []any) bool {
	seen := map[any]bool{}
	for _, item := range v {
		if s.UniqueItems && seen[item] {
			return false
		}
		if s.UniqueItems {
			seen[item] = true
		}
		if !s.Items.valid(root, item) {
			return false
		}
	}
	return len(v) >= s.MinItems && (s.MaxItems == nil || len(v) <= *s.MaxItems)
}

// asJSON is what an editor validates; false where the file is no single
// document of YAML.
func asJSON(t testing.TB, text string) (any, bool) {
	t.Helper()
	decoder := yaml.NewDecoder(strings.NewReader(text))
	var value, more any
	if decoder.Decode(&value) != nil || !errors.Is(decoder.Decode(&more), io.EOF) {
		return nil, false
	}
	encoded, err := json.Marshal(value)
	require.NoError(t, err)
	var back any
	require.NoError(t, json.Unmarshal(encoded, &back))
	return back, true
}

func TestTheSchemaAndTheReaderAgree(t *testing.T) {
	t.Parallel()
	root := readSchema(t)
	accepts := func(text string) bool {
		value, ok := asJSON(t, text)
		return ok && root.valid(root, value)
	}
	for _, good := range []string{goodPolicy, "version: 1\nrules: []\n", ruleWith("reuse", "1m"), ruleWith("reuse", "50m"),
		ruleWith("callers", "['user:*', 'group:a b', 'service:x']"), ruleWith("repositories", "[o/.github, 'o_x/*']")} {
		require.NoError(t, func() error { _, err := ParsePolicy([]byte(good)); return err }(), good)
		require.True(t, accepts(good), good)
	}
	for name, tc := range badPolicies {
		// A duplicate key does not get past the decoder, an anchor looks like what it stands for.
		value, ok := asJSON(t, tc.text)
		if tc.schema {
			require.False(t, ok && root.valid(root, value), "the schema accepts %s", name)
		} else if ok {
			require.True(t, root.valid(root, value), "the schema need not refuse %s", name)
		}
	}
}

func TestTheSchemaKnowsEachPermission(t *testing.T) {
	t.Parallel()
	published := map[string][]string{}
	for name, s := range readSchema(t).Defs["rule"].Properties["permissions"].Properties {
		published[name] = s.Enum
	}
	require.Equal(t, permissions, published)
	require.NotEmpty(t, slices.Collect(maps.Keys(published)))
}
