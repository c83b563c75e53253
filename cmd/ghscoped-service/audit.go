package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	events "github.com/ghscoped/ghscoped-service/internal/audit"
)

const auditUsage = `Usage: ghscoped-service audit [--user NAME] [--action ACTION] [--repo OWNER/NAME] [--since TIME] [--file FILE]

Prints the lines of the audit that fit all that is asked, as they are. It reads
FILE, or else standard input, where there may be other lines too: the service
writes the audit to standard output.

  --user    a Hub user or a bot, such as ada, nbbot or service:nbbot, as whose
            token it was or as who ended it
  --action  such as bot_token_issue, bot_token_revoke, delivered
  --repo    a repository that a bot asked for
  --since   a day (2026-11-21), a time (RFC 3339), or how long ago (90m, 36h)

Exit codes: 0 found; 1 nothing fits; 2 the command line, or a file that cannot
be read.
`

// maxAuditLine is more than any line of the audit has, in bytes: 500 names of
// repositories among them.
const maxAuditLine = 1 << 20

// audit finds lines that the service has written.
func audit(_ context.Context, in invocation) int {
	return in.report("audit", auditUsage, func(in invocation) (int, error) { return in.audit(time.Now()) })
}

func (in invocation) audit(now time.Time) (code int, err error) {
	var wanted auditFilter
	var since, file string
	set := quietFlags("audit")
	set.StringVar(&wanted.user, "user", "", "")
	set.StringVar(&wanted.action, "action", "", "")
	set.StringVar(&wanted.repository, "repo", "", "")
	set.StringVar(&since, "since", "", "")
	set.StringVar(&file, "file", "", "")
	if err := set.Parse(in.args); err != nil {
		return 0, err
	}
	if set.NArg() > 0 {
		return 0, fmt.Errorf("there is no use for %q", set.Arg(0))
	}
	if wanted.since, err = parseSince(since, now); err != nil {
		return 0, err
	}
	from := in.stdin
	if file != "" {
		opened, err := os.Open(file)
		if err != nil {
			return 0, err
		}
		defer opened.Close()
		from = opened
	}
	found, err := wanted.copy(in.stdout, from)
	if found == 0 {
		return exitFault, err
	}
	return exitOK, err
}

func parseSince(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if at, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return at, nil
		}
	}
	return time.Time{}, errors.New("--since must be like 2026-11-21, 2026-11-21T08:00:00Z or 36h")
}

// auditFilter is what an event has to be; what is empty is not asked.
type auditFilter struct {
	user, action, repository string
	since                    time.Time
}

// copy writes the lines that fit and counts them. What is no line of the audit
// is passed over.
func (f auditFilter) copy(to io.Writer, from io.Reader) (found int, err error) {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, maxAuditLine)
	for lines.Scan() {
		var line struct {
			Audit bool `json:"audit"`
			events.Event
		}
		if json.Unmarshal(lines.Bytes(), &line) != nil || !line.Audit || !f.fits(line.Event) {
			continue
		}
		found++
		if _, err := fmt.Fprintf(to, "%s\n", lines.Bytes()); err != nil {
			return found, err
		}
	}
	return found, lines.Err()
}

func (f auditFilter) fits(e events.Event) bool {
	sameRepository := func(name string) bool { return strings.EqualFold(name, f.repository) }
	return (f.action == "" || f.action == e.Action) && !e.Time.Before(f.since) &&
		(f.user == "" || f.names(e.User) || f.names(e.Caller) || f.names(e.By)) &&
		(f.repository == "" || slices.ContainsFunc(e.Repositories, sameRepository))
}

// names reports whether a user or caller of an event is the one asked for, with
// or without its kind.
func (f auditFilter) names(who string) bool {
	_, name, _ := strings.Cut(who, ":")
	return who == f.user || name == f.user
}
