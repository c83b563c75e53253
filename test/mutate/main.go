// Command mutate switches off the guards of some packages one by one, and reports
// those that no test fails for.
//
// A guard is a condition that becomes true or false, one side of an && or an ||, a
// call, an assignment, a limit, an option that is true; in a shell script it is a
// command, a condition, or what is done when a command fails. All mutants of a
// package's Go code are compiled into one test binary, whose environment says which
// of them is on, and only the tests that reach it are run. A script's are built one
// by one, with go test -overlay: no file of the tree is touched.
//
// A mutant that survives has to stand in survivors.txt with a reason; without one it
// is shown as soon as it is found. "mutate internal/bot" tries one package, and "mutate
// internal/bot yaml.go" those of its mutants whose name contains the text. Most of the
// time goes into files that tests write; with TMPDIR=/dev/shm it takes half as long.
package main

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
)

// packages, each with those whose tests count: its own first.
var packages = [][]string{
	{"internal/hubauth", "internal/server"},
	{"internal/server"},
	{"internal/bot", "internal/server"},
	{"internal/store", "internal/store/bolt"},
	{"internal/deliver"},
}

const survivors = "test/mutate/survivors.txt"

func main() {
	flag.Parse()
	if err := run(flag.Arg(0), flag.Arg(1)); err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

// run tries the mutants of one package, or of all, whose name contains part.
func run(only, part string) error {
	reasons, err := readReasons()
	if err != nil {
		return err
	}

	unexplained := 0
	for _, tests := range packages {
		if only != "" && only != tests[0] {
			continue
		}
		began := time.Now()
		b, outcomes, err := mutate(tests, part, reasons)
		if err != nil {
			return err
		}
		unexplained += report(b, outcomes, reasons)
		fmt.Printf("  %s\n", time.Since(began).Round(time.Second))
	}
	if unexplained > 0 {
		return fmt.Errorf("%d survive without a reason in %s", unexplained, survivors)
	}
	return nil
}

func mutate(tests []string, part string, reasons map[string]string) (*build, []outcome, error) {
	b, err := newBuild(tests)
	if err != nil {
		return nil, nil, err
	}
	defer os.RemoveAll(b.temp)
	b.mutants = slices.DeleteFunc(b.mutants, func(m *mutant) bool { return !strings.Contains(m.name, part) })
	maps.DeleteFunc(reasons, func(name, _ string) bool { return !strings.Contains(name, part) })

	if err := b.measure(); err != nil {
		return nil, nil, err
	}
	outcomes := make([]outcome, len(b.mutants))
	err = each(len(b.mutants), func(i int) (err error) {
		m := b.mutants[i]
		_, listed := reasons[m.name]
		outcomes[i], err = b.try(m, listed)
		if outcomes[i].lives() && !listed {
			fmt.Fprintf(os.Stderr, "%s: %s\n  %s\n", m.at, outcomes[i], m.name)
		}
		if i%100 == 99 {
			fmt.Fprintf(os.Stderr, "%s: about %d of %d\n", tests[0], i+1, len(b.mutants))
		}
		return err
	})
	return b, outcomes, err
}

// report prints the counts and what does not agree with the list, and returns how
// many survive without a reason.
func report(b *build, outcomes []outcome, reasons map[string]string) (unexplained int) {
	count := map[outcome]int{}
	for _, o := range outcomes {
		count[o]++
	}
	fmt.Printf("%s: %d mutants, %d killed, %d stopped by the time limit, %d survive, %d are reached by no test\n",
		b.tests[0], len(outcomes), count[killed], count[timedOut], count[survived], count[unreached])

	for i, m := range b.mutants {
		_, listed := reasons[m.name]
		delete(reasons, m.name)
		lives := outcomes[i].lives()
		switch {
		case lives && !listed:
			unexplained++
			fmt.Printf("  %s: %s\n    %s\n", m.at, outcomes[i], m.name)
		case !lives && listed:
			fmt.Printf("  listed, and killed now: %s\n", m.name)
		}
	}
	for name := range reasons {
		if strings.HasPrefix(name, b.tests[0]+"/") {
			fmt.Printf("  listed, and no mutant any more: %s\n", name)
		}
	}
	return unexplained
}

// readReasons reads the list: a mutant's name, and below it its reason, indented.
func readReasons() (map[string]string, error) {
	text, err := os.ReadFile(survivors)
	if err != nil {
		return nil, err
	}
	reasons, name := map[string]string{}, ""
	for line := range strings.Lines(string(text)) {
		switch {
		case strings.TrimSpace(line) == "" || line[0] == '#':
		case line[0] == '\t':
			reasons[name] += strings.TrimSpace(line) + " "
		default:
			name = strings.TrimSpace(line)
			reasons[name] = ""
		}
	}
	for name, reason := range reasons {
		if reason == "" {
			return nil, fmt.Errorf("%s: no reason for %s", survivors, name)
		}
	}
	return reasons, nil
}
