// Package metrics counts, for Prometheus, what flow, bot, github and hub do.
// Each of them declares what it tells ([flow.Metrics], [bot.Metrics],
// [github.Metrics], [hub.Metrics]) and none imports this package: they are in
// the user's program, too, which git starts anew for every question and which
// must not pay for Prometheus each time.
//
// Border: here are names, labels and buckets. server and store, which only the
// service has, keep their metrics beside what they count.
package metrics
