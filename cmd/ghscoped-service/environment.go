package main

import (
	"bytes"
	"strings"
)

// withEnvironment is environ with the variables of a file, which win: one a
// line, as systemd's EnvironmentFile has them (systemd.exec(5)), or each ended
// by NUL, as the kernel shows a process's own (proc(5)).
func withEnvironment(environ []string, content []byte) []string {
	var found []string
	if bytes.IndexByte(content, 0) >= 0 {
		found = strings.Split(string(content), "\x00")
	} else {
		for line := range strings.Lines(string(content)) {
			found = append(found, plainLine(line))
		}
	}
	named := map[string]bool{}
	var all []string
	for _, entry := range found {
		if name, _, assigned := strings.Cut(entry, "="); assigned && name != "" {
			named[name] = true
			all = append(all, entry)
		}
	}
	for _, entry := range environ {
		if name, _, _ := strings.Cut(entry, "="); !named[name] {
			all = append(all, entry)
		}
	}
	return all
}

// plainLine is a line NAME=value without the quotes that may be around the
// value; empty for a comment.
func plainLine(line string) string {
	line = strings.TrimSpace(line)
	if strings.HasPrefix(line, "#") || strings.HasPrefix(line, ";") {
		return ""
	}
	name, value, assigned := strings.Cut(line, "=")
	if !assigned {
		return ""
	}
	for _, quote := range []string{`"`, "'"} {
		if len(value) >= 2 && strings.HasPrefix(value, quote) && strings.HasSuffix(value, quote) {
			value = value[1 : len(value)-1]
			break
		}
	}
	return name + "=" + value
}
