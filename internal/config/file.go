package config

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// file offers what the YAML file says: one mapping of keys to plain values.
// Keys that are unknown or written twice are named with their line.
func (l *loader) file(path, source string) {
	if secret.Resembles(path) {
		l.report(configName, source, "it is not a path", "write the settings to a file, and set its path")
		return
	}
	content, err := l.read(path)
	if err != nil {
		l.report(configName, source, fmt.Sprintf("the file cannot be read: %v", cause(err)), "check the path and its permissions")
		return
	}
	var document yaml.Node
	if err := yaml.Unmarshal(content, &document); err != nil {
		l.report(configName, path, "it is not YAML: "+secret.Scrub(err.Error()), "correct the file")
		return
	}
	if len(document.Content) == 0 {
		return // empty, or comments only
	}
	root := document.Content[0]
	if root.Kind != yaml.MappingNode {
		l.report(configName, at(path, root), "it is not a list of settings", "write lines such as client_id: Iv23…")
		return
	}
	l.keys(path, root)
}

func (l *loader) keys(path string, root *yaml.Node) {
	settings := map[string]Setting{}
	for _, s := range l.table {
		if !s.EnvOnly() {
			settings[s.Name] = s
		}
	}
	known := slices.Collect(maps.Keys(settings))
	slices.Sort(known)
	first := map[string]int{}
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, node := root.Content[i], root.Content[i+1]
		setting, found := settings[key.Value]
		line, twice := first[key.Value]
		text, ok := plain(node)
		switch {
		case !found:
			l.unknown(key.Value, at(path, key), key.Value, known)
		case twice:
			l.report(setting.Name, at(path, key), fmt.Sprintf("it was set in line %d already", line), "remove one of the two")
		case !ok:
			l.report(setting.Name, at(path, node), "it is neither a plain value nor a list of them", "write a plain value")
		default:
			l.offer(setting, text, at(path, key))
		}
		first[key.Value] = key.Line
	}
}

// plain is a node as the text that the environment would hold.
func plain(node *yaml.Node) (string, bool) {
	switch {
	case node.Kind == yaml.ScalarNode && node.Tag == "!!null":
		return "", true
	case node.Kind == yaml.ScalarNode:
		return node.Value, true
	case node.Kind != yaml.SequenceNode:
		return "", false
	}
	list := []string{}
	for _, item := range node.Content {
		if item.Kind != yaml.ScalarNode {
			return "", false
		}
		list = append(list, item.Value)
	}
	encoded, err := json.Marshal(list)
	return string(encoded), err == nil
}

func at(path string, node *yaml.Node) string { return fmt.Sprintf("%s line %d", path, node.Line) }
