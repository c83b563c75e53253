// Package secret holds values that must not be printed: tokens, device codes,
// client secrets, keys.
//
// A [String] redacts itself in every way Go prints or encodes a value, so a
// secret reaches a log, an error or a page only where somebody wrote
// [String.Reveal]. Sealing secrets for storage is the job of internal/store.
package secret
