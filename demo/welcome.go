package main

import (
	"fmt"
	"io"
	"path"

	"github.com/ghscoped/ghscoped-service/internal/hubtest"
)

// The simulator's default world, as far as the demo speaks of it.
const (
	account = "octocat"
	chosen  = "octocat/hello"
	other   = "octocat/other"
)

// welcome says where to go and what to do there.
func welcome(out io.Writer, hub *hubtest.Hub, gh *github) {
	fmt.Fprintf(out, "\n    %s\n\nSign in with any user name, as in ada, and the password %s\n\n", hub.URL, hubtest.Password)
	fmt.Fprintln(out, `Then, in the Services menu (File > Hub Control Panel leads there from JupyterLab):
  1. "Connect GitHub", allow it, press Connect, and copy the code.`)
	if gh.simulator == nil {
		fmt.Fprintf(out, `  2. Open GitHub, enter the code, authorize.
  3. Choose repositories for the App at %s
  4. The page turns to "connected" by itself. In a terminal of JupyterLab,
     git clone, git commit and git push now work for the repositories you chose.
`, gh.AppURL)
	} else {
		fmt.Fprintf(out, `  2. Open GitHub (here a simulation, at %s), sign in as %s
     (or mona), enter the code, authorize.
  3. Choose repositories for the App, as in %s, at
     %s
  4. The page turns to "connected" by itself. In a terminal of JupyterLab:
       git clone %[1]s/%[3]s.git
       cd %[6]s
       echo "from my server" >note.txt
       git add note.txt
       git commit -m "A note"
       git push
     It works. In %[5]s, which you did not choose, the push is refused.
`, gh.URL, account, chosen, gh.AppURL, other, path.Base(chosen))
	}
	fmt.Fprintln(out, "\nCtrl-C ends everything.")
}
