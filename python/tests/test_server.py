"""Tests of the server's part of the JupyterLab extension, in a real Jupyter Server, with a service that a test plays."""

import asyncio
import http.client
import http.server
import json
import os
import queue
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from unittest import mock

from ghscoped import server, service

FLOW = {"id": "1", "state": "pending", "user_code": "WDJB-MJHT"}
CONNECTION = {"login": "ada", "expires_at": "2126-01-01T00:00:00Z", "access": "ready", "repositories": []}
SOURCES = os.path.join(os.path.dirname(__file__), "..", "src")
TABLE = os.path.join(os.path.dirname(__file__), "..", "..", "internal", "client", "testdata", "find.json")


def refused(code, status):
    return status, {"error": {"code": code, "message": "No.", "hint": "Ask."}}


class FakeService:
    """Answers as the service does. A test changes answers, and says when something has changed."""

    def __init__(self, test):
        self.answers = {"GET connection": (200, CONNECTION), "POST flows": (201, FLOW), "DELETE connection": (204, None)}
        self.events = queue.Queue()
        self.asked = []
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self):
                name = f"{self.command} {self.path.removeprefix('/service/api/')}"
                fake.asked.append((name, self.headers["Authorization"]))
                self.rfile.read(int(self.headers["Content-Length"] or 0))
                if name == "GET flows/current/events" and name not in fake.answers:
                    self.send_response(200)
                    self.send_header("Content-Type", "text/event-stream")
                    self.end_headers()
                    for event in iter(fake.events.get, None):
                        self.wfile.write(event)
                    return
                status, body = fake.answers.get(name, refused("not_found", 404))
                text = body if isinstance(body, bytes) else json.dumps(body).encode() if body else b""
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = do_DELETE = answer

            def log_message(self, *_):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.http.block_on_close = False
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        test.addCleanup(self.http.server_close)
        test.addCleanup(self.http.shutdown)
        test.addCleanup(self.events.put, None)
        self.url = f"http://127.0.0.1:{self.http.server_port}/service/"

    def change(self, number, flow):
        self.events.put(f"id: {number}\ndata: {json.dumps(flow)}\n\n".encode())


class Find(unittest.TestCase):
    """As internal/client's Find, by the same table."""

    def test_by_what_the_hub_tells_a_server(self):
        with open(TABLE, encoding="utf-8") as file:
            table = json.load(file)
        self.assertTrue(table)
        for row in table:
            with self.subTest(row["name"]):
                self.assertEqual(service.find(row["env"]) or "", row["service"])
                self.assertEqual(service.page(row["env"]), row["page"])


class AsksTheService(unittest.TestCase):
    def test_errors_are_its_own(self):
        fake = FakeService(self)
        asked = service.Service(fake.url, "t")
        for answer, code in (
            (refused("not_connected", 404), "not_connected"),
            ((404, b"<html>"), service.NOT_THE_SERVICE),
            ((302, b""), service.NOT_THE_SERVICE),
            ((200, b"<html>"), service.NOT_THE_SERVICE),
            ((200, b"[1]"), service.NOT_THE_SERVICE),
            ((200, b"[" * 100_000), service.NOT_THE_SERVICE),
            ((404, b"[" * 100_000), service.NOT_THE_SERVICE),
            ((503, b"<html>"), service.UNREACHABLE),
            ((503, b'{"error": 7}'), service.UNREACHABLE),
        ):
            fake.answers["GET connection"] = answer
            with self.assertRaises(service.Problem) as raised:
                asked.call("GET", "api/connection")
            self.assertEqual(raised.exception.code, code, answer)

    def test_nobody_answers(self):
        with self.assertRaises(service.Problem) as raised:
            service.Service("http://127.0.0.1:1/", "t").call("GET", "api/connection")
        self.assertEqual(raised.exception.code, service.UNREACHABLE)

    def test_an_answer_that_breaks_off_is_late_or_none_at_all(self):
        stream = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
        for answer, flows_end in (
            (b"", False),
            (b"nonsense", False),
            (b"HTTP/1.1 nonsense\r\n\r\n", False),
            (b"HTTP/1.1 503 No\r\nContent-Length: 99\r\n\r\n{", False),
            (None, False),  # silence
            (stream + b"Content-Length: 99\r\n\r\n{", True),
            (stream + b"Transfer-Encoding: chunked\r\n\r\nnonsense", True),
        ):
            asked = service.Service(self.serve_bytes(answer), "t")
            with self.subTest(answer), mock.patch.object(service, "PATIENCE", 0.5):
                with self.assertRaises(service.Problem) as raised:
                    asked.call("GET", "api/connection")
                self.assertEqual(raised.exception.code, service.UNREACHABLE)
                if flows_end:
                    self.assertEqual(list(asked.flows()), [])
                    continue
                with self.assertRaises(service.Problem) as raised:
                    list(asked.flows())
                self.assertEqual(raised.exception.code, service.UNREACHABLE)

    def test_a_clock_that_says_nothing_is_none(self):
        for date in (None, "", "yesterday", "Tue, 99 Foo 2126 00:00:00 GMT"):
            self.assertIsNone(service.clock(date), date)
        self.assertEqual(service.clock("Thu, 01 Jan 1970 00:01:00 GMT"), 60)

    def serve_bytes(self, answer):
        """Return the address of what answers each request with these bytes and hangs up; None says nothing."""
        listening = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listening.close)

        def serve():
            held = []
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                if answer is None:
                    held.append(connection)
                    continue
                with connection:
                    connection.recv(1 << 16)
                    connection.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        return f"http://127.0.0.1:{listening.getsockname()[1]}/"

    def test_the_same_event_again_is_a_heartbeat(self):
        fake = FakeService(self)
        for number, flow in ((1, {}), (1, {}), (2, FLOW), (2, FLOW)):
            fake.change(number, flow)
        fake.events.put(None)
        self.assertEqual(list(service.Service(fake.url, "t").flows()), [{}, None, FLOW, None])

    def test_no_redirect_takes_the_token_along(self):
        fake, other = FakeService(self), FakeService(self)
        fake.http.RequestHandlerClass.end_headers = lambda handler: (
            handler.send_header("Location", other.url),
            http.server.BaseHTTPRequestHandler.end_headers(handler),
        )
        fake.answers["GET connection"] = (302, None)
        with self.assertRaises(service.Problem):
            service.Service(fake.url, "t").call("GET", "api/connection")
        self.assertEqual(other.asked, [])


