"""Tests of the package, with a program that plays ghscoped's part."""

import io
import json
import os
import signal
import stat
import tempfile
import textwrap
import threading
import unittest
from contextlib import redirect_stdout
from unittest import mock

from IPython.core.interactiveshell import InteractiveShell

from ghscoped import magics, program, show

CODE = {
    "event": "code",
    "user_code": "WDJB-MJHT",
    "verification_uri": "https://github.com/login/device",
    "expires_at": "2126-01-01T00:00:00Z",
    "page": "",
}
CONNECTED = {
    "event": "connected",
    "login": "ada",
    "expires_at": "2126-01-01T00:00:00.123456789Z",  # as Go writes a time, which Python before 3.11 cannot read
    "access": "ready",
    "repositories": [{"full_name": "ada/papers", "push": True}, {"full_name": "ada/read", "push": False}],
}


class Program:
    """A stand-in for the program: prints lines, then does as told."""

    def __init__(self, test, events, then=""):
        folder = tempfile.TemporaryDirectory()
        test.addCleanup(folder.cleanup)
        self.arguments = os.path.join(folder.name, "arguments")
        path = os.path.join(folder.name, "ghscoped")
        lines = "\n".join(f"echo '{json.dumps(e)}'" for e in events)
        with open(path, "w", encoding="utf-8") as file:
            file.write(f'#!/bin/sh\nprintf "%s " "$@" > {self.arguments}\n{lines}\n{textwrap.dedent(then)}\n')
        os.chmod(path, stat.S_IRWXU)
        finding = mock.patch.object(program, "find", return_value=path)
        finding.start()
        test.addCleanup(finding.stop)

    def called_with(self):
        with open(self.arguments, encoding="utf-8") as file:
            return file.read().strip()


def quoted(event):
    """Return an event as it stands between double quotes in a shell."""
    return json.dumps(event).replace('"', '\\"')


def printed(function, *arguments):
    out = io.StringIO()
    with redirect_stdout(out):
        function(*arguments)
    return out.getvalue()


