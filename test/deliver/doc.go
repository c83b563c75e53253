// Package deliver tests internal/deliver on real Jupyter servers: every way
// in, the faults of a home that only a mount can make, and a push with what was
// delivered. The tests run in a mount namespace of their own, so that they can
// fill disks and take /bin/sh away without anybody else noticing.
package deliver
