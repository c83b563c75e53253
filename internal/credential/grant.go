package credential

import (
	"net/url"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/github"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// Credential is what is written for git: by a delivery into a server, or by the command there.
type Credential struct {
	// Host is GitHub's web address, the only one the credential is offered to.
	Host      *url.URL
	Username  string
	Password  secret.String
	ExpiresAt time.Time
	// Account gives user.name and user.email where the deployer asks for them.
	Account github.Account
}
