package main

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strings"
)

// mutant is one guard that can be switched off.
type mutant struct {
	name string // the same wherever the line moves to
	path string
	at   string // path:line
	// changed is the whole text of a script; a mutant of Go code has a number
	// instead, by which it is switched on when the program runs.
	changed string
	number  int
}

// source is one Go file, and what goes into it for its mutants.
type source struct {
	path, text string
	files      *token.FileSet
	function   string
	bools      []bool                // whether the functions around a node return one bool
	after      map[ast.Node]ast.Node // the statement before one
	opening    []insertion
	closing    []insertion
	found      *[]*mutant
}

type insertion struct {
	offset int
	text   string
}

// goMutants adds the mutants of a Go file, and returns the file with a switch for
// each of them.
func goMutants(path string, found *[]*mutant) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	s := &source{path: path, text: string(text), files: token.NewFileSet(), after: map[ast.Node]ast.Node{}, found: found}
	file, err := parser.ParseFile(s.files, path, text, parser.SkipObjectResolution)
	if err != nil {
		return "", err
	}
	for _, declaration := range file.Decls {
		if f, is := declaration.(*ast.FuncDecl); is && f.Body != nil {
			s.function = f.Name.Name
			s.inside(f.Type, f.Body)
		}
	}
	return s.edited(), nil
}

func (s *source) inside(signature *ast.FuncType, body *ast.BlockStmt) {
	results := signature.Results
	s.bools = append(s.bools, results != nil && s.of(results) == "bool")
	ast.Inspect(body, s.visit)
	s.bools = s.bools[:len(s.bools)-1]
}

func (s *source) visit(node ast.Node) bool {
	switch n := node.(type) {
	case *ast.FuncLit:
		s.inside(n.Type, n.Body)
		return false
	case *ast.IfStmt:
		s.condition("if", n.Cond, cmp.Or[ast.Node](n.Init, s.after[n]))
	case *ast.SwitchStmt:
		for _, clause := range n.Body.List {
			for _, condition := range clause.(*ast.CaseClause).List {
				if n.Tag == nil {
					s.condition("case", condition, nil)
				}
			}
		}
	case *ast.ReturnStmt:
		if s.bools[len(s.bools)-1] && len(n.Results) == 1 && s.of(n.Results[0]) != "true" && s.of(n.Results[0]) != "false" {
			s.condition("return", n.Results[0], nil)
		}
	case *ast.BinaryExpr:
		s.operands(n)
	case *ast.BlockStmt:
		s.statements(n.List)
	case *ast.CaseClause:
		s.statements(n.Body)
	case *ast.CommClause:
		s.statements(n.Body)
	case *ast.KeyValueExpr:
		if s.of(n.Value) == "true" {
			s.wrap(n.Value, "!mutated(%d) && ", s.add(n, "not "+s.of(n)), "")
		}
	case *ast.CallExpr:
		s.limit(n)
	}
	return true
}

// condition makes one true or false whatever it says. An error that counts for
// nothing is a mutant; one where there is none would end any test.
func (s *source) condition(where string, e ast.Expr, after ast.Node) {
	said := s.of(e)
	if said != "err != nil" {
		s.wrap(e, "mutated(%d) || (", s.add(e, where+" true: "+said), ")")
	} else if after != nil {
		said = s.of(after) + "; " + said
	}
	s.wrap(e, "!mutated(%d) && (", s.add(e, where+" false: "+said), ")")
}

// operands: each side of && and of || counts for nothing.
func (s *source) operands(n *ast.BinaryExpr) {
	format := map[token.Token]string{token.LAND: "(mutated(%d) || (", token.LOR: "(!mutated(%d) && ("}[n.Op]
	for _, side := range []ast.Expr{n.X, n.Y} {
		if inner, is := side.(*ast.BinaryExpr); format != "" && !(is && inner.Op == n.Op) {
			s.wrap(side, format, s.add(side, "without "+s.of(side)), "))")
		}
	}
}

// statements: each call and each assignment is left out.
func (s *source) statements(list []ast.Stmt) {
	for i, statement := range list {
		if i > 0 {
			s.after[statement] = list[i-1]
		}
		switch n := statement.(type) {
		case *ast.ExprStmt:
			if call, is := n.X.(*ast.CallExpr); !is || s.of(call.Fun) == "panic" {
				continue
			}
		case *ast.AssignStmt:
			if n.Tok == token.DEFINE {
				continue
			}
		default:
			continue
		}
		s.wrap(statement, "if !mutated(%d) { ", s.add(statement, "without "+s.of(statement)), " }")
	}
}

// limit: a time or a size that is bounded is a thousand times as large.
func (s *source) limit(n *ast.CallExpr) {
	_, called, _ := strings.Cut(s.of(n.Fun), ".")
	larger := map[string]string{"WithTimeout": "mutatedTime(%d, ", "MaxBytesReader": "mutatedSize(%d, ", "LimitReader": "mutatedSize(%d, "}[called]
	if larger != "" {
		s.wrap(n.Args[len(n.Args)-1], larger, s.add(n, "unlimited "+s.of(n)), ")")
	}
}

// add makes a mutant and returns its number.
func (s *source) add(at ast.Node, what string) int {
	add(s.found, s.path, s.files.Position(at.Pos()).Line, s.function, what, "")
	return len(*s.found)
}

func add(found *[]*mutant, path string, line int, function, what, changed string) {
	what = strings.Join(strings.Fields(what), " ")
	if len([]rune(what)) > nameLimit {
		what = string([]rune(what)[:nameLimit]) + "…"
	}
	m := &mutant{name: path + " " + function + ": " + what, path: path, at: fmt.Sprintf("%s:%d", path, line), changed: changed, number: len(*found) + 1}
	for again, name := 2, m.name; slices.ContainsFunc(*found, func(other *mutant) bool { return other.name == m.name }); again++ {
		m.name = fmt.Sprintf("%s (%d)", name, again)
	}
	*found = append(*found, m)
}

// nameLimit is how much of the code names a mutant, in characters.
const nameLimit = 120

// wrap puts text around a node. Nodes are visited from the outside to the inside:
// of two that begin or end at the same place the outer one opens first and closes
// last.
func (s *source) wrap(node ast.Node, format string, number int, closing string) {
	s.opening = append(s.opening, insertion{s.offset(node.Pos()), fmt.Sprintf(format, number)})
	s.closing = slices.Insert(s.closing, 0, insertion{s.offset(node.End()), closing})
}

func (s *source) offset(at token.Pos) int { return s.files.Position(at).Offset }

func (s *source) of(node ast.Node) string { return s.text[s.offset(node.Pos()):s.offset(node.End())] }

func (s *source) edited() string {
	all := slices.Concat(s.closing, s.opening)
	slices.SortStableFunc(all, func(a, b insertion) int { return cmp.Compare(a.offset, b.offset) })
	var out strings.Builder
	from := 0
	for _, one := range all {
		out.WriteString(s.text[from:one.offset] + one.text)
		from = one.offset
	}
	return out.String() + s.text[from:]
}
