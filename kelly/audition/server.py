"""Serve the audition page on localhost, and open it in a browser."""

import sys
import webbrowser
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

from kelly.runtime.errors import KellyError

ADDRESS = "127.0.0.1"
HOSTS = ("localhost", ADDRESS, "::1")
TIMEOUT_S = 10  # of a client that neither sends nor reads
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "frame-ancestors 'none'",  # the rest is in the page, where this one has no effect
    "Cache-Control": "no-store",  # the next page may have the same address
}


class PageHandler(BaseHTTPRequestHandler):
    """Answers GET and HEAD of / with the page, where the request names this host."""

    content: bytes
    protocol_version = "HTTP/1.1"  # keeps connections
    server_version, sys_version = "kelly", ""
    timeout = TIMEOUT_S

    def do_GET(self) -> None:
        if "Transfer-Encoding" in self.headers or self.headers.get("Content-Length", "0") != "0":
            self.close_connection = True  # the body is not read, and must not become the next request
        try:
            target = urlsplit(self.path)  # a path, or the whole address
            host = urlsplit(f"//{target.netloc or self.headers.get('Host', '')}")
            name, port = host.hostname, host.port or 80
        except ValueError:
            self.send_error(HTTPStatus.BAD_REQUEST)
            return
        # A page on the web could otherwise read this one, through a name of its own that resolves to this machine.
        if name not in HOSTS or port != self.connection.getsockname()[1]:
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST)
        elif unquote(target.path) != "/":
            self.send_error(HTTPStatus.NOT_FOUND)
        else:
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(self.content)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(self.content)

    do_HEAD = do_GET

    def do_POST(self) -> None:
        self.send_error(HTTPStatus.METHOD_NOT_ALLOWED)

    do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_TRACE = do_CONNECT = do_POST

    def end_headers(self) -> None:
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.send_header("Allow", "GET, HEAD")
        super().end_headers()

    def log_message(self, *_: object) -> None:
        pass


class PageServer(ThreadingHTTPServer):
    """A thread per client: a slow one delays no other. Raises KellyError where the port cannot be used."""

    def __init__(self, content: bytes, port: int) -> None:
        handler = type("Handler", (PageHandler,), {"content": content})
        try:
            super().__init__((ADDRESS, port), handler)
        except (OSError, OverflowError) as error:
            raise KellyError(f"--port {port}: cannot be used ({error}); choose another") from None

    def handle_error(self, request: object, client_address: object) -> None:
        """Nothing where the client hung up, otherwise the traceback."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


def serve(content: bytes, port: int, show: bool) -> None:
    """Serve a page until Ctrl-C; show: open it as well. Raises KellyError where the port cannot be used."""
    with PageServer(content, port) as server, suppress(KeyboardInterrupt):
        address = f"http://{ADDRESS}:{server.server_port}/"
        print(f"{address} until Ctrl-C", flush=True)
        if show:
            open_in_browser(address)
        server.serve_forever()


def open_in_browser(address: str) -> None:
    """Open an address. Raises KellyError where no browser can be started."""
    if not webbrowser.open(address):
        raise KellyError(f"--open: no browser could be started; open {address} yourself")