class InJupyterServer(unittest.TestCase):
    """A real server; the service that it asks is a test's."""

    @classmethod
    def setUpClass(cls):
        cls.fake = FakeService(cls)
        cls.home = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.home.cleanup)
        cls.socket = os.path.join(cls.home.name, "s")
        env = {**os.environ, "HOME": cls.home.name, "PYTHONPATH": SOURCES, "JUPYTER_TOKEN": "secret"}
        env.update(GHSCOPED_URL=cls.fake.url, JUPYTERHUB_API_TOKEN="of-the-server")
        arguments = ["--no-browser", "--allow-root", f"--ServerApp.sock={cls.socket}", "--ServerApp.jpserver_extensions=ghscoped.server=True"]
        process = subprocess.Popen([sys.executable, "-m", "jupyter_server", *arguments], env=env, stderr=subprocess.PIPE, text=True)
        cls.addClassCleanup(process.stderr.close)
        cls.addClassCleanup(process.wait)
        cls.addClassCleanup(process.terminate)
        lines = []
        for line in process.stderr:
            lines.append(line)
            if "is running at" in line:
                break
        else:
            raise AssertionError("".join(lines))
        threading.Thread(target=process.stderr.read, daemon=True).start()
        while not os.path.exists(cls.socket):  # it says that it is running a moment before it listens
            time.sleep(0.05)

    @classmethod
    def addCleanup(cls, *arguments):  # what FakeService cleans up at the end of a test, here at the end of all
        cls.addClassCleanup(*arguments)

    def request(self, method, path, token="secret"):
        connection = http.client.HTTPConnection("localhost")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(30)
        connection.sock.connect(self.socket)
        self.addClassCleanup(connection.close)
        connection.request(method, path, headers={"Authorization": f"token {token}"} if token else {})
        return connection.getresponse()

    def next_state(self, answer):
        for line in iter(answer.readline, b""):
            if line.startswith(b"data:"):
                return json.loads(line[5:])
        self.fail("the stream ended")

    def test_events_follow_the_service_with_the_servers_token(self):
        answer = self.request("POST", "/ghscoped/events")
        self.assertEqual(answer.headers["Content-Type"], "text/event-stream")
        self.fake.change(1, {})
        state = self.next_state(answer)
        self.assertEqual(state["connection"], CONNECTION)
        self.assertNotIn("flow", state)
        self.fake.answers["GET connection"] = refused("not_connected", 404)
        self.fake.change(2, FLOW)
        self.fake.change(2, FLOW)  # a heartbeat
        state = self.next_state(answer)
        self.assertEqual(state["flow"], FLOW)
        self.assertIsNone(state.get("connection"))
        second = self.request("POST", "/ghscoped/events")
        self.assertEqual(self.next_state(second)["flow"], FLOW)
        streams = [name for name, _ in self.fake.asked if name.endswith("/events")]
        self.assertEqual(len(streams), 1, "two pages, one stream")
        self.assertEqual({token for _, token in self.fake.asked}, {"Bearer of-the-server"})
        self.assertNotIn("of-the-server", json.dumps(state))

    def test_changes_are_passed_on(self):
        answer = self.request("POST", "/ghscoped/flow")
        self.assertEqual(json.loads(answer.read())["user_code"], "WDJB-MJHT")
        self.fake.answers["POST flows"] = refused("too_many_flows", 429)
        answer = self.request("POST", "/ghscoped/flow")
        self.assertEqual(answer.status, 502)
        self.assertEqual(json.loads(answer.read())["error"], {"code": "too_many_flows", "message": "No.", "hint": "Ask."})
        self.assertEqual(self.request("DELETE", "/ghscoped/connection").status, 200)
        self.assertEqual(self.request("POST", "/ghscoped/connection").status, 405)

    def test_nobody_else_is_answered(self):
        for method, path in (("POST", "events"), ("POST", "flow"), ("DELETE", "flow"), ("DELETE", "connection")):
            self.assertEqual(self.request(method, f"/ghscoped/{path}", token=None).status, 403, path)


