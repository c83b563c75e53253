package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ghscoped/ghscoped-service/internal/bot"
)

// newPolicy reads a bot policy for people; it needs no other setting.
func newPolicy(in invocation) *cobra.Command {
	policy := asGroup(&cobra.Command{
		Use:   "policy",
		Short: "Check a bot policy, or explain what it says to a request",
		Long: `FILE is the bot policy; without it, the one that GHSCOPED_BOT_POLICY names.

Exit codes: 0 good, or allowed; 1 mistakes in the file, or refused; 2 the
command line, or a file that cannot be read.`,
	})
	var ofFile string
	check := &cobra.Command{
		Use: "check [FILE]", Short: "Name everything that is wrong with it, by line", Args: atMost(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if ofFile != "" {
				return in.checkRepositoryFile(ofFile)
			}
			return in.policyCheck(args)
		},
	}
	check.Flags().StringVar(&ofFile, "repository-file", "", "check a repository's .github/ghscoped.yaml, `FILE`, in place of a policy")
	var ofRepositoryFile bool
	schema := &cobra.Command{
		Use: "schema", Short: "Print the policy's JSON schema", Args: atMost(0),
		RunE: func(*cobra.Command, []string) error {
			text := bot.Schema
			if ofRepositoryFile {
				text = bot.RepositoryFileSchema
			}
			_, err := in.stdout.Write(text)
			return err
		},
	}
	schema.Flags().BoolVar(&ofRepositoryFile, "repository-file", false, "that of a repository's .github/ghscoped.yaml")
	var asked question
	explain := &cobra.Command{
		Use: "explain [FILE]", Short: "Say which rule allows a request, or why none does", Args: atMost(1),
		RunE: func(_ *cobra.Command, args []string) error { return in.policyExplain(asked, args) },
	}
	explain.Flags().StringVar(&asked.as, "as", "", "the `caller`, service:NAME, user:NAME, actions:OWNER/NAME, kubernetes:NAMESPACE/NAME or oidc:ISSUER")
	explain.Flags().StringArrayVar(&asked.claims, "claim", nil, "what a workload's identity token says, `name=value`, as the audit has it")
	explain.Flags().StringArrayVar(&asked.groups, "group", nil, "a `group` the user is in")
	explain.Flags().StringArrayVar(&asked.repositories, "repo", nil, "a repository, `owner/name`")
	explain.Flags().StringArrayVar(&asked.permissions, "permission", nil, "a permission, `name:level`")
	policy.AddCommand(check, explain, schema)
	return policy
}

// question is a request as the command line has it.
type question struct {
	as                                        string
	groups, claims, repositories, permissions []string
}

// checkRepositoryFile names what is wrong with a repository's file, for its owner.
func (in invocation) checkRepositoryFile(path string) error {
	content, err := in.readFile(path)
	if err != nil {
		return err
	}
	file, err := bot.ParseRepositoryFile(content)
	if problems, ok := errors.AsType[bot.Problems](err); ok {
		in.showProblems(path, problems)
		return &failure{code: exitFault}
	}
	in.showProblems(path, file.Doubts)
	fmt.Fprintf(in.stdout, "%s: %v, without a mistake\n", path, file)
	return nil
}

func (in invocation) policyCheck(args []string) error {
	policy, path, err := in.readPolicy(args)
	if err != nil {
		return err
	}
	in.showProblems(path, policy.Doubts)
	fmt.Fprintf(in.stdout, "%s: %v, without a mistake\n", path, policy)
	return nil
}

// readPolicy reads the one file that is named. Its mistakes are printed, each
// with its line.
func (in invocation) readPolicy(names []string) (*bot.Policy, string, error) {
	path := variable(in.environ, "GHSCOPED_BOT_POLICY")
	if len(names) > 0 {
		path = names[0]
	}
	if path == "" {
		return nil, "", errors.New("no file is named, nor is GHSCOPED_BOT_POLICY set")
	}
	content, err := in.readFile(path)
	if err != nil {
		return nil, path, err
	}
	policy, err := bot.ParsePolicy(content)
	problems, ok := errors.AsType[bot.Problems](err)
	if !ok {
		return policy, path, err
	}
	in.showProblems(path, problems)
	return nil, path, &failure{code: exitFault}
}

func (in invocation) showProblems(path string, problems bot.Problems) {
	for _, problem := range problems {
		at := path
		if problem.Line > 0 {
			at = fmt.Sprintf("%s:%d", path, problem.Line)
		}
		fmt.Fprintf(in.stderr, "%s: %s\n", at, problem.Message)
	}
}

func (in invocation) policyExplain(asked question, args []string) error {
	caller, err := parseCaller(asked)
	if err != nil {
		return err
	}
	request, err := parseRequest(asked.repositories, asked.permissions)
	if err != nil {
		return err
	}
	policy, path, err := in.readPolicy(args)
	if err != nil {
		return err
	}
	return in.explain(path, policy.Explain(caller, request))
}

func (in invocation) explain(path string, decision bot.Decision) error {
	for _, step := range decision.Steps {
		fmt.Fprintf(in.stdout, "%s:%d: rule %q: %s\n", path, step.Line, step.Rule, step.Why)
	}
	if !decision.Allowed {
		fmt.Fprintf(in.stdout, "refused: %s\n", strings.TrimSuffix(decision.Why, "."))
		return &failure{code: exitFault}
	}
	fmt.Fprintf(in.stdout, "allowed: %s\nreason: %s\n", decision.Why, decision.Reason)
	if decision.Reuse > 0 {
		fmt.Fprintf(in.stdout, "reuse: a token is given again for %d minutes\n", int(decision.Reuse.Minutes()))
	}
	return nil
}

func parseCaller(asked question) (bot.Caller, error) {
	kind, name, _ := strings.Cut(asked.as, ":")
	caller := bot.Caller{Kind: kind, Name: name, Groups: asked.groups}
	hub := kind == bot.Service || kind == bot.User
	switch {
	case name == "" || (!hub && !bot.IsWorkload(kind)):
		return caller, errors.New("--as must be service:NAME, user:NAME, actions:OWNER/NAME, kubernetes:NAMESPACE/NAME or oidc:ISSUER")
	case kind != bot.User && len(asked.groups) > 0:
		return caller, errors.New("--group is for users: nobody else is in a group")
	case hub && len(asked.claims) > 0:
		return caller, errors.New("--claim is for workloads: a Hub's token has no claims")
	}
	caller.Claims = map[string]string{}
	for _, claim := range asked.claims {
		name, value, found := strings.Cut(claim, "=")
		if _, twice := caller.Claims[name]; !found || twice {
			return caller, fmt.Errorf("--claim %q must be NAME=VALUE, each name once", claim)
		}
		caller.Claims[name] = value
	}
	return caller, nil
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

func variable(environ []string, name string) string {
	for _, entry := range environ {
		if value, found := strings.CutPrefix(entry, name+"="); found {
			return value
		}
	}
	return ""
}