class InPlainIPython(unittest.TestCase):
    def test_the_code_then_the_result(self):
        fake = Program(self, [CODE, CONNECTED])
        out = printed(magics.ghscopedcreds, "--client-id X --github-app-url 'https://a b'")
        self.assertEqual(fake.called_with(), "gh-scoped-creds --client-id X --github-app-url https://a b --json")
        self.assertIn("Open https://github.com/login/device and enter the code: WDJB-MJHT", out)
        self.assertIn("Connected to GitHub as ada", out)
        self.assertIn("You can push to: ada/papers\n", out)

    def test_an_error_is_said_with_its_remedy(self):
        Program(self, [{"error": {"code": "x", "message": "It broke.", "hint": "Fix it."}}], "exit 1")
        self.assertEqual(printed(magics.ghscopedcreds), "It broke.\nFix it.\n")

    def test_wrong_options_are_said(self):
        Program(self, [], "echo ghscoped: unknown flag: --nope >&2; exit 2")
        self.assertIn("unknown flag: --nope", printed(magics.ghscopedcreds, "--nope"))

    def test_a_line_that_cannot_be_read_is_said(self):
        for function in (magics.ghscopedcreds, magics.ghscoped):
            for line in ('"x', "login 'x", "status \\"):
                out = printed(function, line)
                self.assertIn("This line cannot be read: No ", out)
                self.assertNotIn("Traceback", out)

    def test_help_is_shown_as_it_is(self):
        Program(self, [], "echo 'Usage: ghscoped login'; echo; echo '  --json'")
        self.assertEqual(printed(magics.ghscopedcreds, "--help"), "Usage: ghscoped login\n\n  --json\n")

    def test_status_and_logout(self):
        fake = Program(self, [{"connected": False, "source": "service"}], "exit 3")
        self.assertIn("Not connected to GitHub", printed(magics.ghscoped, "status"))
        self.assertEqual(fake.called_with(), "status --json")
        printed(magics.ghscoped, "logout")
        self.assertEqual(fake.called_with(), "logout --json")
        self.assertIn("Usage: %ghscoped", printed(magics.ghscoped, "dance"))

    def test_no_program(self):
        with mock.patch.object(program, "find", side_effect=program.NotInstalled("There is none.")):
            self.assertEqual(printed(magics.ghscopedcreds), "There is none.\n")

    def interrupted(self, trap, function, *arguments, events=()):
        """Return what is printed where an interrupt comes while the program waits, with its trap set."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        ready = os.path.join(folder.name, "ready")
        os.mkfifo(ready)
        Program(self, events, f"{trap}\necho >{ready}\nwhile :; do sleep 0.05; done")

        def interrupt():
            with open(ready, encoding="utf-8") as file:
                file.read()  # returns when the program waits for the interrupt
            os.kill(os.getpid(), signal.SIGINT)

        # As a kernel has it; who starts tests in the background has interrupts ignored.
        self.addCleanup(signal.signal, signal.SIGINT, signal.signal(signal.SIGINT, signal.default_int_handler))
        threading.Thread(target=interrupt, daemon=True).start()
        return printed(function, *arguments)

    def test_an_interrupt_reaches_the_program_once(self):
        log = tempfile.NamedTemporaryFile()
        self.addCleanup(log.close)
        trap = f"trap 'echo interrupted >> {log.name}; exit 130' INT"
        self.assertIn("Given up", self.interrupted(trap, magics.ghscopedcreds, events=[CODE]))
        with open(log.name, encoding="utf-8") as file:
            self.assertEqual(file.read(), "interrupted\n")

    def test_an_interrupted_program_has_the_last_word(self):
        words = {"error": {"code": "interrupted", "message": "Interrupted, but it stands.", "hint": "Look."}}
        for function, arguments in ((magics.ghscopedcreds, ()), (magics.ghscoped, ("logout",))):
            out = self.interrupted(f"trap 'echo \"{quoted(CODE)}\"; echo \"{quoted(words)}\"; exit 130' INT", function, *arguments)
            self.assertTrue(out.endswith("Interrupted, but it stands.\nLook.\n"), out)
            self.assertNotIn("Given up", out)
            self.assertNotIn("WDJB", out)

    def test_an_interrupted_program_that_says_nothing_is_not_spoken_for(self):
        self.assertEqual(
            self.interrupted("trap 'exit 130' INT", magics.ghscoped, "logout"), "Given up.\n%ghscoped status says what stands.\n"
        )

    def test_an_interrupted_program_is_not_waited_for_without_end(self):
        with mock.patch.object(program, "PATIENCE", 0.2):
            out = self.interrupted("trap 'printf \"{cut\"' INT", magics.ghscoped, "logout")
        self.assertIn("Given up.", out)


class InANotebook(unittest.TestCase):
    def test_the_code_has_a_button_and_a_link(self):
        box = show.code_box(CODE)
        self.assertIn('<button type="button" class="ghscoped-copy"', box)
        self.assertIn('href="https://github.com/login/device" target="_blank" rel="noopener noreferrer"', box)

    def test_what_comes_from_elsewhere_is_escaped(self):
        bad = "</script><script>alert(1)</script>"
        box = show.code_box({**CODE, "user_code": bad, "verification_uri": bad, "expires_at": bad})
        self.assertEqual(box.count("<script>"), 1)
        self.assertNotIn("alert(1)</script>", box)
        self.assertNotIn("<script>", show.result_box([bad], "done"))

    def test_accounts_that_are_not_reached_are_named_in_a_terminal_only(self):
        page = "https://github.com/orgs/octo-org/sso"
        stuck = {**CONNECTED, "access": "single_sign_on", "repositories": [], "installations_url": "https://github.com/apps/x/installations/new", "fix_url": page}
        missing = [{"account": "octo-org", "access": "single_sign_on", "fix_url": page}, {"access": "single_sign_on"}]
        for connection in (stuck, CONNECTED):
            terminal = "\n".join(show.connected({**connection, "missing": missing}, True))
            notebook = "\n".join(show.connected({**connection, "missing": missing}, False))
            self.assertIn("not reached: octo-org, an organisation without a name.", terminal)
            self.assertIn("not reached: 2.", notebook)
            self.assertNotIn("octo-org", notebook)
        self.assertIn(page, "\n".join(show.connected(stuck, True)))
        self.assertNotIn("not reached", "\n".join(show.connected(CONNECTED, True)))

    def shown(self, event):
        """Return what a notebook shows of an event, as HTML and as text."""
        with mock.patch.object(show.Page, "show") as shown:
            show.Page().event(event)
        content, plain = shown.call_args.args
        return content, "\n".join(plain)

    def test_a_saved_notebook_has_no_name_of_the_account_or_a_repository(self):
        standing = {"connected": True, "connection": {k: v for k, v in CONNECTED.items() if k != "event"}}
        for event in (CONNECTED, standing):
            for text in self.shown(event):
                self.assertNotIn("ada", text)
                self.assertNotIn("papers", text)
                self.assertIn("You can push to 1 repository.", text)
                self.assertIn("ghscoped status", text)

    def test_only_a_connection_looks_like_success(self):
        for event, state in (
            (CONNECTED, "done"),
            ({"connected": False, "source": "service"}, "told"),
            ({"connected": False, "flow": CODE}, "told"),
            ({"error": {"code": "x", "message": "No."}}, "failed"),
        ):
            self.assertIn(f'"ghscoped ghscoped-{state}"', self.shown(event)[0])

    def test_addresses_become_links(self):
        self.assertIn('<a href="https://x.org/?a&amp;b"', show.linked("see https://x.org/?a&b now"))
        self.assertNotIn("<a", show.linked("javascript:alert(1)"))


class Magics(unittest.TestCase):
    def test_both_names_register_them(self):
        shell = InteractiveShell.instance()
        shell.run_line_magic("load_ext", "ghscoped")
        import gh_scoped_creds  # noqa: F401

        for name in ("ghscopedcreds", "ghscoped"):
            self.assertIn(name, shell.magics_manager.magics["line"])


if __name__ == "__main__":
    unittest.main()
