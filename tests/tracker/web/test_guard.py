"""Who may ask a page: hosts, origins, tokens, bodies."""

import http.client
import re
import socket
import time

import pytest

from tests.tracker.web.conftest import SECONDS, serving
from tracker.commands.serve import check_host, read_token
from tracker.errors import OptionError
from tracker.web import guard, server
from tracker.web.guard import COOKIE, Access
from tracker.web.limits import without_paths
from tracker.web.site import Site

TOKEN = "correct horse battery"


@pytest.fixture
def closed():
    """A page with a token."""
    with serving(Site(), Access.on("127.0.0.1", TOKEN)) as page:
        yield page


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:{port}", "localhost:{port}", "LOCALHOST", "[::1]:{port}"])
def test_hosts_that_are_this_machine(page, host):
    assert page.ask("/healthz", headers={"Host": host.format(port=page.port)}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "192.168.1.7", "", "a b", "[::1", "localhost:x"]
)
def test_hosts_that_a_name_server_may_have_pointed_here(page, host):
    answer = page.ask("/api/cameras", headers={"Host": host})
    assert answer.status_code in (400, 421) and "cameras" not in answer.text


def test_two_hosts_or_none(page):
    for head in ("", "Host: 127.0.0.1\r\nHost: 127.0.0.1\r\n"):
        with socket.create_connection(("127.0.0.1", page.port), SECONDS) as connection:
            connection.sendall(f"GET /healthz HTTP/1.1\r\n{head}Connection: close\r\n\r\n".encode())
            assert re.match(rb"HTTP/1.1 4\d\d", connection.recv(1000))


def test_behind_a_proxy_a_page_has_another_name():
    access = Access.on("0.0.0.0", TOKEN, ["Cameras.example"])
    assert access.knows_host("cameras.example") and access.knows_host("10.0.0.3:8080")
    assert not access.knows_host("other.example")


FOREIGN = [
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:1"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
]


@pytest.mark.parametrize("headers", FOREIGN)
@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/api/videos"), ("GET", "/api/cameras"), ("DELETE", "/api/videos/x")]
)
def test_pages_of_other_sites_get_nothing(page, headers, method, path):
    answer = page.ask(path, method, headers=headers)
    assert answer.status_code == 403 and answer.json() == {"error": "another site's page may not ask for this"}


def test_a_link_from_elsewhere_opens_the_page_and_the_page_itself_may_ask(page):
    follows = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert page.ask("/", headers=follows).status_code == 200
    assert page.ask("/api/cameras", headers=follows).status_code == 403
    own = {"Origin": page.address, "Sec-Fetch-Site": "same-origin"}
    assert page.ask("/api/cameras", headers=own).status_code == 200


def test_without_the_token_there_is_only_health(closed):
    assert closed.json("/healthz") == {"status": "ok"}
    for path in ("/", "/api/cameras", "/metrics", "/docs", "/openapi.json", "/static/js/app.js", "/none"):
        answer = closed.ask(path)
        assert answer.status_code == 401 and answer.headers["www-authenticate"] == "Bearer"
        assert set(answer.json()) == {"error"}
    assert closed.ask("/api/videos", "POST", data=b"x").status_code == 401


@pytest.mark.parametrize("word", ["Bearer", "bearer"])
def test_the_token_as_a_header(closed, word):
    assert closed.ask("/api/cameras", headers={"Authorization": f"{word} {TOKEN}"}).status_code == 200


