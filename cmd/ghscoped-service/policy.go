package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/ghscoped/ghscoped-service/internal/bot"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

const policyUsage = `Usage: ghscoped-service policy check [FILE]
       ghscoped-service policy explain --as CALLER [--group GROUP]… --repo OWNER/NAME… --permission NAME:LEVEL… [FILE]
       ghscoped-service policy schema

FILE is the bot policy; without it, the one that GHSCOPED_BOT_POLICY names.

  check    names everything that is wrong with it, by line
  explain  says which rule allows a request, or why none does. CALLER is
           service:NAME or user:NAME; --group names a group the user is in
  schema   prints the policy's JSON schema

Exit codes: 0 good, or allowed; 1 mistakes in the file, or refused; 2 the
command line, or a file that cannot be read.
`

// policy reads a bot policy for people; it needs no other setting.
func policy(_ context.Context, in invocation) int {
	if len(in.args) > 0 {
		work := map[string]func(invocation) (int, error){"check": policyCheck, "explain": policyExplain, "schema": policySchema}[in.args[0]]
		if work != nil {
			in.args = in.args[1:]
			return in.report("policy", policyUsage, work)
		}
	}
	return in.report("policy", policyUsage, func(in invocation) (int, error) {
		err := quietFlags("policy").Parse(in.args)
		if err == nil {
			fmt.Fprint(in.stderr, policyUsage)
		}
		return exitUsage, err
	})
}

// report runs a part of a command and says what is wrong with its command line.
func (in invocation) report(name, usage string, work func(invocation) (int, error)) int {
	code, err := work(in)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(in.stdout, usage)
		return exitOK
	case err != nil:
		fmt.Fprintf(in.stderr, "ghscoped-service: %s: %s\n", name, secret.Scrub(err.Error()))
		return exitUsage
	}
	return code
}

func policySchema(in invocation) (int, error) {
	if len(in.args) > 0 {
		return 0, fmt.Errorf("there is no use for %q", in.args[0])
	}
	_, err := in.stdout.Write(bot.Schema)
	return exitOK, err
}

func policyCheck(in invocation) (int, error) {
	set := quietFlags("check")
	if err := set.Parse(in.args); err != nil {
		return 0, err
	}
	policy, path, err := in.readPolicy(set.Args())
	if policy == nil {
		return exitFault, err
	}
	fmt.Fprintf(in.stdout, "%s: %v, without a mistake\n", path, policy)
	return exitOK, nil
}

// readPolicy reads the one file that is named. Where that has mistakes, they
// are printed, and the policy is nil without an error.
func (in invocation) readPolicy(names []string) (*bot.Policy, string, error) {
	path := variable(in.environ, "GHSCOPED_BOT_POLICY")
	switch len(names) {
	case 0:
	case 1:
		path = names[0]
	default:
		return nil, "", fmt.Errorf("there is no use for %q", names[1])
	}
	if path == "" {
		return nil, "", errors.New("no file is named, nor is GHSCOPED_BOT_POLICY set")
	}
	content, err := in.readFile(path)
	if err != nil {
		return nil, path, err
	}
	policy, err := bot.ParsePolicy(content)
	var problems bot.Problems
	if errors.As(err, &problems) {
		for _, problem := range problems {
			at := path
			if problem.Line > 0 {
				at = fmt.Sprintf("%s:%d", path, problem.Line)
			}
			fmt.Fprintf(in.stderr, "%s: %s\n", at, problem.Message)
		}
		return nil, path, nil
	}
	return policy, path, err
}

func policyExplain(in invocation) (int, error) {
	var as string
	var groups, repositories, permissions list
	set := quietFlags("explain")
	set.StringVar(&as, "as", "", "")
	set.Var(&groups, "group", "")
	set.Var(&repositories, "repo", "")
	set.Var(&permissions, "permission", "")
	if err := set.Parse(in.args); err != nil {
		return 0, err
	}
	caller, err := parseCaller(as, groups)
	if err != nil {
		return 0, err
	}
	request, err := parseRequest(repositories, permissions)
	if err != nil {
		return 0, err
	}
	policy, path, err := in.readPolicy(set.Args())
	if policy == nil {
		return exitFault, err
	}
	return in.explain(path, policy.Explain(caller, request)), nil
}

func (in invocation) explain(path string, decision bot.Decision) int {
	for _, step := range decision.Steps {
		fmt.Fprintf(in.stdout, "%s:%d: rule %q: %s\n", path, step.Line, step.Rule, step.Why)
	}
	if !decision.Allowed {
		fmt.Fprintf(in.stdout, "refused: %s\n", strings.TrimSuffix(decision.Why, "."))
		return exitFault
	}
	fmt.Fprintf(in.stdout, "allowed: %s\nreason: %s\n", decision.Why, decision.Reason)
	if decision.Reuse > 0 {
		fmt.Fprintf(in.stdout, "reuse: a token is given again for %d minutes\n", int(decision.Reuse.Minutes()))
	}
	return exitOK
}

func parseCaller(as string, groups []string) (bot.Caller, error) {
	kind, name, _ := strings.Cut(as, ":")
	if name == "" || (kind != bot.Service && kind != bot.User) {
		return bot.Caller{}, errors.New("--as must be service:NAME or user:NAME")
	}
	if kind == bot.Service && len(groups) > 0 {
		return bot.Caller{}, errors.New("--group is for users: a service is in no group")
	}
	return bot.Caller{Kind: kind, Name: name, Groups: groups}, nil
}

func parseRequest(repositories, permissions []string) (bot.Request, error) {
	request := bot.Request{Repositories: repositories, Permissions: map[string]string{}}
	for _, permission := range permissions {
		name, level, found := strings.Cut(permission, ":")
		if _, twice := request.Permissions[name]; !found || twice {
			return request, fmt.Errorf("--permission %q must be NAME:LEVEL, each name once", permission)
		}
		request.Permissions[name] = level
	}
	return request, nil
}

// list is a flag that may be given several times.
type list []string

func (l *list) String() string { return strings.Join(*l, ",") }

func (l *list) Set(text string) error {
	*l = append(*l, text)
	return nil
}

// quietFlags leave it to the caller to say what is wrong.
func quietFlags(name string) *flag.FlagSet {
	set := flag.NewFlagSet(name, flag.ContinueOnError)
	set.SetOutput(io.Discard)
	set.Usage = func() {}
	return set
}

func variable(environ []string, name string) string {
	for _, entry := range environ {
		if value, found := strings.CutPrefix(entry, name+"="); found {
			return value
		}
	}
	return ""
}
