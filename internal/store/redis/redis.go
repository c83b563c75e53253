package redis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/ghscoped/ghscoped-service/internal/store"
)

// Store is a [store.Backend] in Redis or Valkey.
type Store struct {
	client goredis.UniversalClient
	prefix string
	clock  func() time.Time
	advice *advisor

	changes    store.Notifier
	subscribed sync.Map // by kind: there is a subscription
	// done ends the subscriptions.
	done  context.Context
	close func()
}

var _ store.Backend = (*Store)(nil)

// Open makes a store of a URL (see the documentation for its parameters). It
// does not wait for the server, which may come up later: [Store.Ping] tells.
// What is wrong with the server's settings goes to log, once for each problem.
//
// The form of the URL is that of go-redis, redis://HOST:PORT/DATABASE or
// rediss:// for TLS, with master_name for Sentinels; behind a ? may also stand
// username_file, password_file, ca_file, sentinel_password_file, cluster and
// prefix.
func Open(spec string, clock func() time.Time, log *slog.Logger) (*Store, error) {
	advice := &advisor{clock: clock, log: log}
	client, prefix, err := connect(spec, advice.look)
	if err != nil {
		return nil, fmt.Errorf("the Redis URL: %w", err)
	}
	done, end := context.WithCancel(context.Background())
	return &Store{
		client: client, prefix: prefix, clock: clock, advice: advice,
		done: done, close: end,
	}, nil
}

// LogTo sends what go-redis has to say about its connections to log, at level
// debug, instead of to standard error. go-redis has one log for the whole
// process, so this is for main.
func LogTo(log *slog.Logger) { goredis.SetLogger(clientLog{log}) }

type clientLog struct{ log *slog.Logger }

func (l clientLog) Printf(ctx context.Context, format string, args ...any) {
	l.log.DebugContext(ctx, "go-redis: "+fmt.Sprintf(format, args...))
}

// keys of a kind, in the order of the scripts.
func (s *Store) keys(kind store.Kind) []string {
	tag := s.tag(kind)
	return []string{tag + ":keys", tag + ":due", tag + ":expires", tag + ":version", s.channel(kind)}
}

func (s *Store) tag(kind store.Kind) string     { return "{" + s.prefix + string(kind) + "}" }
func (s *Store) records(kind store.Kind) string { return s.tag(kind) + ":r:" }
func (s *Store) channel(kind store.Kind) string { return s.tag(kind) + ":changed" }

// run runs a script on a kind.
func (s *Store) run(ctx context.Context, script *goredis.Script, kind store.Kind, args ...any) *goredis.Cmd {
	args = append([]any{s.records(kind), s.clock().UnixMilli()}, args...)
	return script.Run(ctx, s.client, s.keys(kind), args...)
}

// Ping writes a key that lasts a minute.
func (s *Store) Ping(ctx context.Context) error {
	err := s.client.Set(ctx, s.prefix+"ping", "", time.Minute).Err()
	if full(err) { // what is under way continues, and needs this process
		return nil
	}
	return unavailable(ctx, err)
}

// full reports whether the server has no memory for more (maxmemory).
func full(err error) bool { return err != nil && strings.Contains(err.Error(), "OOM ") }

// Close ends every watch and closes the connections.
func (s *Store) Close() error {
	s.close()
	s.changes.Close()
	if err := s.client.Close(); err != nil && !errors.Is(err, goredis.ErrClosed) {
		return fmt.Errorf("closing the Redis store: %w", err)
	}
	return nil
}

// unavailable puts an error of go-redis into the words of the contract. Its
// texts are the server's own; they hold no value that we sent.
func unavailable(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if full(err) {
		return fmt.Errorf("%w: %w: redis: %w", store.ErrUnavailable, store.ErrFull, err)
	}
	return fmt.Errorf("%w: redis: %w", store.ErrUnavailable, err)
}

func millis(t time.Time) string { return strconv.FormatInt(store.Millis(t), 10) }

// advisor looks at each server that is connected to for settings that would do
// harm, and logs each error once.
type advisor struct {
	clock func() time.Time
	log   *slog.Logger
	told  sync.Map
}

// clockTolerance is how far the server's clock may be off ours; beyond it,
// expiry and the claims of other replicas suffer.
const clockTolerance = 5 * time.Second

func (a *advisor) look(ctx context.Context, conn *goredis.Conn) error {
	// Not every server lets everybody look; and whatever is amiss here, the
	// connection may serve.
	if info, err := conn.InfoMap(ctx, "memory").Result(); err == nil {
		if policy := info["Memory"]["maxmemory_policy"]; policy != "" && policy != "noeviction" {
			a.warn("Redis may throw records away when its memory is full: set maxmemory-policy to noeviction", "maxmemory_policy", policy)
		}
	}
	if theirs, err := conn.Time(ctx).Result(); err == nil {
		if off := theirs.Sub(a.clock()).Round(time.Second); off.Abs() > clockTolerance {
			a.warn("the clocks of Redis and of this service differ: synchronise them", "redis_ahead_seconds", off.Seconds())
		}
	}
	return nil
}

func (a *advisor) warn(message string, args ...any) {
	if _, told := a.told.LoadOrStore(message, true); !told {
		a.log.Warn(message, args...)
	}
}
