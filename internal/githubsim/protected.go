package githubsim

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// updateHook refuses a branch by its rules, and lets the other references of the same
// push through.
const updateHook = `#!/bin/sh
case " $GITHUBSIM_PROTECTED " in
*" $1 "*)
	printf 'error: GH006: Protected branch update failed for %s.\n\n- Changes must be made through a pull request.\n' "$1" >&2
	exit 1
	;;
esac
case " $GITHUBSIM_SIGNED_ONLY " in *" $1 "*) ;; *) exit 0 ;; esac
case $3 in *[!0]*) ;; *) exit 0 ;; esac
unverified=$(git rev-list "$3" --not --all | grep -vxF -f "$GITHUBSIM_VERIFIED")
[ -z "$unverified" ] && exit 0
printf 'error: GH013: Repository rule violations found for %s.\nReview all repository rules at %s?ref=%s\n\n- Commits must have verified signatures.\n  Found %s:\n\n%s\n\n' \
	"$1" "$GITHUBSIM_RULES" "$1" "$(printf '%s\n' "$unverified" | awk 'END { print NR (NR == 1 ? " violation" : " violations") }')" \
	"$(printf '%s\n' "$unverified" | sed 's/^/  /')" >&2
exit 1
`

// Archive archives a repository, or ends that: everybody can read it, and nobody
// push.
func (s *Server) Archive(fullName string, on bool) error {
	return s.withRepository(fullName, func(r *repository) { r.Archived = on })
}

// Protect makes branches of a repository change by pull requests only, and all
// others freely.
func (s *Server) Protect(fullName string, branches ...string) error {
	return s.withRepository(fullName, func(r *repository) { r.Protected = branches })
}

// RequireSignatures makes branches of a repository take verified commits only, and all
// others any.
func (s *Server) RequireSignatures(fullName string, branches ...string) error {
	return s.withRepository(fullName, func(r *repository) { r.SignedOnly = branches })
}

func (s *Server) verifiedFile() string { return filepath.Join(s.dir, "verified") }

// verify notes that a commit carries GitHub's signature, for the hook.
func (s *Server) verify(oid string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := os.OpenFile(s.verifiedFile(), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(oid + "\n")
	return errors.Join(err, f.Close())
}

func (s *Server) verified(oid string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	all, _ := os.ReadFile(s.verifiedFile()) // where there is none, nothing is
	return bytes.Contains(all, []byte(oid+"\n"))
}

func (s *Server) withRepository(fullName string, change func(*repository)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.repo(fullName)
	if r == nil {
		return fmt.Errorf("no repository %q", fullName)
	}
	change(r)
	return nil
}

// references are the full names of branches, for the hook.
func references(branches []string) string {
	refs := make([]string, 0, len(branches))
	for _, branch := range branches {
		refs = append(refs, "refs/heads/"+branch)
	}
	return strings.Join(refs, " ")
}

func named(branches []string, ref string) bool {
	return slices.Contains(branches, strings.TrimPrefix(ref, "refs/heads/"))
}

// serveReport serves a push, with the report that git gives of an update hook in
// GitHub's words.
func serveReport(h http.Handler, w http.ResponseWriter, r *http.Request) {
	whole := &wholeAnswer{ResponseWriter: w}
	h.ServeHTTP(whole, r)
	_, _ = w.Write(inGitHubsWords(whole.body.Bytes()))
}

// wholeAnswer keeps the body back.
type wholeAnswer struct {
	http.ResponseWriter
	body bytes.Buffer
}

func (a *wholeAnswer) Write(b []byte) (int, error) { return a.body.Write(b) }

// inGitHubsWords changes the reason of a declined reference. The report is packets
// within packets of the side band 1 (gitprotocol-pack); what is not so stays.
func inGitHubsWords(body []byte) []byte {
	var out, report, said bytes.Buffer
	for packet, rest, ok := cutPacket(body); ok; packet, rest, ok = cutPacket(rest) {
		switch {
		case packet == nil: // the end
			if report.Len() > 0 {
				writePacket(&out, append([]byte{1}, declined(report.Bytes(), said.String())...))
			}
			out.WriteString("0000")
			return append(out.Bytes(), rest...)
		case packet[0] == 1:
			report.Write(packet[1:])
		default:
			said.Write(packet[1:])
			writePacket(&out, packet)
		}
	}
	return body
}

// declined has the report of git in GitHub's words; said is what the hooks have.
func declined(report []byte, said string) []byte {
	var out bytes.Buffer
	for packet, rest, ok := cutPacket(report); ok; packet, rest, ok = cutPacket(rest) {
		if packet == nil {
			out.WriteString("0000")
			return append(out.Bytes(), rest...)
		}
		line, ends := strings.CutSuffix(string(packet), "\n")
		if reference, isOurs := strings.CutSuffix(line, " hook declined"); isOurs && strings.HasPrefix(line, "ng ") && !strings.HasSuffix(reference, " pre-receive") {
			line = reference + " protected branch hook declined"
			if strings.Contains(said, "GH013: Repository rule violations found for "+strings.TrimPrefix(reference, "ng ")+".") {
				line = reference + " push declined due to repository rule violations"
			}
		}
		if ends {
			line += "\n"
		}
		writePacket(&out, []byte(line))
	}
	return report
}

// cutPacket cuts the first packet off; nil is a flush packet.
func cutPacket(b []byte) (packet, rest []byte, ok bool) {
	if len(b) < 4 {
		return nil, nil, false
	}
	size, err := strconv.ParseUint(string(b[:4]), 16, 16)
	switch {
	case err != nil || int(size) > len(b) || (size > 0 && size <= 4):
		return nil, nil, false
	case size == 0:
		return nil, b[4:], true
	}
	return b[4:size], b[size:], true
}

func writePacket(out *bytes.Buffer, packet []byte) { fmt.Fprintf(out, "%04x%s", len(packet)+4, packet) }
