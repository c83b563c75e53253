"""The extension of Jupyter Server that the JupyterLab extension asks.

It asks the service with the server's own Hub token, which the browser never
sees. Its routes, below ghscoped/, none of them GET: only other methods need the
token against forged requests, and a page of another user's server may be of the
same origin.

    POST   events       what stands, as server-sent events, one at each change
    POST   flow         begins to connect; the answer has the code
    DELETE flow         cancels that
    DELETE connection   disconnects

Nothing is asked while no page listens to events, and there are no routes at all
where the Hub's variables do not say where the service is.
"""

import asyncio
import atexit
import contextlib
import json
import os
import random
import shutil
import tempfile
import threading
import time

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from jupyter_server.utils import url_path_join
from tornado import web
from tornado.ioloop import IOLoop
from tornado.iostream import StreamClosedError

from ghscoped import service

# RETRY is how long to wait, in seconds, before the service is asked again that did
# not answer or ended the stream: between once and twice as long, so that servers do
# not ask in step.
RETRY = 30
HEARTBEAT = 15  # seconds: sooner than proxies close what is silent


def _jupyter_server_extension_points():
    return [{"module": "ghscoped.server"}]


def _load_jupyter_server_extension(app):
    url, token = service.find(), os.environ.get("JUPYTERHUB_API_TOKEN")
    if not url or not token:
        return
    settings = app.web_app.settings
    # The JupyterLab extension does nothing without this.
    settings.setdefault("page_config_data", {})["ghscoped"] = "true"
    base = url_path_join(settings["base_url"], "ghscoped")
    watch = Watch(service.Service(url, token), bool(os.environ.get("GHSCOPED_URL")))
    socket = os.path.join(tempfile.mkdtemp(prefix="ghscoped-", dir="/tmp"), "lab")  # its path must be short
    atexit.register(shutil.rmtree, os.path.dirname(socket), True)
    os.environ[LAB] = socket
    IOLoop.current().add_callback(asyncio.start_unix_server, watch.answer_git, socket)
    app.web_app.add_handlers(
        ".*$",
        [
            (url_path_join(base, "events"), Events, {"watch": watch}),
            (url_path_join(base, "(flow|connection)"), Change, {"watch": watch}),
        ],
    )


# LAB is the variable that names the socket on which git's helper, run by this server
# for the Git panel, asks whether a page shows codes (cmd/ghscoped/lab.go).
LAB = "GHSCOPED_LAB"


class Watch:
    """Follows what stands at the service, in a thread, for as long as somebody listens."""

    def __init__(self, asked, told):
        self.service = asked
        self.told = told  # somebody said that the service is there
        self.queues = set()
        self.last = None
        self.running = False
        self.absent = False
        self.asked = 0  # how often git wanted a code shown

    def join(self):
        """Return a queue that gets what stands now and at each change."""
        queue = asyncio.Queue()
        self.queues.add(queue)
        if self.last is not None:
            queue.put_nowait(self.last)
        if not self.running and not self.absent:
            self._start()
        return queue

    def leave(self, queue):
        self.queues.discard(queue)

    def _start(self):
        self.running = True
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._run, args=[loop], name="ghscoped", daemon=True).start()

    def _run(self, loop):
        while self._follow(loop) and self.queues:
            pass
        with contextlib.suppress(RuntimeError):  # the server is stopping
            loop.call_soon_threadsafe(self._ended)

    def _follow(self, loop):
        """Follow one stream to its end, wait, and report whether to open another one."""
        try:
            for flow in self.service.flows():
                if not self.queues:
                    return False
                if flow is not None:
                    loop.call_soon_threadsafe(self._tell, self._standing(flow))
        except service.Problem as problem:
            self.absent = problem.code == service.NOT_THE_SERVICE and not self.told
            state = {"absent": True} if self.absent else {"page": service.page(), "problem": problem.shown()}
            loop.call_soon_threadsafe(self._tell, state)
        if not self.absent:
            time.sleep(random.uniform(RETRY, 2 * RETRY))
        return not self.absent

    def _ended(self):
        self.running = False
        if not self.absent:
            self.last = None
            if self.queues:  # somebody came in the last moment
                self._start()

    async def answer_git(self, reader, writer):
        """Tell git's helper who we are, and whether a page shows the code that it wants."""
        writer.write(f"{os.getpid()}\n".encode())
        if await reader.readline() == b"code\n":
            writer.write(b"shown\n" if self.queues else b"nobody\n")
            if self.last is not None:
                self.asked += 1
                self._tell(self.last)
        writer.close()

    def _tell(self, state):
        state = {**state, "asked": self.asked}
        if self.last is not None and {**self.last, "now": 0} == {**state, "now": 0}:
            return
        self.last = state
        for queue in self.queues:
            queue.put_nowait(state)

    def _standing(self, flow):
        state = {"page": service.page(), "github": os.environ.get("GHSCOPED_GITHUB_URL") or "https://github.com"}
        try:
            state["connection"], now = self.service.call("GET", "api/connection")
        except service.Problem as problem:
            if problem.code not in ("not_connected", "server_not_chosen"):
                raise
            now = None
            if problem.code == "server_not_chosen":
                state["problem"] = problem.shown()
        if flow.get("id"):
            state["flow"] = flow
        state["now"] = now or time.time()
        return state


class Handler(APIHandler):
    """Answers who is signed in at this server, and may use it."""

    auth_resource = "ghscoped"

    def initialize(self, watch):
        self.watch = watch


class Events(Handler):
    _track_activity = False  # a page that is left open is no use of the server

    @web.authenticated
    @authorized
    async def post(self):
        self.set_header("Content-Type", "text/event-stream")
        self.set_header("Cache-Control", "no-store")
        self.set_header("X-Accel-Buffering", "no")
        await self.flush()
        queue = self.watch.join()
        try:
            while True:
                try:
                    state = await asyncio.wait_for(queue.get(), HEARTBEAT)
                    self.write(f"data: {json.dumps(state)}\n\n")
                except asyncio.TimeoutError:
                    self.write(":\n\n")
                await self.flush()
        except StreamClosedError:
            pass
        finally:
            self.watch.leave(queue)


class Change(Handler):
    @web.authenticated
    @authorized
    async def post(self, what):
        if what != "flow":
            raise web.HTTPError(405)
        await self.pass_on("POST", "api/flows")

    @web.authenticated
    @authorized
    async def delete(self, what):
        await self.pass_on("DELETE", "api/connection" if what == "connection" else "api/flows/current")

    async def pass_on(self, method, path):
        try:
            answer, _ = await asyncio.get_running_loop().run_in_executor(None, self.watch.service.call, method, path)
        except service.Problem as problem:
            # Not the service's status: 401 and 403 would be about this server's own doors.
            self.set_status(502)
            answer = {"error": problem.shown()}
        self.finish(json.dumps(answer or {}))
