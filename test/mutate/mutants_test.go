package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestGoMutants(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "door.go")
	require.NoError(t, os.WriteFile(path, []byte(`package door

func (d *door) open(key string) error {
	if err := d.look(); err != nil {
		return err
	}
	if key == "" || !d.fits(key) {
		return errKey
	}
	d.log("open")
	return nil
}
`), 0o600))
	var found []*mutant
	text, err := goMutants(path, &found)
	require.NoError(t, err)

	var names []string
	for _, m := range found {
		names = append(names, strings.TrimPrefix(m.name, path+" open: "))
	}
	require.Equal(t, []string{
		`without d.log("open")`,
		`if false: err := d.look(); err != nil`,
		`if true: key == "" || !d.fits(key)`,
		`if false: key == "" || !d.fits(key)`,
		`without key == ""`,
		`without !d.fits(key)`,
	}, names)
	require.Contains(t, text, `if err := d.look(); !mutated(2) && (err != nil) {`)
	require.Contains(t, text, `if mutated(3) || (!mutated(4) && ((!mutated(5) && (key == "")) || (!mutated(6) && (!d.fits(key))))) {`)
	require.Contains(t, text, `if !mutated(1) { d.log("open") }`)
}

func TestScriptMutants(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "put.sh")
	require.NoError(t, os.WriteFile(path, []byte(`# Puts a file.
umask 077
put() {
	[ ! -h "$1" ] || fail link
	if [ -e "$1" ]; then
		return
	fi
}
stty -echo min 0 || fail stty
`), 0o600))
	var found []*mutant
	require.NoError(t, scriptMutants(path, &found))

	var changed []string
	for _, m := range found {
		_, line, _ := strings.Cut(m.at, ":")
		changed = append(changed, line+" "+strings.TrimSpace(strings.Split(m.changed, "\n")[line[0]-'1']))
	}
	require.Equal(t, []string{`2 :`, `4 [ ! -h "$1" ] || :`, `5 if false; then`, `9 stty -echo min 0 || :`, `9 stty min 0 || fail stty`}, changed)
}
