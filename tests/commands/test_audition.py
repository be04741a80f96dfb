"""`kelly audition`: the page that it writes, and serving it."""

import signal
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from support.clone import Folder
from support.command_line import run_command
from support.random_networks import random_exports, write_exports

from kelly.audition import quadrants
from kelly.audition.page import render_page
from kelly.commands import audition
from kelly.runtime.errors import KellyError

pytestmark = pytest.mark.slow

# The statistics take most of the time: of one phrase per quadrant.
KELLY = "from kelly.audition import quadrants; quadrants.NUM_SEEDS = 1; from kelly.commands.main import main; main()"


@pytest.fixture
def exports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(quadrants, "NUM_SEEDS", 1)
    return write_exports(tmp_path / "exports")


def test_the_page_is_deterministic_self_contained_and_escapes_names(exports: Path, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    run_command(audition, "--models", exports, "--output", path)
    first = path.read_bytes()
    run_command(audition, "--models", exports, "--output", path)
    assert path.read_bytes() == first
    text = first.decode()
    assert "://" not in text
    assert " src=" not in text
    hostile = render_page([random_exports("</script><script>alert(1)</script>")])
    assert "<script>alert" not in hostile
    assert hostile.count("</script>") == 2


def test_two_experiments_share_identical_files() -> None:
    one, other = random_exports("one"), random_exports("other")
    size = len(render_page([one]))
    assert len(render_page([one, other])) < size + 1_000
    assert len(render_page([one, random_exports("third", seed=1)])) > 1.9 * size


def test_other_files_are_not_overwritten_and_models_exclude_revisions(exports: Path, tmp_path: Path) -> None:
    html = tmp_path / "index.html"
    html.write_text("<title>mine</title>")
    with pytest.raises(KellyError, match=r"index\.html exists"):
        run_command(audition, "--models", exports, "--output", html)
    assert html.read_text() == "<title>mine</title>"
    with pytest.raises(KellyError, match="is a folder"):
        run_command(audition, "--models", exports, "--output", tmp_path)
    with pytest.raises(KellyError, match=r"revision HEAD and --models .*; give one of them"):
        run_command(audition, "HEAD", "--models", exports)


def test_the_page_is_served_on_localhost_only(exports: Path, project: Path, tmp_path: Path) -> None:
    folder, path = Folder(project, tmp_path), tmp_path / "audition.html"
    server = folder.start("-u", "-c", KELLY, "audition", "--models", str(exports), "--serve", "--port", "0")
    assert server.stdout is not None
    try:
        assert server.stdout.readline().startswith(f"audition.html: {exports}, ")
        address = next(line for line in server.stdout if line.startswith("http")).split()[0]
        assert address.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(address) as response:
            assert response.read() == path.read_bytes()
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(address + "params.yaml")
        port = address.rstrip("/").rpartition(":")[2]
        with pytest.raises(KellyError, match=f"--port {port}: cannot be used"):
            run_command(audition, "--models", exports, "--output", path, "--serve", "--port", port)
    finally:
        server.send_signal(signal.SIGINT)
        _, errors = server.communicate()
    assert server.returncode == 0
    assert "Traceback" not in errors
