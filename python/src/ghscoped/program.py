"""Starting the program ``ghscoped`` and reading what it says."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sysconfig
import threading


class NotInstalled(Exception):
    """The program is nowhere to be found."""


def find():
    """Return the path of the program: the one installed with this package, or
    the one on PATH."""
    folders = [sysconfig.get_path("scripts"), sysconfig.get_path("scripts", os.name + "_user")]  # pip install --user
    beside = [os.path.join(folder, "ghscoped") for folder in folders]
    path = next((path for path in beside if os.access(path, os.X_OK)), None) or shutil.which("ghscoped")
    if path is None:
        raise NotInstalled(
            "The program ghscoped is not installed for this Python. Run: pip install --force-reinstall ghscoped"
        )
    return path


# PATIENCE is how long an interrupted program may tidy up, in seconds: GitHub
# gets 15 to revoke a token that came in the last moment.
PATIENCE = 20


def events(arguments, last_words):
    """Run ``ghscoped ARGUMENTS --json`` and yield each object that it prints.

    Where the caller stops early, as with an interrupted cell, the program is
    interrupted too and waited for, so that nothing continues behind the
    notebook's back. What it says from then on is appended to last_words.
    """
    # A session of its own: the kernel's interrupt reaches us, and we pass it on
    # once, instead of the program getting it twice.
    process = None
    try:
        with interrupt_later():
            process = subprocess.Popen(
                [find(), *arguments, "--json"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
        words = []
        for line in process.stdout:
            if line.startswith("{"):
                yield json.loads(line)
            else:
                words.append(line)
        if words:  # what is meant for people only, as --help
            yield {"event": "text", "text": "".join(words)}
        complaint = process.stderr.read().strip()
        if process.wait() == 2 and complaint:  # the option --json was not read yet
            yield {"error": {"code": "usage", "message": complaint, "hint": ""}}
    finally:
        if process is not None:
            last_words.extend(end(process))


def end(process):
    """Interrupt the program if it still runs, wait for it, and return what it says meanwhile."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    limit = threading.Timer(PATIENCE, kill, [process])
    limit.start()
    try:
        lines = process.stdout.read().splitlines(keepends=True)
        process.wait()
    except KeyboardInterrupt:  # once more: no patience left
        kill(process)
        process.wait()
        raise
    finally:
        limit.cancel()
        process.stdout.close()
        process.stderr.close()
    return [json.loads(line) for line in lines if line.endswith("\n")]  # the kill may cut one


def kill(process):
    """Kill the program with all that it started, which may hold its pipes open."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


@contextlib.contextmanager
def interrupt_later():
    """Put an interrupt off until the end of the block.

    One that came while a program is being started would leave that running,
    with nobody who knows of it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # interrupts reach the main thread only
        return
    came = []
    before = signal.signal(signal.SIGINT, lambda *_: came.append(True))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if came:
            signal.raise_signal(signal.SIGINT)
