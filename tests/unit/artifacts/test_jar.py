"""Jars: opened by path or URI, told apart by content."""

from __future__ import annotations

import hashlib
import os
import ssl
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path

import fsspec
import pytest
import trustme

from flink_jobs_provider.artifacts import find_jar, open_jar
from flink_jobs_provider.model.errors import JarError

MANIFEST = "Manifest-Version: 1.0\r\nMain-Class: shop.Orders\r\n"


def content(manifest: str | None = MANIFEST, note: str = "") -> bytes:
    """Return the bytes of a jar."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        if manifest is not None:
            archive.writestr("META-INF/MANIFEST.MF", manifest)
        archive.writestr("note.txt", note)
    return buffer.getvalue()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the cache of fetched jars in the test's own directory."""
    monkeypatch.setenv("FLINK_JOBS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "jars"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "orders.jar"
    path.write_bytes(content())
    return path


def test_local(file: Path) -> None:
    jar = open_jar(str(file))
    assert jar.path == file
    assert jar.digest == hashlib.sha256(file.read_bytes()).hexdigest()
    assert jar.main_class == "shop.Orders"


@pytest.mark.parametrize("start", ["file://", "file:", "local://"])
def test_local_by_uri(file: Path, start: str) -> None:
    assert open_jar(f"{start}{file}").digest == open_jar(str(file)).digest


def test_relative_and_home(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    assert open_jar("orders.jar").path == file
    monkeypatch.setenv("HOME", str(file.parent))
    assert open_jar("~/orders.jar").path == file


def test_new_content_at_the_old_path_is_seen(file: Path) -> None:
    digests = {open_jar(str(file)).digest}
    file.write_bytes(content(note="other"))
    digests.add(open_jar(str(file)).digest)
    # Also where size and time stay the same, as with a build that fixes times.
    stat = file.stat()
    other = file.with_name("other.jar")
    other.write_bytes(content(note="OTHER"))
    os.utime(other, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    other.replace(file)
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (stat.st_size, stat.st_mtime_ns)
    digests.add(open_jar(str(file)).digest)
    assert len(digests) == 3


@pytest.mark.parametrize(
    ("manifest", "main_class"),
    [
        (None, ""),
        ("Manifest-Version: 1.0\n", ""),
        ("Main-Class: a.B\n", "a.B"),
        ("Main-Class:   a.B  \r\n", "a.B"),
        # Lines of a manifest end at 72 bytes and go on after a blank.
        (f"Main-Class: {'a' * 60}\r\n {'b' * 20}.Main\r\n", f"{'a' * 60}{'b' * 20}.Main"),
        ("main-class: a.B\n", "a.B"),
        ("Main-Class: a.Main\nprogram-class: b.Flink\n", "b.Flink"),
        ("Main-Class: a.Main\n\nName: x\nMain-Class: not.Main\n", "a.Main"),
    ],
)
def test_main_class(tmp_path: Path, manifest: str | None, main_class: str) -> None:
    path = tmp_path / "a.jar"
    path.write_bytes(content(manifest))
    assert open_jar(str(path)).main_class == main_class


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    text = tmp_path / "text.jar"
    text.write_text("no zip")
    (tmp_path / "empty.jar").touch()
    for name, words in {
        "missing.jar": "cannot open .*missing.jar: No such file or directory",
        "text.jar": "is not a jar",
        "empty.jar": "is not a jar",
        "": "is not a file",
    }.items():
        with pytest.raises(JarError, match=words):
            open_jar(str(tmp_path / name))


def test_a_truncated_jar_is_no_jar(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-30])
    with pytest.raises(JarError, match="is not a jar"):
        open_jar(str(file))


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("nope://x/orders.jar", "nope:// is no known scheme"),
        ("memory://nothing/orders.jar", "memory://nothing/orders.jar"),
    ],
)
def test_what_no_store_has(uri: str, words: str) -> None:
    with pytest.raises(JarError) as caught:
        open_jar(uri)
    assert words in str(caught.value)


def test_memory(cache: Path) -> None:
    """Shows a store that tells no checksum: it is fetched each time, and kept by its content."""
    store = fsspec.filesystem("memory")
    store.pipe_file("/jars/orders.jar", content())
    jar = open_jar("memory://jars/orders.jar")
    assert jar.uri == "memory://jars/orders.jar"
    assert jar.path == cache / f"{jar.digest}.jar"
    store.pipe_file("/jars/orders.jar", content(note="other"))
    assert open_jar("memory://jars/orders.jar").digest != jar.digest


