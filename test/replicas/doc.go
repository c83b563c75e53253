// Package replicas tests the service as several processes that share one Redis:
// behind a load balancer, behind the Hub's own proxy, killed and restarted at
// random, and told to slow down by GitHub.
//
// The Hub, its proxy, Redis and four Jupyter servers are real, and everybody
// signs in at the Hub; the other users have no running server, so that their
// credential waits, as for anybody whose server is stopped. GitHub is
// simulated, and the load balancer is a few lines here.
package replicas
