package helm_test

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// way is one that a NetworkPolicy opens: to a port, from or to somebody.
type way struct {
	port any
	peer string
}

// ways reads the rules of one direction; "" stands for anybody.
func ways(t *testing.T, policy object, direction, peers string) []way {
	t.Helper()
	var open []way
	for _, rule := range at(t, policy, "spec", direction).([]any) {
		ports := at(t, rule, "ports").([]any)
		who, _ := rule.(object)[peers].([]any)
		names := []string{""}
		if len(who) > 0 {
			names = nil
		}
		for _, peer := range who {
			one := peer.(object)
			if block, ok := one["ipBlock"]; ok {
				names = append(names, at(t, block, "cidr").(string))
				continue
			}
			if in, ok := one["namespaceSelector"]; ok {
				names = append(names, fmt.Sprint(at(t, in, "matchExpressions", 0, "values")))
				continue
			}
			names = append(names, at(t, one, "podSelector", "matchLabels", "component").(string))
		}
		for _, port := range ports {
			for _, name := range names {
				open = append(open, way{at(t, port, "port"), name})
			}
		}
	}
	return open
}

func TestNetworkPolicyOpensTheseWaysAndNoOthers(t *testing.T) {
	t.Parallel()
	in := []way{{"http", "hub"}, {"http", "proxy"}, {"http", "singleuser-server"}, {"metrics", ""}}
	const resolver = "[kube-system openshift-dns]"
	out := []way{{53, resolver}, {53, resolver}, {5353, resolver}, {5353, resolver}, {8081, "hub"}, {8000, "proxy"}, {8443, "proxy"}, {443, "0.0.0.0/0"}, {443, "::/0"}}
	policy := objects(t, render(t, enough))["NetworkPolicy/"+release]
	require.ElementsMatch(t, []any{"Ingress", "Egress"}, at(t, policy, "spec", "policyTypes"))
	require.Equal(t, in, ways(t, policy, "ingress", "from"))
	require.Equal(t, out, ways(t, policy, "egress", "to"))

	policy = objects(t, render(t, withRedis))["NetworkPolicy/"+release]
	require.Equal(t, append(out, way{6380, ""}), ways(t, policy, "egress", "to"), "the port of its address")
	for address, ports := range map[string][]int{
		"redis":     {6379},
		"[fd00::1]": {6379},
		"redis:6380/0?addr=b:6381&addr=c&addr=d:1": {6380, 6381, 6379, 1},
		"redis:7000?cluster=true&addr=b%3A7001":    {7000, 7001},
		"s:26379/?addr=t:26379&master_name=ours":   {26379, 6379},
	} {
		opened := out
		for _, port := range ports {
			opened = append(opened[:len(opened):len(opened)], way{port, ""})
		}
		policy = objects(t, render(t, strings.Replace(withRedis, "redis:6380/0", address, 1)))["NetworkPolicy/"+release]
		require.Equal(t, opened, ways(t, policy, "egress", "to"), address)
	}
	policy = objects(t, render(t, forWorkloads))["NetworkPolicy/"+release]
	require.Equal(t, append(out, way{443, ""}, way{6443, ""}), ways(t, policy, "egress", "to"), "the cluster's API")
	policy = objects(t, render(t, strings.Replace(forWorkloads, "actions,kubernetes", "actions,kubernetes=https://oidc.example.org", 1)))["NetworkPolicy/"+release]
	require.Equal(t, out, ways(t, policy, "egress", "to"), "an issuer in the internet")
	policy = objects(t, render(t, enough+"networkPolicy: {github: [{cidr: 10.1.2.3/32}], metricsFrom: [{podSelector: {matchLabels: {component: prometheus}}}]}"))["NetworkPolicy/"+release]
	require.Contains(t, ways(t, policy, "egress", "to"), way{443, "10.1.2.3/32"})
	require.Contains(t, ways(t, policy, "ingress", "from"), way{"metrics", "prometheus"})
	require.NotContains(t, ways(t, policy, "ingress", "from"), way{"metrics", ""})
	policy = objects(t, render(t, enough+"networkPolicy: {dns: [{ipBlock: {cidr: 169.254.20.10/32}}]}"))["NetworkPolicy/"+release]
	require.Contains(t, ways(t, policy, "egress", "to"), way{53, "169.254.20.10/32"})
	require.NotContains(t, ways(t, policy, "egress", "to"), way{53, resolver})
	require.NotContains(t, objects(t, render(t, matrix["no network policy"])), "NetworkPolicy/"+release)
}

