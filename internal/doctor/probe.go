package doctor

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// maxBody bounds what is read of an answer, in bytes.
const maxBody = 1 << 20

// answer is what an address says, bounded.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (d *Doctor) get(ctx context.Context, address string) (answer, error) {
	return d.ask(ctx, http.MethodGet, address, "", nil)
}

// ask makes one call without any token in a header. A form is posted. With a
// host, that is the one asked for at the address.
func (d *Doctor) ask(ctx context.Context, method, address, host string, form url.Values) (answer, error) {
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	request, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return answer{}, err
	}
	if host != "" {
		request.Host = host
	}
	if form != nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	request.Header.Set("Accept", "application/json")
	response, err := d.http.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	read, err := io.ReadAll(io.LimitReader(response.Body, maxBody))
	return answer{response.StatusCode, response.Header, read}, err
}

// ahead is how far the clock of whoever answered is ahead of ours. The Date
// header has whole seconds.
func (d *Doctor) ahead(a answer) time.Duration {
	date, err := http.ParseTime(a.header.Get("Date"))
	if err != nil {
		return 0
	}
	return date.Sub(d.Clock())
}
