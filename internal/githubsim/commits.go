package githubsim

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/go-chi/chi/v5"
)

// committer is who commits what GitHub makes itself.
const committer = "GitHub <noreply@github.com>"

// commitInput is CreateCommitOnBranchInput, which the schema has checked.
type commitInput struct {
	Branch struct {
		BranchName, ID, RepositoryNameWithOwner string
	}
	ClientMutationID string `json:"clientMutationId"`
	ExpectedHeadOid  string
	Message          struct{ Headline, Body string }
	FileChanges      struct {
		Additions []struct{ Path, Contents string }
		Deletions []struct{ Path string }
	}
}

var (
	errNotFound  = &graphError{"NOT_FOUND", "Could not resolve to a Repository or Ref with the name given."}
	errForbidden = &graphError{"FORBIDDEN", "Resource not accessible by integration"}
)

// createCommitOnBranch appends a commit to a branch, and signs it.
func (s *Server) createCommitOnBranch(c *call, input map[string]any) (map[string]any, *graphError) {
	var in commitInput
	encoded, _ := json.Marshal(input)
	if err := json.Unmarshal(encoded, &in); err != nil {
		return nil, &graphError{message: err.Error()}
	}
	ref := "refs/heads/" + strings.TrimPrefix(in.Branch.BranchName, "refs/heads/")
	repo, refusal := s.committable(c, in, ref)
	if refusal != nil {
		return nil, refusal
	}
	dir, err := s.bare(repo)
	if err != nil {
		return nil, &graphError{message: err.Error()}
	}
	head, err := s.runGit(dir, nil, "rev-parse", "--verify", "--quiet", ref)
	if err != nil {
		return nil, errNotFound
	}
	stale := &graphError{"STALE_DATA", fmt.Sprintf("Expected branch to point to %q but it did not.  Pull and try again.", in.ExpectedHeadOid)}
	if strings.TrimSpace(string(head)) != in.ExpectedHeadOid {
		return nil, stale
	}
	tree, refusal := s.changedTree(dir, in)
	if refusal != nil {
		return nil, refusal
	}
	oid, err := s.signedCommit(dir, c.token, tree, in)
	if err != nil {
		return nil, &graphError{message: err.Error()}
	}
	if _, err := s.runGit(dir, nil, "update-ref", ref, oid, in.ExpectedHeadOid); err != nil {
		return nil, stale
	}
	message := strings.TrimSuffix(in.Message.Headline+"\n\n"+in.Message.Body, "\n\n")
	return map[string]any{
		"clientMutationId": nullable(in.ClientMutationID),
		"ref":              map[string]any{"name": strings.TrimPrefix(ref, "refs/heads/"), "prefix": "refs/heads/"},
		"commit": map[string]any{"oid": oid, "message": message, "messageHeadline": in.Message.Headline, "url": s.url + "/" + repo.FullName + "/commit/" + oid,
			"signature": map[string]any{"isValid": true, "state": "VALID", "wasSignedByGitHub": true}},
	}, nil
}

// committable is the repository of a branch that the caller may commit to.
func (s *Server) committable(c *call, in commitInput, ref string) (*repository, *graphError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	repo := s.repo(in.Branch.RepositoryNameWithOwner)
	switch {
	case in.Branch.ID != "" || in.Branch.BranchName == "":
		return nil, &graphError{"UNPROCESSABLE", "githubsim finds a branch by its name only"}
	case repo == nil || !s.sees(c.token, repo):
		return nil, errNotFound
	case !s.covers(c.token, repo, "contents", "write"):
		return nil, errForbidden
	case repo.Archived:
		return nil, &graphError{"UNPROCESSABLE", "Repository was archived so is read-only."}
	case named(repo.Protected, ref):
		return nil, &graphError{"BRANCH_PROTECTION_RULE_VIOLATION", "Changes must be made through a pull request."}
	case strings.TrimSpace(in.Message.Headline) == "":
		return nil, &graphError{"UNPROCESSABLE", "A commit message headline is required."}
	}
	if !s.covers(c.token, repo, "workflows", "write") {
		for _, path := range in.paths() {
			if strings.HasPrefix(path, ".github/workflows/") {
				return nil, errForbidden
			}
		}
	}
	return repo, nil
}

func (in commitInput) paths() (paths []string) {
	for _, a := range in.FileChanges.Additions {
		paths = append(paths, a.Path)
	}
	for _, d := range in.FileChanges.Deletions {
		paths = append(paths, d.Path)
	}
	return paths
}

