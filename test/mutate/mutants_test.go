package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
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

func TestNoting(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path, file := filepath.Join(folder, "put.sh"), filepath.Join(folder, "noted")
	require.NoError(t, os.WriteFile(path, []byte(`put() {
	mkdir "$1" 2>/dev/null || return
	if [ -e "$1/x" ]; then
		echo there
	fi
	case $1 in /never) echo never ;; esac
	echo made
}
put "$1/new"
put "$1/new/"
`), 0o600))
	var mutants []*mutant
	require.NoError(t, scriptMutants(path, &mutants))
	text, err := noting(path, file, mutants)
	require.NoError(t, err)
	out, err := exec.Command("sh", "-c", text, "sh", folder).Output()
	require.Error(t, err, "the second one is there already, as without the notes")
	require.Equal(t, "made\n", string(out))
	noted, err := os.ReadFile(file)
	require.NoError(t, err)
	reached := map[string]bool{}
	for number := range strings.FieldsSeq(string(noted)) {
		n, err := strconv.Atoi(number)
		require.NoError(t, err)
		reached[strings.TrimPrefix(mutants[n-1].name, path+" ")] = true
	}
	require.Equal(t, map[string]bool{
		`put: nothing else: mkdir "$1" 2>/dev/null || return`: true, `put: if false: if [ -e "$1/x" ]; then`: true,
		`put: without echo made`: true, `script: without put "$1/new"`: true, `script: without put "$1/new/"`: true,
	}, reached)
}
