package main

import (
	"os"
	"runtime/debug"
)

// heapGrowth, in per cent, is how much the heap grows before it is collected.
// The live heap is small, so that under load Go's own 100 collects it about a
// hundred times a second; a little more room saves a sixth of the processor time
// of a request for about a megabyte (BenchmarkSessionCheck). Beyond this the
// memory of open flows would grow as well (BenchmarkPendingFlows).
const heapGrowth = 130

// roomForHeap leaves GOGC to whoever has set it.
func roomForHeap() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(heapGrowth)
	}
}
