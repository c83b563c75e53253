// Package crash kills the service at every point where it touches the world:
// before and after each request to GitHub, the Hub and a user's server, each
// step of a websocket, and each write of the store. After each kill it is
// started again, and the whole way from connecting to disconnecting must still
// come to its right end.
//
// The Hub, its proxy and the Jupyter servers are real; GitHub is simulated. The
// service under test is this test's own program started again (victim_test.go):
// internal/app as in production, with a transport and a store around it that
// know the points.
package crash
