// Package github calls GitHub: one method for each call that the service needs,
// on github.com, on ghe.com and on GitHub Enterprise Server.
//
// Every call goes through one [http.RoundTripper] that adds the headers GitHub
// asks for, measures, and keeps to GitHub's rate limits (see gate), and through
// one reader that bounds the body, checks its type and turns whatever went
// wrong into a [*apierror.Error]. No text that GitHub sent becomes part of a
// message for a person; [Reason] has it for a caller who is alone with his token.
//
// This package does not keep tokens, and does not decide when to poll, when to retry
// and who may have what: internal/flow and internal/bot do. The only state it has is what makes calls right: the gate
// (which shares what it learns with other processes through [Limits]), the
// difference between GitHub's clock and ours, and a cache of installations. The
// App's key is a [Signer]'s.
package githubapi
