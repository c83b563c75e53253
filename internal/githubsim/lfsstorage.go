package githubsim

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
)

// lfsPermit is what one link of a batch's answer is good for.
type lfsPermit struct {
	repo      *repository
	operation string
	oid       string
	size      int64
	expires   time.Time
}

// lfsPermitted finds a request's permit. Whoever brings a token here, as to
// GitHub itself, has given it to a stranger: that is refused loudly.
func (s *Server) lfsPermitted(w http.ResponseWriter, r *http.Request, operation string) (lfsPermit, bool) {
	given, isPermit := strings.CutPrefix(r.Header.Get("Authorization"), "RemoteAuth ")
	switch {
	case !isPermit && r.Header.Get("Authorization") != "":
		s.write(w, r, reply{status: http.StatusBadRequest, raw: []byte("Only one auth mechanism allowed\n")})
		return lfsPermit{}, false
	case operation == "download":
		given = r.URL.Query().Get("permit")
	}
	s.mu.Lock()
	permit, known := s.lfsPermits[given]
	known = known && permit.operation == operation && permit.oid == chi.URLParam(r, "oid") && s.Now().Before(permit.expires)
	s.mu.Unlock()
	if !known {
		s.write(w, r, reply{status: http.StatusForbidden, raw: []byte("Request has expired\n")})
	}
	return permit, known
}

func (s *Server) lfsFile(oid string) string { return filepath.Join(s.dir, "lfs-"+oid) }

// lfsUpload keeps an object's bytes, if they are the ones that its name says.
func (s *Server) lfsUpload(w http.ResponseWriter, r *http.Request) {
	permit, ok := s.lfsPermitted(w, r, "upload")
	if !ok {
		return
	}
	status := http.StatusOK
	if err := s.lfsKeep(permit, http.MaxBytesReader(w, r.Body, permit.size)); err != nil {
		status = http.StatusBadRequest
	}
	s.write(w, r, reply{status: status})
}

func (s *Server) lfsKeep(permit lfsPermit, body io.Reader) error {
	file, err := os.CreateTemp(s.dir, "upload-")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	sum := sha256.New()
	size, err := io.Copy(io.MultiWriter(file, sum), body)
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	if size != permit.size || hex.EncodeToString(sum.Sum(nil)) != permit.oid {
		return errors.New("not the object that was announced")
	}
	return os.Rename(file.Name(), s.lfsFile(permit.oid))
}

// lfsVerify makes an object that was uploaded one of the repository's.
func (s *Server) lfsVerify(w http.ResponseWriter, r *http.Request) {
	permit, ok := s.lfsPermitted(w, r, "verify")
	if !ok {
		return
	}
	var asked lfsObject
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&asked)
	info, missing := os.Stat(s.lfsFile(permit.oid))
	switch {
	case err != nil || asked.OID != permit.oid || asked.Size != permit.size:
		s.writeLFS(w, http.StatusUnprocessableEntity, map[string]any{"message": "Invalid object"})
	case missing != nil || info.Size() != permit.size:
		s.writeLFS(w, http.StatusNotFound, map[string]any{"message": "Object was not uploaded"})
	default:
		s.mu.Lock()
		if permit.repo.lfs == nil {
			permit.repo.lfs = map[string]int64{}
		}
		permit.repo.lfs[permit.oid] = permit.size
		s.mu.Unlock()
		s.writeLFS(w, http.StatusOK, asked)
	}
}

func (s *Server) lfsDownload(w http.ResponseWriter, r *http.Request) {
	permit, ok := s.lfsPermitted(w, r, "download")
	if !ok {
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	http.ServeFile(w, r, s.lfsFile(permit.oid))
}
