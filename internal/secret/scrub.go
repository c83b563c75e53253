package secret

import (
	"encoding/base64"
	"strings"
)

// prefixes are those of GitHub's tokens.
var prefixes = [...]string{"ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"}

// Resembles reports whether a text that should be something else, such as a path,
// holds what looks like a secret: a PEM block, a token of GitHub's, an address
// with a user or password, or nothing but a key in base64 or hexadecimal digits.
// It errs on the side of secrets.
func Resembles(text string) bool {
	text = strings.TrimSpace(text)
	return strings.Contains(text, "-----BEGIN") || hasToken(text) || hasUser(text) || isKey(text)
}

func hasToken(text string) bool {
	for _, prefix := range prefixes {
		for rest := text; ; {
			_, after, found := strings.Cut(rest, prefix)
			if !found {
				break
			}
			if len(after) >= 16 && strings.IndexFunc(after[:16], notOfKey) < 0 {
				return true
			}
			rest = after
		}
	}
	return false
}

// hasUser finds "//user:password@", "//token@" and the like.
func hasUser(text string) bool {
	_, after, found := strings.Cut(text, "//")
	if !found {
		return false
	}
	host, _, _ := strings.Cut(after, "/")
	return strings.Contains(host, "@")
}

// isKey: 32 characters or more of the alphabets of base64, with a digit. What has
// a "/" is a path rather, unless it decodes and ends as base64 does.
func isKey(text string) bool {
	if len(text) < 32 || strings.IndexFunc(text, notOfKey) >= 0 || !strings.ContainsAny(text, "0123456789") {
		return false
	}
	if !strings.ContainsAny(text, "/-") {
		return true
	}
	_, err := base64.StdEncoding.DecodeString(text)
	return err == nil && strings.HasSuffix(text, "=")
}

func notOfKey(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("+/=_-", r))
}

// Scrub is a text for people with Redacted in place of each word that resembles
// a secret, also as the value of an option, and of all that follows the beginning
// of a PEM block.
func Scrub(text string) string {
	text, _, cut := strings.Cut(text, "-----BEGIN")
	var scrubbed strings.Builder
	for text != "" {
		end := strings.IndexAny(text, " \t\r\n\"'`,;()")
		if end < 0 {
			end = len(text)
		}
		word := text[:end]
		name, value, _ := strings.Cut(strings.TrimLeft(word, "-"), "=")
		// A key that was taken for an option has lost the "=" at its end.
		if Resembles(word) || Resembles(strings.Trim(word, ":.-")) || Resembles(name) || Resembles(name+"=") || Resembles(value) {
			word = Redacted
		}
		scrubbed.WriteString(word)
		if end < len(text) {
			scrubbed.WriteByte(text[end])
			end++
		}
		text = text[end:]
	}
	if cut {
		scrubbed.WriteString(Redacted)
	}
	return scrubbed.String()
}
