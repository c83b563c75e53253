package config_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/config"
)

// misplacedSecrets are what deployers put where a path, a name or an address
// belongs, and the part of each that must not be seen.
func misplacedSecrets() map[string]struct{ text, marker string } {
	return map[string]struct{ text, marker string }{
		"a private key":              {"-----BEGIN RSA PRIVATE KEY-----\nMIIEmarker0\n-----END RSA PRIVATE KEY-----\n", "marker0"},
		"a private key in one line":  {`-----BEGIN PRIVATE KEY-----\nMIIEmarker0\n-----END PRIVATE KEY-----`, "marker0"},
		"a GitHub token":             {"ghs_marker0aaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "marker0"},
		"a sealing key":              {"/marker0NQdQkI4J3PTrUHLJh8yZgWwZ3nX2Q5xMhB8=", "marker0"},
		"a client secret":            {"3f786850e387550fdab836ed7e6dc881de23001b", "3f786850"},
		"a Hub token":                {"3f786850e387550fdab836ed7e6dc881", "3f786850"},
		"an address with a password": {"rediss://ada:marker0@redis.example.org:6379/0", "marker0"},
		"an address with a token":    {"https://marker0@github.com", "marker0"},
	}
}

// TestLoadPrintsNoSecretGivenByMistake sets every setting to every kind of secret,
// in each of the ways that there are.
func TestLoadPrintsNoSecretGivenByMistake(t *testing.T) {
	t.Parallel()
	for _, setting := range config.Table() {
		for kind, secret := range misplacedSecrets() {
			for way, load := range map[string]func() (config.Config, error){
				"environment": func() (config.Config, error) {
					environ := without(managed(), setting.Env...)
					return config.Load("", append(environ, setting.Env[0]+"="+secret.text), files{}.read)
				},
				"file": func() (config.Config, error) {
					disk := files{"f.yaml": fmt.Sprintf("%s: %q\n", setting.Name, secret.text)}
					return config.Load("f.yaml", without(managed(), setting.Env...), disk.read)
				},
			} {
				t.Run(setting.Name+"/"+kind+"/"+way, func(t *testing.T) {
					t.Parallel()
					cfg, err := load()
					shown := fmt.Sprintf("%v %+v %#v", err, err, err)
					for _, effective := range cfg.Effective() {
						shown += effective.Value
					}
					require.NotContains(t, shown, secret.marker)
					if setting.EnvOnly() && (way != "environment" || setting.Name == "JUPYTERHUB_API_TOKEN") {
						return // an unknown setting; and where a secret belongs
					}
					var errs config.Errors
					require.True(t, errors.As(err, &errs))
					require.Equal(t, setting.Name, errs[0].Setting, "%v", errs)
					if strings.HasSuffix(setting.Name, "_file") && setting.Name != "bot_repository_file" {
						require.Contains(t, errs[0].Problem, "not a path")
						require.Contains(t, errs[0].Fix, "write it to a file")
					}
				})
			}
		}
	}
}

// TestLoadPrintsNoSecretBesideTheSettings: as a misspelt key, and as the path of
// the file of settings.
func TestLoadPrintsNoSecretBesideTheSettings(t *testing.T) {
	t.Parallel()
	for kind, secret := range misplacedSecrets() {
		for way, load := range map[string]func() error{
			"settings": func() error {
				_, err := config.Load(secret.text, managed(), files{}.read)
				return err
			},
			"environment": func() error {
				_, err := config.Load("", managed("GHSCOPED_CONFIG="+secret.text), files{}.read)
				return err
			},
			"misspelt": func() error {
				_, err := config.Load("", managed("GHSCOPED_APP_KEY="+secret.text), files{}.read)
				return err
			},
			"unknown key": func() error {
				disk := files{"f.yaml": fmt.Sprintf("%q: x\nprivate_key: %q\n", secret.text, secret.text)}
				_, err := config.Load("f.yaml", managed(), disk.read)
				return err
			},
			"the file itself": func() error {
				disk := files{"f.yaml": secret.text + "\nx: [*" + secret.text}
				_, err := config.Load("f.yaml", managed(), disk.read)
				return err
			},
		} {
			t.Run(kind+"/"+way, func(t *testing.T) {
				t.Parallel()
				err := load()
				require.Error(t, err)
				require.NotContains(t, err.Error(), secret.marker)
			})
		}
	}
}
