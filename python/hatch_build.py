"""Puts the program for one platform into the wheel.

GHSCOPED_BINARY names the program and GHSCOPED_PLATFORM the wheel's platform
tag; `make python` sets both.
"""

import os

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ProgramHook(BuildHookInterface):
    def initialize(self, version, build_data):
        binary = os.environ.get("GHSCOPED_BINARY", "")
        platform = os.environ.get("GHSCOPED_PLATFORM", "")
        if version == "editable":
            return
        if not (binary and platform):
            raise RuntimeError("set GHSCOPED_BINARY and GHSCOPED_PLATFORM, or use make python")
        if not os.path.exists(os.path.join(self.root, "labextension", "dist", "package.json")):
            raise RuntimeError("build the JupyterLab extension first: labextension/build.sh")
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{platform}"
        build_data["shared_scripts"] = {
            binary: "ghscoped",
            os.path.join(self.root, "scripts", "gh-scoped-creds"): "gh-scoped-creds",
            os.path.join(self.root, "scripts", "git-credential-ghscoped"): "git-credential-ghscoped",
        }
