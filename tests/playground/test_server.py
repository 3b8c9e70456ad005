import http.client
import json
import re
import socket
from importlib.resources import files
from typing import Any, get_args

import pytest

from cnn_train.errors import UsageError
from cnn_train.playground.server import PlaygroundServer
from cnn_train.playground.settings import PlaygroundSettings

JSON = {"Content-Type": "application/json"}


class Answer:
    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status, self.headers, self.body = response.status, response.headers, response.read()

    @property
    def document(self) -> Any:
        return json.loads(self.body)


def ask(
    server: PlaygroundServer,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> Answer:
    """Ask for ``path`` as given; the Host header is right unless ``headers`` say otherwise."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=60)
    try:
        connection.request(method, path, body, headers or {})
        return Answer(connection.getresponse())
    finally:
        connection.close()


def below(server: PlaygroundServer, path: str = "") -> str:
    return f"/{server.token}/{path}"


def post(server: PlaygroundServer, path: str, document: Any) -> Answer:
    return ask(server, "POST", below(server, path), json.dumps(document).encode(), JSON)


def refused(answer: Answer, status: int) -> str:
    """Return the one line in which an answer says why."""
    assert answer.status == status
    (line,) = answer.document["error"].splitlines()
    assert "Content-Security-Policy" in answer.headers
    return str(line)


def test_an_experiment_starts_and_moves_on(server: PlaygroundServer) -> None:
    begun = post(server, "api/start", {"address": "dataset=gauss&seed=3"}).document
    assert begun["settings"]["seed"] == 3
    asked = {"experiment": begun["experiment"], "steps": 2}
    state = post(server, "api/advance", asked).document
    assert state["step"] == 2
    assert [line["name"] for line in state["formula"]] == ["loss", "gradient", "update"]


def test_every_file_of_the_page_ships_with_the_package_and_is_sent(
    server: PlaygroundServer,
) -> None:
    kinds = {"": "text/html", "page.js": "text/javascript", "page.css": "text/css",
             "look.css": "text/css", "icon.svg": "image/svg+xml"}  # fmt: skip
    for path, kind in kinds.items():
        answer = ask(server, "GET", below(server, path))
        assert answer.status == 200
        assert answer.headers["Content-Type"].partition(";")[0] == kind
        assert answer.body == server.site.files[path].read_bytes()


def test_no_file_of_a_page_is_long_names_another_host_or_writes_markup_from_text(
    server: PlaygroundServer,
) -> None:
    for path, file in server.site.files.items():
        text = file.read_text("utf-8")
        assert text.count("\n") <= 260, path
        code = re.sub(r"^\s*// .*$", "", text, flags=re.M)
        addresses = re.findall(r"(?:https?:)?//[\w.]+[\w/.]*", code)
        assert [a for a in addresses if a != "http://www.w3.org/2000/svg"] == [], path
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|eval\(|document\.write", text)


def test_every_answer_forbids_all_but_the_pages_own_files(server: PlaygroundServer) -> None:
    headers = ask(server, "GET", below(server)).headers
    assert headers["Content-Security-Policy"].startswith("default-src 'self';")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"
    assert not [name for name in headers if name.startswith("Access-Control")]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "path", ["/", "/page.js", "/api/page", "//", "/{wrong}/", "/{short}/", "/é/"]
)
def test_without_the_token_nothing_is_answered(
    server: PlaygroundServer, method: str, path: str
) -> None:
    wrong = server.token[:-1] + ("a" if server.token[-1] != "a" else "b")
    path = path.format(wrong=wrong, short=server.token[:-1]).replace("é", "%C3%A9")
    reason = refused(ask(server, method, path, b"{}", JSON), 403)
    assert reason == "wrong token; open the address that this run of cnn-train playground printed"


def test_without_its_last_slash_the_address_leads_to_the_page(server: PlaygroundServer) -> None:
    answer = ask(server, "GET", below(server).removesuffix("/"))
    assert (answer.status, answer.headers["Location"]) == (308, below(server))
    assert "Content-Security-Policy" in answer.headers


def test_every_server_has_a_long_token_of_its_own(server: PlaygroundServer) -> None:
    with PlaygroundServer() as other:
        assert len(other.token) >= 32
        assert other.token != server.token


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "0.0.0.0:{port}", ""])
def test_this_machine_has_no_name_but_localhost(server: PlaygroundServer, host: str) -> None:
    headers = {"Host": host.format(port=server.server_port)}
    assert refused(ask(server, "GET", below(server), headers=headers), 403) == "wrong Host"
    headers = {"Host": f"localhost:{server.server_port}"}
    assert ask(server, "GET", below(server), headers=headers).status == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1:{port}"])
def test_a_page_from_elsewhere_is_refused(server: PlaygroundServer, origin: str) -> None:
    headers = JSON | {"Origin": origin.format(port=server.server_port)}
    answer = ask(server, "POST", below(server, "api/start"), b'{"address": ""}', headers)
    assert refused(answer, 403) == "wrong Origin"


@pytest.mark.parametrize(
    "path", ["nothing", "../server.py", "..%2fserver.py", "page/page.js", "api/start", "?x=1"]
)
def test_a_path_that_leads_nowhere_is_not_found(server: PlaygroundServer, path: str) -> None:
    assert refused(ask(server, "GET", below(server, path)), 404) == "not found"


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_are_not_supported(server: PlaygroundServer, method: str) -> None:
    assert "Unsupported method" in refused(ask(server, method, below(server)), 501)


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (b"{", 400, "the body is no JSON"),
        (b"\xff\xfe", 400, "the body is no JSON"),
        (b"[" * 5000, 400, "the body is no JSON"),
        (b"[]", 400, "the body is no JSON object"),
        (b"{}", 400, "address: expected the text after the page's #"),
        (b'{"address": 3}', 400, "address: expected the text after the page's #"),
        (b'{"address": "dataset=sphere"}', 400, "settings: dataset: "),
        (b" " * 10_001, 413, "too large"),
    ],
)
def test_a_body_that_is_no_question_is_refused(
    server: PlaygroundServer, body: bytes, status: int, reason: str
) -> None:
    answer = ask(server, "POST", below(server, "api/start"), body, JSON)
    assert refused(answer, status).startswith(reason)


def test_only_json_for_the_two_questions_is_taken(server: PlaygroundServer) -> None:
    form = {"Content-Type": "text/plain"}  # what a form of another site can send
    answer = ask(server, "POST", below(server, "api/start"), b'{"address": ""}', form)
    assert refused(answer, 415) == "send application/json"
    assert refused(post(server, "page.js", {}), 404) == "not found"


@pytest.mark.parametrize(
    ("length", "status"),
    [("", 411), ("-1", 411), ("٣", 411), ("0" * 20 + "5", 413), ("9" * 5000, 413)],
)
def test_a_length_that_is_none_is_refused(
    server: PlaygroundServer, length: str, status: int
) -> None:
    request = (
        f"POST {below(server, 'api/start')} HTTP/1.1\r\nHost: 127.0.0.1:{server.server_port}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=60) as connection:
        connection.sendall(request.encode())
        answer = connection.makefile("rb").read()
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())


def test_only_this_machine_is_listened_to(server: PlaygroundServer) -> None:
    assert server.socket.getsockname()[0] == "127.0.0.1"
    with pytest.raises(OSError):  # noqa: PT011  (each system words it in its own way)
        socket.create_connection(("127.0.0.2", server.server_port), timeout=1)


def test_a_page_that_goes_away_in_the_middle_is_no_trouble(
    server: PlaygroundServer, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(3):
        connection = socket.create_connection(("127.0.0.1", server.server_port))
        linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"  # close with a reset
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        connection.sendall(f"GET {below(server, 'page.js')} HTTP/1.1\r\n".encode())
        connection.close()
    assert ask(server, "GET", below(server)).status == 200
    assert capsys.readouterr().err == ""


def test_a_port_that_is_taken_is_one_line(server: PlaygroundServer) -> None:
    with pytest.raises(UsageError, match=r"there \(Address already in use\); choose"):
        PlaygroundServer(server.server_port)


def test_the_pages_form_offers_what_the_settings_allow() -> None:
    page = files("cnn_train.playground").joinpath("page", "page.html").read_text("utf-8")
    choices = {"dataset": re.findall(r'type="radio" name="dataset" value="(\w+)"', page)}
    for name, options in re.findall(r'<select name="(\w+)"[^>]*>(.*?)</select>', page, re.DOTALL):
        choices[name] = re.findall(r'<option value="(\w+)"', options)
    ranges = re.findall(r'name="(\w+)" min="([\d.]+)" max="([\d.]+)"', page)
    fields = PlaygroundSettings.model_fields
    assert {*choices, *(name for name, *_ in ranges), "features", "hidden"} == fields.keys()
    for name, offered in choices.items():
        assert sorted(offered) == sorted(get_args(fields[name].annotation)), name
    for name, *ends in ranges:
        for end in ends:
            value = max(float(end), 1e-9)
            is_whole = fields[name].annotation is int
            PlaygroundSettings.model_validate({name: round(value) if is_whole else value})
