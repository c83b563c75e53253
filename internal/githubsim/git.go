package githubsim

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cgi"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
)

// maxPush bounds one pack. CGI wants the length of a body, so chunked ones are read first.
const maxPush = 512 << 20

// RefUpdate is one line of a push.
type RefUpdate struct {
	Ref string `json:"ref"`
	Old string `json:"old"`
	New string `json:"new"`
}

// Push is one attempt to push, refused ones included.
type Push struct {
	Repository  string      `json:"repository"`
	Actor       string      `json:"actor"`
	TokenSHA256 string      `json:"token_sha256,omitempty"`
	Time        time.Time   `json:"time"`
	Accepted    bool        `json:"accepted"`
	Status      int         `json:"status"`
	Refs        []RefUpdate `json:"refs,omitempty"`
}

// preReceive is GitHub's rule for workflow files. Merges count by what they
// change against every parent.
const preReceive = `#!/bin/sh
[ "$GITHUBSIM_WORKFLOWS" = 1 ] && exit 0
while read -r old new ref; do
	case $new in *[!0]*) ;; *) continue ;; esac
	file=$(git log -c --format= --name-only "$new" --not --all -- .github/workflows | head -n 1)
	if [ -n "$file" ]; then
		echo "refusing to allow a GitHub App to create or update workflow \` + "`$file\\`" + ` without \` + "`workflows\\`" + ` permission" >&2
		exit 1
	fi
done
`

const postReceive = "#!/bin/sh\ncat >\"$GITHUBSIM_PUSH\"\n"

const gitConfig = `[core]
	hooksPath = %s
[http]
	receivepack = true
[safe]
	directory = *
[uploadpack]
	allowFilter = true
[receive]
	denyDeleteCurrent = ignore
[gc]
	auto = 0
