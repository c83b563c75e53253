// Package spelling finds the known name that a misspelt one is most like.
//
// This package does not say what to do about it; that is up to the caller.
package spelling

// Nearest returns the known name that is most like name, or "" where more than a
// third of it would have to be changed.
func Nearest(name string, known []string) string {
	nearest, least := "", len(name)/3+1
	for _, candidate := range known {
		if d := distance(name, candidate); d < least {
			nearest, least = candidate, d
		}
	}
	return nearest
}

// distance is the number of bytes to add, remove or replace (Levenshtein).
func distance(a, b string) int {
	costs := make([]int, len(b)+1) // of the first i bytes of a becoming the first j of b
	for j := range costs {
		costs[j] = j
	}
	for i := range len(a) {
		before := costs[0] // of i and j
		costs[0] = i + 1
		for j := range len(b) {
			cost := before + 1
			if a[i] == b[j] {
				cost = before
			}
			before = costs[j+1]
			costs[j+1] = min(cost, costs[j]+1, before+1)
		}
	}
	return costs[len(b)]
}
