"""Serve the audition page on localhost, and open it in a browser."""

import webbrowser
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from kelly.runtime.errors import KellyError


def serve(content: bytes, port: int, show: bool) -> None:
    """Serve a page until Ctrl-C; show: open it as well. Raises KellyError where the port cannot be used."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_page = self.path == "/"
            self.send_response(200 if is_page else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(content) if is_page else 0))
            self.end_headers()
            if is_page:
                self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    except (OSError, OverflowError) as error:
        raise KellyError(f"--port {port}: cannot be used ({error}); choose another") from None
    address = f"http://127.0.0.1:{server.server_port}/"
    print(f"{address} until Ctrl-C", flush=True)
    if show:
        open_in_browser(address)
    with server, suppress(KeyboardInterrupt):
        server.serve_forever()


def open_in_browser(address: str) -> None:
    """Open an address. Raises KellyError where no browser can be started."""
    if not webbrowser.open(address):
        raise KellyError(f"--open: no browser could be started; open {address} yourself")
