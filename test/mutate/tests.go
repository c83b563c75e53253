package main

import (
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

type outcome string

const (
	killed    outcome = "killed"
	timedOut  outcome = "stopped by the time limit"
	survived  outcome = "survives"
	unreached outcome = "no test reaches it"
)

// lives reports whether no test fails for a mutant.
func (o outcome) lives() bool { return o == survived || o == unreached }

// build is a package's mutants, and the test binaries that they are in.
type build struct {
	tests   []string // packages
	temp    string
	overlay map[string]string // what stands in for a file, by absolute path
	mutants []*mutant
	all     []test

	// noting is the folder of the tests whose scripts write what is reached to a file,
	// one test at a time; "" where there is no script.
	noting string
	turn   sync.Mutex
	// kills is how many mutants a test has killed, by its pattern.
	kills map[string]int
	mu    sync.Mutex
}

// test is one test of one of the packages, or one case of a test that is slow.
type test struct {
	of, pattern string // as go test -run takes it
	took        time.Duration
	reaches     map[int]bool // mutants, by number
}

// slow is what a test takes whose cases are run one by one: a mutant then runs
// only those that reach it.
const slow = 5 * time.Second

// switches is what the mutants of a package's Go code share.
//
//go:embed switches.txt
var switches string

// newBuild finds the mutants of a package and compiles them into its tests.
func newBuild(tests []string) (*build, error) {
	temp, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return nil, err
	}
	b := &build{tests: tests, temp: temp, overlay: map[string]string{}, kills: map[string]int{}}
	err = filepath.WalkDir(tests[0], func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		another, _ := filepath.Glob(path + "/*.go")
		switch {
		case entry.IsDir() && path != tests[0] && len(another) > 0:
			return filepath.SkipDir
		case strings.HasSuffix(path, ".sh"):
			return scriptMutants(path, &b.mutants)
		case strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go"):
			text, err := goMutants(path, &b.mutants)
			return errors.Join(err, b.put(path, text))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := b.put(filepath.Join(tests[0], "mutated.go"), "package "+filepath.Base(tests[0])+"\n"+switches); err != nil {
		return nil, err
	}
	return b, errors.Join(compile(temp, tests, b.overlay), b.compileNoting())
}

// compileNoting builds the tests once more, with scripts that note what is reached.
func (b *build) compileNoting() error {
	of := map[string][]*mutant{}
	for _, m := range b.mutants {
		if m.changed != "" {
			of[m.path] = append(of[m.path], m)
		}
	}
	if len(of) == 0 {
		return nil
	}
	b.noting = filepath.Join(b.temp, "noting")
	overlay := map[string]string{}
	err := os.Mkdir(b.noting, 0o700)
	for path, mutants := range of {
		text, noted := noting(path, b.noted(), mutants)
		absolute, absent := filepath.Abs(path)
		overlay[absolute] = filepath.Join(b.noting, filepath.Base(path))
		err = errors.Join(err, noted, absent, os.WriteFile(overlay[absolute], []byte(text), 0o600))
	}
	return errors.Join(err, compile(b.noting, b.tests, overlay))
}

func (b *build) noted() string { return filepath.Join(b.noting, "noted") }

// put makes a text stand in for a file.
func (b *build) put(path, text string) error {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	stand := filepath.Join(b.temp, strconv.Itoa(len(b.overlay))+filepath.Base(path))
	b.overlay[absolute] = stand
	return os.WriteFile(stand, []byte(text), 0o600)
}

func compile(into string, tests []string, overlay map[string]string) error {
	content, err := json.Marshal(map[string]any{"Replace": overlay})
	if err != nil {
		return err
	}
	file := filepath.Join(into, "overlay.json")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		return err
	}
	for _, of := range tests {
		out, err := exec.Command("go", "test", "-c", "-vet=off", "-overlay", file, "-o", binary(into, of), "./"+of).CombinedOutput()
		if err != nil {
			return fmt.Errorf("build the tests of %s: %w: %s", of, err, out)
		}
	}
	return nil
}

func binary(folder, of string) string {
	return filepath.Join(folder, strings.ReplaceAll(of, "/", "-")+".test")
}

// measure runs each test alone, without a mutant: how long it takes, and which
// mutants it reaches.
func (b *build) measure() error {
	for _, of := range b.tests {
		list := exec.Command(binary(b.temp, of), "-test.list", "^(Test|Fuzz|Example)")
		list.Dir = of
		names, err := list.Output()
		if err != nil {
			return fmt.Errorf("list the tests of %s: %w", of, err)
		}
		for _, name := range strings.Fields(string(names)) {
			b.all = append(b.all, test{of: of, pattern: "^" + name + "$"})
		}
	}
	parts := make([][]test, len(b.all))
	err := each(len(b.all), func(i int) error {
		out, err := b.measureOne(&b.all[i])
		if err != nil {
			return err
		}
		if b.all[i].took > slow {
			parts[i] = cases(b.all[i], out)
		}
		for j := range parts[i] {
			if _, err := b.measureOne(&parts[i][j]); err != nil {
				return err
			}
		}
		if len(parts[i]) == 0 {
			parts[i] = []test{b.all[i]}
		}
		return nil
	})
	b.all = slices.Concat(parts...)
	return err
}

func (b *build) measureOne(t *test) (out []byte, err error) {
	seen, err := os.CreateTemp(b.temp, "seen")
	if err != nil {
		return nil, err
	}
	defer seen.Close()
	began := time.Now()
	result, out := runTests(b.temp, t.of, []string{t.pattern}, time.Hour, "MUTANTS_SEEN="+seen.Name(), "-test.short")
	if result != survived {
		return nil, fmt.Errorf("%s of %s fails without any mutant: %s", t.pattern, t.of, out)
	}
	t.took, t.reaches = time.Since(began), map[int]bool{}
	numbers, err := io.ReadAll(seen)
	t.reach(string(numbers))
	return out, errors.Join(err, b.measureScripts(t))
}

func (t *test) reach(numbers string) {
	for number := range strings.FieldsSeq(numbers) {
		n, _ := strconv.Atoi(number)
		t.reaches[n] = true
	}
}

// measureScripts notes which mutants of scripts a test reaches: all of them, if it fails
// with scripts that write that down.
func (b *build) measureScripts(t *test) error {
	if b.noting == "" {
		return nil
	}
	b.turn.Lock()
	defer b.turn.Unlock()
	if err := os.WriteFile(b.noted(), nil, 0o600); err != nil {
		return err
	}
	result, _ := runTests(b.noting, t.of, []string{t.pattern}, time.Minute+5*t.took, "MUTANT=", "-test.short")
	numbers, err := os.ReadFile(b.noted())
	t.reach(string(numbers))
	for _, m := range b.mutants {
		if result != survived && m.changed != "" {
			t.reaches[m.number] = true
		}
	}
	return err
}

// passed finds the cases of a test in what go test -v says of it.
var passed = regexp.MustCompile(`(?m)^    --- PASS: (\S+) `)

func cases(whole test, out []byte) (found []test) {
	for _, name := range passed.FindAllSubmatch(out, -1) {
		var parts []string
		for part := range strings.SplitSeq(string(name[1]), "/") {
			parts = append(parts, "^"+regexp.QuoteMeta(part)+"$")
		}
		found = append(found, test{of: whole.of, pattern: strings.Join(parts, "/")})
	}
	return found
}

// try switches a mutant on and runs the tests that reach it: with -short first and, where that does not tell and nobody has given a reason, whole.
func (b *build) try(m *mutant, listed bool) (outcome, error) {
	folder := b.temp
	if m.changed != "" {
		folder = filepath.Join(b.temp, "mutant"+strconv.Itoa(m.number))
		defer os.RemoveAll(folder)
		script, err := filepath.Abs(m.path)
		err = errors.Join(err, os.Mkdir(folder, 0o700), os.WriteFile(folder+"/changed.sh", []byte(m.changed), 0o600),
			compile(folder, b.tests, map[string]string{script: folder + "/changed.sh"}))
		if err != nil {
			return "", err
		}
	}

	result := b.run(m, folder, 5, "-test.short")
	if result == survived && !listed {
		result = b.run(m, folder, 100)
	}
	return result, nil
}

// run runs the tests that reach a mutant until one fails; they may take so many times
// as long as they did without it.
func (b *build) run(m *mutant, folder string, times time.Duration, options ...string) outcome {
	result := unreached
	for _, of := range b.tests {
		var reach []test
		for _, t := range b.all {
			if t.of == of && t.reaches[m.number] {
				reach = append(reach, t)
			}
		}
		// Most mutants die of a test that has killed others, or of a quick one: a few are
		// run first, then twice as many.
		b.mu.Lock()
		slices.SortStableFunc(reach, func(x, y test) int {
			return cmp.Or(cmp.Compare(b.kills[y.pattern], b.kills[x.pattern]), cmp.Compare(x.took, y.took))
		})
		b.mu.Unlock()
		for size := 3; len(reach) > 0; size *= 2 {
			some := reach[:min(size, len(reach))]
			reach = reach[len(some):]
			var patterns []string
			limit := time.Minute
			for _, t := range some {
				patterns, limit = append(patterns, t.pattern), limit+times*t.took
			}
			var out []byte
			if result, out = runTests(folder, of, patterns, limit, "MUTANT="+strconv.Itoa(m.number), options...); result != survived {
				b.killedBy(some, string(out))
				return result
			}
		}
	}
	return result
}

// killedBy counts for each test whether it has failed.
func (b *build) killedBy(some []test, out string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, t := range some {
		if strings.Contains(out, "--- FAIL: "+strings.NewReplacer("^", "", "$", "").Replace(t.pattern)+" ") {
			b.kills[t.pattern]++
		}
	}
}

// runTests runs tests of a package until the first one fails. Whatever they
// started ends with them.
func runTests(folder, of string, patterns []string, limit time.Duration, setting string, options ...string) (outcome, []byte) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	command := exec.CommandContext(ctx, binary(folder, of), append([]string{"-test.run", strings.Join(patterns, "|"), "-test.failfast", "-test.v"}, options...)...)
	command.Dir, command.Env = of, append(os.Environ(), setting)
	var out bytes.Buffer
	command.Stdout, command.Stderr = &out, &out
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }
	command.WaitDelay = time.Second
	err := command.Run()
	switch {
	case ctx.Err() != nil:
		return timedOut, out.Bytes()
	case err != nil:
		return killed, out.Bytes()
	}
	return survived, out.Bytes()
}

// each calls do for each number below n, on all processors.
func each(n int, do func(int) error) error {
	var group sync.WaitGroup
	numbers, failed := make(chan int), make([]error, n)
	for range runtime.NumCPU() {
		group.Go(func() {
			for i := range numbers {
				failed[i] = do(i)
			}
		})
	}
	for i := range n {
		numbers <- i
	}
	close(numbers)
	group.Wait()
	return errors.Join(failed...)
}
