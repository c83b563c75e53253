package deliver

import (
	"context"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
)

// These tests are not parallel: what runs here has the environment of this process.

// hereAt makes the home of a place that of this process, and its mkdir a script.
func hereAt(t *testing.T, mkdir string) *place {
	t.Helper()
	p := newPlace(t)
	for _, name := range []string{"XDG_CONFIG_HOME", "GIT_CONFIG_GLOBAL", "GH_CONFIG_DIR", "JUPYTERHUB_API_TOKEN"} {
		t.Setenv(name, "")
		require.NoError(t, os.Unsetenv(name))
	}
	t.Setenv("HOME", p.home)
	t.Setenv("GIT_CONFIG_NOSYSTEM", "1")
	if mkdir != "" {
		programs := t.TempDir()
		require.NoError(t, os.WriteFile(programs+"/mkdir", []byte("#!/bin/sh\n"+mkdir+"\n"), 0o755))
		t.Setenv("PATH", programs+":"+p.path)
	}
	return p
}

func TestDeliverHere(t *testing.T) {
	p := hereAt(t, "")
	d := newDeliverer(t, Options{})
	require.NoError(t, d.DeliverHere(t.Context(), gitCredential()))
	require.Contains(t, p.fill("https", "github.com"), "password="+token+"\n")
	require.NoError(t, d.RemoveHere(t.Context()))
	require.NoDirExists(t, p.home+"/.config/ghscoped")
}

func TestDeliverHereWhereAnotherHelperComesBehind(t *testing.T) {
	p := hereAt(t, "")
	for name, value := range map[string]string{"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "credential.helper", "GIT_CONFIG_VALUE_0": "store"} {
		t.Setenv(name, value)
	}
	require.NoError(t, newDeliverer(t, Options{}).DeliverHere(t.Context(), gitCredential()))
	require.FileExists(t, p.home+"/.config/ghscoped/github.com/credential")
}

func TestDeliverHereSaysWhatWentWrong(t *testing.T) {
	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	for _, c := range []struct {
		name    string
		ctx     context.Context
		mkdir   string
		options Options
		prepare func(t *testing.T, p *place)
		code    string
	}{
		{"no home", context.Background(), "", Options{}, func(t *testing.T, _ *place) { t.Setenv("HOME", "") }, "home_missing"},
		{"given up", canceled, "", Options{}, nil, "delivery_interrupted"},
		{"a program that does not end", context.Background(), "sleep 4", Options{Timeout: 200 * time.Millisecond}, nil, "delivery_timeout"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := hereAt(t, c.mkdir)
			if c.prepare != nil {
				c.prepare(t, p)
			}
			began := time.Now()
			require.Equal(t, c.code, apierror.CodeOf(newDeliverer(t, c.options).DeliverHere(c.ctx, gitCredential())))
			require.Less(t, time.Since(began), 3*time.Second)
		})
	}
}

// A Ctrl-C at the command's terminal goes to the command, which decides.
func TestDeliverHereIsNotInTheProcessGroupOfTheCommand(t *testing.T) {
	p := hereAt(t, `read -r _ _ _ _ group _ </proc/$$/stat; echo "$group" >>"$HOME/groups"; exec /bin/mkdir "$@"`)
	require.NoError(t, newDeliverer(t, Options{}).DeliverHere(t.Context(), gitCredential()))
	groups := strings.Fields(p.read("groups"))
	require.NotEmpty(t, groups)
	require.NotContains(t, groups, strconv.Itoa(syscall.Getpgrp()))
}
