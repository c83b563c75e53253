package githubsim_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/githubsim"
)

func TestFaults(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		fault githubsim.Fault
		check func(t *testing.T, a answer, err error)
	}{
		{githubsim.Fault{Kind: githubsim.FaultReset}, func(t *testing.T, _ answer, err error) { require.ErrorContains(t, err, "reset") }},
		{githubsim.Fault{Kind: githubsim.FaultLost}, func(t *testing.T, _ answer, err error) { require.Error(t, err) }},
		{githubsim.Fault{Kind: githubsim.FaultTruncate}, func(t *testing.T, a answer, err error) {
			require.ErrorIs(t, err, io.ErrUnexpectedEOF)
			require.NotEmpty(t, a.raw)
		}},
		{githubsim.Fault{Kind: githubsim.FaultHTML502}, func(t *testing.T, a answer, _ error) {
			require.Equal(t, 502, a.status)
			require.Equal(t, "text/html", a.header.Get("Content-Type"))
		}},
		{githubsim.Fault{Kind: githubsim.FaultWrongType}, func(t *testing.T, a answer, _ error) {
			require.Equal(t, 200, a.status)
			require.Contains(t, a.header.Get("Content-Type"), "text/html")
		}},
		{githubsim.Fault{Kind: githubsim.FaultStatus, Status: 429, RetryAfter: 7}, func(t *testing.T, a answer, _ error) {
			require.Equal(t, 429, a.status)
			require.Equal(t, "7", a.header.Get("Retry-After"))
		}},
		{githubsim.Fault{Kind: githubsim.FaultStatus, Status: 200, Body: `{"error":"token_expired"}`}, func(t *testing.T, a answer, _ error) {
			require.Equal(t, "token_expired", a.str("error"))
		}},
		{githubsim.Fault{Kind: githubsim.FaultFresh401}, func(t *testing.T, a answer, _ error) { require.Equal(t, 401, a.status) }},
		{githubsim.Fault{Kind: githubsim.FaultSlow, Delay: time.Millisecond}, func(t *testing.T, a answer, err error) {
			require.NoError(t, err)
			require.Equal(t, "mona", a.str("login"))
		}},
		{githubsim.Fault{Kind: githubsim.FaultDelay, Delay: time.Millisecond}, func(t *testing.T, a answer, _ error) { require.Equal(t, "mona", a.str("login")) }},
	} {
		t.Run(tc.fault.Kind, func(t *testing.T) {
			t.Parallel()
			sim := start(t)
			auth := "Bearer " + userToken(t, sim, "mona").str("access_token")
			f := tc.fault
			f.Endpoint, f.Times = "GET /user", 1
			if f.Kind == githubsim.FaultFresh401 {
				f.Times = 0
			}
			_, err := sim.Fault(f)
			require.NoError(t, err)
			a, err := trySend("GET", sim.APIURL()+"/user", auth, nil)
			tc.check(t, a, err)
			require.Equal(t, "mona", send(t, "GET", sim.APIURL()+"/user", auth, nil).str("login"), "the fault is used up")
			require.Equal(t, 1, sim.Faults()[0].Hits)
			sim.ClearFaults(0)
			require.Empty(t, sim.Faults())
		})
	}
}

func TestFaultsWithoutEndLastAsLongAsTheClient(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{githubsim.FaultEndless, githubsim.FaultTrickle, githubsim.FaultBlackHole} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			sim := start(t)
			_, err := sim.Fault(githubsim.Fault{Kind: kind, Delay: 0})
			require.NoError(t, err)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			leave := time.AfterFunc(300*time.Millisecond, cancel)
			if kind == githubsim.FaultEndless {
				leave.Stop() // who leaves here has read a megabyte
			}
			r, err := http.NewRequestWithContext(ctx, "GET", sim.APIURL()+"/users/mona", nil)
			require.NoError(t, err)
			res, err := http.DefaultTransport.RoundTrip(r)
			if err == nil {
				defer res.Body.Close()
				var n int64
				if n, err = io.CopyN(io.Discard, res.Body, 1<<20); n == 1<<20 {
					require.Equal(t, githubsim.FaultEndless, kind)
					cancel()
					_, err = io.Copy(io.Discard, res.Body)
				}
			}
			require.ErrorIs(t, err, context.Canceled)
		})
	}
}

func TestFaultOfALostSuccessHasSpentTheCode(t *testing.T) {
	t.Parallel()
	sim := start(t)
	d := deviceCode(t, sim)
	require.NoError(t, sim.Approve(d.str("user_code"), "mona"))
	_, err := sim.Fault(githubsim.Fault{Endpoint: "POST /login/oauth/access_token", Kind: githubsim.FaultLost, Times: 1})
	require.NoError(t, err)
	_, err = trySend("POST", sim.URL()+"/login/oauth/access_token", "", map[string]string{
		"client_id": githubsim.DefaultClientID, "grant_type": deviceGrant, "device_code": d.str("device_code")})
	require.Error(t, err)
	require.Len(t, sim.Tokens(), 1)
	sim.Advance(5 * time.Second)
	require.Equal(t, "incorrect_device_code", poll(t, sim, d.str("device_code")).str("error"))
}

