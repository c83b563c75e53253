// Command least is the least that a git credential helper in Go can do which
// asks somebody: one GET with net/http, whose answer it does not even read. The
// benchmark measures ghscoped beside it.
package main

import (
	"fmt"
	"net/http"
	"os"
)

func main() {
	answer, err := http.Get(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	_ = answer.Body.Close()
	fmt.Print("username=x-access-token\npassword=none\n")
}