// changedTree is the tree with the changes. An addition becomes an ordinary file,
// whatever stood there.
func (s *Server) changedTree(dir string, in commitInput) (string, *graphError) {
	seen := map[string]bool{}
	for _, path := range in.paths() {
		if seen[path] || filepath.Clean("/"+path) != "/"+path {
			return "", &graphError{"UNPROCESSABLE", "A path is no proper one, or named twice: " + path}
		}
		seen[path] = true
	}
	var index bytes.Buffer
	for _, d := range in.FileChanges.Deletions {
		if _, err := s.runGit(dir, nil, "cat-file", "-e", in.ExpectedHeadOid+":"+d.Path); err != nil {
			return "", &graphError{"NOT_FOUND", "A path was requested for deletion which does not exist as of commit oid `" + in.ExpectedHeadOid + "`"}
		}
		fmt.Fprintf(&index, "0 %040d\t%s\x00", 0, d.Path)
	}
	for _, a := range in.FileChanges.Additions {
		content, err := base64.StdEncoding.Strict().DecodeString(a.Contents)
		if err != nil {
			return "", &graphError{message: "Variable $input was provided invalid value for contents (invalid base64)"}
		}
		blob, err := s.runGit(dir, bytes.NewReader(content), "hash-object", "-w", "--stdin")
		if err != nil {
			return "", &graphError{message: err.Error()}
		}
		fmt.Fprintf(&index, "100644 %s\t%s\x00", bytes.TrimSpace(blob), a.Path)
	}
	tree, err := s.treeOf(dir, in.ExpectedHeadOid, index.Bytes())
	if err != nil {
		return "", &graphError{message: err.Error()}
	}
	return tree, nil
}

// treeOf writes the tree of a commit with changes to its index.
func (s *Server) treeOf(dir, commit string, changes []byte) (string, error) {
	file := filepath.Join(s.dir, "index-"+randomHex(16))
	defer os.Remove(file)
	env := append(s.gitEnv(), "GIT_INDEX_FILE="+file)
	if _, err := runGitWith(env, dir, nil, "read-tree", commit); err != nil {
		return "", err
	}
	if _, err := runGitWith(env, dir, bytes.NewReader(changes), "update-index", "-z", "--index-info"); err != nil {
		return "", err
	}
	tree, err := runGitWith(env, dir, nil, "write-tree")
	return strings.TrimSpace(string(tree)), err
}

// signedCommit writes a commit with a signature, and remembers that it is ours: this
// GitHub takes no other for verified.
func (s *Server) signedCommit(dir string, t *token, tree string, in commitInput) (string, error) {
	s.mu.Lock()
	author := s.author(t)
	s.mu.Unlock()
	now := fmt.Sprintf("%d +0000", s.Now().Unix())
	var object bytes.Buffer
	fmt.Fprintf(&object, "tree %s\nparent %s\nauthor %s %s\ncommitter %s %s\n", tree, in.ExpectedHeadOid, author, now, committer, now)
	fmt.Fprintf(&object, "gpgsig -----BEGIN PGP SIGNATURE-----\n \n %s\n -----END PGP SIGNATURE-----\n\n%s", randomHex(64), in.Message.Headline)
	if in.Message.Body != "" {
		fmt.Fprintf(&object, "\n\n%s", in.Message.Body)
	}
	out, err := s.runGit(dir, &object, "hash-object", "-w", "-t", "commit", "--stdin")
	if err != nil {
		return "", err
	}
	oid := strings.TrimSpace(string(out))
	return oid, s.verify(oid)
}

// author is who GitHub names for what a token does.
func (s *Server) author(t *token) string {
	address, _ := url.Parse(s.url)
	if t.installation != nil {
		return fmt.Sprintf("%s <%d+%s@users.noreply.%s>", t.actor(), botID(t.app), t.actor(), address.Hostname())
	}
	account := s.account(t.login)
	name, email := account.Name, account.Email
	fill(&name, account.Login)
	fill(&email, fmt.Sprintf("%d+%s@users.noreply.%s", account.ID, account.Login, address.Hostname()))
	return name + " <" + email + ">"
}

