"""``%ghscopedcreds`` and ``%ghscoped status|logout``."""

import shlex

from ghscoped import program, show


def ghscopedcreds(line=""):
    """Connect to GitHub; takes the options of the command gh-scoped-creds."""
    view = show.best()
    try:
        for event in program.events(["gh-scoped-creds", *shlex.split(line)]):
            view.event(event)
    except KeyboardInterrupt:
        view.interrupted()
    except program.NotInstalled as missing:
        view.event({"error": {"code": "not_installed", "message": str(missing), "hint": ""}})


def ghscoped(line=""):
    """``%ghscoped login`` connects, ``status`` says what is connected, ``logout`` ends it."""
    words = shlex.split(line)
    if not words or words[0] not in ("login", "status", "logout"):
        print("Usage: %ghscoped login | status | logout")
        return
    if words[0] == "login":
        ghscopedcreds(shlex.join(words[1:]))
        return
    view = show.best()
    try:
        for event in program.events(words):
            view.event(event)
    except KeyboardInterrupt:
        view.interrupted()
    except program.NotInstalled as missing:
        view.event({"error": {"code": "not_installed", "message": str(missing), "hint": ""}})


def load_ipython_extension(shell):
    """Register both magics (``%load_ext ghscoped``)."""
    shell.register_magic_function(ghscopedcreds, "line")
    shell.register_magic_function(ghscoped, "line")
