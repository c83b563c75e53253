package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/client"
	"github.com/ghscoped/ghscoped-service/internal/secret"
	"github.com/ghscoped/ghscoped-service/internal/webaddr"
)

const (
	// identityFileVariable names the file of a pod's projected token.
	identityFileVariable = "GHSCOPED_IDENTITY_TOKEN_FILE"
	// identityFile is where that file is by convention.
	identityFile = "/var/run/secrets/ghscoped/token"
	// maxIdentity bounds a token and the answer that brings one, in bytes.
	maxIdentity = 64 << 10
	// identityLimit bounds one question for a token.
	identityLimit = 30 * time.Second
)

// The variables of a job in GitHub Actions that may ask who it is.
const (
	actionsURL   = "ACTIONS_ID_TOKEN_REQUEST_URL"
	actionsToken = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"
)

// botService is the client for the service as a bot calls it: with its Hub token or,
// where it has none, with the identity of the workload that it is.
func (in invocation) botService() (*client.Client, error) {
	if in.getenv("JUPYTERHUB_API_TOKEN") != "" {
		return in.service()
	}
	place := client.Find(in.getenv)
	switch {
	case place.Source == "":
		return nil, &commandError{exit: exitFailed, code: "no_service", message: "Nothing here says where the service “Connect GitHub” is.",
			hint: "Set GHSCOPED_URL to its public address, such as https://hub.example.org/services/connect-github."}
	case place.URL == nil:
		return in.service()
	}
	identity, err := in.identity(place.URL)
	if err != nil {
		return nil, err
	}
	return client.NewForWorkload(place.URL, identity, in.http.Transport, in.clock), nil
}

// identity finds who vouches for this workload. A file that is named counts more than
// what is there by itself.
func (in invocation) identity(service *url.URL) (client.Identity, error) {
	file := in.getenv(identityFileVariable)
	if file == "" && in.getenv(actionsURL) != "" {
		if !webaddr.Private(service) {
			return nil, &commandError{exit: exitUsage, code: "service_not_https", message: "The job's identity is sent by https only, and the service's address is not.",
				hint: "Set GHSCOPED_URL to its public address, such as https://hub.example.org/services/connect-github."}
		}
		return in.actionsIdentity(service)
	}
	if _, err := os.Stat(in.identityFile); file == "" && err == nil {
		file = in.identityFile
	}
	switch {
	case file != "":
		return func(context.Context) (secret.String, error) { return readIdentity(file, service) }, nil
	case in.getenv("GITHUB_ACTIONS") == "true":
		return nil, &commandError{exit: exitFailed, code: "no_identity", message: "This job may not ask GitHub who it is.",
			hint: "Give it the permission: “permissions: {id-token: write}” in the workflow, beside the others that it needs. A pull request from a fork never has it."}
	}
	return nil, &commandError{exit: exitFailed, code: "no_identity", message: "Nothing here says who this is: there is no Hub token and no identity token.",
		hint: "On a JupyterHub, JUPYTERHUB_API_TOKEN says it (RStudio, ssh and cron drop it); in GitHub Actions the permission “id-token: write”; in a pod a projected token at " + identityFile + " or " + identityFileVariable + "."}
}

// actionsIdentity asks GitHub Actions for a token that is meant for the service.
func (in invocation) actionsIdentity(service *url.URL) (client.Identity, error) {
	address, err := url.Parse(in.getenv(actionsURL))
	if err != nil || address.Host == "" || in.getenv(actionsToken) == "" {
		return nil, &commandError{exit: exitFailed, code: "no_identity", message: "The variables by which a job in GitHub Actions asks who it is are incomplete.",
			hint: "A step that runs in a container must be given " + actionsURL + " and " + actionsToken + " both."}
	}
	query := address.Query()
	query.Set("audience", strings.TrimSuffix(service.String(), "/"))
	address.RawQuery = query.Encode()
	return func(ctx context.Context) (secret.String, error) {
		ctx, cancel := context.WithTimeout(ctx, identityLimit)
		defer cancel()
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
		if err != nil {
			return secret.String{}, err
		}
		request.Header.Set("Authorization", "Bearer "+in.getenv(actionsToken))
		answer, err := in.http.Transport.RoundTrip(request)
		if err != nil {
			return secret.String{}, noIdentity(err, true)
		}
		defer answer.Body.Close()
		return actionsAnswer(answer)
	}, nil
}

