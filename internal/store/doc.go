// Package store keeps records: who is connected, who is signed in, what waits.
//
// It has two layers. A [Backend] keeps bytes under a kind and a key, and knows
// about versions, due times and expiry; internal/store/bolt and
// internal/store/redis are backends, and internal/store/storetest is the suite
// that each must pass. On top of it, [Users], [Sessions], [Bots] and [Events]
// turn the types of their consumers into sealed bytes: a backend never sees a
// clear value, only kinds, keys and times. [Limits] and [Once] need no more than these. A
// [Notifier] is what backends tell their watchers with.
//
// This package does not know what a record means; internal/flow, internal/hubauth and
// internal/bot do.
package store
