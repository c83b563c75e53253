package bot

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

var update = flag.Bool("update", false, "write policy.schema.json again")

// schema is as much of JSON schema as ours uses.
type schema struct {
	Schema      string `json:"$schema,omitempty"`
	Title       string `json:"title,omitempty"`
	Description string `json:"description,omitempty"`

	Type          string            `json:"type,omitempty"`
	Const         any               `json:"const,omitempty"`
	Enum          []string          `json:"enum,omitempty"`
	Pattern       string            `json:"pattern,omitempty"`
	MinLength     int               `json:"minLength,omitempty"`
	Items         *schema           `json:"items,omitempty"`
	MinItems      int               `json:"minItems,omitempty"`
	MaxItems      int               `json:"maxItems,omitempty"`
	UniqueItems   bool              `json:"uniqueItems,omitempty"`
	MinProperties int               `json:"minProperties,omitempty"`
	AnyOf         []schema          `json:"anyOf,omitempty"`
	Patterns      map[string]schema `json:"patternProperties,omitempty"`
	Additional    *bool             `json:"additionalProperties,omitempty"`
	Names         *schema           `json:"propertyNames,omitempty"`
	Required      []string          `json:"required,omitempty"`
	Properties    map[string]schema `json:"properties,omitempty"`
}

// schemaOf is the schema of a format, or of a type in one.
func schemaOf(t reflect.Type) schema {
	t, form := valueOf(t)
	closed := false
	switch t.Kind() {
	case reflect.Struct:
		s := schema{Type: "object", Additional: &closed, Properties: map[string]schema{}}
		for _, field := range reflect.VisibleFields(t) {
			key, optional := strings.CutSuffix(field.Tag.Get("yaml"), ",omitempty")
			if !optional {
				s.Required = append(s.Required, key)
			}
			property := schemaOf(field.Type)
			property.Description = field.Tag.Get("doc")
			s.Properties[key] = property
		}
		return s
	case reflect.Map:
		if t == reflect.TypeFor[conditions]() {
			value := schema{AnyOf: []schema{schemaOf(reflect.TypeFor[claimText]()), schemaOf(reflect.TypeFor[[]claimText]())}}
			return schema{Type: "object", MinProperties: 1, Patterns: map[string]schema{claimNames.String(): value}, Additional: &closed}
		}
		s := schema{Type: "object", MinProperties: 1, Properties: map[string]schema{}, Names: &schema{Type: "string", Pattern: permissionNames.String()}}
		for name, levels := range permissions {
			s.Properties[name] = schema{Enum: levels}
		}
		return s
	case reflect.Slice:
		items := schemaOf(t.Elem())
		if items.Type == "object" {
			return schema{Type: "array", Items: &items, MaxItems: maxEntries}
		}
		return schema{Type: "array", Items: &items, MinItems: 1, UniqueItems: true}
	case reflect.Int:
		return schema{Const: 1}
	}
	if form.pattern != nil {
		return schema{Type: "string", Pattern: form.pattern.String()}
	}
	return schema{Type: "string", MinLength: 1}
}

func TestSchemaIsThatOfTheFormat(t *testing.T) {
	t.Parallel()
	policy, file := schemaOf(reflect.TypeFor[policyFormat]()), schemaOf(reflect.TypeFor[fileFormat]())
	policy.Title = "Bot policy of ghscoped-service"
	policy.Description = "Who may have a GitHub App installation token, for which repositories and permissions. " +
		"What no rule allows is refused. The first rule that allows the whole request decides."
	file.Title = "A repository's " + RepositoryFilePath + " for ghscoped-service"
	file.Description = "What bots may be given in this repository, where the bot policy allows it, too. " +
		"One entry has to allow all the permissions that are asked for."
	for name, tc := range map[string]struct {
		made schema
		have []byte
	}{"policy.schema.json": {policy, Schema}, "repository.schema.json": {file, RepositoryFileSchema}} {
		tc.made.Schema = "https://json-schema.org/draft/2020-12/schema"
		text, err := json.MarshalIndent(tc.made, "", "  ")
		require.NoError(t, err)
		if *update {
			require.NoError(t, os.WriteFile(name, append(text, '\n'), 0o644))
			continue
		}
		require.Equal(t, string(text)+"\n", string(tc.have), "go test ./internal/bot -run Schema -update writes it again")
	}
}

func readSchema(t testing.TB, text []byte) schema {
	t.Helper()
	var s schema
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(&s))
	return s
}

// compiled are the expressions of the schemas, which the fuzz targets match often.
var compiled sync.Map

func matches(pattern, text string) bool {
	expression, known := compiled.Load(pattern)
	if !known {
		expression, _ = compiled.LoadOrStore(pattern, regexp.MustCompile(pattern))
	}
	return expression.(*regexp.Regexp).MatchString(text)
}

func (s schema) valid(value any) bool {
	if s.Const != nil && value != s.Const {
		return false
	}
	if s.AnyOf != nil {
		return slices.ContainsFunc(s.AnyOf, func(one schema) bool { return one.valid(value) })
	}
	switch v := value.(type) {
	case map[string]any:
		return (s.Type == "object") && s.validObject(v)
	case []any:
		return s.Type == "array" && s.validArray(v)
	case string:
		return (s.Type == "string" || s.Enum != nil) && (s.Enum == nil || slices.Contains(s.Enum, v)) &&
			len(v) >= s.MinLength && (s.Pattern == "" || matches(s.Pattern, v))
	}
	return s.Const != nil
}

func (s schema) validObject(v map[string]any) bool {
	for _, key := range s.Required {
		if _, there := v[key]; !there {
			return false
		}
	}
	for key, value := range v {
		if s.Names != nil && !s.Names.valid(key) {
			return false
		}
		property, known := s.Properties[key]
		for pattern, of := range s.Patterns {
			if matches(pattern, key) {
				property, known = of, true
			}
		}
		if (!known && s.Additional != nil && !*s.Additional) || (known && !property.valid(value)) {
			return false
		}
	}
	return len(v) >= s.MinProperties
}

func (s schema) validArray(v []any) bool {
	seen := map[any]bool{}
	for _, item := range v {
		if s.UniqueItems && seen[item] {
			return false
		}
		if s.UniqueItems {
			seen[item] = true
		}
		if !s.Items.valid(item) {
			return false
		}
	}
	return len(v) >= s.MinItems && (s.MaxItems == 0 || len(v) <= s.MaxItems)
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

func TestSchemaAndTheReaderAgree(t *testing.T) {
	t.Parallel()
	root := readSchema(t, Schema)
	accepts := func(text string) bool {
		value, ok := asJSON(t, text)
		return ok && root.valid(value)
	}
	for _, good := range []string{goodPolicy, "version: 1\nrules: []\n", ruleWith("reuse", "1m"), ruleWith("reuse", "50m"),
		ruleWith("callers", "['user:*', 'group:a b', 'service:x']"), goodWorkloads, ruleWith("repositories", "[o/.github, 'o_x/*']")} {
		require.NoError(t, func() error { _, err := ParsePolicy([]byte(good)); return err }(), good)
		require.True(t, accepts(good), good)
	}
	for name, tc := range badPolicies {
		// A duplicate key does not get past the decoder, an anchor looks like what it stands for.
		value, ok := asJSON(t, tc.text)
		if tc.schema {
			require.False(t, ok && root.valid(value), "the schema accepts %s", name)
		} else if ok {
			require.True(t, root.valid(value), "the schema need not refuse %s", name)
		}
	}
}
