package main

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/client"
	"github.com/ghscoped/ghscoped-service/internal/github"
)

const (
	// socketVariable tells a job's git where its token agent is.
	socketVariable = "GHSCOPED_BOT_SOCKET"
	// renewBefore is how much of a token's hour must be left for it to be given
	// out: longer than a push takes.
	renewBefore = 10 * time.Minute
	// revokeLimit bounds the revocations at the end of a job, or of a login that
	// failed.
	revokeLimit = 15 * time.Second
)

// botService is what a token agent asks of the service.
type botService interface {
	BotToken(ctx context.Context, asked client.BotRequest) (client.BotToken, error)
	RevokeBotToken(ctx context.Context, id string) error
}

// tokenAgent holds a job's token, mints a new one when that nears its end, and
// revokes all of them when the job is over. The job's git reaches it by a
// socket in a folder that only this user can open, so nothing is on a disk.
type tokenAgent struct {
	service botService
	github  revoker
	asked   client.BotRequest
	clock   func() time.Time

	mu      sync.Mutex
	current client.BotToken
	minted  []client.BotToken
}

// token is one that is good for a while.
func (a *tokenAgent) token(ctx context.Context) (client.BotToken, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	left := a.current.ExpiresAt.Sub(a.clock())
	if left > renewBefore {
		return a.current, nil
	}
	fresh, err := mint(ctx, a.service, a.asked)
	if err != nil {
		if left > 0 {
			return a.current, nil // the old one may do
		}
		return client.BotToken{}, err
	}
	a.current = fresh
	a.minted = append(a.minted, fresh)
	return fresh, nil
}

// refused forgets the token that GitHub did not take, so that the next question
// gets a new one.
func (a *tokenAgent) refused(hash string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.current.Token.Hash() == hash {
		a.current = client.BotToken{}
	}
}

// revoker ends an installation token at GitHub itself.
type revoker interface {
	RevokeInstallationToken(ctx context.Context, token github.InstallationToken) error
}

// end revokes what has not ended by itself; at GitHub, where the service does not.
func (a *tokenAgent) end(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), revokeLimit)
	defer cancel()
	a.mu.Lock()
	defer a.mu.Unlock()
	var failures []error
	for _, token := range a.minted {
		if a.clock().Before(token.ExpiresAt) {
			failures = append(failures, a.revoke(ctx, token))
		}
	}
	a.minted, a.current = nil, client.BotToken{}
	return errors.Join(failures...)
}

func (a *tokenAgent) revoke(ctx context.Context, token client.BotToken) error {
	asking, cancel := context.WithTimeout(ctx, revokeLimit/2)
	defer cancel()
	if a.service.RevokeBotToken(asking, token.Token.Hash()) == nil {
		return nil
	}
	return a.github.RevokeInstallationToken(ctx, github.InstallationToken{Token: token.Token.String, IssuedAt: token.ExpiresAt.Add(-time.Hour)})
}

// agentQuestion asks for the token, or tells that one was refused.
type agentQuestion struct {
	Refused string `json:"refused,omitempty"` // SHA-256
}

type agentAnswer struct {
	Token *client.BotToken `json:"token,omitempty"`
	Error *client.Error    `json:"error,omitempty"`
	// Exit is what a program that cannot continue without the token exits with.
	Exit int `json:"exit,omitempty"`
}

// maxTemporary is the longest folder, in bytes, in which a socket can be: with what
// listen puts behind it, the path is within the 104 bytes of macOS (Linux has 108,
// unix(7)).
const maxTemporary = 104 - len("/ghscoped-4294967295/bot") - 1

// listen makes the socket, in the folder for temporary files or, where that has too
// long a name, in /tmp; remove takes it away again.
func (a *tokenAgent) listen(ctx context.Context, temporary string) (path string, remove func(), err error) {
	if len(temporary) > maxTemporary {
		temporary = "/tmp"
	}
	folder, err := os.MkdirTemp(temporary, "ghscoped-") // of mode 0700
	if err != nil {
		return "", nil, err
	}
	path = filepath.Join(folder, "bot")
	listener, err := net.Listen("unix", path)
	if err != nil {
		return "", nil, errors.Join(err, os.RemoveAll(folder))
	}
	var done sync.WaitGroup
	done.Go(func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			done.Go(func() { a.answer(ctx, connection) })
		}
	})
	return path, func() {
		_ = listener.Close()
		done.Wait()
		_ = os.RemoveAll(folder) // an empty folder is all that could stay
	}, nil
}

func (a *tokenAgent) answer(ctx context.Context, connection net.Conn) {
	defer connection.Close()
	_ = connection.SetDeadline(time.Now().Add(mintLimit + revokeLimit))
	var question agentQuestion
	if json.NewDecoder(connection).Decode(&question) != nil {
		return
	}
	var answer agentAnswer
	if question.Refused != "" {
		a.refused(question.Refused)
	} else if token, err := a.token(ctx); err == nil {
		answer.Token = &token
	} else {
		f := asCommandError(err)
		answer.Error = &client.Error{Code: f.code, Message: f.message, Hint: f.hint}
		answer.Exit = f.exit
	}
	_ = json.NewEncoder(connection).Encode(answer) // who asked has gone: nothing to be done
}

// askAgent asks the token agent of the job that this process is part of.
func (in invocation) askAgent(ctx context.Context, question agentQuestion) (client.BotToken, error) {
	var dialer net.Dialer
	connection, err := dialer.DialContext(ctx, "unix", in.getenv(socketVariable))
	if err != nil {
		return client.BotToken{}, &commandError{exit: exitFailed, code: "no_job", message: "The job that this belongs to has ended: nobody keeps its token any more.",
			hint: "Start it with ghscoped bot exec."}
	}
	defer connection.Close()
	_ = connection.SetDeadline(time.Now().Add(mintLimit))
	var answer agentAnswer
	err = json.NewEncoder(connection).Encode(question)
	if err == nil {
		err = json.NewDecoder(connection).Decode(&answer)
	}
	switch {
	case err != nil:
		return client.BotToken{}, err
	case answer.Error != nil:
		return client.BotToken{}, &commandError{exit: answer.Exit, code: answer.Error.Code, message: answer.Error.Message, hint: answer.Error.Hint}
	case answer.Token == nil:
		return client.BotToken{}, nil
	}
	return *answer.Token, nil
}