// getCommit is GET /repos/{owner}/{repo}/commits/{ref}.
func (s *Server) getCommit(c *call) reply {
	dir, _, refusal := s.readable(c)
	if refusal != nil {
		return *refusal
	}
	ref := chi.URLParam(c.Request, "*")
	out, err := s.runGit(dir, nil, "log", "-1", "--no-show-signature", "--format=%H%x00%T%x00%P%x00%an%x00%ae%x00%cn%x00%ce%x00%B", ref, "--")
	fields := strings.SplitN(string(out), "\x00", 8)
	if err != nil || strings.HasPrefix(ref, "-") || len(fields) != 8 {
		return fail(http.StatusUnprocessableEntity, "No commit found for SHA: "+ref)
	}
	parents := []map[string]any{}
	for _, parent := range strings.Fields(fields[2]) {
		parents = append(parents, map[string]any{"sha": parent})
	}
	verification := map[string]any{"verified": false, "reason": "unsigned", "signature": nil, "payload": nil}
	if s.verified(fields[0]) {
		verification = map[string]any{"verified": true, "reason": "valid", "signature": "-----BEGIN PGP SIGNATURE-----", "payload": "tree " + fields[1]}
	}
	return ok(map[string]any{"sha": fields[0], "parents": parents, "commit": map[string]any{
		"message": strings.TrimSuffix(fields[7], "\n"), "tree": map[string]any{"sha": fields[1]}, "verification": verification,
		"author": map[string]any{"name": fields[3], "email": fields[4]}, "committer": map[string]any{"name": fields[5], "email": fields[6]},
	}})
}

// readable is the folder of a repository whose files the caller may read: seeing a
// private one takes metadata only, its files take contents.
func (s *Server) readable(c *call) (string, *repository, *reply) {
	s.mu.Lock()
	r, refusal := s.visibleRepo(c)
	if refusal == nil && r.Private && !s.covers(c.token, r, "contents", "read") {
		p := fail(http.StatusForbidden, "Resource not accessible by integration")
		refusal = &p
	}
	s.mu.Unlock()
	if refusal != nil {
		return "", nil, refusal
	}
	dir, err := s.bare(r)
	if err != nil {
		p := fail(http.StatusInternalServerError, err.Error())
		return "", nil, &p
	}
	return dir, r, nil
}

var wholeOID = regexp.MustCompile(`^[0-9a-f]{40}$`)

// createRef is POST /repos/{owner}/{repo}/git/refs.
func (s *Server) createRef(c *call) reply {
	if c.token == nil {
		return fail(http.StatusUnauthorized, "Requires authentication")
	}
	var in struct{ Ref, SHA string }
	if json.NewDecoder(http.MaxBytesReader(nil, c.Body, 1<<20)).Decode(&in) != nil {
		return fail(http.StatusBadRequest, "Problems parsing JSON")
	}
	dir, r, refusal := s.readable(c)
	if refusal != nil {
		return *refusal
	}
	s.mu.Lock()
	may := s.covers(c.token, r, "contents", "write")
	archived := r.Archived
	s.mu.Unlock()
	switch {
	case !may:
		return fail(http.StatusForbidden, "Resource not accessible by integration")
	case archived:
		return fail(http.StatusForbidden, "Repository was archived so is read-only.")
	case !strings.HasPrefix(in.Ref, "refs/") || strings.Count(in.Ref, "/") < 2:
		return fail(http.StatusUnprocessableEntity, "Reference name must start with 'refs/' and have at least two slashes.")
	case !wholeOID.MatchString(in.SHA):
		return fail(http.StatusUnprocessableEntity, "The sha parameter must be exactly 40 characters and contain only [0-9a-f].")
	}
	if _, err := s.runGit(dir, nil, "check-ref-format", in.Ref); err != nil {
		return fail(http.StatusUnprocessableEntity, in.Ref+" is not a valid ref name.")
	}
	if _, err := s.runGit(dir, nil, "cat-file", "-e", in.SHA+"^{commit}"); err != nil {
		return fail(http.StatusUnprocessableEntity, "Object does not exist")
	}
	if _, err := s.runGit(dir, nil, "update-ref", in.Ref, in.SHA, strings.Repeat("0", 40)); err != nil {
		return fail(http.StatusUnprocessableEntity, "Reference already exists")
	}
	return reply{status: http.StatusCreated, json: map[string]any{"ref": in.Ref, "url": s.apiURL + "/repos/" + r.FullName + "/git/" + in.Ref,
		"object": map[string]any{"type": "commit", "sha": in.SHA}}}
}
