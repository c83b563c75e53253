package gitconfig

import (
	"net/url"
	"slices"
	"strings"
)

// RewriteSSH is the lines by which git uses the address of a GitHub, such as
// https://github.com/, for each form in which ssh addresses of that host, without a
// port, are written. git takes the longest that fits.
func RewriteSSH(address, host string) []string {
	lines := []string{`[url "` + address + `"]`}
	for _, form := range SSHForms(host) {
		lines = append(lines, "\tinsteadOf = "+form)
	}
	return lines
}

// SSHForms are the beginnings of a host's ssh addresses: as scp has them, with a
// slash behind the colon too, and as URLs, with or without the user. github.com can
// be reached at the port of https as well, under another name ("Using SSH over the
// HTTPS port").
func SSHForms(host string) []string {
	var forms []string
	for _, user := range []string{"git@", ""} {
		forms = append(forms, user+host+":", user+host+":/",
			"ssh://"+user+host+"/", "ssh://"+user+host+":22/", "git+ssh://"+user+host+"/")
		if strings.EqualFold(host, "github.com") {
			forms = append(forms, "ssh://"+user+"ssh.github.com:443/", user+"ssh.github.com:")
		}
	}
	return forms
}

// ofRewriteSSH reports whether a setting, without the spaces around it, is one of
// [RewriteSSH] under this header.
func ofRewriteSSH(header, setting string) bool {
	form, found := strings.CutPrefix(setting, "insteadOf = ")
	_, quoted, isURL := strings.Cut(strings.TrimSpace(header), `[url "`)
	address, err := url.Parse(strings.TrimSuffix(quoted, `"]`))
	return found && isURL && err == nil && address.Host != "" && slices.Contains(SSHForms(address.Hostname()), form)
}
