// Package config turns flags, environment and a YAML file into one [Config].
//
// One table ([Table]) describes every setting; parsing, -help, the README's
// table and the output of check-config are all made from it. A flag wins over
// the environment, the environment over the file. [Load] reports every fault
// at once, as [Faults], so that nobody mends one setting per restart.
//
// Border: the package reads files it is told to and touches no network. What a
// key, a policy or a certificate must contain is the affair of the packages
// that use them.
package config
