// Package image builds the image from the Dockerfile with buildah and runs it:
// as a user without power, on a root it cannot write.
//
// No registry is asked. The builder's base is made here of a shell, the
// certificates and this machine's Go, and the final base is empty.
package image
