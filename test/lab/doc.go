// Package lab has the tests of what a person sees in JupyterLab: a real JupyterLab
// in Chromium, in a server of a real JupyterHub with the service, in pull mode, and
// a simulated GitHub. Its Git panel is that of jupyterlab-git.
package lab
