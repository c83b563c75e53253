package githubsim

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
)

// getContents serves a file or a folder out of the real repository.
func (s *Server) getContents(c *call) reply {
	dir, _, refusal := s.readable(c)
	if refusal != nil {
		return *refusal
	}
	ref := c.URL.Query().Get("ref")
	fill(&ref, "HEAD")
	file := strings.Trim(chi.URLParam(c.Request, "*"), "/")
	if strings.HasPrefix(ref, "-") || strings.Contains(file, "..") {
		return fail(http.StatusNotFound, "Not Found")
	}
	return s.contents(c, dir, ref, file)
}

func (s *Server) contents(c *call, dir, ref, file string) reply {
	kind, err := s.runGit(dir, nil, "cat-file", "-t", ref+":"+file)
	if err != nil {
		return fail(http.StatusNotFound, "Not Found")
	}
	if strings.TrimSpace(string(kind)) == "tree" {
		return s.folder(dir, ref, file)
	}
	body, err := s.runGit(dir, nil, "cat-file", "blob", ref+":"+file)
	if err != nil {
		return fail(http.StatusNotFound, "Not Found")
	}
	if strings.Contains(c.Header.Get("Accept"), "raw") {
		return reply{status: http.StatusOK, raw: body}.with("Content-Type", "application/vnd.github.raw; charset=utf-8")
	}
	id, _ := s.runGit(dir, nil, "rev-parse", ref+":"+file)
	return ok(map[string]any{"type": "file", "name": path.Base(file), "path": file, "size": len(body), "encoding": "base64",
		"content": base64.StdEncoding.EncodeToString(body), "sha": strings.TrimSpace(string(id))})
}

func (s *Server) folder(dir, ref, folder string) reply {
	out, err := s.runGit(dir, nil, "ls-tree", "-z", "--full-tree", ref+":"+folder)
	if err != nil {
		return fail(http.StatusNotFound, "Not Found")
	}
	list := []map[string]any{}
	for _, line := range strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		head, name, ok := strings.Cut(line, "\t")
		if f := strings.Fields(head); ok && len(f) == 3 {
			kind := map[string]string{"blob": "file", "tree": "dir"}[f[1]]
			list = append(list, map[string]any{"name": name, "path": path.Join(folder, name), "sha": f[2], "type": kind})
		}
	}
	return ok(list)
}

// PullRequest is one pull request, with the workflows its opening would start.
type PullRequest struct {
	Repository string    `json:"repository"`
	Number     int       `json:"number"`
	Title      string    `json:"title"`
	Head       string    `json:"head"`
	Base       string    `json:"base"`
	Actor      string    `json:"actor"`
	Time       time.Time `json:"time"`
	// Workflows are the files in .github/workflows of the head that name
	// pull_request. An App whose slug is github-actions, the workflow's own
	// token, starts none: that is the rule people use bot accounts to get round.
	Workflows []string `json:"workflows_started"`
}

func (s *Server) createPull(c *call) reply {
	var in struct{ Title, Head, Base, Body string }
	if json.NewDecoder(http.MaxBytesReader(nil, c.Body, 1<<20)).Decode(&in) != nil {
		return fail(http.StatusBadRequest, "Problems parsing JSON")
	}
	if c.token == nil {
		return fail(http.StatusUnauthorized, "Requires authentication")
	}
	s.mu.Lock()
	r, refusal := s.visibleRepo(c)
	if refusal == nil && !s.covers(c.token, r, "pull_requests", "write") {
		p := fail(http.StatusForbidden, "Resource not accessible by integration")
		refusal = &p
	}
	if refusal == nil && r.Archived {
		p := fail(http.StatusForbidden, "Repository was archived so is read-only.")
		refusal = &p
	}
	s.mu.Unlock()
	if refusal != nil {
		return *refusal
	}
	_, head, crossed := strings.Cut(in.Head, ":")
	if !crossed {
		head = in.Head
	}
	dir, err := s.bare(r)
	if err != nil || in.Title == "" || !s.branch(dir, head) || !s.branch(dir, in.Base) || head == in.Base {
		return fail(http.StatusUnprocessableEntity, "Validation Failed")
	}
	p := PullRequest{Repository: r.FullName, Title: in.Title, Head: head, Base: in.Base, Actor: c.token.actor(), Time: s.Now(), Workflows: []string{}}
	if c.token.app.Slug != "github-actions" {
		p.Workflows = s.startedBy(dir, head)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, other := range s.pulls {
		if other.Repository == r.FullName {
			p.Number++
		}
	}
	p.Number++
	s.pulls = append(s.pulls, p)
	return reply{status: http.StatusCreated, json: s.pullJSON(p)}
}

func (s *Server) branch(dir, name string) bool {
	_, err := s.runGit(dir, nil, "rev-parse", "--verify", "--quiet", "refs/heads/"+name)
	return err == nil
}

func (s *Server) startedBy(dir, head string) []string {
	out, _ := s.runGit(dir, nil, "grep", "-l", "-w", "pull_request", "refs/heads/"+head, "--", ".github/workflows")
	list := []string{}
	for _, line := range strings.Fields(string(out)) {
		list = append(list, strings.TrimPrefix(line, "refs/heads/"+head+":"))
	}
	slices.Sort(list)
	return list
}

func (s *Server) pullJSON(p PullRequest) map[string]any {
	return map[string]any{"number": p.Number, "title": p.Title, "state": "open", "user": map[string]string{"login": p.Actor},
		"head": map[string]string{"ref": p.Head}, "base": map[string]string{"ref": p.Base}, "created_at": p.Time.UTC(),
		"html_url": s.url + "/" + p.Repository + "/pull/" + strconv.Itoa(p.Number)}
}

func (s *Server) listPulls(c *call) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, refusal := s.visibleRepo(c)
	if refusal != nil {
		return *refusal
	}
	list := []map[string]any{}
	for _, p := range s.pulls {
		if p.Repository == r.FullName {
			list = append(list, s.pullJSON(p))
		}
	}
	return paged(s, c, "", list, nil)
}

// repoPage shows a person what has arrived.
func (s *Server) repoPage(n *session, r *http.Request) reply {
	repo := s.repo(chi.URLParam(r, "owner") + "/" + chi.URLParam(r, "repo"))
	if repo == nil || (repo.Private && s.role(n.login, repo) == 0) {
		return s.pageError(http.StatusNotFound, "This page does not exist.")
	}
	dir, err := s.bare(repo)
	if err != nil {
		return s.pageError(http.StatusInternalServerError, err.Error())
	}
	commits, _ := s.runGit(dir, nil, "log", "-n", "20", "--format=%h %an: %s", "main")
	names, _ := s.runGit(dir, nil, "ls-tree", "-r", "--name-only", "main")
	return n.page("repository.html", repo.FullName, map[string]any{"Private": repo.Private, "CloneURL": s.url + "/" + repo.FullName + ".git",
		"Commits": string(commits), "Files": string(names)})
}