class WhereThereIsNoService(unittest.TestCase):
    def test_nothing_is_added(self):
        for env in ({}, {"JUPYTERHUB_API_TOKEN": "t"}, {"GHSCOPED_URL": "https://x.org/"}):
            app = mock.Mock()
            app.web_app.settings = {"base_url": "/"}
            with mock.patch.dict(os.environ, env, clear=True):
                server._load_jupyter_server_extension(app)
            app.web_app.add_handlers.assert_not_called()
            self.assertNotIn("page_config_data", app.web_app.settings)


class AnswersGit(unittest.IsolatedAsyncioTestCase):
    async def ask(self, watch, word):
        """Return what git's helper reads that says a word."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = os.path.join(folder.name, "s")
        listening = await asyncio.start_unix_server(watch.answer_git, path)
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(word)
        writer.write_eof()
        answer = await reader.read()
        writer.close()
        listening.close()
        return answer.decode().splitlines()

    async def test_whether_a_page_shows_the_code(self):
        watch = server.Watch(None, True)
        watch.running = True  # no thread
        pid = str(os.getpid())
        self.assertEqual(await self.ask(watch, b"code\n"), [pid, "nobody"])
        page = watch.join()
        watch._tell({"flow": FLOW})
        self.assertEqual(await self.ask(watch, b""), [pid])
        self.assertEqual(await self.ask(watch, b"code\n"), [pid, "shown"])
        self.assertEqual([page.get_nowait()["asked"] for _ in range(page.qsize())], [0, 1])
        watch.leave(page)
        self.assertEqual(await self.ask(watch, b"code\n"), [pid, "nobody"])


class FollowsAndWaits(unittest.IsolatedAsyncioTestCase):
    async def states(self, fake, told, count):
        """Return what somebody hears who joins, and how long the thread would have waited."""
        watch = server.Watch(service.Service(fake.url, "t"), told)
        waited = []

        def wait(seconds):
            waited.append(seconds)
            if len(waited) == count:
                watch.queues.clear()

        with mock.patch("time.sleep", wait):
            heard = watch.join()
            while watch.running:
                await asyncio.sleep(0.01)
        return [heard.get_nowait() for _ in range(heard.qsize())], waited

    async def test_a_hub_without_the_service_is_asked_once(self):
        fake = FakeService(self)
        fake.answers["GET flows/current/events"] = (404, b"<html>404")
        states, waited = await self.states(fake, False, 1)
        self.assertEqual(states, [{"absent": True, "asked": 0}])
        self.assertEqual((waited, len(fake.asked)), ([], 1))

    async def test_trouble_is_said_once_and_retried_every_half_minute(self):
        for answer, code in (
            ((503, b"<html>"), "service_unreachable"),
            (refused("bad_token", 401), "bad_token"),
            (refused("not_found", 404), "not_found"),
            ((404, b"<html>"), "not_the_service"),
            ((200, b"<html>"), "not_the_service"),
        ):
            fake = FakeService(self)
            fake.answers["GET flows/current/events"] = answer
            states, waited = await self.states(fake, True, 3)
            self.assertEqual([state["problem"]["code"] for state in states], [code])
            self.assertEqual((len(waited), len(fake.asked)), (3, 3))
            self.assertGreaterEqual(min(waited), 30)


    async def test_a_connection_that_is_not_to_be_had_is_trouble_too(self):
        for answer, code in (((503, b"<html>"), "service_unreachable"), ((200, b"<html>"), "not_the_service"), (refused("bad_token", 401), "bad_token")):
            fake = FakeService(self)
            fake.answers["GET connection"] = answer
            for _ in range(3):
                fake.change(1, {})
                fake.events.put(None)
            states, waited = await self.states(fake, True, 3)
            self.assertEqual([state["problem"]["code"] for state in states], [code])
            self.assertEqual(len([name for name, _ in fake.asked if name == "GET connection"]), 3)
            self.assertGreaterEqual(min(waited), 30)

    async def test_a_page_that_comes_and_goes_asks_nothing_again(self):
        fake = FakeService(self)
        fake.answers["GET flows/current/events"] = (503, b"<html>")
        watch = server.Watch(service.Service(fake.url, "t"), True)
        over = threading.Event()
        self.addCleanup(over.set)
        with mock.patch("time.sleep", lambda _: over.wait()):
            for _ in range(5):
                page = watch.join()
                state = await asyncio.wait_for(page.get(), 10)
                self.assertEqual(state["problem"]["code"], "service_unreachable")
                watch.leave(page)
            self.assertEqual(len(fake.asked), 1)
            over.set()
            while watch.running:
                await asyncio.sleep(0.01)


if __name__ == "__main__":
    unittest.main()
