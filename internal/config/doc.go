// Package config turns the environment and a YAML file into one [Config].
//
// The struct settings describes every setting by its tags; parsing, the help,
// the README's table and the output of check-config are all made from it. The
// environment wins over the file. [Load] reports every error at once, as
// [Errors], so that nobody fixes one setting per restart.
//
// This package reads the files it is given and uses no network. It does not
// check the content of keys, policies and certificates: the packages that use
// them do.
package config
