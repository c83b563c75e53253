package github

// Commit is one that GitHub is to make and sign, on top of a branch.
type Commit struct {
	// Repository is a full name, and Branch one without refs/heads/.
	Repository, Branch string
	// Parent is the commit that the branch must point to.
	Parent         string
	Headline, Body string
	Additions      []FileAddition
	Deletions      []string
}

// FileAddition is an ordinary file, whole.
type FileAddition struct {
	Path    string `json:"path"`
	Content []byte `json:"contents"` // encoding/json writes base64 (RFC 4648), as GitHub wants it
}

// SignedCommit is one that GitHub has made.
type SignedCommit struct {
	OID string
	// Verified: GitHub has signed it. An Enterprise Server may not.
	Verified bool
}