// TestNetworkPolicyForGitHubLeavesOutMetadata: whoever makes the service call an
// address of theirs reaches no network of the cluster, and no credentials of the
// cloud's.
func TestNetworkPolicyForGitHubLeavesOutMetadata(t *testing.T) {
	t.Parallel()
	policy := objects(t, render(t, enough))["NetworkPolicy/"+release]
	allowed := func(address string) bool {
		for _, rule := range at(t, policy, "spec", "egress").([]any) {
			peers, _ := rule.(object)["to"].([]any)
			for _, peer := range peers {
				block, ok := peer.(object)["ipBlock"]
				if ok && contains(t, at(t, block, "cidr"), address) &&
					!slices.ContainsFunc(at(t, block, "except").([]any), func(except any) bool { return contains(t, except, address) }) {
					return true
				}
			}
		}
		return false
	}
	for _, address := range []string{"140.82.121.4", "20.205.243.166", "2606:50c0:8000::153", "168.63.129.15"} {
		require.True(t, allowed(address), address)
	}
	for what, address := range map[string]string{
		"AWS, GCP, Azure, OpenStack": "169.254.169.254", "ECS": "169.254.170.2", "AWS over IPv6": "fd00:ec2::254", "GCP over IPv6": "fd20:ce::254",
		"Alibaba": "100.100.100.200", "Azure's host": "168.63.129.16", "Oracle": "192.0.0.192", "carrier-grade NAT": "100.64.0.1", "its end": "100.127.255.254",
		"link-local": "fe80::1", "10": "10.96.0.1", "172": "172.31.0.1", "192": "192.168.1.1",
	} {
		require.False(t, allowed(address), what)
	}
}

func contains(t *testing.T, block any, address string) bool {
	t.Helper()
	prefix, err := netip.ParsePrefix(block.(string))
	require.NoError(t, err)
	return prefix.Contains(netip.MustParseAddr(address))
}

func TestPodsCarryTheLabelsThatLetThemIn(t *testing.T) {
	t.Parallel()
	all := objects(t, render(t, enough))
	for _, labels := range []any{
		at(t, all[deployment], "spec", "template", "metadata", "labels"), at(t, all["Pod/"+release+"-doctor"], "metadata", "labels"),
	} {
		require.Subset(t, labels, object{"hub.jupyter.org/network-access-hub": "true", "hub.jupyter.org/network-access-proxy-http": "true"})
	}
}

func TestMonitoringIsAChoice(t *testing.T) {
	t.Parallel()
	all := objects(t, render(t, enough))
	annotations := func(all map[string]object) any {
		return at(t, all[deployment], "spec", "template", "metadata", "annotations")
	}
	require.Subset(t, annotations(all), object{"prometheus.io/scrape": "true", "prometheus.io/port": "9090"})
	require.NotContains(t, all, "ServiceMonitor/"+release)

	all = objects(t, render(t, matrix["monitoring"]))
	require.NotContains(t, annotations(all), "prometheus.io/scrape", "not twice")
	require.Equal(t, "metrics", at(t, all["ServiceMonitor/"+release], "spec", "endpoints", 0, "port"))
	require.Subset(t, at(t, all["Service/"+release], "metadata", "labels"), at(t, all["ServiceMonitor/"+release], "spec", "selector", "matchLabels"))
	rules, err := os.ReadFile(chart + "/files/rules.yaml")
	require.NoError(t, err)
	var written object
	require.NoError(t, yaml.Unmarshal(rules, &written))
	require.Equal(t, written, at(t, all["PrometheusRule/"+release], "spec"))
	board, err := os.ReadFile(chart + "/files/dashboard.json")
	require.NoError(t, err)
	require.JSONEq(t, string(board), at(t, all["ConfigMap/"+release+"-dashboard"], "data", release+".json").(string))
}
