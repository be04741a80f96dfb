"""Serving the page: only to this machine under its own names, whatever a client sends and whenever it hangs up."""

import socket
import struct
import threading
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse

import pytest

from kelly.audition.server import HEADERS, PageHandler, PageServer
from kelly.runtime.errors import KellyError

PAGE = b"<title>page</title>" * 100_000  # more than the buffers of a socket


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr(PageHandler, "timeout", 0.5)
    with PageServer(PAGE, 0) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def request(port: int, method: str, path: str, **headers: str) -> HTTPResponse:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request(method, path, headers=headers)
    response = connection.getresponse()
    response.body = response.read()  # type: ignore[attr-defined]
    connection.close()
    return response


def body(response: HTTPResponse) -> bytes:
    return response.body  # type: ignore[attr-defined, no-any-return]


def send(port: int, data: bytes) -> bytes:
    """What the server answers to these bytes until it closes the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
        client.sendall(data)
        return b"".join(iter(lambda: client.recv(65_536), b""))


@pytest.mark.parametrize("path", ["/", "/?x", "/?x=1#y", "/%3Fx", "/x", "/%2e%2e/params.yaml", "/..//params.yaml"])
def test_the_page_has_one_path_with_any_query(port: int, path: str) -> None:
    response = request(port, "GET", path)
    is_page = path.partition("?")[0] == "/"
    assert response.status == (200 if is_page else 404)
    assert (body(response) == PAGE) == is_page


@pytest.mark.parametrize("path", ["/", "/x"])
def test_every_answer_has_the_security_headers(port: int, path: str) -> None:
    response = request(port, "GET", path)
    assert {name: response.getheader(name) for name in HEADERS} == HEADERS
    assert "Python" not in response.getheader("Server", "")


def test_head_is_get_without_the_page(port: int) -> None:
    response = request(port, "HEAD", "/")
    assert (response.status, response.getheader("Content-Length"), body(response)) == (200, str(len(PAGE)), b"")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_are_not_allowed(port: int, method: str) -> None:
    response = request(port, method, "/")
    assert (response.status, response.getheader("Allow")) == (405, "GET, HEAD")
    assert request(port, "BREW", "/").status == 501


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "127.0.0.1", "[::1]"])
def test_names_of_this_machine_are_answered(port: int, host: str) -> None:
    assert request(port, "GET", "/", Host=f"{host}:{port}").status == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "0.0.0.0",
                                  "127.0.0.1@evil.example", "[::1", ""])  # fmt: skip
def test_other_names_are_refused(port: int, host: str) -> None:
    """Against DNS rebinding."""
    response = request(port, "GET", "/", Host=f"{host}:{port}")
    assert response.status in (400, 421)
    assert PAGE[:10] not in body(response)


def test_another_port_no_host_and_a_foreign_address_in_the_request_are_refused(port: int) -> None:
    assert request(port, "GET", "/", Host="localhost:1").status == 421
    assert request(port, "GET", "/", Host="localhost:x").status == 400
    assert b" 421 " in send(port, b"GET / HTTP/1.0\r\n\r\n")
    assert b" 421 " in send(port, b"GET http://evil.example/ HTTP/1.1\r\nHost: localhost:%d\r\n\r\n" % port)


def test_connections_are_kept(port: int) -> None:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    connection.connect()
    first = connection.sock
    for _ in range(3):
        connection.request("GET", "/")
        assert connection.getresponse().read() == PAGE
        assert connection.sock is first
    connection.close()


def test_a_body_is_not_taken_for_the_next_request(port: int) -> None:
    inner = b"GET / HTTP/1.1\r\nHost: localhost:%d\r\n\r\n" % port
    head = b"HEAD / HTTP/1.1\r\nHost: localhost:%d\r\nContent-Length: %d\r\n\r\n" % (port, len(inner))
    assert send(port, head + inner).count(b"HTTP/1.1 200") == 1


def test_clients_that_hang_up_or_wait_disturb_no_other_and_print_nothing(
    port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    waiting = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
    for client in waiting:
        client.sendall(b"GET / HTTP/1.1\r\nHo")
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: localhost:%d\r\n\r\n" % port)
            client.recv(1)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # closes with a reset
    assert body(request(port, "GET", "/")) == PAGE
    for client in waiting:
        client.settimeout(5)
        assert client.recv(1) == b""  # the server has closed it
        client.close()
    assert capsys.readouterr().err == ""


def test_a_port_in_use_is_a_message(port: int) -> None:
    with pytest.raises(KellyError, match=f"--port {port}: cannot be used .*Address already in use.*; choose another"):
        PageServer(PAGE, port)