func TestFaultsBySchedule(t *testing.T) {
	t.Parallel()
	status := func(sim *githubsim.Server) int { return send(t, "GET", sim.APIURL()+"/users/mona", "", nil).status }
	series := func(sim *githubsim.Server, n int) (got []int) {
		for range n {
			got = append(got, status(sim))
		}
		return got
	}
	sim := start(t)
	_, err := sim.Fault(githubsim.Fault{Endpoint: "GET /users/*", Kind: githubsim.FaultHTML502, Skip: 1, Times: 2})
	require.NoError(t, err)
	require.Equal(t, []int{200, 502, 502, 200}, series(sim, 4))
	_, err = sim.Fault(githubsim.Fault{Kind: githubsim.FaultHTML502, Every: 3})
	require.NoError(t, err)
	require.Equal(t, []int{200, 200, 502, 200, 200, 502}, series(sim, 6))
	sim.ClearFaults(0)
	_, err = sim.Fault(githubsim.Fault{Kind: githubsim.FaultHTML502, After: time.Minute, For: time.Minute})
	require.NoError(t, err)
	for _, want := range []int{200, 502, 200} {
		require.Equal(t, want, status(sim))
		sim.Advance(time.Minute)
	}
	_, err = sim.Fault(githubsim.Fault{Kind: "nonsense"})
	require.Error(t, err)
}

func TestAdminPortDoesWhatTheMethodsDo(t *testing.T) {
	t.Parallel()
	sim := start(t)
	admin := func(method, path string, body any) answer { return send(t, method, sim.AdminURL()+path, "", body) }
	type m = map[string]any
	require.Equal(t, sim.URL(), admin("GET", "/", nil).str("url"))
	require.Equal(t, 204, admin("POST", "/accounts", m{"login": "hubot"}).status)
	require.Equal(t, 204, admin("POST", "/repositories", m{"full_name": "hubot/box", "files": m{"a/b.txt": "c"}}).status)
	require.Equal(t, 204, admin("POST", "/commits", m{"repository": "hubot/box", "message": "more", "files": m{"d": "e"}}).status)
	made := admin("POST", "/installations", m{"account": "hubot", "repositories": []string{"box"}})
	require.Equal(t, 200, made.status, made.raw)
	d := deviceCode(t, sim)
	require.Equal(t, 204, admin("POST", "/approve", m{"user_code": d.str("user_code"), "login": "hubot"}).status)
	require.Equal(t, 400, admin("POST", "/deny", m{"user_code": d.str("user_code")}).status)
	token := poll(t, sim, d.str("device_code")).str("access_token")
	require.Equal(t, token, admin("GET", "/tokens", nil).list[0].(m)["token"])
	require.Equal(t, 200, pushCheck(t, sim, "hubot/box", token))
	require.Equal(t, 200, admin("POST", "/faults", m{"endpoint": "GET /user", "kind": "delay", "delay": "1ms", "times": 1}).status)
	require.Equal(t, 400, admin("POST", "/faults", m{"kind": "delay", "delays": "1ms"}).status, "a misspelt field")
	require.Equal(t, time.Millisecond, sim.Faults()[0].Delay)
	require.Equal(t, 204, admin("DELETE", "/faults", nil).status)
	require.Equal(t, 200, admin("POST", "/clock/advance", m{"by": "9h"}).status)
	require.Equal(t, 401, pushCheck(t, sim, "hubot/box", token))
	stats := admin("GET", "/stats", nil)
	require.Equal(t, "expired", stats.body["tokens"].([]any)[0].(m)["state"])
	require.EqualValues(t, 1, stats.body["polls"].(m)["polls"])
	require.Contains(t, stats.body["device_codes"].([]any)[0].(m), "min_distance_ms")
	require.Equal(t, 404, send(t, "GET", sim.URL()+"/stats", "", nil).status, "never on the public port")
}

func TestTLSWithItsOwnCA(t *testing.T) {
	t.Parallel()
	sim := start(t, func(o *githubsim.Options) { o.TLS, o.APIListen = true, "127.0.0.1:0" })
	require.True(t, strings.HasPrefix(sim.URL(), "https://"))
	require.NotContains(t, sim.APIURL(), "/api/v3")
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(sim.CAPEM()))
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true}}
	for _, address := range []string{sim.APIURL() + "/users/mona", sim.URL() + "/api/v3/users/mona"} {
		res, err := c.Get(address)
		require.NoError(t, err)
		var body map[string]any
		require.NoError(t, json.NewDecoder(res.Body).Decode(&body))
		res.Body.Close()
		require.Equal(t, "mona", body["login"])
	}
	_, err := sim.Fault(githubsim.Fault{Kind: githubsim.FaultReset, Times: 1})
	require.NoError(t, err)
	_, err = c.Get(sim.URL() + "/login")
	require.Error(t, err)
	_, err = (&http.Client{Transport: &http.Transport{}}).Get(sim.URL())
	require.ErrorContains(t, err, "certificate")
}

func TestStartNamesAllWrongOptions(t *testing.T) {
	t.Parallel()
	err := githubsim.New(githubsim.Options{Interval: time.Millisecond, Apps: []githubsim.App{{}},
		Repositories: []githubsim.Repository{{FullName: "nobody/x"}}}).Start()
	require.ErrorContains(t, err, "interval")
	require.ErrorContains(t, err, "client id")
	require.ErrorContains(t, err, "nobody/x")
}
