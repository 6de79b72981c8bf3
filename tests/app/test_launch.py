"""One command starts and stops everything; nothing it serves is open to strangers."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

import launch
from app.guard import COOKIE

ROOT = Path(launch.__file__).parent
PASSWORD = "correct horse"
STRANGER_SEES = {401, 403, 303}
Start = Callable[..., Any]


def test_the_web_process_loads_no_torch() -> None:
    code = (
        "import sys, launch, app.ui, app.api, app.guard\n"
        "heavy = {'torch', 'diffusers', 'transformers', 'open_clip'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_ctrl_c_stops_page_and_workers_and_leaves_no_process(start: Start) -> None:
    studio = start()
    page = httpx.get(studio.url)
    assert page.status_code == 200 and "Dashbooth" in page.text
    _wait_for_worker(studio)
    family = psutil.Process(studio.process.pid).children(recursive=True)
    assert family
    assert studio.stop(signal.SIGINT) == 0
    assert not [process for process in family if process.is_running()]


def test_a_killed_page_leaves_the_worker_and_the_next_launch_takes_it_over(
    start: Start,
) -> None:
    first = start()
    _wait_for_worker(first)
    (before,) = _workers(first)
    workers = psutil.Process(first.process.pid).children(recursive=True)
    first.process.kill()
    first.process.wait()
    try:
        second = start()
        _wait_for_worker(second)
        assert [row["pid"] for row in _workers(second)] == [before["pid"]]
        assert second.stop(signal.SIGINT) == 0
        assert "those of the launch before go on" in second.printed()
        assert "error" not in second.printed()
        assert not [worker for worker in workers if worker.is_running()]
    finally:
        for worker in workers:
            if worker.is_running():
                worker.terminate()
        psutil.wait_procs(workers, timeout=30)


def test_workers_left_behind_are_stopped_where_others_are_wanted(start: Start) -> None:
    first = start()
    _wait_for_worker(first)
    left = psutil.Process(first.process.pid).children(recursive=True)
    first.process.kill()
    first.process.wait()
    second = start("--slots", "2")
    assert psutil.wait_procs(left, timeout=60)[1] == []
    assert second.stop(signal.SIGINT) == 0 and "error" not in second.printed()


def test_a_taken_port_is_said_so_before_anything_starts(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        command = [sys.executable, "launch.py", "--port", port, "--workspace", str(tmp_path / "w")]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and f"--port {port}" in done.stderr
    assert not (tmp_path / "w").exists()


def test_an_address_that_others_reach_has_a_password_that_is_shown_once(
    start: Start,
) -> None:
    studio = start("--host", "0.0.0.0", "--slots", "none")
    (password,) = re.findall(r"^Password: +(\S+) ", studio.printed(), re.MULTILINE)
    assert httpx.get(f"{studio.url}/api/subjects").status_code == 401
    entered = httpx.post(f"{studio.url}/login", data={"password": password})
    assert entered.status_code == 303
    cookie = {"cookie": f"{COOKIE}={entered.cookies[COOKIE]}"}
    assert httpx.get(f"{studio.url}/api/subjects", headers=cookie).json() == []
    assert studio.printed().count(password) == 1


def test_a_given_password_is_printed_nowhere(start: Start) -> None:
    studio = start("--slots", "none", DASHBOOTH_PASSWORD=PASSWORD)
    for guess in (PASSWORD, "wrong horse"):
        httpx.post(f"{studio.url}/login", data={"password": guess})
    assert studio.stop(signal.SIGTERM) == 0
    assert PASSWORD not in studio.printed()


def _workers(studio: Any) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = httpx.get(f"{studio.url}/api/system", timeout=60).json()[
        "workers"
    ]
    return rows


def _wait_for_worker(studio: Any) -> None:
    deadline = time.monotonic() + 120
    while not any(row["alive"] for row in _workers(studio)):
        assert time.monotonic() < deadline, studio.printed()
        time.sleep(0.2)


# --- as strangers find it behind a tunnel ---------------------------------------------------------


@pytest.fixture(scope="module")
def shared(launching: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A studio with a password, launched with --share."""
    folder = tmp_path_factory.mktemp("shared")
    program = str(Path(__file__).with_name("tunnelled_studio.py"))
    arguments = ("--share", "--slots", "none")
    studio = launching(folder, *arguments, program=program, DASHBOOTH_PASSWORD=PASSWORD)
    yield studio
    assert studio.stop(signal.SIGTERM) == 0


def test_the_public_address_is_told_and_the_password_given_is_not(shared: Any) -> None:
    assert "Public:    https://stand-in.example" in shared.printed()
    assert PASSWORD not in shared.printed() and "Password" not in shared.printed()


def test_every_route_of_page_and_rest_is_closed_to_strangers(shared: Any) -> None:
    url = shared.url
    routes = json.loads((shared.workspace / "routes.json").read_text())
    assert len(routes) > 100
    for accept in ("text/html", "*/*"):
        for method, path in routes:
            concrete = re.sub(r"\{.*?\}", "x", path)
            answer = httpx.request(method, url + concrete, headers={"accept": accept})
            if concrete.rstrip("/") == "/login":
                assert COOKIE not in answer.headers.get("set-cookie", "")
            else:
                assert answer.status_code in STRANGER_SEES, f"{method} {concrete}"


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/file=/etc/passwd", "/gradio_api/file=../../../etc/passwd",
        "/file=/etc/passwd", "/gradio_api/file=http://127.0.0.1:22/", "//login",
        "/login/../api/jobs",
        "/LOGIN", "/login%2f", "/login;/api/jobs", "/static/..%2f..%2fetc/passwd",
    ],
)  # fmt: skip
def test_no_spelling_of_a_path_goes_around_the_door(shared: Any, path: str) -> None:
    with socket.create_connection(("127.0.0.1", httpx.URL(shared.url).port or 0)) as raw:
        raw.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: raw.recv(65536), b"")).decode("utf-8", "replace")
    assert int(answer.split()[1]) in STRANGER_SEES and "root:" not in answer


def test_inside_no_file_beyond_the_shown_folders_is_served(shared: Any) -> None:
    url = shared.url
    entered = httpx.post(f"{url}/login", data={"password": PASSWORD})
    assert "Secure" in entered.headers["set-cookie"]
    cookie = {"cookie": f"{COOKIE}={entered.cookies[COOKIE]}"}
    assert httpx.get(url, headers=cookie).status_code == 200
    database = shared.workspace / "queue" / "studio.sqlite"
    assert database.exists()
    for path in ("/etc/passwd", ROOT / "launch.py", database, "http://127.0.0.1:22/"):
        answer = httpx.get(f"{url}/gradio_api/file={path}", headers=cookie)
        assert 400 <= answer.status_code < 500, path
