package bolt

import (
	"errors"
	"os"
	"syscall"
)

// keepOwner gives a file the owner and mode of the one that it replaces: an
// administrator may compact as root, and the service must read the result.
func keepOwner(path string, like os.FileInfo) error {
	var err error
	if stat, ok := like.Sys().(*syscall.Stat_t); ok {
		err = os.Chown(path, int(stat.Uid), int(stat.Gid))
	}
	return errors.Join(err, os.Chmod(path, like.Mode().Perm()))
}
