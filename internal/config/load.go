package config

import (
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/caarlos0/env/v11"

	"github.com/ghscoped/ghscoped-service/internal/secret"
	"github.com/ghscoped/ghscoped-service/internal/spelling"
)

const (
	ownPrefix  = "GHSCOPED_"
	configEnv  = ownPrefix + "CONFIG"
	configName = "config"
)

// ReadFile reads a whole file, as os.ReadFile does.
type ReadFile func(path string) ([]byte, error)

// Load reads the settings from environ (as os.Environ gives it) and from the
// YAML file at path or, where that is empty, at GHSCOPED_CONFIG. The environment
// wins over the file. The error is [Errors], with everything that is wrong. An
// empty value counts as not set.
func Load(path string, environ []string, readFile ReadFile) (Config, error) {
	l := &loader{
		table:  Table(),
		read:   readFile,
		given:  map[string]given{},
		failed: map[string]bool{},
	}
	variables := asMap(environ)
	l.environment(variables)

	source := "--" + configName
	if path == "" {
		path, source = variables[configEnv], "environment "+configEnv
	}
	if path != "" {
		l.file(path, source)
	}

	l.parse()
	l.derive()
	l.check()
	if text := variables["JUPYTERHUB_CLIENT_ID"]; text != "" && l.config.Service.Name != "" && text != l.config.Hub.ClientID {
		l.report("JUPYTERHUB_CLIENT_ID", "environment", "the service signs in as "+l.config.Hub.ClientID, removed["hub_client_id"])
	}
	if len(l.errors) > 0 {
		return Config{}, l.errors
	}
	l.config.effective = l.effective()
	return l.config, nil
}

// given is a value somebody wrote, and where.
type given struct{ text, source string }

type loader struct {
	table  []Setting
	read   ReadFile
	given  map[string]given
	failed map[string]bool // settings with an error, to say nothing twice
	config Config
	errors Errors
}

// offer takes a value unless a stronger source has given one.
func (l *loader) offer(s Setting, text, source string) {
	if _, taken := l.given[s.Name]; taken || blank(text) {
		return
	}
	l.given[s.Name] = given{text, source}
	if p := misplaced(s, text); p != nil {
		l.report(s.Name, source, p.what, p.fix)
	}
}

// blank reports what counts as not set: JupyterHub passes empty texts, and to a
// managed service an empty list of allowed scopes whatever it allows.
func blank(text string) bool { return text == "" || text == "[]" }

func (l *loader) report(setting, source, what, fix string) {
	l.failed[setting] = true
	l.errors = append(l.errors, Error{setting, source, what, fix})
}

// source says where a setting came from.
func (l *loader) source(name string) string {
	if g, ok := l.given[name]; ok {
		return g.source
	}
	return "not set"
}

func (l *loader) set(name string) bool {
	_, ok := l.given[name]
	return ok
}

func asMap(environ []string) map[string]string {
	variables := make(map[string]string, len(environ))
	for _, entry := range environ {
		name, text, _ := strings.Cut(entry, "=")
		variables[name] = text
	}
	return variables
}

// environment offers what the variables say. Two names of one setting that
// disagree are an error: neither is more right.
func (l *loader) environment(variables map[string]string) {
	known := []string{configEnv}
	for _, s := range l.table {
		known = append(known, s.Env...)
		for i, name := range s.Env {
			text := variables[name]
			if i > 0 && !blank(text) && !blank(variables[s.Env[0]]) && text != variables[s.Env[0]] {
				l.report(s.Name, "environment "+name, "it differs from "+s.Env[0], "set only one of them")
			}
			l.offer(s, text, "environment "+name)
		}
	}
	var unknown []string
	for name := range variables {
		if strings.HasPrefix(name, ownPrefix) && !slices.Contains(known, name) && !serviceLink(name) {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	for _, name := range unknown {
		// A misspelt policy that is passed over would be a weaker policy.
		key := strings.ToLower(strings.TrimPrefix(name, ownPrefix))
		l.unknown(name, "environment", key, known)
	}
}

// unknown names a setting that does not exist, and what to do about it.
func (l *loader) unknown(name, source, key string, known []string) {
	if instead, found := removed[key]; found {
		l.report(name, source, "this setting was removed", instead)
		return
	}
	fix := "correct the name, or unset it; 'ghscoped-service help settings' lists all"
	if near := spelling.Nearest(name, known); near != "" {
		fix = "did you mean " + near + "?"
	}
	l.report(secret.Scrub(name), source, "there is no such setting", fix)
}

// serviceLink recognises the variables that Kubernetes puts into every pod of
// a namespace that has a Service whose name begins with "ghscoped".
func serviceLink(name string) bool {
	match, _ := regexp.MatchString(`_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$`, name)
	return match
}

// parse lets the library set what was given and what is the default.
func (l *loader) parse() {
	texts := map[string]string{}
	for _, s := range l.table {
		if g, ok := l.given[s.Name]; ok && !l.failed[s.Name] {
			texts[s.Env[0]] = g.text
		}
	}
	var parsed settings
	err := env.ParseWithOptions(&parsed, env.Options{Environment: texts, FuncMap: parsers(l.read)})
	var all env.AggregateError
	if errors.As(err, &all) {
		for _, err := range all.Errors {
			l.refused(err)
		}
	}
	l.config = parsed.config()
}

// refused puts an error of the library into our words.
func (l *loader) refused(err error) {
	var invalid env.ParseError
	var missing env.VarIsNotSetError
	errors.As(err, &invalid)
	errors.As(err, &missing)
	at := slices.IndexFunc(l.table, func(s Setting) bool { return s.field == invalid.Name || s.Env[0] == missing.Key })
	if at < 0 {
		l.report(configName, "the program", secret.Scrub(err.Error()), "report it")
		return
	}
	s := l.table[at]
	var p *problem
	switch {
	case l.failed[s.Name]:
	case missing.Key != "":
		l.report(s.Name, "not set", "it is required", "set "+s.Env[0]+"; "+s.Required)
	case errors.As(invalid.Err, &p):
		l.report(s.Name, l.source(s.Name), p.what, p.fix)
	default:
		l.report(s.Name, l.source(s.Name), secret.Scrub(invalid.Err.Error()), "correct it")
	}
}

func (l *loader) effective() []Effective {
	derived := l.derived()
	list := make([]Effective, 0, len(l.table))
	for _, s := range l.table {
		shown := Effective{s.Name, s.Default, "default"}
		if text, found := derived[s.Name]; found {
			shown.Value = text
		}
		if g, ok := l.given[s.Name]; ok {
			shown.Value, shown.Source = g.text, g.source
		}
		if s.kind == reflect.TypeFor[secret.String]() && shown.Value != "" {
			shown.Value = secret.New(shown.Value).String()
		}
		list = append(list, shown)
	}
	return list
}

// cause strips the path that is named already.
func cause(err error) error {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err
	}
	return err
}

// Instead says what to do in place of an option of earlier releases, whose name
// is that of a setting or of a removed one.
func Instead(option string) (instead string, found bool) {
	key := strings.ReplaceAll(option, "-", "_")
	if instead, found = removed[key]; found {
		return instead, true
	}
	for _, s := range Table() {
		if s.Name == key {
			return fmt.Sprintf("set %s in the environment, or %s in the file that --config names", s.Env[0], key), true
		}
	}
	return "", false
}
