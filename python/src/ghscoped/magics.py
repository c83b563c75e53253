"""``%ghscopedcreds`` and ``%ghscoped status|logout``."""

import contextlib
import shlex

from ghscoped import program, show

INTERRUPTED = {"error": {"code": "interrupted", "message": "Given up.", "hint": "%ghscoped status says what stands."}}


def ghscopedcreds(line=""):
    """Connect to GitHub; takes the options of the command gh-scoped-creds."""
    follow(["gh-scoped-creds", *shlex.split(line)])


def ghscoped(line=""):
    """``%ghscoped login`` connects, ``status`` says what is connected, ``logout`` ends it."""
    words = shlex.split(line)
    if not words or words[0] not in ("login", "status", "logout"):
        print("Usage: %ghscoped login | status | logout")
        return
    if words[0] == "login":
        ghscopedcreds(shlex.join(words[1:]))
        return
    follow(words)


def follow(arguments):
    """Run the program and show what it says; of what it says when interrupted, the last."""
    view = show.best()
    last_words = []
    try:
        with contextlib.closing(program.events(arguments, last_words)) as events:
            for event in events:
                view.event(event)
    except KeyboardInterrupt:
        # A code that is shown now is no longer valid.
        told = [event for event in last_words if event.get("event") != "code"]
        view.event(told[-1] if told else INTERRUPTED)
    except program.NotInstalled as missing:
        view.event({"error": {"code": "not_installed", "message": str(missing), "hint": ""}})


def load_ipython_extension(shell):
    """Register both magics (``%load_ext ghscoped``)."""
    shell.register_magic_function(ghscopedcreds, "line")
    shell.register_magic_function(ghscoped, "line")
