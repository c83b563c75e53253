package hubtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Complaint is one thing a page did wrong.
type Complaint struct {
	Kind string // "console", "csp", or "foreign": a request beyond loopback
	Page string // address of the tab's document at that time
	Text string
}

func (c Complaint) String() string { return fmt.Sprintf("%s: %s (on %s)", c.Kind, c.Text, c.Page) }

// Complaints are the complaints so far about pages whose address begins with
// prefix, and every request beyond loopback.
func (b *Browser) Complaints(prefix string) []Complaint {
	b.mu.Lock()
	defer b.mu.Unlock()
	var list []Complaint
	for _, c := range b.complaints {
		if c.Kind == "foreign" || strings.HasPrefix(c.Page, prefix) {
			list = append(list, c)
		}
	}
	return list
}

// watch starts the tab and the collection of its complaints.
func (b *Browser) watch(tab context.Context) error {
	var address string // of the document; touched by the listener only
	err := chromedp.Listen(tab, func(event any) {
		switch e := event.(type) {
		case *page.EventFrameNavigated:
			if e.Frame.ParentID == "" {
				address = e.Frame.URL
			}
		case *network.EventRequestWillBeSent:
			if e.Type == network.ResourceTypeDocument && e.FrameID == cdp.FrameID(chromedp.FromContext(tab).Target.TargetID) {
				address = e.Request.URL
			}
			if !loopback(e.Request.URL) {
				b.complain("foreign", address, e.Request.URL)
			}
		default:
			if kind, text := complaintOf(event); kind != "" {
				b.complain(kind, address, text)
			}
		}
	})
	if err != nil {
		return err
	}
	_, networkErr := chromedp.Call(tab, network.Enable, network.EnableParams{})
	_, logErr := chromedp.Call(tab, log.Enable, cdp.Empty{})
	_, auditsErr := chromedp.Call(tab, audits.Enable, cdp.Empty{})
	return errors.Join(networkErr, logErr, auditsErr)
}

func (b *Browser) complain(kind, page, text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.complaints = append(b.complaints, Complaint{kind, page, text})
}

// complaintOf reads an event of the browser; kind is empty where it is none.
func complaintOf(event any) (kind, text string) {
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		text = e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			text += " " + e.ExceptionDetails.Exception.Description
		}
		return "console", text
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError {
			var words []string
			for _, arg := range e.Args {
				words = append(words, string(arg.Value)+arg.Description)
			}
			return "console", strings.Join(words, " ")
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError {
			return "console", e.Entry.Text + " " + e.Entry.URL
		}
	case *audits.EventIssueAdded:
		if csp := e.Issue.Details.ContentSecurityPolicyIssueDetails; csp != nil {
			return "csp", fmt.Sprintf("%s refuses %s%s", csp.ViolatedDirective, csp.ContentSecurityPolicyViolationType, " "+csp.BlockedURL)
		}
	}
	return "", ""
}

// loopback says whether a request stays on this machine (or in the browser).
func loopback(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	switch u.Scheme {
	case "http", "https", "ws", "wss", "ftp":
	default:
		return true // data:, blob:, about:, chrome:
	}
	host := u.Hostname()
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || (ip != nil && ip.IsLoopback())
}
