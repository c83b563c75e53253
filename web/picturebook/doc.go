// Package picturebook shows every page of package web without a Hub, a GitHub
// or a store: sample data for each state, and a small server that answers with
// the same headers as the real one and keeps what browsers complain about.
//
// It is for tests and pictures only; no production code imports it.
package picturebook
