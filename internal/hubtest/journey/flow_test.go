package journey_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/hubtest/journey"
)

// service answers each request with the next of its answers, and the last one
// again and again.
type service struct {
	status  int
	answers []string
}

func (s *service) Call(_ context.Context, _, _ string, _, out any) (int, error) {
	answer := s.answers[0]
	if len(s.answers) > 1 {
		s.answers = s.answers[1:]
	}
	return s.status, json.Unmarshal([]byte(answer), out)
}

func TestConnectByAPISaysWhatItCameTo(t *testing.T) {
	t.Parallel()
	const pending, connected = `{"state":"pending","user_code":"AAAA-BBBB"}`, `{"state":"connected"}`
	for name, test := range map[string]struct {
		service service
		approve error
		says    string
	}{
		"connected after a while":  {service: service{201, []string{pending, pending, `{"state":"delivering"}`, connected}}},
		"no flow":                  {service: service{502, []string{`{"error":{"code":"device_flow_disabled"}}`}}, says: "status 502 device_flow_disabled"},
		"not approved":             {service: service{201, []string{pending}}, approve: errors.New("no such code"), says: "no such code"},
		"ended otherwise":          {service: service{201, []string{pending, `{"state":"failed","error":{"code":"code_spent"}}`}}, says: "failed code_spent"},
		"still what it was before": {service: service{201, []string{pending}}, says: `is "pending"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				approved := ""
				err := journey.ConnectByAPI(ctx, &test.service, func(code string) error { approved = code; return test.approve })
				if test.says != "" {
					require.ErrorContains(t, err, test.says)
					return
				}
				require.NoError(t, err)
				require.Equal(t, "AAAA-BBBB", approved)
			})
		})
	}
}
