// Package picture takes pictures of what Chromium shows, and makes them small enough
// for a repository: a page has few colours, and the rest are edges of letters.
//
// It does not decide what is in a picture; test/pages and test/lab do.
package picture
