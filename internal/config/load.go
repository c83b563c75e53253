package config

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"github.com/ghscoped/ghscoped-service/internal/secret"
)

const (
	configFlag = "config"
	configEnv  = "GHSCOPED_CONFIG"
)

// Load reads the settings from args (without the program's name), environ (as
// os.Environ gives it) and the YAML file that one of them names. The error is
// [Faults] with everything that is wrong, or flag.ErrHelp where args ask for
// help. An empty value counts as not set.
func Load(args, environ []string, readFile ReadFile) (Config, error) {
	l := &loader{
		table:  Table(),
		read:   readFile,
		given:  map[string]given{},
		failed: map[string]bool{},
	}
	env := variables(environ)
	file, err := l.flags(args)
	if err != nil {
		return Config{}, err
	}
	l.environment(env)
	source := "flag -" + configFlag
	if file == "" {
		file, source = env[configEnv], "environment "+configEnv
	}
	if file != "" {
		l.file(file, source)
	}
	l.apply()
	l.derive()
	l.check()
	if len(l.faults) > 0 {
		return Config{}, l.faults
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
	failed map[string]bool // settings with a fault, to say nothing twice
	config Config
	faults Faults
}

// offer takes a value unless a stronger source has given one.
func (l *loader) offer(name, text, source string) {
	if _, taken := l.given[name]; !taken && !blank(text) {
		l.given[name] = given{text, source}
	}
}

// blank reports what counts as not set: JupyterHub passes empty texts, and to a
// managed service an empty list of allowed scopes whatever it allows.
func blank(text string) bool { return text == "" || text == "[]" }

func (l *loader) fault(setting, source, what, fix string) {
	l.failed[setting] = true
	l.faults = append(l.faults, Fault{setting, source, what, fix})
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

// flags offers what the command line says and returns the name of the file.
// The flag package stops at the first fault; it is asked again with the rest.
// What is no option at all (---x) it does not step over itself.
func (l *loader) flags(args []string) (file string, err error) {
	set := flag.NewFlagSet("", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	set.StringVar(&file, configFlag, "", "")
	for _, s := range l.table {
		if s.EnvOnly {
			continue
		}
		take := func(text string) error {
			l.offer(s.Name, text, "flag -"+s.Name)
			return nil
		}
		if _, on := s.bind(&Config{}, nil).(boolValue); on {
			set.BoolFunc(s.Name, "", take)
		} else {
			set.Func(s.Name, "", take)
		}
	}
	for rest := args; len(rest) > 0; {
		err := set.Parse(rest)
		left := set.Args()
		switch {
		case errors.Is(err, flag.ErrHelp):
			return "", flag.ErrHelp
		case err != nil:
			l.fault("command line", "flag", secret.Scrub(err.Error()), "see -help")
			if len(left) == len(rest) {
				left = left[1:]
			}
		case len(left) > 0:
			l.fault("command line", "argument", fmt.Sprintf("%q is not expected", secret.Scrub(left[0])), "see -help")
			left = left[1:]
		}
		rest = left
	}
	return file, nil
}

func variables(environ []string) map[string]string {
	env := make(map[string]string, len(environ))
	for _, entry := range environ {
		name, text, _ := strings.Cut(entry, "=")
		env[name] = text
	}
	return env
}

// environment offers what the variables say. Two names of one setting that
// disagree are a fault: neither is more right.
func (l *loader) environment(env map[string]string) {
	known := map[string]bool{configEnv: true}
	for _, s := range l.table {
		var used string
		for _, name := range s.Env {
			known[name] = true
			text := env[name]
			if used != "" && !blank(text) && text != env[used] {
				l.fault(s.Name, "environment "+name, "it differs from "+used, "set only one of them")
			}
			if used == "" && !blank(text) {
				used = name
				l.offer(s.Name, text, "environment "+name)
			}
		}
	}
	var unknown []string
	for name := range env {
		if strings.HasPrefix(name, "GHSCOPED_") && !known[name] && !serviceLink(name) {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	for _, name := range unknown {
		// A misspelt policy that is passed over would be a weaker policy.
		l.fault(secret.Scrub(name), "environment", "there is no such setting", "correct the name, or unset it")
	}
}

// serviceLink recognises the variables that Kubernetes puts into every pod of
// a namespace that has a Service whose name begins with "ghscoped".
func serviceLink(name string) bool {
	match, _ := regexp.MatchString(`_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$`, name)
	return match
}

// apply parses every value given, else the default.
func (l *loader) apply() {
	for _, s := range l.table {
		v := s.bind(&l.config, l.read)
		g, ok := l.given[s.Name]
		switch {
		case ok:
			l.parse(s, v, g)
		case s.Default != "":
			l.parse(s, v, given{s.Default, "default"})
		case s.Required != "" && !l.failed[s.Name]:
			l.fault(s.Name, "not set", "it is required", "set "+s.Env[0]+"; "+s.Required)
		}
	}
}

func (l *loader) parse(s Setting, v value, g given) {
	err := misplaced(v, g.text)
	if err == nil {
		err = v.Set(g.text)
	}
	var p *problem
	switch {
	case errors.As(err, &p):
		l.fault(s.Name, g.source, p.what, p.fix)
	case err != nil:
		l.fault(s.Name, g.source, err.Error(), "correct it")
	}
}

func (l *loader) effective() []Effective {
	list := make([]Effective, 0, len(l.table))
	for _, s := range l.table {
		source := "default"
		if l.set(s.Name) {
			source = l.source(s.Name)
		}
		list = append(list, Effective{s.Name, s.bind(&l.config, l.read).String(), source})
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
