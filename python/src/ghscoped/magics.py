"""``%ghscopedcreds`` and ``%ghscoped status|logout``."""

import contextlib
import shlex

from ghscoped import program, show

INTERRUPTED = {"error": {"code": "interrupted", "message": "Given up.", "hint": "%ghscoped status says what stands."}}


def ghscopedcreds(line=""):
    """Connect to GitHub; takes the options of the command gh-scoped-creds."""
    words = split(line)
    if words is not None:
        follow(["gh-scoped-creds", *words])


def ghscoped(line=""):
    """``%ghscoped login`` connects, ``status`` says what is connected, ``logout`` ends it."""
    words = split(line)
    if words is None:
        return
    if not words or words[0] not in ("login", "status", "logout"):
        print("Usage: %ghscoped login | status | logout")
        return
    if words[0] == "login":
        words = ["gh-scoped-creds", *words[1:]]
    follow(words)


def split(line):
    """Return the words of a line as a shell reads them; None, and say why, where it cannot be read."""
    try:
        return shlex.split(line)
    except ValueError as wrong:
        show.best().event({"error": {"code": "usage", "message": f"This line cannot be read: {wrong}.", "hint": "A quotation mark or a backslash is missing its other half."}})
        return None


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
