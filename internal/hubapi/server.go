package hubapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"

	"github.com/coder/websocket"

	"github.com/ghscoped/ghscoped-service/internal/hub"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// maxMessage bounds one websocket message of a user's server, in bytes.
const maxMessage = 1 << 20

// UserServer calls one running Jupyter server through the Hub's proxy, as the
// user whose token it is given. Safe for concurrent use.
//
// Errors are those of [Client]; [Status] tells the status of an answer.
type UserServer struct {
	base  hub.Address
	token secret.String
	http  *http.Client
}

// NewUserServer returns a client for the server at base, whose URL ends in "/".
// Redirects of httpClient are switched off, as in [New].
func NewUserServer(base hub.Address, token secret.String, httpClient *http.Client) *UserServer {
	return &UserServer{base: base, token: token, http: withoutRedirects(httpClient)}
}

// Status is the HTTP status behind an error of this package; 0: there was no
// answer, or the answer was not to be read.
func Status(err error) int {
	var status *statusError
	if errors.As(err, &status) {
		return status.code
	}
	return 0
}

// StartTerminal makes a terminal and returns its name. Servers that know
// shell_command run command in it; older ones start the user's login shell, as
// all do for no command.
func (s *UserServer) StartTerminal(ctx context.Context, command []string) (string, error) {
	body := struct {
		ShellCommand []string `json:"shell_command,omitempty"`
	}{command}
	var answer struct {
		Name string `json:"name"`
	}
	err := s.call(ctx, http.MethodPost, s.base.Join("api", "terminals"), body, &answer)
	return answer.Name, err
}

// DialTerminal opens a terminal's websocket (terminado's protocol: JSON arrays
// of a kind and its content).
func (s *UserServer) DialTerminal(ctx context.Context, name string) (*websocket.Conn, error) {
	return s.dial(ctx, s.base.Join("terminals", "websocket", url.PathEscape(name)))
}

// DeleteTerminal ends a terminal. One that is gone already is no error.
func (s *UserServer) DeleteTerminal(ctx context.Context, name string) error {
	return s.remove(ctx, s.base.Join("api", "terminals", url.PathEscape(name)))
}

// KernelSpecs are the kernels a server can start: the default one's name, and
// the language of each by name.
type KernelSpecs struct {
	Default   string
	Languages map[string]string
}

// KernelSpecs asks which kernels there are.
func (s *UserServer) KernelSpecs(ctx context.Context) (KernelSpecs, error) {
	var answer struct {
		Default     string `json:"default"`
		KernelSpecs map[string]struct {
			Spec struct {
				Language string `json:"language"`
			} `json:"spec"`
		} `json:"kernelspecs"`
	}
	if err := s.call(ctx, http.MethodGet, s.base.Join("api", "kernelspecs"), nil, &answer); err != nil {
		return KernelSpecs{}, err
	}
	specs := KernelSpecs{Default: answer.Default, Languages: make(map[string]string, len(answer.KernelSpecs))}
	for name, kernel := range answer.KernelSpecs {
		specs.Languages[name] = kernel.Spec.Language
	}
	return specs, nil
}

// StartKernel starts a kernel of the named spec and returns its id.
func (s *UserServer) StartKernel(ctx context.Context, spec string) (string, error) {
	body := struct {
		Name string `json:"name"`
	}{spec}
	var answer struct {
		ID string `json:"id"`
	}
	err := s.call(ctx, http.MethodPost, s.base.Join("api", "kernels"), body, &answer)
	return answer.ID, err
}

// DialKernel opens a kernel's channels (Jupyter's messaging protocol, JSON
// messages that name their channel).
func (s *UserServer) DialKernel(ctx context.Context, id, session string) (*websocket.Conn, error) {
	target := s.base.Join("api", "kernels", url.PathEscape(id), "channels")
	target.URL.RawQuery = url.Values{"session_id": {session}}.Encode()
	return s.dial(ctx, target)
}

// DeleteKernel shuts a kernel down. One that is gone already is no error.
func (s *UserServer) DeleteKernel(ctx context.Context, id string) error {
	return s.remove(ctx, s.base.Join("api", "kernels", url.PathEscape(id)))
}

func (s *UserServer) remove(ctx context.Context, target hub.Address) error {
	err := s.call(ctx, http.MethodDelete, target, nil, nil)
	if Status(err) == http.StatusNotFound {
		return nil
	}
	return err
}

func (s *UserServer) call(ctx context.Context, method string, target hub.Address, body, answer any) error {
	if body == nil {
		return exchange(ctx, s.http, method, target, s.token, nil, answer)
	}
	content, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return exchange(ctx, s.http, method, target, s.token, bytes.NewReader(content), answer)
}

func (s *UserServer) dial(ctx context.Context, target hub.Address) (*websocket.Conn, error) {
	conn, response, err := websocket.Dial(ctx, target.URL.String(), &websocket.DialOptions{
		HTTPClient: s.http,
		Host:       target.Host,
		HTTPHeader: http.Header{"Authorization": {"token " + s.token.Reveal()}},
	})
	if err != nil {
		if response != nil {
			if refused := checkStatus(response); refused != nil {
				return nil, refused
			}
		}
		return nil, &hub.UnavailableError{Err: err}
	}
	conn.SetReadLimit(maxMessage)
	return conn, nil
}
