package workload

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// claims are those of one token.
type claims struct {
	Issuer    string
	Subject   string
	ID        string
	Expires   time.Time
	Issued    time.Time
	NotBefore time.Time
	all       map[string]any
}

// unverified reads the claims of a token before anything is known to be true of
// them. A claim of another type than RFC 7519, 4.1 has it makes the token invalid.
func unverified(raw string) (claims, error) {
	_, rest, _ := strings.Cut(raw, ".")
	payload, _, _ := strings.Cut(rest, ".")
	text, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		return claims{}, invalid("is no JWT", err)
	}
	c := claims{}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&c.all); err != nil {
		return claims{}, invalid("is no JWT", err)
	}
	for name, into := range map[string]*string{"iss": &c.Issuer, "sub": &c.Subject, "jti": &c.ID} {
		if value, there := c.all[name]; there && !is(value, into) {
			return claims{}, invalid("has a claim "+name+" that is no text", nil)
		}
	}
	for name, into := range map[string]*time.Time{"exp": &c.Expires, "iat": &c.Issued, "nbf": &c.NotBefore} {
		if value, there := c.all[name]; there && !isTime(value, into) {
			return claims{}, invalid("has a claim "+name+" that is no time", nil)
		}
	}
	return c, nil
}

func is(value any, into *string) (ok bool) {
	*into, ok = value.(string)
	return ok
}

func isTime(value any, into *time.Time) bool {
	number, _ := value.(json.Number)
	n, err := number.Float64()
	*into = seconds(n)
	return err == nil
}

// audience is whom the token is for, if that is one.
func (c claims) audience() string {
	switch audience := c.all["aud"].(type) {
	case string:
		return audience
	case []any:
		if len(audience) == 1 {
			only, _ := audience[0].(string)
			return only
		}
	}
	return ""
}

// seconds are a time in seconds since 1970, as far as a time goes.
func seconds(n float64) time.Time {
	const last = 253402300799 // of the year 9999
	return time.Unix(int64(max(0, min(n, last))), 0)
}

// identity is whom the claims of a kind of issuer name.
func identity(kind string, c claims) (Identity, error) {
	who := Identity{Kind: kind, Claims: map[string]string{}}
	flatten(who.Claims, "", c.all)
	var err error
	switch kind {
	case Actions:
		who.Name, who.Part, err = ofActions(c)
	case Kubernetes:
		who.Name, err = ofKubernetes(c)
	default:
		who.Name, who.Part = trim(c.Issuer), c.Subject
		if !plain(c.Subject) {
			err = invalid("has no sub, or one that cannot be written down", nil)
		}
	}
	return who, err
}

// flatten makes texts of claims: what is below one stands as CLAIM.NAME.
func flatten(into map[string]string, prefix string, from map[string]any) {
	for name, value := range from {
		switch value := value.(type) {
		case string:
			into[prefix+name] = value
		case json.Number:
			into[prefix+name] = value.String()
		case bool:
			into[prefix+name] = strconv.FormatBool(value)
		case map[string]any:
			flatten(into, prefix+name+".", value)
		}
	}
}

// ofActions is the repository of a token of GitHub Actions, and the run. All of
// GitHub's own claims are texts, also those that are numbers.
func ofActions(c claims) (repository, run string, err error) {
	for name, value := range c.all {
		if _, is := value.(string); !is && name != "iat" && name != "nbf" && name != "exp" && name != "aud" {
			return "", "", invalid("has a claim "+shown(name)+" that is no text", nil)
		}
	}
	text := func(name string) string {
		value, _ := c.all[name].(string)
		if !plain(value) && err == nil {
			err = invalid("has no claim "+name, nil)
		}
		return value
	}
	repository, run = text("repository"), text("run_id")
	owner, _, found := strings.Cut(repository, "/")
	if err == nil && (!found || owner != text("repository_owner")) {
		err = invalid("names a repository that is not its owner's", nil)
	}
	for _, name := range []string{"repository_id", "repository_owner_id", "ref", "event_name"} {
		text(name)
	}
	return repository, run, err
}

// ofKubernetes is the service account of a token, which two claims name
// (Kubernetes: "Service account token structure").
func ofKubernetes(c claims) (string, error) {
	own, _ := c.all["kubernetes.io"].(map[string]any)
	account, _ := own["serviceaccount"].(map[string]any)
	namespace, _ := own["namespace"].(string)
	name, _ := account["name"].(string)
	if !plain(namespace) || !plain(name) || c.Subject != "system:serviceaccount:"+namespace+":"+name {
		return "", invalid("does not name a service account", nil)
	}
	return namespace + "/" + name, nil
}

// plain reports whether a text is there, and can stand in a line.
func plain(text string) bool {
	return text != "" && len(text) <= 1000 && !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f })
}
