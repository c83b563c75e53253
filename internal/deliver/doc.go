// Package deliver puts a credential into a user's running Jupyter server, and
// takes it out again.
//
// It runs one program there (script/), which needs nothing but /bin/sh (with a
// printf of its own) and the usual small programs, by the first
// transport that the server supports: a terminal that is told to run it, or a Python
// kernel (Notebook 6 knows no shell_command). The credential crosses only as that program's standard
// input, after the program has said that it is ready and that nothing is echoed,
// and has shown the server's own Hub token, by which the caller knows that this is
// the server that is meant; it is never on a command line or in an environment
// variable.
//
// What lands is, in a folder for each GitHub host, a file of mode 0600, a git
// credential helper beside it (helper.sh) and a third file with the settings; and,
// with the first host, one marked block at the end of the user's git configuration,
// which includes a list of those settings. The user's own lines stay as they are, byte
// for byte.
//
// Runs in one home take turns: the folder in which a run writes its new files is in
// ours, and whoever's is the only one there has the turn. Its name says which process
// in which container it is of, so that one that a kill has left is not waited for;
// where that cannot be known, ten seconds without a change count as an end, and a run
// that goes on nevertheless finds its folder gone and puts nothing in place any more.
// The user's configuration is changed under git's own lock, for the time of a rename.
// That lock's text is such a name, and nothing of the configuration, so that no
// mistake about it can lose a setting.
//
// This package does not decide which servers, when, and what to do about a failure
// (internal/flow does), nor how a server is called (internal/hubapi).
package deliver
