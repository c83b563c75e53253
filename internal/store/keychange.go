package store

import (
	"errors"
	"os"
	"slices"
	"strings"
)

// CreateKeyFile makes a key file with one new key and mode 0600. A file that is
// there is left alone, and is an error.
func CreateKeyFile(path string) error {
	temporary, err := writeBeside(path, []byte(keyFileHead+NewKey().Reveal()+"\n"))
	if err != nil {
		return err
	}
	defer os.Remove(temporary)
	if err := os.Link(temporary, path); err != nil { // unlike a rename, never replaces
		return err
	}
	return syncDirectory(path)
}

// AddKey puts a new key behind the first of a key file: it opens, and does not
// seal yet. It is the first step of a rotation where several processes share a
// store: each must know a key before another one seals with it. [PromoteKey] is
// the second step.
func AddKey(path string) error {
	return changeKeys(path, func(content string) (string, error) {
		lines := strings.SplitAfter(terminated(content), "\n")
		at := keyLines(lines)[0] + 1
		return strings.Join(slices.Insert(lines, at, NewKey().Reveal()+"\n"), ""), nil
	})
}

// PromoteKey moves the second key of a key file to the front, where it seals.
func PromoteKey(path string) error {
	return changeKeys(path, func(content string) (string, error) {
		lines := strings.SplitAfter(terminated(content), "\n")
		keys := keyLines(lines)
		if len(keys) < 2 {
			return "", errors.New("there is no second key; add one first")
		}
		lines[keys[0]], lines[keys[1]] = lines[keys[1]], lines[keys[0]]
		return strings.Join(lines, ""), nil
	})
}

// keyLines are the numbers of the lines that hold a key; at least one in a file
// that [LoadKeyring] takes.
func keyLines(lines []string) []int {
	var found []int
	for i, line := range lines {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			found = append(found, i)
		}
	}
	return found
}

func terminated(content string) string { return strings.TrimSuffix(content, "\n") + "\n" }
