package githubapi

import (
	"strings"
	"sync"
	"time"
)

// installationCache remembers installations for a while, so that a token costs
// one call.
type installationCache struct {
	clock func() time.Time

	mu      sync.Mutex
	entries map[string]cachedInstallation
}

type cachedInstallation struct {
	installation Installation
	until        time.Time
}

const (
	cacheLife = 10 * time.Minute
	cacheSize = 1000
)

func newInstallationCache(clock func() time.Time) *installationCache {
	return &installationCache{clock: clock, entries: map[string]cachedInstallation{}}
}

func (c *installationCache) get(owner string) (Installation, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.entries[strings.ToLower(owner)]
	return e.installation, c.clock().Before(e.until)
}

func (c *installationCache) put(owner string, i Installation) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.entries) >= cacheSize {
		clear(c.entries) // rare, and costs one call for each owner
	}
	c.entries[strings.ToLower(owner)] = cachedInstallation{i, c.clock().Add(cacheLife)}
}

func (c *installationCache) drop(owner string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.entries, strings.ToLower(owner))
}
