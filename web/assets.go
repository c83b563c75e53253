package web

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
)

// assets are the style sheet, the script, and the icon of a connection that ends soon,
// under names that change with their content, so that a browser may keep them for good.
type assets struct {
	css, js, soon string
	content       map[string][]byte
}

func readAssets(files fs.FS) (assets, error) {
	a := assets{content: make(map[string][]byte)}
	for base, name := range map[string]*string{"app.css": &a.css, "app.js": &a.js, "soon.svg": &a.soon} {
		content, err := fs.ReadFile(files, "static/"+base)
		if err != nil {
			return assets{}, err
		}
		sum := sha256.Sum256(content)
		kind := path.Ext(base)
		*name = strings.TrimSuffix(base, kind) + "." + hex.EncodeToString(sum[:6]) + kind
		a.content[*name] = content
	}
	return a, nil
}

// contentTypes are those of the assets.
var contentTypes = map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}

// Static serves the style sheet, the script and the icon, whatever path it is mounted
// at; the pages link to them below static/ of the prefix.
func (p *Pages) Static() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := path.Base(r.URL.Path)
		content, found := p.assets.content[name]
		if !found {
			http.NotFound(w, r)
			return
		}
		header := w.Header()
		header.Set("Content-Type", contentTypes[path.Ext(name)])
		header.Set("Content-Length", strconv.Itoa(len(content)))
		header.Set("Cache-Control", "public, max-age=31536000, immutable")
		header.Set("X-Content-Type-Options", "nosniff")
		if r.Method != http.MethodHead {
			_, _ = w.Write(content) // The browser is gone: nothing to be done.
		}
	})
}
