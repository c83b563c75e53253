package githubsim

import (
	_ "embed"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator"
	"github.com/vektah/gqlparser/v2/validator/rules"
)

//go:embed schema.graphql
var schemaText string

var schema = gqlparser.MustLoadSchema(&ast.Source{Name: "schema.graphql", Input: schemaText})

// maxGraphQL bounds a request, in bytes. GitHub does not say where its bound is;
// others have seen commits of 40 MB taken and of 40 MiB refused.
const maxGraphQL = 52 << 20

// graphError is an error of GitHub's GraphQL API, which comes with status 200. What
// is wrong with the query itself has no kind.
type graphError struct{ kind, message string }

func (e *graphError) Error() string { return e.message }

func (e *graphError) reply(field string) reply {
	body := map[string]any{"message": e.message}
	if e.kind == "" {
		return ok(map[string]any{"errors": []any{body}})
	}
	body["type"], body["path"] = e.kind, []string{field}
	return ok(map[string]any{"data": map[string]any{field: nil}, "errors": []any{body}})
}

// isGraphQL: its calls count against a limit of their own.
func isGraphQL(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/graphql") }

// graphQL is POST /graphql. The query and its variables are held against the schema.
func (s *Server) graphQL(c *call) reply {
	if c.token == nil {
		return fail(http.StatusUnauthorized, "This endpoint requires you to be authenticated.")
	}
	var in struct {
		Query     string         `json:"query"`
		Variables map[string]any `json:"variables"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(nil, c.Body, maxGraphQL)).Decode(&in); err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return reply{status: http.StatusRequestEntityTooLarge, raw: []byte("Payload Too Large")}
		}
		return fail(http.StatusBadRequest, "Problems parsing JSON")
	}
	document, refusals := gqlparser.LoadQueryWithRules(schema, in.Query, rules.NewDefaultRules())
	if len(refusals) > 0 {
		return (&graphError{message: refusals[0].Message}).reply("")
	}
	if len(document.Operations) != 1 {
		return (&graphError{message: "An operation name is required"}).reply("")
	}
	operation := document.Operations[0]
	variables, err := validator.VariableValues(schema, operation, in.Variables)
	if err != nil {
		return (&graphError{message: err.Error()}).reply("")
	}
	return s.execute(c, operation, variables)
}

// execute answers one field, which is all that anybody needs here.
func (s *Server) execute(c *call, operation *ast.OperationDefinition, variables map[string]any) reply {
	if len(operation.SelectionSet) != 1 {
		return (&graphError{message: "githubsim answers one field at a time"}).reply("")
	}
	field, isField := operation.SelectionSet[0].(*ast.Field)
	if !isField {
		return (&graphError{message: "githubsim knows no fragments"}).reply("")
	}
	result := map[string]any{"login": c.token.actor()}
	if field.Name == "createCommitOnBranch" {
		input, _ := field.ArgumentMap(variables)["input"].(map[string]any)
		made, refusal := s.createCommitOnBranch(c, input)
		if refusal != nil {
			return refusal.reply(field.Alias)
		}
		result = made
	}
	return ok(map[string]any{"data": map[string]any{field.Alias: selected(field.SelectionSet, result)}})
}

// selected are the fields that a query names.
func selected(set ast.SelectionSet, all map[string]any) map[string]any {
	some := map[string]any{}
	for _, selection := range set {
		field, isField := selection.(*ast.Field)
		if !isField {
			continue
		}
		value := all[field.Name]
		if inner, nested := value.(map[string]any); nested {
			value = selected(field.SelectionSet, inner)
		}
		some[field.Alias] = value
	}
	return some
}
