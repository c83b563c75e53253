"""The service's API, asked with the server's own Hub token.

It does what internal/client does for the program ghscoped, as far as the
JupyterLab extension needs it. Calls block: whoever has an event loop makes them
in a thread.
"""

import http.client
import json
import os
import posixpath
import urllib.error
import urllib.request
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

USUAL = "services/connect-github/"

# PATIENCE is how long an answer may take, and how long a stream may be silent, in
# seconds: the service sends a heartbeat every 15.
PATIENCE = 40
LIMIT = 1 << 20  # bytes of an answer


class Problem(Exception):
    """Why the service did not do what it was asked: a code, a sentence, and what to do."""

    def __init__(self, code, message, hint="", status=0):
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.hint, self.status = code, message, hint, status

    def shown(self):
        """Return what a page may be told."""
        return {"code": self.code, "message": self.message, "hint": self.hint}


UNREACHABLE = "service_unreachable"
NOT_THE_SERVICE = "not_the_service"
# LOST is what Python raises where an answer does not come, breaks off or is no HTTP.
LOST = (OSError, ValueError, http.client.HTTPException)


def unreachable(status=0):
    return Problem(UNREACHABLE, "The service “Connect GitHub” of this Hub does not answer.", status=status)


def not_the_service(status):
    return Problem(NOT_THE_SERVICE, "What answers is not the service “Connect GitHub”.", "Check GHSCOPED_URL.", status)


def find(env=os.environ):
    """Return the service's address, which ends with "/", or None, as internal/client's Find does."""
    told = env.get("GHSCOPED_URL")
    if told:
        return address(told)
    base = env.get("JUPYTERHUB_BASE_URL", "")
    return public(env, base + ("" if base.endswith("/") else "/") + USUAL)


def page(env=os.environ):
    """Return where a person finds the service's page, or "": GHSCOPED_URL may be an address that only servers reach."""
    place = find(env)
    return public(env, urlsplit(place).path) or "" if place else ""


def public(env, path):
    """Return the service at a path, on the Hub's public address."""
    for name in ("JUPYTERHUB_PUBLIC_HUB_URL", "JUPYTERHUB_HOST"):
        if env.get(name):
            place = address(env[name], path)
            return place and place.replace("://", "://" + subdomain(env, path), 1)
    return None


def subdomain(env, path):
    """Return the service's name below the Hub's host, with a dot, where each has its own."""
    if not urlsplit(env.get("JUPYTERHUB_OAUTH_CALLBACK_URL", "")).netloc:
        return ""
    if not env.get("JUPYTERHUB_PUBLIC_HUB_URL"):
        return "services."
    return posixpath.basename(path.rstrip("/")) + "--service."


def address(text, path=None):
    """Return an http(s) address that ends with "/", at another path if one is given; None if the text is none."""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        return None
    path = parts.path if path is None else path
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{path}{'' if path.endswith('/') else '/'}"


class NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None  # none may take the token along


class Service:
    """Calls one service for the holder of one Hub token."""

    def __init__(self, url, token):
        self.url, self._token = url, token
        # A proxy could read the token on its way to a plain http address.
        proxies = {"https": p for name, p in urllib.request.getproxies().items() if name == "https"}
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler(proxies), NoRedirects)

    def call(self, method, path):
        """Make a request; return the answer's object, None where it has none, and the time by the service's clock."""
        with self._send(method, path) as answer:
            try:
                body = answer.read(LIMIT)
            except LOST as error:
                raise unreachable() from error
            if answer.length:  # what of it did not come
                raise unreachable()
        return read(body) if body else None, clock(answer.headers.get("Date"))

    def flows(self):
        """Yield the flow as it is and at each change of anything, {} where there is none; None at each heartbeat.

        The service sends the same event again as its heartbeat.
        """
        with self._send("GET", "api/flows/current/events") as answer:
            if answer.headers.get_content_type() != "text/event-stream":
                raise not_the_service(200)
            number = seen = None
            try:
                for line in iter(lambda: answer.readline(LIMIT), b""):
                    if line.startswith(b"id:"):
                        number = line
                    elif line.startswith(b"data:"):
                        yield None if number == seen and seen else read(line[5:])
                        seen = number
            except LOST as error:
                raise unreachable() from error

    def _send(self, method, path):
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        body = b"{}" if method == "POST" else None
        request = urllib.request.Request(self.url + path, body, headers, method=method)
        try:
            return self._opener.open(request, timeout=PATIENCE)
        except urllib.error.HTTPError as answer:
            with answer:
                try:
                    said = answer.read(LIMIT)
                except LOST:
                    said = b""
            raise problem(answer.code, said) from None
        except LOST as error:
            raise unreachable() from error


def read(body):
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise not_the_service(200)
    return found


def clock(date):
    """Return the time that an answer was made at; None where it says none."""
    try:
        return parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError):
        return None


def problem(status, body):
    """Return the service's own error; an answer without one comes from something on the way."""
    try:
        error = json.loads(body)["error"]
        return Problem(str(error["code"]), str(error["message"]), str(error.get("hint", "")), status)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return unreachable(status) if status >= 500 else not_the_service(status)
