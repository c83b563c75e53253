// Package images has only tests: they follow docs/images.md, which says how
// ghscoped gets into users' servers, by its own lines. What is changed in them
// is where things are: the GitHub, the Hub, and folders that belong to a
// machine. There is nothing that runs pods, so an init container's command is
// run beside the Hub; what the chart makes is test/helm's affair, and that the
// image has the command test/image's.
package images