`

// findGit wants git and its http-backend before anything is promised.
func (s *Server) findGit() error {
	out, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		return fmt.Errorf("git is needed: %w", err)
	}
	s.gitExec = strings.TrimSpace(string(out))
	if _, err := os.Stat(filepath.Join(s.gitExec, "git-http-backend")); err != nil {
		return fmt.Errorf("git http-backend is needed: %w", err)
	}
	return nil
}

// layGround writes the hooks and the only git configuration that counts here.
func (s *Server) layGround() error {
	hooks := filepath.Join(s.dir, "hooks")
	return errors.Join(
		os.Mkdir(hooks, 0o700),
		os.WriteFile(filepath.Join(hooks, "pre-receive"), []byte(preReceive), 0o700),
		os.WriteFile(filepath.Join(hooks, "update"), []byte(updateHook), 0o700),
		os.WriteFile(filepath.Join(hooks, "post-receive"), []byte(postReceive), 0o700),
		os.WriteFile(s.verifiedFile(), nil, 0o600),
		os.WriteFile(filepath.Join(s.dir, "gitconfig"), fmt.Appendf(nil, gitConfig, hooks), 0o600),
	)
}

func (s *Server) gitEnv() []string {
	return []string{"HOME=" + s.dir, "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + filepath.Join(s.dir, "gitconfig"),
		"PATH=" + os.Getenv("PATH"), "GIT_TERMINAL_PROMPT=0", "LC_ALL=C"}
}

func (s *Server) runGit(dir string, stdin io.Reader, args ...string) ([]byte, error) {
	return runGitWith(s.gitEnv(), dir, stdin, args...)
}

func runGitWith(env []string, dir string, stdin io.Reader, args ...string) ([]byte, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Env, cmd.Stdin = dir, env, stdin
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return out, fmt.Errorf("git %s: %w: %s", args[0], err, stderr.Bytes())
	}
	return out, nil
}

// bare is the repository's folder, made with its first commit on first use.
func (s *Server) bare(r *repository) (string, error) {
	r.once.Do(func() {
		r.dir = filepath.Join(s.dir, r.owner, r.name+".git")
		if r.err = os.MkdirAll(r.dir, 0o700); r.err != nil {
			return
		}
		if _, r.err = s.runGit(r.dir, nil, "init", "--quiet", "--bare", "--template=", "--initial-branch=main"); r.err != nil {
			return
		}
		files := r.Files
		if files == nil {
			files = map[string]string{"README.md": "# " + r.name + "\n"}
		}
		r.err = s.fastImport(r.dir, "", "Initial commit", files)
	})
	return r.dir, r.err
}

func (s *Server) fastImport(dir, from, message string, files map[string]string) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "commit refs/heads/main\ncommitter GitHub <noreply@github.com> %d +0000\ndata %d\n%s\n", s.Now().Unix(), len(message), message)
	if from != "" {
		fmt.Fprintf(&b, "from %s\n", from)
	}
	for path, content := range files {
		fmt.Fprintf(&b, "M 100644 inline %s\ndata %d\n%s\n", path, len(content), content)
	}
	_, err := s.runGit(dir, &b, "fast-import", "--quiet")
	return err
}

// Commit puts files on a repository's main branch, as somebody's edit in the browser would.
func (s *Server) Commit(fullName, message string, files map[string]string) error {
	dir, err := s.RepositoryDir(fullName)
	if err != nil {
		return err
	}
	return s.fastImport(dir, "refs/heads/main^0", message, files)
}

// Git runs git in a bare repository and returns what it printed, so that a
// test can look at what arrived.
func (s *Server) Git(fullName string, args ...string) (string, error) {
	dir, err := s.RepositoryDir(fullName)
	if err != nil {
		return "", err
	}
	out, err := s.runGit(dir, nil, args...)
	return string(out), err
}

// RepositoryDir is the bare folder of a repository.
func (s *Server) RepositoryDir(fullName string) (string, error) {
	s.mu.Lock()
	r := s.repo(fullName)
	s.mu.Unlock()
	if r == nil {
		return "", fmt.Errorf("no repository %q", fullName)
	}
	return s.bare(r)
}

// gitHTTP serves git's smart protocol to callers who may read or push.
func (s *Server) gitHTTP(w http.ResponseWriter, r *http.Request) {
	service := r.URL.Query().Get("service")
	if r.Method == http.MethodPost {
		service = "git-" + strings.TrimPrefix(r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:], "git-")
	}
	if service != "git-upload-pack" && service != "git-receive-pack" {
		s.write(w, r, reply{status: http.StatusForbidden, raw: []byte("Please upgrade your git client.\n")})
		return
	}
	push := service == "git-receive-pack"
	s.mu.Lock()
	name := chi.URLParam(r, "owner") + "/" + strings.TrimSuffix(chi.URLParam(r, "repo"), ".git")
	repo := s.repo(name)
	a := s.gitAccess(r, repo, push)
	if a.status != http.StatusOK && push && credential(r) != "" { // git asks without a token first
		s.pushes = append(s.pushes, a.push(name, s.Now()))
	}
	s.mu.Unlock()
	if a.status != http.StatusOK {
		p := reply{status: a.status, raw: []byte(a.message + "\n")}
		if a.status == http.StatusUnauthorized {
			p = p.with("WWW-Authenticate", `Basic realm="GitHub"`)
		}
		s.write(w, r, p)
		return
	}
	s.backend(w, r, repo, a)
}

// backend runs git http-backend, and notes what a push changed.
func (s *Server) backend(w http.ResponseWriter, r *http.Request, repo *repository, a gitAccess) {
	if _, err := s.bare(repo); err != nil {
		s.write(w, r, reply{status: http.StatusInternalServerError, raw: []byte(err.Error())})
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxPush))
	if err != nil {
		s.write(w, r, reply{status: http.StatusRequestEntityTooLarge, raw: []byte("pack too large or cut off\n")})
		return
	}
	note := filepath.Join(s.dir, "push-"+randomHex(16))
	defer os.Remove(note)
	tail := r.URL.Path[strings.Index(r.URL.Path, chi.URLParam(r, "repo"))+len(chi.URLParam(r, "repo")):]
	inner := r.Clone(r.Context())
	inner.URL.Path = "/" + repo.owner + "/" + repo.name + ".git" + tail
	inner.Body, inner.ContentLength, inner.TransferEncoding = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
	inner.Header.Del("Authorization")
	s.mu.Lock()
	protected, signed := references(repo.Protected), references(repo.SignedOnly)
	s.mu.Unlock()
	h := &cgi.Handler{Path: filepath.Join(s.gitExec, "git-http-backend"), Dir: s.dir, Root: "/", Stderr: io.Discard,
		Env: append(s.gitEnv(), "GIT_PROJECT_ROOT="+s.dir, "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER="+a.actor,
			"GITHUBSIM_PUSH="+note, "GITHUBSIM_WORKFLOWS="+a.workflows, "GITHUBSIM_PROTECTED="+protected, "GITHUBSIM_SIGNED_ONLY="+signed,
			"GITHUBSIM_VERIFIED="+s.verifiedFile(), "GITHUBSIM_RULES="+s.url+"/"+repo.FullName+"/rules")}
	if strings.HasSuffix(tail, "/git-receive-pack") {
		serveReport(h, w, inner)
	} else {
		h.ServeHTTP(w, inner)
	}
	if strings.HasSuffix(tail, "/git-receive-pack") && string(body) != "0000" { // "0000" is git asking whether it may
		p := a.push(repo.FullName, s.Now())
		p.Refs = readRefs(note)
		p.Accepted = len(p.Refs) > 0
		s.mu.Lock()
		s.pushes = append(s.pushes, p)
		s.mu.Unlock()
	}
}

func readRefs(note string) []RefUpdate {
	f, err := os.Open(note)
	if err != nil {
		return nil // refused by a hook or by git: nothing was written
	}
	defer f.Close()
	var refs []RefUpdate
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if p := strings.Fields(lines.Text()); len(p) == 3 {
			refs = append(refs, RefUpdate{Ref: p[2], Old: p[0], New: p[1]})
		}
	}
	return refs
}
