package main

import (
	"encoding/json"
	"fmt"
	"os"
)

// panel is one picture. Titles end up as headings, so they are short.
type panel struct {
	title, unit, help string
	stat              bool // one number instead of lines
	queries           []query
}

type query struct{ expr, legend string }

// row is a heading with the panels below it, three side by side.
type row struct {
	title  string
	panels []panel
}

// Sizes in Grafana's grid, which is 24 wide.
const (
	panelWidth  = 8
	panelHeight = 7
)

func main() {
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(dashboard()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func rows() []row {
	return []row{
		{"People", []panel{
			{title: "Waiting for approval", unit: "short", stat: true, help: "Flows whose code was shown and not used yet.",
				queries: []query{{`sum(ghscoped_flows_pending)`, "pending"}}},
			{title: "Flows started", unit: "short", help: "In an hour, by device code or web flow.",
				queries: []query{{`sum by (mode) (increase(ghscoped_flows_started_total[1h]))`, "{{mode}}"}}},
			{title: "Flows finished", unit: "short", help: "In an hour, by how they ended.",
				queries: []query{{`sum by (status) (increase(ghscoped_flows_finished_total[1h]))`, "{{status}}"}}},
			{title: "From click to end", unit: "s", help: "How long flows took, people included.",
				queries: quantiles("ghscoped_flow_duration_seconds")},
			{title: "Deliveries", unit: "short", help: "In an hour, by the way and by how they ended.",
				queries: []query{{`sum by (method, status) (increase(ghscoped_delivery_duration_seconds_count[1h]))`, "{{method}} {{status}}"}}},
			{title: "Delivery time", unit: "s", help: "From the first call to the finished file.",
				queries: quantiles("ghscoped_delivery_duration_seconds")},
		}},
		{"GitHub", []panel{
			{title: "Calls", unit: "reqps", help: "By endpoint.",
				queries: []query{{`sum by (endpoint) (rate(ghscoped_github_request_duration_seconds_count[5m]))`, "{{endpoint}}"}}},
			{title: "Errors", unit: "percentunit", help: "Share of calls without an answer or with 5xx.",
				queries: []query{{errors("ghscoped_github_request_duration_seconds", "status", "none|5.."), "errors"}}},
			{title: "Time to answer", unit: "s", queries: quantiles("ghscoped_github_request_duration_seconds")},
			{title: "Told to slow down", unit: "short", help: "Polls in an hour. More than a few: see the alert GhscopedSlowDown.",
				queries: []query{{`sum(increase(ghscoped_github_slow_down_total[1h]))`, "slow_down"}}},
			{title: "Calls left", unit: "short", help: "As the latest answer said, whose limit it was.",
				queries: []query{{`min by (resource) (ghscoped_github_rate_limit_remaining)`, "{{resource}}"}}},
			{title: "Revocations", unit: "short", help: "In an hour.",
				queries: []query{{`sum by (status) (increase(ghscoped_revocations_total[1h]))`, "{{status}}"}}},
			{title: "Bot tokens", unit: "short", help: "Requests in an hour, where bot tokens are enabled.",
				queries: []query{{`sum by (status) (increase(ghscoped_bot_tokens_issued_total[1h]))`, "{{status}}"}}},
			{title: "Bot policy", unit: "short", stat: true, help: "1: the file is in force; 0: it cannot be used.",
				queries: []query{{`min(ghscoped_bot_policy_current)`, "in force"}}},
		}},
		{"Hub and store", []panel{
			{title: "Hub calls", unit: "reqps", queries: []query{{`sum by (endpoint, status) (rate(ghscoped_hub_request_duration_seconds_count[5m]))`, "{{endpoint}} {{status}}"}}},
			{title: "Hub, time to answer", unit: "s", queries: quantiles("ghscoped_hub_request_duration_seconds")},
			{title: "Store up", unit: "short", stat: true, help: "1: the last operation found it available.", queries: []query{{`min(ghscoped_store_up)`, "up"}}},
			{title: "Store operations", unit: "ops", queries: []query{{`sum by (op, status) (rate(ghscoped_store_operation_duration_seconds_count[5m]))`, "{{op}} {{status}}"}}},
			{title: "Store, time of operations", unit: "s", queries: quantiles("ghscoped_store_operation_duration_seconds")},
			{title: "Steps, how late", unit: "s", help: "How much later than due a step of a flow began.", queries: quantiles("ghscoped_flow_step_lateness_seconds")},
		}},
		{"Service", []panel{
			{title: "Requests", unit: "reqps", queries: []query{{`sum by (route, code) (rate(ghscoped_http_request_duration_seconds_count[5m]))`, "{{route}} {{code}}"}}},
			{title: "Requests, time to answer", unit: "s", queries: quantiles("ghscoped_http_request_duration_seconds")},
			{title: "Errors of ours", unit: "percentunit", queries: []query{{errors("ghscoped_http_request_duration_seconds", "code", "5.."), "5xx"}}},
			{title: "Memory", unit: "bytes", queries: []query{{`process_resident_memory_bytes and on (instance, job) ghscoped_build_info`, "{{instance}}"}}},
			{title: "Goroutines", unit: "short", queries: []query{{`go_goroutines and on (instance, job) ghscoped_build_info`, "{{instance}}"}}},
			{title: "Version", unit: "short", stat: true, queries: []query{{`count by (version) (ghscoped_build_info)`, "{{version}}"}}},
		}},
	}
}

// quantiles of a histogram: what half and what nineteen of twenty stay below.
func quantiles(metric string) []query {
	of := func(q string) string {
		return "histogram_quantile(" + q + ", sum by (le) (rate(" + metric + "_bucket[5m])))"
	}
	return []query{{of("0.5"), "half"}, {of("0.95"), "95 %"}}
}

// errors is the share of a histogram's observations whose label matches.
func errors(metric, label, matches string) string {
	all := "sum(rate(" + metric + "_count[5m]))"
	bad := "sum(rate(" + metric + "_count{" + label + `=~"` + matches + `"}[5m]))`
	return "(" + bad + " or vector(0)) / " + all
}

type object = map[string]any

func dashboard() object {
	var panels []object
	y := 0
	for _, r := range rows() {
		panels = append(panels, object{
			"id": len(panels) + 1, "type": "row", "title": r.title, "collapsed": false, "panels": []object{},
			"gridPos": object{"x": 0, "y": y, "w": 24, "h": 1},
		})
		y++
		for i, p := range r.panels {
			grid := object{"x": i % 3 * panelWidth, "y": y + i/3*panelHeight, "w": panelWidth, "h": panelHeight}
			panels = append(panels, p.json(len(panels)+1, grid))
		}
		y += (len(r.panels) + 2) / 3 * panelHeight
	}
	return object{
		"uid": "ghscoped-service", "title": "ghscoped-service", "tags": []string{"jupyterhub", "ghscoped"},
		"schemaVersion": 39, "version": 1, "editable": true, "timezone": "browser", "refresh": "1m",
		"time":   object{"from": "now-6h", "to": "now"},
		"panels": panels,
		"templating": object{"list": []object{{
			"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus",
		}}},
	}
}

func (p panel) json(id int, grid object) object {
	kind := "timeseries"
	if p.stat {
		kind = "stat"
	}
	source := object{"type": "prometheus", "uid": "${datasource}"}
	var targets []object
	for i, q := range p.queries {
		targets = append(targets, object{
			"refId": string(rune('A' + i)), "datasource": source, "expr": q.expr, "legendFormat": q.legend, "range": true,
		})
	}
	return object{
		"id": id, "type": kind, "title": p.title, "description": p.help, "datasource": source, "gridPos": grid,
		"targets": targets, "fieldConfig": object{"defaults": object{"unit": p.unit, "min": 0}, "overrides": []object{}},
		"options": object{},
	}
}
