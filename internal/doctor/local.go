package doctor

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"strings"

	"github.com/ghscoped/ghscoped-service/internal/check"
)

func (d *Doctor) localChecks() []checker {
	return []checker{
		{"settings", nil, d.settings},
		{"key-file", nil, d.keyFile},
		{"service", nil, d.service},
		{"store", []string{"key-file"}, d.store},
	}
}

func (d *Doctor) settings(context.Context) check.Result {
	if d.BotFiles == nil {
		return check.Passed("OK.")
	}
	if err := d.BotFiles(); err != nil {
		return check.Failed(sentence(err.Error()), "Fix the file that is named; 'ghscoped-service policy check' reads a policy alone.")
	}
	return check.Passed("OK, and so are the bot policy and the App's private key file.")
}

func (d *Doctor) keyFile(context.Context) check.Result {
	path := d.Config.Store.KeyFile
	switch err := d.Store.Keys(); {
	case err == nil:
		return check.Passed(path + " is private and holds keys.")
	case errors.Is(err, ErrNothingYet):
		return check.Passed(path + " is not there yet; the service makes it at its first start.")
	case errors.Is(err, fs.ErrNotExist):
		return check.Failed(path+" is not there.", "Put the key file back from its backup, or make one: ghscoped-service keys new "+path)
	case errors.Is(err, fs.ErrPermission):
		return check.Failed(path+" cannot be read by this user.", "Run this as the user of the service, to whom the file must belong.")
	default:
		return check.Failed(sentence(err.Error()), "Only its owner may read it (mode 0600), and each line is 32 bytes in base64; 'ghscoped-service keys new' makes one.")
	}
}

func (d *Doctor) store(ctx context.Context) check.Result {
	if d.held() {
		return check.Passed(d.storeName() + " is held by the running service, whose readiness speaks for it.")
	}
	events, err := d.Store.Try(ctx)
	switch {
	case err == nil:
		d.events = events
		return check.Passed(d.storeName() + " can be written to, and the key file opens it.")
	case errors.Is(err, ErrHeld):
		return check.Failed("A process holds "+d.storeName()+", but no service with these settings answers.",
			"Another program, or a service with other settings, has the file: end it, or give each service a file of its own.")
	case errors.Is(err, ErrNothingYet):
		return check.Passed(d.storeName() + " is not there yet; the service makes it at its first start.")
	}
	return check.Failed(sentence(err.Error()), "Fix what is named, or name another place in GHSCOPED_STORE.")
}

// held reports whether the running service has the store's file, which opens
// for one process only.
func (d *Doctor) held() bool { return d.running && d.Config.Store.Redis == nil }

func (d *Doctor) storeName() string {
	if address := d.Config.Store.Redis; address != nil {
		return address.Scheme + "://" + address.Host
	}
	return d.Config.Store.Path
}

// service asks the service that runs with the same settings on this machine.
func (d *Doctor) service(ctx context.Context) check.Result {
	const log = "Its log says why, in the line \"not ready\"."
	answer, err := d.get(ctx, d.ReadyURL)
	switch {
	case err != nil:
		return check.Skipped("None runs on this machine with these settings: nothing answers at " + d.ReadyURL + ".")
	case answer.status == http.StatusOK && strings.Contains(string(answer.body), `"ok"`):
		d.running = true
		return check.Passed("It runs and is ready.")
	case answer.status == http.StatusServiceUnavailable:
		d.running = true
		return check.Failed("It runs and is not ready.", log)
	}
	return check.Failed("Something else answers at "+d.ReadyURL+".", "Two programs want the same address: change GHSCOPED_LISTEN, or end the other one.")
}
