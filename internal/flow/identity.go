package flow

import (
	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/github"
)

// Identity is the policy on which GitHub account may stand behind a Hub user.
// The device flow can be turned on somebody else's account by talking them into
// typing a code; the stricter policies make that useless.
type Identity string

// The policies. Bound: the account of the first connection is the only one from
// then on. Match: the GitHub login equals the Hub name.
const (
	AnyAccount   Identity = "any"
	BoundAccount Identity = "bound"
	MatchAccount Identity = "match"
)

// check returns nil where the account may stand behind the user.
func (i Identity) check(u *User, account github.Account) *apierror.Error {
	switch {
	case i == MatchAccount && !sameLogin(account.Login, u.Name):
		return errMismatch
	case i == BoundAccount && u.BoundAccount != 0 && u.BoundAccount != account.ID:
		return errBound
	}
	return nil
}

// sameLogin compares a GitHub login with a Hub name. Logins are ASCII, and their
// case does not count. Unicode has other letters that fold to the same ones (ſ is
// an s, the Kelvin sign a k), and a Hub name with those is somebody else's.
func sameLogin(login, name string) bool {
	return len(login) == len(name) && lowerASCII(login) == lowerASCII(name)
}

// lowerASCII changes A to Z and nothing else.
func lowerASCII(text string) string {
	lower := []byte(text)
	for i, c := range lower {
		if 'A' <= c && c <= 'Z' {
			lower[i] = c + 'a' - 'A'
		}
	}
	return string(lower)
}

var (
	errMismatch = &apierror.Error{
		Code:    apierror.CodeIdentityMismatch,
		Message: "The code was approved by a GitHub account that does not belong to you on this Hub. Nothing was delivered, and the token was revoked.",
		Hint:    "Sign in to GitHub with your own account and connect again. If nobody but you should have had the code, tell the people who run this Hub.",
	}
	errBound = &apierror.Error{
		Code:    apierror.CodeAccountBound,
		Message: "The code was approved by another GitHub account than the one you first connected here. Nothing was delivered, and the token was revoked.",
		Hint:    "Sign in to GitHub with that account and connect again. If you cannot use it any more, or it never was yours, an administrator of this service can have it forgotten. If nobody but you should have had the code, tell them too.",
	}
)
