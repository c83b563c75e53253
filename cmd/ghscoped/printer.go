package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// printer writes for people: with colours and progress where they look at it
// on a terminal, and plainly into a pipe.
type printer struct {
	out  io.Writer
	live bool // a terminal: a line can be written over
	hues bool
	// guest: the terminal is another program's, which a Ctrl-C ends before us;
	// what is on the line by then is not ours to take away.
	guest bool
}

func newPrinter(out *os.File, getenv func(string) string) printer {
	live := term.IsTerminal(int(out.Fd())) && getenv("TERM") != "dumb"
	return printer{out: out, live: live, hues: live && getenv("NO_COLOR") == ""}
}

func (p printer) line(text string) { fmt.Fprintln(p.out, text) }

func (p printer) paint(code, text string) string {
	if !p.hues {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (p printer) bold(text string) string  { return p.paint("1", text) }
func (p printer) red(text string) string   { return p.paint("31", text) }
func (p printer) green(text string) string { return p.paint("32", text) }

// countdown writes one line over and over until stopped: what is waited for,
// and how long still. Nothing of it stays, and a pipe gets none of it.
func (p printer) countdown(ctx context.Context, text string, left func() time.Duration) (stop func()) {
	if !p.live {
		return func() {}
	}
	outer := ctx
	ctx, cancel := context.WithCancel(ctx)
	var done sync.WaitGroup
	done.Go(func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			fmt.Fprintf(p.out, "\r\x1b[K%s %s left", text, clockText(left()))
			select {
			case <-ctx.Done():
				if p.guest && errors.Is(outer.Err(), context.Canceled) {
					return
				}
				fmt.Fprint(p.out, "\r\x1b[K")
				return
			case <-tick.C:
			}
		}
	})
	return func() { cancel(); done.Wait() }
}

// clockText is a duration as minutes and seconds.
func clockText(d time.Duration) string {
	seconds := int(max(d, 0).Round(time.Second).Seconds())
	return fmt.Sprintf("%d:%02d", seconds/60, seconds%60)
}

// lasts is a duration as people say it.
func lasts(d time.Duration) string {
	if d > 0 && d < time.Minute {
		return plural(int(d.Round(time.Second).Seconds()), "second")
	}
	minutes := int(max(d, 0).Round(time.Minute).Minutes())
	if minutes < 60 {
		return plural(minutes, "minute")
	}
	text := plural(minutes/60, "hour")
	if minutes%60 != 0 {
		text += " " + plural(minutes%60, "minute")
	}
	return text
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// printable leaves out of a text what a terminal would act on. Names come from
// the other end of the line.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return -1
		}
		return r
	}, text)
}
