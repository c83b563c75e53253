package flow

// maxServerName bounds the name of a server, in bytes: JupyterHub's database has
// no longer ones. A name that somebody made up is stored all the same.
const maxServerName = 255

// CodeServerName is the code of the error that says: no server has such a name.
const CodeServerName = "server_name"

var errServerName = &Error{Code: CodeServerName, Message: "No server has a name that long.", Hint: "Choose one of your servers."}

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
