package deliver

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/hub"
	"github.com/ghscoped/ghscoped-service/internal/hubapi"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

func TestTerminalThatIsGoneIsNotDeleted(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, says string
		finishes   bool
		deletions  int32
	}{
		{"it ended", `["disconnect", 1]`, true, 0},
		{"it ended before it was known to", `["disconnect", 1]`, false, 0},
		{"the connection is lost", "", true, 1},
		{"it says something else", `["setup", {}]`, true, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var deletions atomic.Int32
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch {
				case r.Method == http.MethodPost:
					_, _ = io.WriteString(w, `{"name": "1"}`)
				case r.Method == http.MethodDelete:
					deletions.Add(1)
				default:
					conn, err := websocket.Accept(w, r, nil)
					if err != nil {
						return
					}
					if c.says != "" {
						_ = conn.Write(r.Context(), websocket.MessageText, []byte(c.says))
					}
					_ = conn.CloseNow()
				}
			}))
			t.Cleanup(server.Close)
			base, err := url.Parse(server.URL + "/user/ada/")
			require.NoError(t, err)
			p, err := openPTY(t.Context(), hubapi.NewUserServer(hub.Address{URL: base}, secret.New("t"), server.Client()), nil)
			require.NoError(t, err)
			_, err = p.output(t.Context())
			require.ErrorIs(t, err, io.EOF)
			p.finishes = c.finishes
			p.close(t.Context())
			require.Equal(t, c.deletions, deletions.Load())
		})
	}
}
