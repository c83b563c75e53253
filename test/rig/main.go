package rig

import (
	"errors"
	"log"
	"os"
	"testing"
)

// Shared is what the tests of one package have in common.
type Shared struct {
	// Folder is theirs, and is removed at the end.
	Folder string
	ends   []func() error
}

// Cleanup is for what ends one of the things that are shared. The last comes
// first.
func (s *Shared) Cleanup(end func() error) { s.ends = append(s.ends, end) }

// Building is a start that compiles packages of this module, named by their paths
// below the root, and notes where each program is.
func Building(programs map[*string]string) func(*Shared) error {
	return func(s *Shared) (err error) {
		for program, pkg := range programs {
			if *program, err = Build(s.Folder, pkg); err != nil {
				return err
			}
		}
		return nil
	}
}

// Main is a package's TestMain: it makes what is shared, runs the tests, and ends
// what was made, also where that was not all.
func Main(m *testing.M, start func(*Shared) error) { os.Exit(run(m, start)) }

func run(m *testing.M, start func(*Shared) error) (code int) {
	s := &Shared{}
	defer func() {
		if err := s.end(); err != nil {
			log.Print(err)
			code = max(code, 1)
		}
	}()
	var err error
	if s.Folder, err = os.MkdirTemp("", "ghscoped-test-"); err == nil {
		s.Cleanup(func() error { return os.RemoveAll(s.Folder) })
		err = start(s)
	}
	if err != nil {
		log.Print(err)
		return 1
	}
	return m.Run()
}

func (s *Shared) end() (err error) {
	for i := len(s.ends) - 1; i >= 0; i-- {
		err = errors.Join(err, s.ends[i]())
	}
	return err
}
