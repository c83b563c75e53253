// Package redis keeps the records of internal/store in Redis or Valkey (6.2 and
// later), for a service of several replicas: alone, behind Sentinel, or as a
// Cluster, by go-redis.
//
// # Layout
//
// All keys of a kind begin with the same hash tag, "{PREFIXKIND}", and so lie
// in one slot, which is what lets a Lua script change a record and its indexes
// in one atomic step in a Cluster too:
//
//	{ghscoped:user}:r:NAME    a hash: v version, d due, e expires, b bytes, t who wrote;
//	                          of a claimed record also c, until when
//	{ghscoped:user}:keys      a sorted set of all keys, in their order
//	{ghscoped:user}:due       a sorted set of keys by due time, of claimed ones by c
//	{ghscoped:user}:expires   a sorted set of keys by expiry
//	{ghscoped:user}:version   the last version that was given
//	{ghscoped:user}:changed   the channel that tells the watchers
//
// One slot for a kind puts its whole load on one node. That is enough: the
// records of 50,000 users polled every 5 s are 20,000 short scripts a second at
// the very most and some 100 MB, which one node carries; Cluster is here for
// those who run one anyway, not for its size.
//
// # Versions
//
// A version is the server's time in microseconds, or one more than the last
// where that is higher. So versions rise even across a flush, and across a
// fail-over that lost the last writes.
//
// # Time
//
// Due times and claims go by the clock of the replica that asks, as the due
// times in the records do. Replicas whose clocks differ by some seconds claim
// for one another that much too early or too late: a hold is shorter by the
// difference, and then versions keep the loser of a double claim from writing.
// A connection to a server whose clock differs from ours is logged.
// Records expire by that clock as well; Redis itself removes them, by its own.
//
// # Faults
//
// What was not surely refused is retried on a new connection, for a moment;
// a write or a claim that had been done after all is recognised by the mark in
// t. Then, and for READONLY, LOADING and a full memory, the answer is
// [store.ErrUnavailable]. All watchers of a kind in a process share
// one subscription. When it begins, when it begins again after its connection was
// lost, and once a minute, each is notified that anything may have changed.
//
// This package does not see clear values, only sealed ones.
package redis
