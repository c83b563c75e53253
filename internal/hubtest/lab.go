package hubtest

import (
	"fmt"
	"path/filepath"
	"strings"
)

// GitPanel is the folder with jupyterlab-git, which puts a Git panel into JupyterLab
// (see [BesideLab]). It is installed apart, so that most tests have one without.
func GitPanel() (folder string, err error) { return installed("labgit") }

// BesideLab is what a server's environment needs so that its JupyterLab has what is
// installed in other environments or prefixes of the same Python.
func BesideLab(folders ...string) (map[string]string, error) {
	paths := map[string][]string{}
	for _, folder := range folders {
		packages, err := filepath.Glob(filepath.Join(folder, "lib", "python3*", "site-packages"))
		if err != nil || len(packages) != 1 {
			return nil, fmt.Errorf("hubtest: %s has no packages of one Python: %v %w", folder, packages, err)
		}
		paths["PYTHONPATH"] = append(paths["PYTHONPATH"], packages[0])
		paths["JUPYTER_PATH"] = append(paths["JUPYTER_PATH"], filepath.Join(folder, "share", "jupyter"))
		paths["JUPYTER_CONFIG_PATH"] = append(paths["JUPYTER_CONFIG_PATH"], filepath.Join(folder, "etc", "jupyter"))
	}
	env := map[string]string{}
	for name, folders := range paths {
		env[name] = strings.Join(folders, string(filepath.ListSeparator))
	}
	return env, nil
}
