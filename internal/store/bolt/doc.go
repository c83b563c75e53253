// Package bolt keeps the records of internal/store in one file, by bbolt: the
// default, for a service of one process.
//
// Each kind is a bucket with three buckets in it: "records" by key, and two
// indexes, "due" and "expires", whose keys are 8 bytes of milliseconds in
// big-endian order followed by the record's key, so that the earliest comes
// first. Writes of callers that come at the same time share one transaction, and
// so one fsync.
//
// A claimed record is in "due" at the end of its claim. A claim lasts as long as
// its process: who has the lock on the file knows that whoever had it before is
// dead, and drops the claims that are left.
//
// 2 MiB of the file are a reserve: on a full disk, records are changed and deleted in
// it, and none are made.
//
// This package does not see clear values, only sealed ones, and does not serve several
// processes: one at a time may hold the file. Replicas share internal/store/redis.
package bolt
