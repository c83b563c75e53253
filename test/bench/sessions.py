"""The check of a browser session, on JupyterHub's own HubOAuthenticated.

What a service in Python would do: BenchmarkSessionCheck compares with it.
"""

import json
import os
from urllib.parse import urlparse

from jupyterhub.services.auth import HubOAuthCallbackHandler, HubOAuthenticated
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop
from tornado.web import Application, RequestHandler, authenticated


class Page(HubOAuthenticated, RequestHandler):
    """What a person sees after signing in."""

    @authenticated
    def get(self):
        self.write('<meta name="csrf-token" content="none">')


class Who(HubOAuthenticated, RequestHandler):
    """What is measured."""

    @authenticated
    def get(self):
        self.set_header("Content-Type", "application/json")
        self.write(json.dumps({"name": self.get_current_user()["name"]}))


def main():
    prefix = os.environ["JUPYTERHUB_SERVICE_PREFIX"]
    application = Application(
        [
            (prefix, Page),
            (prefix + "oauth_callback", HubOAuthCallbackHandler),
            (prefix + "api/who", Who),
        ],
        cookie_secret=os.urandom(32),
    )
    url = urlparse(os.environ["JUPYTERHUB_SERVICE_URL"])
    HTTPServer(application).listen(url.port, url.hostname)
    IOLoop.current().start()


main()
