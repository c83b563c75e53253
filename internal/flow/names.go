package flow

import "github.com/ghscoped/ghscoped-service/internal/apierror"

// maxServerName bounds the name of a server, in bytes: JupyterHub's database has
// no longer ones. A name that somebody made up is stored all the same.
const maxServerName = 255

var errServerName = &apierror.Error{Code: apierror.CodeServerName, Message: "No server has a name that long.", Hint: "Choose one of your servers."}

// checkServers refuses names that cannot be stored.
func checkServers(names ...string) error {
	if len(names) > maxServers {
		return errManyServers
	}
	for _, name := range names {
		if len(name) > maxServerName {
			return errServerName
		}
	}
	return nil
}
