// Package credentialtest has git's questions, with which of them has an answer: one
// table for all who answer git, the command in the user's server, the helper
// that a delivery leaves there, and the service.
//
// This package does not ask anybody: each test does, in its own way. It is for
// tests only.
package credentialtest

// Question is one of git's, to a service for one GitHub.
type Question struct {
	Name string
	// GitHub is the web address of the only GitHub that has a credential.
	GitHub string
	// Protocol, Host and Path are as git passes them on, which is as somebody has
	// typed them.
	Protocol, Host, Path string
	Answered             bool
}

// Text is the question in git's protocol.
func (q Question) Text() string {
	text := "protocol=" + q.Protocol + "\nhost=" + q.Host + "\n"
	if q.Path != "" {
		text += "path=" + q.Path + "\n"
	}
	return text + "\n"
}

const (
	dotCom   = "https://github.com"
	ghes     = "https://ghes.example:8443"
	loopback = "http://127.0.0.1:8080"
)

// Questions are what git may ask. git itself agrees: with the helper set for the
// GitHub's address, and no other, it asks for those that are answered.
func Questions() []Question {
	return []Question{
		{"as it is", dotCom, "https", "github.com", "", true},
		{"with a path", dotCom, "https", "github.com", "octocat/one.git", true},
		{"with a path of git-lfs", dotCom, "https", "github.com", "octocat/one.git/info/lfs", true},
		{"in other letters", dotCom, "https", "GitHub.com", "", true},
		{"in capitals", dotCom, "https", "GITHUB.COM", "octocat/one", true},
		{"with the usual port", dotCom, "https", "github.com:443", "", true},
		{"with the usual port, in other letters", dotCom, "https", "GitHub.com:443", "octocat/one", true},
		{"with a port that is empty", dotCom, "https", "github.com:", "", true},
		{"with a zero before the port", dotCom, "https", "github.com:0443", "", true},
		{"with zeros before the port", dotCom, "https", "github.com:000000443", "", true},
		{"with a dot at the end", dotCom, "https", "github.com.", "", true},
		{"with all of that", dotCom, "https", "GITHUB.com.:0443", "octocat/one.git", true},

		{"set with the usual port", "https://github.com:443", "https", "github.com", "", true},
		{"set and typed with the usual port", "https://github.com:443", "https", "github.com:443", "", true},
		{"set in other letters", "https://GitHub.com", "https", "github.com", "", true},
		{"set and typed in other letters", "https://GitHub.com", "https", "gitHUB.com", "", true},
		{"a port of its own", ghes, "https", "ghes.example:8443", "", true},
		{"a port of its own, with a zero", ghes, "https", "GHES.example.:08443", "", true},
		{"a port of its own, without it", ghes, "https", "ghes.example", "", false},
		{"a port of its own, with the usual one", ghes, "https", "ghes.example:443", "", false},
		{"this machine", loopback, "http", "127.0.0.1:8080", "", true},
		{"this machine, encrypted", loopback, "https", "127.0.0.1:8080", "", false},
		{"this machine, another port", loopback, "http", "127.0.0.1:8081", "", false},
		{"this machine, the usual port", "http://localhost:80", "http", "LOCALHOST", "", true},
		{"this machine, the other usual port", "http://localhost:80", "http", "localhost:443", "", false},
		{"IPv6", "http://[::1]:8080", "http", "[::1]:8080", "", true},
		{"IPv6, the usual port", "https://[fd00::A]", "https", "[fd00::a]:443", "", true},
		{"IPv6, an empty port", "https://[fd00::a]", "https", "[FD00::a]:", "", true},
		{"IPv6, written otherwise", "https://[fd00::a]", "https", "[fd00:0::a]", "", false},
		{"IPv6, without brackets", "https://[fd00::a]", "https", "fd00::a", "", false},
		{"an international name, as ASCII", "https://git.xn--bcher-kva.example", "https", "git.xn--Bcher-kva.example", "", true},
		{"an international name, as it is read", "https://git.xn--bcher-kva.example", "https", "git.b\u00fccher.example", "", false},

		{"not encrypted", dotCom, "http", "github.com", "", false},
		{"not encrypted, the usual port", dotCom, "http", "github.com:443", "", false},
		{"another protocol", dotCom, "ssh", "github.com", "", false},
		{"no protocol", dotCom, "", "github.com", "", false},
		{"no host", dotCom, "https", "", "octocat/one", false},
		{"a port alone", dotCom, "https", ":443", "", false},
		{"a dot alone", dotCom, "https", ".", "", false},
		{"another port", dotCom, "https", "github.com:80", "", false},
		{"port 0", dotCom, "https", "github.com:0", "", false},
		{"port 00", dotCom, "https", "github.com:00", "", false},
		{"a port beyond all", dotCom, "https", "github.com:65979", "", false}, // 443 modulo 65536
		{"a port with a sign", dotCom, "https", "github.com:+443", "", false},
		{"a port with a blank", dotCom, "https", "github.com: 443", "", false},
		{"a port in other digits", dotCom, "https", "github.com:\u0664\u0664\u0663", "", false},
		{"two ports", dotCom, "https", "github.com:443:443", "", false},
		{"two empty ports", dotCom, "https", "github.com::", "", false},
		{"two dots", dotCom, "https", "github.com..", "", false},
		{"a dot after the port", dotCom, "https", "github.com:443.", "", false},
		{"a dot before", dotCom, "https", ".github.com", "", false},
		{"a blank", dotCom, "https", "github.com ", "", false},
		{"another host", dotCom, "https", "evil.example", "octocat/one", false},
		{"a host below it", dotCom, "https", "gist.github.com", "", false},
		{"a host that begins with it", dotCom, "https", "github.com.evil.example", "", false},
		{"a host that ends with it", dotCom, "https", "notgithub.com", "", false},
		{"another end", dotCom, "https", "github.co", "", false},
		{"with its scheme", dotCom, "https", "https://github.com", "", false},
		{"with a slash", dotCom, "https", "github.com/", "", false},
		{"below a path", dotCom, "https", "evil.example/github.com", "", false},
		{"after a user", dotCom, "https", "evil.example@github.com", "", false},
		{"before a query", dotCom, "https", "github.com?evil.example", "", false},
		{"letters that fold to ASCII", "https://git.state.example", "https", "git.\u017ftate.example", "", false},
		{"a sign that folds to ASCII", "https://kgit.example", "https", "\u212agit.example", "", false},
		{"a letter without its dot", dotCom, "https", "g\u0131thub.com", "", false},
		{"an escape", dotCom, "https", "%67ithub.com", "", false},
		{"a backslash", dotCom, "https", `GITHUB\.COM`, "", false},
		{"a pattern of a shell", dotCom, "https", "g?th[u]b.com", "", false},
		{"a star", dotCom, "https", "*", "", false},
		{"a quote", dotCom, "https", `"github.com"`, "", false},
	}
}
