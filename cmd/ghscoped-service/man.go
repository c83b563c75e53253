//go:build man

package main

import (
	"log"
	"os"

	"github.com/spf13/cobra/doc"

	"github.com/ghscoped/ghscoped-service/internal/release"
)

// main writes the manual pages of all commands into a folder (make man). It has
// a build tag of its own, so that the program does not link the generator.
func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: go run -tags man ./cmd/ghscoped-service FOLDER")
	}
	root := newRoot(invocation{environ: os.Environ(), readFile: os.ReadFile, stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr})
	root.DisableAutoGenTag = true
	root.InitDefaultCompletionCmd()
	header := &doc.GenManHeader{Title: "GHSCOPED-SERVICE", Section: "1", Source: program + " " + release.Version(), Manual: program}
	if err := doc.GenManTree(root, header, os.Args[1]); err != nil {
		log.Fatal(err)
	}
}
