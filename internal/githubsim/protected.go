package githubsim

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// updateHook refuses a protected branch by itself, and lets the other references
// of the same push through.
const updateHook = `#!/bin/sh
case " $GITHUBSIM_PROTECTED " in
*" $1 "*)
	printf 'error: GH006: Protected branch update failed for %s.\n\n- Changes must be made through a pull request.\n' "$1" >&2
	exit 1
	;;
esac
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

// protected are a repository's protected references.
func (s *Server) protected(r *repository) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	refs := make([]string, 0, len(r.Protected))
	for _, branch := range r.Protected {
		refs = append(refs, "refs/heads/"+branch)
	}
	return refs
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
	var out, report bytes.Buffer
	for packet, rest, ok := cutPacket(body); ok; packet, rest, ok = cutPacket(rest) {
		switch {
		case packet == nil: // the end
			if report.Len() > 0 {
				writePacket(&out, append([]byte{1}, declined(report.Bytes())...))
			}
			out.WriteString("0000")
			return append(out.Bytes(), rest...)
		case packet[0] == 1:
			report.Write(packet[1:])
		default:
			writePacket(&out, packet)
		}
	}
	return body
}

func declined(report []byte) []byte {
	var out bytes.Buffer
	for packet, rest, ok := cutPacket(report); ok; packet, rest, ok = cutPacket(rest) {
		if packet == nil {
			out.WriteString("0000")
			return append(out.Bytes(), rest...)
		}
		line, ends := strings.CutSuffix(string(packet), "\n")
		if reference, isOurs := strings.CutSuffix(line, " hook declined"); isOurs && strings.HasPrefix(line, "ng ") && !strings.HasSuffix(reference, " pre-receive") {
			line = reference + " protected branch hook declined"
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
