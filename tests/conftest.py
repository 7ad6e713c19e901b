"""What tests of every kind share: one thread for each test process, the long ones, and a file server."""

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:  # there is a process for each core; more threads only wait for each other
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

LONG = "one of many alike that take long together: make test-all, or pytest --all-variants"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all-variants", action="store_true", help="also the tests that are marked all_variants")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--all-variants"):
        return
    for item in items:
        if item.get_closest_marker("all_variants"):
            item.add_marker(pytest.mark.skip(reason=LONG))


@dataclass
class FileServer:
    """Offers `files` by path on 127.0.0.1 and counts what is asked.

    A path in `cut` gets half of its bytes; one in `silent` gets headers and then nothing until the server stops.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    cut: set[str] = field(default_factory=set)
    silent: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)
    address: str = ""


def _handler(server: FileServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.asked.append(self.path)
            data = server.files.get(self.path.lstrip("/"))
            if data is None:
                self.send_error(404)
                return
            name = self.path.lstrip("/")
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if name in server.silent:
                server.stopping.wait(30)
                return
            self.wfile.write(data[: len(data) // 2] if name in server.cut else data)

        def log_message(self, *args: object) -> None:
            pass

    return Handler


@pytest.fixture
def file_server() -> Iterator[FileServer]:
    """A running FileServer."""
    server = FileServer()
    running = ThreadingHTTPServer(("127.0.0.1", 0), _handler(server))
    server.address = f"http://127.0.0.1:{running.server_address[1]}"
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.stopping.set()
    running.shutdown()
    thread.join()
    running.server_close()
