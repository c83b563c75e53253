"""Showing what the program says: as HTML in a notebook, else as text."""

import html
import json
import re
import uuid
from datetime import datetime, timezone

# The colours are the notebook's own, so that both themes work.
BOX = (
    "border:1px solid var(--jp-border-color1,#bdbdbd);border-radius:4px;padding:12px 16px;margin:4px 0;"
    "max-width:36em;line-height:1.6"
)
CODE = "font-family:monospace;font-size:1.6em;letter-spacing:.08em;font-weight:bold"


def best():
    """Return the view that suits where we are."""
    try:
        from IPython import get_ipython
    except ImportError:
        return Text()
    shell = get_ipython()
    # Only a kernel has a front end that shows HTML.
    return Page() if shell is not None and hasattr(shell, "kernel") else Text()


def lines_of(event, names=True):
    """Return what an event means, in lines for a person; with or without the names of the account and its repositories."""
    if "error" in event:
        error = event["error"]
        return [error["message"]] + ([error["hint"]] if error.get("hint") else [])
    if event.get("event") == "code":
        if not event["user_code"]:
            return [f"Continue in your browser, where you began to connect: {event.get('page', '')}"]
        return [f"Open {event['verification_uri']} and enter the code: {event['user_code']}"]
    if event.get("event") == "text":
        return event["text"].splitlines()
    if event.get("event") == "connected":
        return connected(event, names)
    if event.get("connected"):
        return connected(event["connection"], names)
    if event.get("flow", {}).get("user_code"):
        return ["Not connected yet."] + lines_of({"event": "code", **event["flow"]})
    return ["Not connected to GitHub. Connect with: %ghscopedcreds"]


def connected(connection, names):
    """Return who is connected, until when, and what can be pushed to."""
    who = f"as {connection['login']}, " if names else ""
    lines = [f"Connected to GitHub {who}{lasts(connection['expires_at'])}."]
    pushable = [r["full_name"] for r in connection.get("repositories") or [] if r["push"]]
    if pushable and not names:
        lines.append(f"You can push to {len(pushable)} {'repository' if len(pushable) == 1 else 'repositories'}.")
        lines.append("A notebook is saved with its outputs, so their names are not shown here: ghscoped status in a terminal shows them.")
    elif pushable:
        more = f" and {len(pushable) - 20} more" if len(pushable) > 20 else ""
        lines.append("You can push to: " + ", ".join(pushable[:20]) + more)
    elif connection.get("access") not in ("ready", "unknown"):
        page = connection.get("fix_url") if names else ""  # it may have an organisation's name
        lines.append(f"You cannot push anywhere yet. Change that at {page or connection.get('installations_url', '')}")
    missing = connection.get("missing") or []
    if missing:
        which = ", ".join(m.get("account") or "an organisation without a name" for m in missing) if names else len(missing)
        lines.append(f"Accounts at GitHub that are not reached: {which}. ghscoped status in a terminal says why.")
    if pushable and connection.get("installations_url"):
        lines.append(f"Choose more repositories at {connection['installations_url']}")
    lines.append("Use https:// addresses to clone and push, not ssh ones.")
    return lines


def lasts(expires_at):
    """Return how long it is until a time, in words."""
    # Python before 3.11 reads no fraction of a second but one of 3 or 6 digits.
    until = datetime.fromisoformat(re.sub(r"\.\d+", "", expires_at).replace("Z", "+00:00"))
    minutes = max(0, round((until - datetime.now(timezone.utc)).total_seconds() / 60))
    return f"for {minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"for {minutes} min"


class Text:
    """Prints, as in plain IPython."""

    def event(self, event):
        print("\n".join(lines_of(event)))
        if event.get("event") == "code":
            print("Waiting for your approval; Ctrl-C gives up.", flush=True)


class Page:
    """Shows one box in the notebook and changes it as things go on."""

    def __init__(self):
        self.display = None

    def event(self, event):
        if event.get("event") == "code" and event["user_code"]:
            self.show(code_box(event), lines_of(event))
        else:
            lines = lines_of(event, names=False)
            self.show(result_box(lines, state_of(event)), lines)

    def show(self, content, plain):
        from IPython.display import display

        bundle = {"text/html": content, "text/plain": "\n".join(plain)}
        if self.display is None:
            self.display = display(bundle, raw=True, display_id=True)
        else:
            self.display.update(bundle, raw=True)


def code_box(event):
    """Return the code with a button that copies it, a link, and a countdown.

    The script works where the notebook runs scripts of outputs that a cell has
    just made; elsewhere the code is there to be read and typed.
    """
    name = "ghscoped-" + uuid.uuid4().hex
    code, address = html.escape(event["user_code"]), html.escape(event["verification_uri"])
    return f"""<div id="{name}" class="ghscoped" style="{BOX}">
<div>1. Copy the code: <span class="ghscoped-code" style="{CODE}">{code}</span>
<button type="button" class="ghscoped-copy" aria-label="Copy the code {code}">Copy</button></div>
<div>2. <a class="ghscoped-link" href="{address}" target="_blank" rel="noopener noreferrer">Open {address}</a> and enter it.</div>
<div class="ghscoped-wait" role="status">Waiting for your approval<span class="ghscoped-left"></span>. Interrupt the cell to give up.</div>
<script>
(function () {{
  const box = document.getElementById("{name}");
  if (!box) return;
  const button = box.querySelector(".ghscoped-copy");
  button.addEventListener("click", function () {{
    const range = document.createRange();
    range.selectNodeContents(box.querySelector(".ghscoped-code"));
    const selection = window.getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
    const done = function () {{ button.textContent = "Copied"; }};
    // Without https, or without leave, the clipboard takes the selection only.
    const select = function () {{ if (document.execCommand("copy")) done(); }};
    if (navigator.clipboard) navigator.clipboard.writeText({js(event["user_code"])}).then(done, select);
    else select();
  }});
  const until = Date.parse({js(event["expires_at"])}), left = box.querySelector(".ghscoped-left");
  const timer = setInterval(function () {{
    const seconds = Math.max(0, Math.round((until - Date.now()) / 1000));
    if (!document.contains(box)) return clearInterval(timer);
    left.textContent = " (" + Math.floor(seconds / 60) + ":" + String(seconds % 60).padStart(2, "0") + " left)";
  }}, 1000);
}})();
</script></div>"""


def js(text):
    """Return a text as a string of JavaScript that may stand inside HTML."""
    return json.dumps(text).replace("<", "\\u003c")


COLOURS = {
    "failed": "var(--jp-error-color1,#b71c1c)",
    "done": "var(--jp-success-color1,#1b5e20)",
    "told": "var(--jp-content-font-color1,inherit)",
}


def state_of(event):
    """Return whether an event is an error, a connection, or something else to know."""
    if "error" in event:
        return "failed"
    return "done" if event.get("event") == "connected" or event.get("connected") else "told"


def result_box(lines, state):
    """Return what came of it."""
    first, *rest = [linked(line) for line in lines]
    body = "".join(f"<div>{line}</div>" for line in rest)
    return f'<div class="ghscoped ghscoped-{state}" role="status" style="{BOX}"><strong style="color:{COLOURS[state]}">{first}</strong>{body}</div>'


def linked(line):
    """Escape a line, with its web addresses as links."""
    words = []
    for word in line.split(" "):
        text = html.escape(word)
        if word.startswith(("https://", "http://")) and len(word) > 8:
            text = f'<a href="{text}" target="_blank" rel="noopener noreferrer">{text}</a>'
        words.append(text)
    return " ".join(words)
