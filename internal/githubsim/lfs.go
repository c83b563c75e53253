package githubsim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
)

const (
	lfsType = "application/vnd.git-lfs+json"
	// lfsActionLife is for how long an answer's links are good; GitHub's number.
	lfsActionLife = 15 * time.Minute
)

var lfsOID = regexp.MustCompile(`^[0-9a-f]{64}$`)

// lfsObject is one object of a batch, asked and answered.
type lfsObject struct {
	OID           string               `json:"oid"`
	Size          int64                `json:"size"`
	Authenticated bool                 `json:"authenticated,omitempty"`
	Actions       map[string]lfsAction `json:"actions,omitempty"`
	Error         *lfsError            `json:"error,omitempty"`
}

type lfsAction struct {
	Href      string            `json:"href"`
	Header    map[string]string `json:"header,omitempty"`
	ExpiresIn int               `json:"expires_in"` // seconds
}

type lfsError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// lfsAccess renders what keeps a request out, in LFS's own words and headers;
// ok is true where nothing does.
func (s *Server) lfsAccess(w http.ResponseWriter, r *http.Request, push bool) (repo *repository, ok bool) {
	name, isGit := strings.CutSuffix(chi.URLParam(r, "repo"), ".git")
	s.mu.Lock()
	repo = s.repo(chi.URLParam(r, "owner") + "/" + name)
	access := s.gitAccess(r, repo, push)
	s.mu.Unlock()
	if !isGit {
		access = access.refuse(http.StatusNotFound, "Not Found")
	} else if !strings.HasPrefix(r.Header.Get("Accept"), lfsType) {
		access = access.refuse(http.StatusNotAcceptable, "Accept must be "+lfsType)
	}
	if access.status == http.StatusOK {
		return repo, true
	}
	s.writeLFS(w, access.status, map[string]any{"message": access.message, "documentation_url": "https://docs.github.com/repositories/working-with-files/managing-large-files"})
	return nil, false
}

func (s *Server) writeLFS(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", lfsType+"; charset=utf-8")
	if status == http.StatusUnauthorized {
		w.Header().Set("LFS-Authenticate", `Basic realm="GitHub"`)
		w.Header().Set("WWW-Authenticate", `Basic realm="GitHub"`)
	}
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// lfsBatch says where objects go to or come from (git-lfs, docs/api/batch.md).
func (s *Server) lfsBatch(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		Operation string
		Transfers []string
		HashAlgo  string `json:"hash_algo"`
		Objects   []lfsObject
	}
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&asked)
	repo, ok := s.lfsAccess(w, r, asked.Operation == "upload")
	switch {
	case !ok:
	case err != nil || len(asked.Objects) == 0 || (asked.Operation != "upload" && asked.Operation != "download"):
		s.writeLFS(w, http.StatusUnprocessableEntity, map[string]any{"message": "Invalid batch request"})
	case asked.HashAlgo != "" && asked.HashAlgo != "sha256":
		s.writeLFS(w, http.StatusConflict, map[string]any{"message": "Unsupported hash algorithm"})
	default:
		for i, object := range asked.Objects {
			asked.Objects[i] = s.lfsAnswer(repo, asked.Operation, object)
		}
		s.writeLFS(w, http.StatusOK, map[string]any{"transfer": "basic", "objects": asked.Objects})
	}
}

func (s *Server) lfsAnswer(repo *repository, operation string, asked lfsObject) lfsObject {
	answer := lfsObject{OID: asked.OID, Size: asked.Size}
	if !lfsOID.MatchString(asked.OID) || asked.Size < 0 {
		answer.Error = &lfsError{http.StatusUnprocessableEntity, "Invalid object"}
		return answer
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	size, there := repo.lfs[asked.OID]
	switch {
	case operation == "download" && !there:
		answer.Error = &lfsError{http.StatusNotFound, "Object does not exist on the server"}
	case there && size != asked.Size:
		answer.Error = &lfsError{http.StatusUnprocessableEntity, "Wrong size"}
	case operation == "download":
		answer.Authenticated, answer.Actions = true, map[string]lfsAction{"download": s.lfsLink(repo, "download", asked)}
	case !there: // nothing to do for one that is there
		answer.Authenticated, answer.Actions = true, map[string]lfsAction{
			"upload": s.lfsLink(repo, "upload", asked), "verify": s.lfsLink(repo, "verify", asked)}
	}
	return answer
}

// lfsLink makes a link that is good by itself, for one object and a while: a
// download's carries its permit in the address, the others in a header. That is
// how storage elsewhere is reached without the token.
func (s *Server) lfsLink(repo *repository, operation string, object lfsObject) lfsAction {
	permit := randomHex(32)
	s.lfsPermits[permit] = lfsPermit{repo, operation, object.OID, object.Size, s.Now().Add(lfsActionLife)}
	action := lfsAction{Href: fmt.Sprintf("%s/lfs-storage/%s/%s", s.url, operation, object.OID), ExpiresIn: int(lfsActionLife.Seconds())}
	if operation == "download" {
		action.Href += "?permit=" + permit
		return action
	}
	action.Header = map[string]string{"Authorization": "RemoteAuth " + permit}
	return action
}

// lfsVerifyLocks knows no locks; who may not push is not told even that.
func (s *Server) lfsVerifyLocks(w http.ResponseWriter, r *http.Request) {
	if _, ok := s.lfsAccess(w, r, true); ok {
		s.writeLFS(w, http.StatusOK, map[string]any{"ours": []any{}, "theirs": []any{}})
	}
}
