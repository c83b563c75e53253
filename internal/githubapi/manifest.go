package githubapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// Registered is an App that was just made of a manifest.
type Registered struct {
	Slug, ClientID, PageURL  string
	ClientSecret, PrivateKey secret.String
}

// ConvertManifest trades a manifest's code for the App ("Create a GitHub App
// from a manifest" in GitHub's REST documentation). It works once, within an
// hour of the code. api is the REST API's address.
func ConvertManifest(ctx context.Context, httpClient *http.Client, api *url.URL, code secret.String) (Registered, error) {
	target := api.JoinPath("app-manifests", url.PathEscape(code.Reveal()), "conversions")
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), nil)
	if err != nil {
		return Registered{}, errors.New("the code cannot be part of an address")
	}
	request.Header.Set("Accept", "application/vnd.github+json")
	request.Header.Set("User-Agent", "ghscoped-service")
	response, err := httpClient.Do(request)
	if err != nil {
		var sent *url.Error // its text would hold the code
		if errors.As(err, &sent) {
			err = sent.Err
		}
		return Registered{}, fmt.Errorf("GitHub's API at %s: %w", api, err)
	}
	defer response.Body.Close()
	switch {
	case response.StatusCode == http.StatusNotFound:
		return Registered{}, errors.New("GitHub does not know the code: it works once, within an hour")
	case response.StatusCode != http.StatusCreated:
		return Registered{}, statusError{status: response.StatusCode}
	}
	return readRegistered(response.Body)
}

func readRegistered(body io.Reader) (Registered, error) {
	var got struct {
		Slug         string `json:"slug"`
		ClientID     string `json:"client_id"`
		HTMLURL      string `json:"html_url"`
		ClientSecret string `json:"client_secret"`
		PEM          string `json:"pem"`
	}
	if err := json.NewDecoder(io.LimitReader(body, maxBody)).Decode(&got); err != nil {
		return Registered{}, errors.New("GitHub's answer is no proper JSON")
	}
	if got.ClientID == "" || got.Slug == "" || got.PEM == "" || got.ClientSecret == "" {
		return Registered{}, errors.New("GitHub's answer lacks a part of the App")
	}
	return Registered{Slug: got.Slug, ClientID: got.ClientID, PageURL: got.HTMLURL,
		ClientSecret: secret.New(got.ClientSecret), PrivateKey: secret.New(got.PEM)}, nil
}
