package main

import (
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// How a line of a shell script is read.
var (
	command     = regexp.MustCompile(`^[a-z_]+( .*)?$`)
	structure   = regexp.MustCompile(`^(if|then|else|elif|fi|case|esac|while|do|done|for|break|return)\b`)
	alternative = regexp.MustCompile(` \|\| .*$`)
	branch      = regexp.MustCompile(`^if .*; then`)
	inPattern   = regexp.MustCompile(`^[^ ]*\)`)
)

// scriptMutants adds the mutants of a shell script: each command left out, what
// follows when one fails left out, and each condition false.
func scriptMutants(path string, found *[]*mutant) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	lines, function := strings.Split(string(content), "\n"), "script"
	for i, line := range lines {
		text := strings.TrimLeft(line, "\t")
		indent := strings.TrimSuffix(line, text)
		if name, is := strings.CutSuffix(text, "() {"); is {
			function = name
		}
		if line == "}" {
			function = "script"
		}
		try := func(what, changed string) {
			all := slices.Clone(lines)
			all[i] = indent + changed
			add(found, path, i+1, function, what, strings.Join(all, "\n"))
		}

		switch {
		case strings.HasPrefix(text, "#"):
		case branch.MatchString(text):
			try("if false: "+text, branch.ReplaceAllString(text, "if false; then"))
		case structure.MatchString(text) || inPattern.MatchString(text):
		case alternative.MatchString(text):
			try("nothing else: "+text, alternative.ReplaceAllString(text, " || :"))
		case command.MatchString(text):
			try("without "+text, ":")
		}
		if strings.Contains(text, "stty -echo ") {
			try("with echo: "+text, strings.Replace(text, "-echo ", "", 1))
		}
	}
	return nil
}

// noting is a script whose lines with mutants write the numbers of these to a file when
// they are reached.
func noting(path, file string, mutants []*mutant) (string, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	numbers := map[string]string{}
	for _, m := range mutants {
		numbers[m.at] += " " + strconv.Itoa(m.number)
	}
	lines := strings.Split(string(content), "\n")
	for i, line := range lines {
		text := strings.TrimLeft(line, "\t")
		if here := numbers[path+":"+strconv.Itoa(i+1)]; here != "" && !strings.Contains(text, "$?") {
			lines[i] = "echo" + here + " >>" + file + " && " + text
		}
	}
	return strings.Join(lines, "\n"), nil
}
