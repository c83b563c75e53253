// Package hubtest brings up the real other side: a JupyterHub with its proxy,
// a bare Jupyter Server, a terminal in it, and a Chromium. The demo and the
// end-to-end tests stand on it.
//
// Its border: it imports no production code and knows nothing of GitHub, nor
// of what the service under test does. What a person does with the two
// together is in hubtest/journey. The programs it starts are those that
// demo/install.sh put into .demo; it installs nothing, and says what is missing.
//
// Nothing it starts outlives its Stop, and nothing it starts reaches beyond
// this machine.
package hubtest