class _Web:
    """A web server on loopback with one file."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.etags = True
        self.status = 0
        self.gets = 0
        web = self

        class Handler(BaseHTTPRequestHandler):
            """Answers with the file."""

            def do_GET(self) -> None:
                web.gets += 1
                self._answer(True)

            def do_HEAD(self) -> None:
                self._answer(False)

            def _answer(self, body: bool) -> None:
                data = web.files.get(self.path)
                self.send_response(web.status or (200 if data else 404))
                self.send_header("Content-Length", str(len(data or b"")))
                if data and web.etags:
                    self.send_header("ETag", f'"{hashlib.md5(data).hexdigest()}"')
                self.end_headers()
                if body and data:
                    self.wfile.write(data)

            def log_message(self, *_args: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture
def web() -> Iterator[_Web]:
    found = _Web()
    yield found
    found.server.shutdown()
    found.server.server_close()


def test_http_is_fetched_once_for_each_etag(web: _Web) -> None:
    web.files["/orders.jar"] = content()
    first = open_jar(f"{web.url}/orders.jar")
    assert first.main_class == "shop.Orders"
    fetched = web.gets
    assert open_jar(f"{web.url}/orders.jar") == first
    assert web.gets == fetched
    web.files["/orders.jar"] = content(note="other")
    assert open_jar(f"{web.url}/orders.jar").digest != first.digest


def test_http_without_etag_is_fetched_each_time(web: _Web) -> None:
    web.etags = False
    web.files["/orders.jar"] = content()
    first = open_jar(f"{web.url}/orders.jar")
    web.files["/orders.jar"] = content(note="other")
    assert open_jar(f"{web.url}/orders.jar").digest != first.digest


def test_a_cached_jar_that_was_changed_is_fetched_again(web: _Web) -> None:
    web.files["/orders.jar"] = content()
    first = open_jar(f"{web.url}/orders.jar")
    first.path.write_bytes(content(note="tampered with"))
    again = open_jar(f"{web.url}/orders.jar")
    assert again.digest == first.digest
    assert again.path.read_bytes() == web.files["/orders.jar"]


def test_http_missing_or_no_jar(web: _Web, cache: Path) -> None:
    with pytest.raises(JarError, match=r"/nothing\.jar does not exist"):
        open_jar(f"{web.url}/nothing.jar")
    web.files["/page.jar"] = b"<html>not a jar</html>"
    with pytest.raises(JarError, match=r"/page\.jar is not a jar"):
        open_jar(f"{web.url}/page.jar")
    assert list(cache.glob("*")) == []


def test_a_server_that_is_down(web: _Web) -> None:
    web.server.shutdown()
    web.server.server_close()
    for host in ("127.0.0.1", "localhost"):  # which is tried at each of its addresses
        uri = f"http://me:hunter2@{host}:{web.server.server_port}/orders.jar?sig=hunter2"
        with pytest.raises(JarError) as caught:
            open_jar(uri)
        assert str(caught.value) == (
            f"cannot open http://***@{host}:{web.server.server_port}/orders.jar?***: "
            "connection refused."
        )


def test_a_server_that_refuses(web: _Web) -> None:
    """Shows that the answer's status is the reason, and nothing that the libraries make of it."""
    web.status = 403
    with pytest.raises(JarError) as caught:
        open_jar(f"{web.url}/orders.jar?sig=hunter2")
    assert str(caught.value) == (
        f"cannot open {web.url}/orders.jar?***: the server answered 403 Forbidden."
    )


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("http://no-such-host.invalid/orders.jar", "its host is unknown"),
        ("http:///orders.jar", "it is not a valid URL"),
    ],
)
def test_addresses_of_no_server(uri: str, reason: str) -> None:
    with pytest.raises(JarError) as caught:
        open_jar(uri)
    assert str(caught.value) == f"cannot open {uri}: {reason}."


def test_a_certificate_that_is_not_trusted(web: _Web) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    web.server.socket = context.wrap_socket(web.server.socket, server_side=True)
    with pytest.raises(JarError) as caught:
        open_jar(f"https://127.0.0.1:{web.server.server_port}/orders.jar")
    assert "/orders.jar: the server's certificate is not trusted (" in str(caught.value)


def test_a_jar_is_found_by_its_digest_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "orders.jar"
    path.write_bytes(content())
    jar = open_jar(str(path))
    assert find_jar(str(path), jar.digest) == jar
    path.write_bytes(content(note="other"))
    with pytest.raises(JarError, match=r"orders\.jar has other content now"):
        find_jar(str(path), jar.digest)
    path.unlink()
    with pytest.raises(JarError, match="No such file"):
        find_jar(str(path), jar.digest)


def test_a_cached_copy_is_found_when_its_source_has_changed(cache: Path) -> None:
    """Shows it of a remote jar; a copy that somebody wrote to is not taken."""
    memory = fsspec.filesystem("memory")
    memory.pipe_file("/shop/orders.jar", content())
    jar = open_jar("memory:///shop/orders.jar")
    memory.pipe_file("/shop/orders.jar", content(note="other"))
    found = find_jar("memory:///shop/orders.jar", jar.digest)
    assert (found.uri, found.path, found.digest) == (jar.uri, jar.path, jar.digest)
    jar.path.write_bytes(content(note="tampered"))
    with pytest.raises(JarError, match=r"orders\.jar has other content now"):
        find_jar("memory:///shop/orders.jar", jar.digest)
