// Command sbom prints which modules Go programs are made of, as CycloneDX 1.6:
//
//	go run ./release/sbom bin/ghscoped-service bin/ghscoped
//
// What it says is what the Go tool wrote into the programs themselves, so it
// holds exactly what was linked. The same programs give the same text.
//
// Border: hashes are those of the programs; those of modules are in go.sum.
package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
)

type object = map[string]any

func main() {
	document, err := describe(os.Args[1:])
	if err == nil {
		encoder := json.NewEncoder(os.Stdout)
		encoder.SetIndent("", "  ")
		err = encoder.Encode(document)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

func describe(programs []string) (object, error) {
	components := map[string]object{}
	var dependencies []object
	for _, path := range programs {
		info, err := buildinfo.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		one, err := program(path)
		if err != nil {
			return nil, err
		}
		components[one["bom-ref"].(string)] = one
		parts := []string{}
		for _, module := range modules(info) {
			part := library(module)
			components[part["bom-ref"].(string)] = part
			parts = append(parts, part["bom-ref"].(string))
		}
		dependencies = append(dependencies, object{"ref": one["bom-ref"], "dependsOn": parts})
	}
	var list []object
	for _, component := range components {
		list = append(list, component)
	}
	slices.SortFunc(list, func(a, b object) int { return strings.Compare(a["bom-ref"].(string), b["bom-ref"].(string)) })
	return object{
		"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
		"components": list, "dependencies": dependencies,
	}, nil
}

func program(path string) (object, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(content)
	name := filepath.Base(path)
	return object{
		"type": "application", "bom-ref": "program:" + name, "name": name,
		"hashes": []object{{"alg": "SHA-256", "content": hex.EncodeToString(sum[:])}},
	}, nil
}

// modules are those linked into a program, with the Go tool chain itself.
func modules(info *debug.BuildInfo) []debug.Module {
	all := []debug.Module{{Path: "std", Version: strings.TrimPrefix(info.GoVersion, "go")}}
	for _, module := range info.Deps {
		if module.Replace != nil {
			module = module.Replace
		}
		all = append(all, *module)
	}
	return all
}

func library(module debug.Module) object {
	address := "pkg:golang/" + module.Path + "@" + module.Version
	return object{
		"type": "library", "bom-ref": address, "purl": address, "name": module.Path, "version": module.Version,
	}
}
