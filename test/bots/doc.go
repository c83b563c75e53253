// Package bots tests and measures bot tokens with everything real but GitHub: a
// JupyterHub with a Hub service that is a bot, the service, the command
// ghscoped, and git.
package bots
