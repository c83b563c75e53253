package gitconfig

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	beginMark = "# >>> ghscoped setup >>>"

	begin = beginMark + ` "ghscoped setup --undo" takes this out again`
	end   = "# <<< ghscoped setup <<<"
	// What else goes with the block is said on its first line.
	withNewline = " (with the newline before it)"
	withFile    = " (with this file)"
)

// Put puts the lines into the file, in place of an earlier block of ours. While
// somebody else has git's lock it waits, until ctx ends.
func Put(ctx context.Context, path string, lines []string) (changed bool, err error) {
	if folder := filepath.Dir(path); filepath.Base(folder) == "git" && !exists(folder) { // of ~/.config/git/config
		if err := os.Mkdir(folder, 0o755); err != nil {
			return false, explain(path, err)
		}
	}
	return change(ctx, path, func(text string, there bool) (string, bool) {
		kept, made := without(text, there)
		note, before := "", ""
		switch {
		case !there, made && kept == "":
			note = withFile
		case kept != "" && !strings.HasSuffix(kept, "\n"):
			note, before = withNewline, "\n"
		}
		return kept + before + begin + note + "\n" + strings.Join(lines, "\n") + "\n" + end + "\n", true
	})
}

// PutIncluded puts the lines into a file of their own beside the configuration file,
// which is to include it. A copy of the configuration on another machine then names a
// file that is not there, and git reads over that.
func PutIncluded(ctx context.Context, path string, lines []string) (changed bool, err error) {
	outer, err := Put(ctx, path, []string{"[include]", "\tpath = " + Quote(Beside(path))})
	if err != nil {
		return false, err
	}
	inner, err := change(ctx, Beside(path), func(string, bool) (string, bool) { return strings.Join(lines, "\n") + "\n", true })
	if err != nil && outer {
		_, undone := Remove(ctx, path)
		return false, errors.Join(err, undone)
	}
	return inner || outer, err
}

// Beside is the file of [PutIncluded].
func Beside(path string) string { return path + ".ghscoped" }

// Remove takes our block out, and a file that was included with it. A file that was
// made for the block goes whole, unless something else has been put into it since.
func Remove(ctx context.Context, path string) (changed bool, err error) {
	if regular(path) != nil {
		return false, nil // nothing of ours can be in there, and a pipe would hang
	}
	if text, err := os.ReadFile(path); errors.Is(err, fs.ErrNotExist) || err == nil && !strings.Contains(string(text), beginMark) {
		return false, nil
	}
	changed, err = change(ctx, path, func(text string, there bool) (string, bool) {
		kept, made := without(text, there)
		return kept, there && !(made && kept == "")
	})
	if err == nil && regularFile(Beside(path)) {
		_, err = change(ctx, Beside(path), func(string, bool) (string, bool) { return "", false })
	}
	if folder := filepath.Dir(path); changed && filepath.Base(folder) == "git" && !exists(path) {
		_ = os.Remove(folder) // if it is empty
	}
	return changed, err
}

// Quote makes one value, or the name of a section's part, of a text.
func Quote(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(text) + `"`
}

func isBegin(line string) bool  { return strings.HasPrefix(line, beginMark) }
func isEnd(line string) bool    { return strings.TrimRight(line, "\r\n") == end }
func isHeader(line string) bool { return strings.HasPrefix(strings.TrimSpace(line), "[") }

// without is the text without our block; made says that the file was made for
// it. Settings that git or the user put between our lines stay, under the
// header they stood under.
func without(text string, there bool) (kept string, made bool) {
	if !there {
		return "", false
	}
	var out strings.Builder
	b := block{}
	lines := strings.SplitAfter(text, "\n")
	for i, line := range lines {
		switch {
		case isBegin(line):
			b = block{until: i + 1 + length(lines[i+1:])}
			made = made || strings.Contains(line, withFile)
			if strings.Contains(line, withNewline) {
				b.newline = true
			}
		case i < b.until:
			out.WriteString(b.keep(line, slices.IndexFunc(lines[i+1:], isOurHelper) == 0))
		case i == b.until && isEnd(line):
		default:
			if line != "" {
				b.followed = true
			}
			out.WriteString(line)
		}
	}
	kept = out.String()
	if b.newline && !b.followed && !b.kept {
		kept = strings.TrimSuffix(kept, "\n")
	}
	return kept, made
}

// length is how many of the lines behind a begin mark count as between ours. git
// removes an end mark with the section before it; then it is the section right
// behind the begin mark, if that names us, and what follows is not ours.
func length(lines []string) int {
	for i, line := range lines {
		if isEnd(line) {
			return i
		}
		if isBegin(line) {
			lines = lines[:i]
			break
		}
	}
	if next := slices.IndexFunc(lines[min(1, len(lines)):], isHeader); next >= 0 {
		lines = lines[:1+next]
	}
	if slices.ContainsFunc(lines, namesUs) {
		return len(lines)
	}
	return 0
}

// block is the state of reading over ours.
type block struct {
	until    int    // the number of the line behind it
	newline  bool   // the newline before it is ours
	section  string // the header of the section we are in
	header   string // the same, until something of it is kept
	kept     bool   // something was put between our lines
	followed bool   // something was put behind it
}

// keep returns what of a line between ours belongs to somebody else. The empty
// helper is ours where our helper follows it: "gh auth setup-git" puts one there in
// place of both.
func (b *block) keep(line string, beforeOurs bool) string {
	trimmed := strings.TrimSpace(line)
	if isHeader(line) {
		b.section, b.header = line, line
		return ""
	}
	if trimmed == "" || namesUs(line) || ofRewriteSSH(b.section, trimmed) || trimmed == "helper =" && beforeOurs {
		return ""
	}
	header := b.header
	b.header, b.kept = "", true
	return header + line
}

func isOurHelper(line string) bool {
	return namesUs(line) && strings.HasPrefix(strings.TrimSpace(line), "helper =")
}

func namesUs(line string) bool {
	line = strings.TrimSpace(line)
	return strings.Contains(line, "ghscoped") &&
		(strings.HasPrefix(line, "helper =") || strings.HasPrefix(line, "useHttpPath =") || strings.HasPrefix(line, "path ="))
}