@pytest.mark.parametrize("value", ["Bearer wrong", "Bearer ", "Bearer", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x"])
def test_what_is_not_the_token(closed, value):
    assert closed.ask("/api/cameras", headers={"Authorization": value}).status_code == 401


def test_logging_in_with_the_form(closed):
    form = closed.ask("/", headers={"Accept": "text/html", "Accept-Language": "zh-CN"})
    assert (
        form.status_code == 401 and "访问此页面需要令牌" in form.text and "{" not in form.text.partition("</style>")[2]
    )
    wrong = closed.ask("/login", "POST", data={"token": "wrong"})
    assert wrong.status_code == 401 and "not the token" in wrong.text and "set-cookie" not in wrong.headers
    right = closed.ask("/login", "POST", data={"token": TOKEN}, allow_redirects=False)
    assert (right.status_code, right.headers["location"]) == (303, "/")
    cookie = right.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie and TOKEN not in cookie
    value = right.cookies[COOKIE]
    assert closed.ask("/api/cameras", cookies={COOKIE: value}).status_code == 200
    for other in (value + "0", "9" + value, value.partition(".")[0], "", ".", "9999999999."):
        assert closed.ask("/api/cameras", cookies={COOKIE: other}).status_code == 401


def test_a_session_ends_after_a_week_and_with_its_token(monkeypatch):
    access = Access(token=TOKEN)
    session = access.session()
    assert access.is_session(session) and not Access(token=TOKEN + "2").is_session(session)
    later = time.time() + guard.SESSION_SECONDS + 1
    monkeypatch.setattr(guard.time, "time", lambda: later)
    assert not access.is_session(session)


def test_a_foreign_form_cannot_log_in(closed):
    answer = closed.ask("/login", "POST", data={"token": TOKEN}, headers={"Origin": "http://evil.example"})
    assert answer.status_code == 403 and "set-cookie" not in answer.headers


@pytest.mark.parametrize("path", ["/login", "/api/easels/x/count", "/api/videos/fetch"])
def test_bodies_are_short(closed, path):
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    body = b'{"lines": "' + b"x" * guard.MOST_BODY + b'"}'
    try:
        assert closed.ask(path, "POST", data=body, headers=headers).status_code == 413
        # in chunks the size is not stated
        answer = closed.ask(
            path, "POST", data=(body[at : at + 9999] for at in range(0, len(body), 9999)), headers=headers
        )
        assert answer.status_code in (400, 404, 413)
    except ConnectionError:
        pass
    except OSError as error:  # refused before all of it was sent
        assert "Connection" in type(error).__name__ or "Chunked" in type(error).__name__


def test_who_says_nothing_is_not_waited_for(page, monkeypatch):
    monkeypatch.setattr(guard, "PAUSE", 0.2)
    monkeypatch.setattr(server, "PAUSE", 0.2)
    head = b"POST /api/easels/x/count HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    chunked, short = head + b"Transfer-Encoding: chunked\r\n\r\n", head + b"Content-Length: 9\r\n\r\n{"
    for sent, expected in ((chunked, b"HTTP/1.1 4"), (short, b"HTTP/1.1 4"), (b"GET / HT", b""), (b"", b"")):
        with socket.create_connection(("127.0.0.1", page.port), SECONDS) as connection:
            connection.sendall(sent)
            assert connection.recv(1000).startswith(expected) and (expected or not connection.recv(1000)), sent


def test_answers_keep_a_browser_to_this_page(page):
    for path in ("/", "/docs", "/api/cameras", "/static/js/app.js", "/none"):
        headers = page.ask(path).headers
        assert "default-src 'self'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "server" not in headers


def test_no_web_socket_is_opened(page):
    connection = http.client.HTTPConnection("127.0.0.1", page.port, timeout=SECONDS)
    words = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": "x" * 16,
        "Sec-WebSocket-Version": "13",
    }
    connection.request("GET", "/api/events/ws", headers=words)
    assert connection.getresponse().status == 404
    connection.close()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "cameras.example"])
def test_a_page_for_others_needs_a_token(host):
    with pytest.raises(OptionError, match="give token or token_file"):
        check_host(host, None)
    check_host(host, TOKEN)


def test_a_page_for_this_machine_needs_none():
    for host in ("127.0.0.1", "::1", "localhost", "127.0.0.2"):
        check_host(host, None)


def test_tokens_from_files(tmp_path):
    file = tmp_path / "token"
    file.write_text(f" {TOKEN}\n")
    assert read_token(None, str(file)) == TOKEN
    for token, path, why in (
        (TOKEN, str(file), "not both"),
        ("short", None, "at least 8"),
        ("", None, "at least 8"),
        (None, str(tmp_path), "directory"),
        (None, str(tmp_path / "none"), "No such file"),
    ):
        with pytest.raises(OptionError, match=why):
            read_token(token, path)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("cannot write /srv/a b/x.txt: No space", "cannot write a b/x.txt: No space"),
        ("'/etc/passwd' is no video", "'passwd' is no video"),
        ("C:\\Users\\me\\clip.mp4 is gone", "clip.mp4 is gone"),
        ("~/x/clip.mp4: gone", "clip.mp4: gone"),
        ("rate is 3/4 of it", "rate is 3/4 of it"),
    ],
)
def test_paths_are_not_told(said, told):
    assert without_paths(said) == told
