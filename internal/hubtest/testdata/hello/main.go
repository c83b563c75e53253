// Hello is the smallest service a Hub can manage: it answers under its prefix.
package main

import (
	"fmt"
	"log"
	"net/http"
	"net/url"
	"os"
)

func main() {
	u, err := url.Parse(os.Getenv("JUPYTERHUB_SERVICE_URL"))
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc(os.Getenv("JUPYTERHUB_SERVICE_PREFIX"), func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Content-Security-Policy", "default-src 'self'")
		fmt.Fprintf(w, `<!doctype html><title>hello</title><p id="hello">%s</p><script>void 0</script>
<img src="http://198.51.100.1/x.png" alt="">`, os.Getenv("GREETING"))
	})
	log.Fatal(http.ListenAndServe(u.Host, nil))
}
