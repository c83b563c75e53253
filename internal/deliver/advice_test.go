package deliver

import (
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/gitconfig"
)

// readOnly remounts a folder of the home read-only.
const readOnly = ` && mount --bind "$DIR" "$DIR" && mount -o remount,ro,bind "$DIR"`

// store is a folder that cannot be written, as that of home-manager.
const store = `DIR="$HOME/store"; mkdir -p "$DIR"` + readOnly

// TestAdviceWorksWhereItIsGiven: a delivery fails, the person (or an administrator)
// does what the page says, and delivers again.
func TestAdviceWorksWhereItIsGiven(t *testing.T) {
	t.Parallel()
	const ada1 = "[user]\n\tname = Ada\n"
	const copied = "cp ~/.gitconfig ~/.gitconfig.own; rm ~/.gitconfig; mv ~/.gitconfig.own ~/.gitconfig"
	const ownConfig = "mv ~/.config ~/.config.old && cp -R ~/.config.old ~/.config"
	const away = "mv ~/.config/ghscoped ~/.config/ghscoped.old"
	link := func(p *place, from, to string) { require.NoError(p.t, os.Symlink(to, p.home+"/"+from)) }
	unset := func(p *place) { p.env = nil }
	mounts := `mount --bind "$HOME/mapped" "$HOME/.gitconfig"`
	for _, c := range []struct {
		name    string
		other   bool // the person is not root, and neither are the files hers alone
		prepare func(p *place)
		inside  string // mounts, as long as says is not an administrator's
		code    string
		types   string         // what the hint has the person type
		says    string         // else what it says
		does    func(p *place) // which is this
	}{
		{name: "read-only home", code: "read_only_home", inside: `DIR="$HOME"` + readOnly,
			says: "an administrator has to make it writable", does: func(p *place) { p.inside = "" }},
		{name: "home that turned read-only", code: "read_only_home", inside: `DIR="$HOME"` + readOnly,
			says: "restart the server", does: func(p *place) { p.inside = "" }},
		{name: "read-only home that has to stay so", code: "read_only_home", inside: `DIR="$HOME"` + readOnly,
			says: "an administrator can run “ghscoped setup --system” in it", does: func(p *place) { p.setUpTheImage() }},
		{name: "named file is a mount", code: "git_config_not_writable", inside: mounts,
			prepare: func(p *place) {
				p.write(".gitconfig", ada1)
				p.write("mapped", ada1)
				p.env = []string{"GIT_CONFIG_GLOBAL=" + p.home + "/.gitconfig"}
			},
			says: "have it name a file in a folder of yours", does: func(p *place) { p.env = []string{"GIT_CONFIG_GLOBAL=" + p.home + "/own"} }},
		{name: "named file in a folder that is not there", code: "git_config_not_writable",
			prepare: func(p *place) { p.env = []string{"GIT_CONFIG_GLOBAL=" + p.home + "/no/config"} },
			says:    "have it name a file in a folder of yours", does: func(p *place) { p.env = []string{"GIT_CONFIG_GLOBAL=" + p.home + "/.gitconfig"} }},
		{name: "mount, and no folder for the other file", code: "git_config_not_writable", inside: mounts,
			prepare: func(p *place) { p.write(".gitconfig", ada1); p.write("mapped", ada1); p.write(".config/git", "") },
			types:   "mv ~/.config/git ~/.config/git.old"},
		{name: "both are links into a store", code: "git_config_not_writable", inside: store,
			prepare: func(p *place) {
				p.write("store/config", ada1)
				require.NoError(p.t, os.MkdirAll(p.home+"/.config/git", 0o755))
				link(p, ".config/git/config", "../../store/config")
				link(p, ".gitconfig", "store/config")
			}, types: copied},
		{name: "a link to a mode 0444 in a store, and no folder for the other", code: "git_config_not_writable", inside: store,
			prepare: func(p *place) {
				require.NoError(p.t, os.Chmod(p.write("store/config", ada1), 0o444))
				p.write(".config/git", "")
				link(p, ".gitconfig", "store/config")
			}, types: copied},
		{name: "a link that leads to itself", code: "git_config_not_writable",
			prepare: func(p *place) { link(p, ".gitconfig", ".gitconfig") }, types: copied},
		{name: "both are mounts", code: "git_config_not_writable", inside: mounts + ` && mount --bind "$HOME/mapped" "$HOME/.config/git/config"`,
			prepare: func(p *place) {
				p.write(".gitconfig", ada1)
				p.write("mapped", ada1)
				p.write(".config/git/config", "")
			},
			says: "an administrator can run “ghscoped setup --system” in the image", does: func(p *place) { p.setUpTheImage() }},
		{name: "a folder where git's configuration belongs", code: "git_config_not_a_file",
			prepare: func(p *place) { p.write(".gitconfig/file", "") }, types: "mv ~/.gitconfig ~/.gitconfig.old"},
		{name: "a link to a device where git's configuration belongs", code: "git_config_not_a_file", inside: device,
			prepare: func(p *place) { link(p, ".gitconfig", "/dev/null") }, types: "mv ~/.gitconfig ~/.gitconfig.old"},
		{name: "a device is named", code: "git_config_not_a_file", inside: device, prepare: func(p *place) { p.env = []string{"GIT_CONFIG_GLOBAL=/dev/null"} },
			says: "have it name another", does: func(p *place) { p.env = []string{"GIT_CONFIG_GLOBAL=" + p.home + "/own"} }},
		{name: "git reads no file", code: "git_config_off", prepare: func(p *place) { p.env = []string{"GIT_CONFIG_GLOBAL="} },
			says: "Take that variable away", does: unset},
		{name: "NULs in git's configuration", code: "git_config_damaged", prepare: func(p *place) { p.write(".gitconfig", "[user]\n\tname = A\x00da\n") },
			types: `tr -d '\000' <~/.gitconfig >~/.gitconfig.own && mv ~/.gitconfig.own ~/.gitconfig`},
		{name: "the lock of a git that was killed", code: "git_config_busy", prepare: func(p *place) { p.write(".gitconfig.lock", ""); p.instantSleep("") },
			types: "rm ~/.gitconfig.lock"},
		{name: "a link where the credential belongs", code: "symlink_refused", prepare: func(p *place) {
			p.own(0, 0o700, ".config/ghscoped/github.com")
			link(p, ".config/ghscoped/github.com/credential", "/dev/null")
		}, types: "rm -rf ~/.config/ghscoped"},
		{name: "a link in place of the folder", code: "symlink_refused", prepare: func(p *place) {
			p.own(0, 0o700, "elsewhere")
			p.own(0, 0o700, ".config")
			link(p, ".config/ghscoped", "../elsewhere")
		}, types: "rm -rf ~/.config/ghscoped"},
		{name: "a file in place of the folder", code: "not_a_file", prepare: func(p *place) { p.write(".config/ghscoped", "") }, types: away},
		{name: "a folder in place of the credential", code: "not_a_file", prepare: func(p *place) {
			p.own(0, 0o700, ".config/ghscoped/github.com/credential")
		}, types: away},
		{name: "a file above the folder", code: "not_a_file", prepare: func(p *place) { p.write(".config", "") }, types: "mv ~/.config ~/.config.old"},

		{name: "a home that is root's", other: true, code: "home_not_owned", prepare: func(p *place) { p.own(0, 0o755, ".") },
			says: "An administrator can correct the owner", does: func(p *place) { p.own(ada, 0o755, ".") }},
		{name: "a folder that does not allow writing", other: true, code: "permission_denied", prepare: func(p *place) { p.own(ada, 0o555, ".config") },
			types: "chmod u+rwx ~ ~/.config ~/.config/ghscoped"},
		{name: "a home that does not allow writing", other: true, code: "permission_denied", prepare: func(p *place) { p.own(ada, 0o555, ".") },
			types: "chmod u+rwx ~ ~/.config ~/.config/ghscoped"},
		{name: "a folder that a mount has left to root", other: true, code: "permission_denied", prepare: func(p *place) {
			p.own(0, 0o755, ".config")
			p.own(0, 0o755, ".config/git")
			require.NoError(p.t, os.Chmod(p.write(".config/git/config", ada1), 0o644))
		}, types: ownConfig},
		{name: "root's file where the credential belongs", other: true, code: "foreign_owner", prepare: func(p *place) {
			p.own(ada, 0o755, ".config")
			p.own(ada, 0o700, ".config/ghscoped")
			p.own(ada, 0o700, ".config/ghscoped/github.com")
			p.write(".config/ghscoped/github.com/credential", "")
		}, types: away},
		{name: "root's folder where the credential belongs", other: true, code: "foreign_owner", prepare: func(p *place) {
			p.own(ada, 0o755, ".config")
			p.own(0, 0o755, ".config/ghscoped")
			p.write(".config/ghscoped/github.com/credential", "")
		}, types: away},
		{name: "a folder of another user's above it", other: true, code: "foreign_owner", prepare: func(p *place) { p.own(eve, 0o777, ".config") }, types: ownConfig},
		{name: "a folder in which all may write", other: true, code: "shared_folder", prepare: func(p *place) { p.own(ada, 0o777, ".config") },
			types: "chmod go-w ~/.config ~/.config/ghscoped"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			if c.other {
				p = newHomeOf(t)
			}
			if c.prepare != nil {
				c.prepare(p)
			}
			p.inside = c.inside
			require.Equal(t, c.code, p.deliver(Options{}))
			hint := causes[c.code].Hint
			require.LessOrEqual(t, len([]rune(hint)), 500, "the page shows no more")
			if c.types != "" {
				require.Contains(t, hint, "“"+c.types+"”")
				p.types(c.types)
			} else {
				require.Contains(t, hint, c.says)
				c.does(p)
			}
			if p.image != "" {
				require.Contains(t, p.helpers(), "ghscoped", "git asks it, though nothing can be delivered")
				return
			}
			require.Equal(t, "done", p.deliver(Options{}))
			require.Contains(t, p.fill("https", "github.com"), token)
		})
	}
}

// types has the person type a line in a terminal of the server.
func (p *place) types(line string) {
	p.t.Helper()
	command := p.command("/bin/sh", "-c", line)
	command.Env, command.Dir = p.environment(), p.home
	if p.user != 0 {
		command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: p.user, Gid: p.user}}
	}
	said, err := command.CombinedOutput() // whether it helped shows
	p.t.Logf("%s: %v\n%s", line, err, said)
}

// setUpTheImage does what "ghscoped setup --system" does in an image.
func (p *place) setUpTheImage() {
	p.t.Helper()
	p.image = p.t.TempDir() + "/gitconfig"
	_, err := gitconfig.Put(p.t.Context(), p.image, []string{`[credential "https://github.com"]`, "\thelper =", "\thelper = /opt/ghscoped git-credential-ghscoped"})
	require.NoError(p.t, err)
}

// helpers are those that git would ask with the image's settings and the user's.
func (p *place) helpers() string {
	p.t.Helper()
	command := p.command("git", "config", "--get-urlmatch", "credential.helper", "https://github.com")
	command.Env = append(os.Environ(), "HOME="+p.home, "GIT_CONFIG_SYSTEM="+p.image)
	said, err := command.Output()
	require.NoError(p.t, err)
	return string(said)
}