func actionsAnswer(answer *http.Response) (secret.String, error) {
	if answer.StatusCode != http.StatusOK {
		retryable := answer.StatusCode >= http.StatusInternalServerError || answer.StatusCode == http.StatusTooManyRequests
		return secret.String{}, noIdentity(fmt.Errorf("it answered %s", answer.Status), retryable)
	}
	var got struct {
		Value secret.Stored `json:"value"`
	}
	err := json.NewDecoder(io.LimitReader(answer.Body, maxIdentity)).Decode(&got)
	if err == nil && got.Value.Empty() {
		err = errors.New("no token in it")
	}
	if err != nil {
		return secret.String{}, noIdentity(err, true)
	}
	return got.Value.String, nil
}

func noIdentity(err error, retryable bool) *client.Error {
	return &client.Error{Code: "no_identity", Message: "GitHub Actions gave this job no identity token.",
		Hint: "Run the job again. If that does not help, look at githubstatus.com.", Err: err, Retryable: retryable}
}

// readIdentity reads a pod's token, which the kubelet replaces before its end. One that
// is meant for somebody else, such as the API server, is not sent.
func readIdentity(file string, service *url.URL) (secret.String, error) {
	opened, err := os.Open(file)
	if err != nil {
		return secret.String{}, badIdentityFile(file, "cannot be read: "+err.Error(), "")
	}
	defer opened.Close()
	text, err := io.ReadAll(io.LimitReader(opened, maxIdentity))
	if err != nil {
		return secret.String{}, badIdentityFile(file, "cannot be read: "+err.Error(), "")
	}
	text = bytes.TrimSpace(text)
	audience, ok := audienceOf(text)
	switch {
	case !ok:
		return secret.String{}, badIdentityFile(file, "holds no identity token", "")
	case !isAddressOf(audience, service):
		return secret.String{}, badIdentityFile(file, "holds a token that is not meant for this service: its audience is "+strings.Join(audience, ", "),
			"Set audience in the pod's serviceAccountToken volume to the service's public address, such as https://hub.example.org/services/connect-github.")
	}
	return secret.New(string(text)), nil
}

func badIdentityFile(file, what, hint string) *commandError {
	if hint == "" {
		hint = "It should be a token that the cluster projects into the pod (a serviceAccountToken volume); " + identityFileVariable + " names another file."
	}
	return &commandError{exit: exitFailed, code: "bad_identity_file", message: "The file " + file + " " + what + ".", hint: hint}
}

// audienceOf says whom a token is meant for, unverified: that is the service's job.
func audienceOf(token []byte) (audience []string, ok bool) {
	parts := bytes.Split(token, []byte("."))
	if len(parts) != 3 {
		return nil, false
	}
	payload, err := base64.RawURLEncoding.DecodeString(string(parts[1]))
	var claims struct {
		Audience json.RawMessage `json:"aud"`
	}
	if err != nil || json.Unmarshal(payload, &claims) != nil {
		return nil, false
	}
	var one string
	if json.Unmarshal(claims.Audience, &one) == nil {
		return []string{one}, true
	}
	return audience, json.Unmarshal(claims.Audience, &audience) == nil
}

// isAddressOf reports whether an audience is the service alone. Its public address may
// have another host than the one that it is reached at in the cluster, never another
// path.
func isAddressOf(audience []string, service *url.URL) bool {
	if len(audience) != 1 {
		return false
	}
	address, err := url.Parse(audience[0])
	return err == nil && address.Host != "" && strings.TrimSuffix(address.Path, "/") == strings.TrimSuffix(service.Path, "/")
}
