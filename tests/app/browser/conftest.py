"""The studio as people meet it: launch.py for real on a free port, and a headless Chromium."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, expect, sync_playwright

from app.workspace import Workspace

ROOT = Path(__file__).parents[3]
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update",
         "--disable-sync"]  # fmt: skip
PATIENCE = 60_000
"""Milliseconds for the page to answer, on a machine that has other work."""
JOB_PATIENCE = 400_000
"""For a job to get somewhere."""
ENDED_BADLY = "failed|set aside|blocked|cancelled"


@dataclass(frozen=True)
class Site:
    """A running studio."""

    url: str
    workspace: Path


@dataclass
class Person:
    """One browser window, what is done in it, and everything that went wrong in it."""

    page: Page
    site: Site
    faults: list[str] = field(default_factory=list)
    patience: int = JOB_PATIENCE
    leaving: bool = False
    """While a page is left, Gradio logs the polls that this cuts off; nothing went wrong."""

    def visit(self, query: str = "") -> None:
        """Open the page and wait until it is filled; only then its tabs stay where they are."""
        self.leaving = True
        self.page.goto(self.site.url + query)
        self.leaving = False
        expect(self.page.locator("#strip").locator("p, button").first).to_be_visible()
        expect(self.page.locator("#tabs").get_by_role("tab").first).to_be_visible()

    def open_tab(self, name: str) -> None:
        self.page.locator("#tabs").get_by_role("tab", name=name, exact=True).click()

    def drop_photos(self, kind: str, name: str) -> None:
        """The photos of a bundled subject and what they show, on the first screen."""
        self.page.locator("#drop input[type=file]").set_input_files(photos_of(kind))
        # By its name, for its text is sometimes "0 .png".
        expect(self.page.get_by_role("cell", name="0.png", exact=True)).to_be_visible()
        self.page.get_by_label("Its name").first.fill(name)
        self.page.get_by_label("It is a …").first.fill(kind)

    def keep_subject(self, kind: str, name: str) -> None:
        self.open_tab("Subjects")
        self.drop_photos(kind, name)
        self.page.get_by_role("button", name="Only keep them for now").click()
        expect(self.page.get_by_label("Your subjects")).to_have_value(name)
        expect(self.page.locator(".photos > li")).to_have_count(len(photos_of(kind)))

    def train(self, subject: str, steps: int) -> None:
        """A short training from the Train tab, without scores."""
        self.open_tab("Train")
        self.choose("Subject", subject)
        self.page.get_by_label("Score it when done").uncheck()
        self.set_steps(steps)
        self.press("Train")
        expect(self.watched.get_by_role("heading", name=subject)).to_be_visible()

    def set_steps(self, steps: int) -> None:
        box = self.page.get_by_role("textbox", name="optim.steps")
        if not box.is_visible():
            self.press("Advanced")
            self.press("Steps and learning")
        box.fill(str(steps))
        box.press("Tab")

    def choose(self, label: str, *options: str) -> None:
        self.page.get_by_label(label, exact=True).locator("visible=true").click()
        for option in options:
            self.page.get_by_role("option", name=option, exact=True).click()
        self.page.keyboard.press("Escape")

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name).locator("visible=true").first.click()

    @property
    def watched(self) -> Locator:
        """The panel of the job in the open tab."""
        return self.page.locator(".watch:visible")

    def wait_for_progress(self, words: str) -> None:
        self._wait_for(f"running.*{words}|{ENDED_BADLY}")
        expect(self.watched.locator(".job")).to_contain_text(words)

    def wait_until_done(self) -> None:
        self._wait_for(f"done|{ENDED_BADLY}")
        expect(self.watched.locator(".badge")).to_have_text("done")

    def _wait_for(self, words: str) -> None:
        """Wait with the patience for jobs, but no longer than until the job has ended."""
        job = self.watched.locator(".job")
        expect(job).to_contain_text(re.compile(words, re.DOTALL), timeout=JOB_PATIENCE)

    def confirm(self, name: str) -> None:
        """Press a button that asks back, and mean it."""
        self.page.once("dialog", lambda dialog: dialog.accept())
        self.press(name)


def photos_of(kind: str) -> list[Path]:
    return sorted((ROOT / "assets" / "subjects" / kind / "photos").glob("*.png"))


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """`python launch.py`, stopped as by Ctrl-C."""
    workspace = tmp_path_factory.mktemp("workspace")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "launch.py", "--port", str(port), "--workspace", str(workspace)]
    log = (workspace.parent / "launch.log").open("wb")
    process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log,
                               env={**os.environ, "OMP_NUM_THREADS": "1"})  # fmt: skip
    try:
        _wait_until_up(f"http://127.0.0.1:{port}/", process, Path(log.name))
        yield Site(f"http://127.0.0.1:{port}/", workspace)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(120)
        log.close()


def _wait_until_up(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"launch.py does not answer:\n{log.read_text()}")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium; a test fails where it is missing."""
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def person(browser: Browser, site: Site, request: pytest.FixtureRequest) -> Iterator[Person]:
    """Somebody at the first screen; at the end nothing may have gone wrong in their window.

    Parameters, indirectly: those of a browser context, such as viewport and color_scheme.
    """
    window = {"viewport": {"width": 1280, "height": 900}, **getattr(request, "param", {})}
    context = browser.new_context(**window)
    context.set_default_timeout(PATIENCE)
    person = Person(context.new_page(), site)
    _note_faults(person)
    person.visit()
    yield person
    context.close()
    assert person.faults == []


@pytest.fixture
def workspace(site: Site) -> Workspace:
    """That of the running studio: what a test makes in it, the page shows."""
    return Workspace(site.workspace)


@pytest.fixture
def photo_files() -> list[Path]:
    return photos_of("duck")


def _note_faults(person: Person) -> None:
    """Errors in the console, answers of 400 and more, and any word to another host."""
    page, faults = person.page, person.faults
    here = (person.site.url, "data:", "blob:")

    def read(line: ConsoleMessage) -> None:
        if line.type == "error" and not person.leaving:
            faults.append(line.text)

    page.on("console", read)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("response", lambda got: faults.append(got.url) if got.status >= 400 else None)
    page.on("request", lambda ask: None if ask.url.startswith(here) else faults.append(ask.url))
