// Command pages takes the pictures of docs/pages: every state of the page, by
// phone and at a desk, light and dark, in a real Chromium and without a Hub.
//
// Its tests look at the same pages: with axe-core for accessibility, and for
// anything the browser complains about.
package main
