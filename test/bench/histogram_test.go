package bench_test

import (
	"bufio"
	"io"
	"math"
	"strconv"
	"strings"
)

// histogram is one of Prometheus's text format: how many observations lie at or
// below each bound. Bounds ascend; the last is infinite.
type histogram struct {
	bounds []float64
	counts []float64
}

func readHistogram(metrics io.Reader, name string) (h histogram) {
	for lines := bufio.NewScanner(metrics); lines.Scan(); {
		bound, count, found := strings.Cut(strings.TrimPrefix(lines.Text(), name+`_bucket{le="`), `"} `)
		if !found || !strings.HasPrefix(lines.Text(), name) {
			continue
		}
		upper, err := strconv.ParseFloat(bound, 64)
		if err != nil {
			upper = math.Inf(1)
		}
		n, _ := strconv.ParseFloat(count, 64)
		h.bounds, h.counts = append(h.bounds, upper), append(h.counts, n)
	}
	return h
}

// since leaves out what an earlier reading had counted.
func (h histogram) since(earlier histogram) histogram {
	counts := make([]float64, len(h.counts))
	for i := range counts {
		if counts[i] = h.counts[i]; i < len(earlier.counts) {
			counts[i] -= earlier.counts[i]
		}
	}
	return histogram{h.bounds, counts}
}

func (h histogram) total() float64 {
	if len(h.counts) == 0 {
		return 0
	}
	return h.counts[len(h.counts)-1]
}

// quantile is estimated within its bucket as Prometheus's histogram_quantile
// does it: on a straight line, and the last finite bound for what lies above.
func (h histogram) quantile(q float64) float64 {
	rank, lower, below := q*h.total(), 0.0, 0.0
	for i, bound := range h.bounds {
		if h.counts[i] >= rank {
			if math.IsInf(bound, 1) {
				return lower
			}
			return lower + (bound-lower)*(rank-below)/max(h.counts[i]-below, 1)
		}
		lower, below = bound, h.counts[i]
	}
	return lower
}

// below is the share at or below one of the bounds.
func (h histogram) below(bound float64) float64 {
	for i := range h.bounds {
		if h.bounds[i] == bound {
			return h.counts[i] / h.total()
		}
	}
	return math.NaN()
}
