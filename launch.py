"""`python launch.py`: the studio in a browser. Starts workers, serves page and REST, stops both.

The web process never loads torch; if it is killed, running jobs go on, and the next launch finds
them. Loopback without a password unless told otherwise; with --share or another host there is one.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from app.auth import Access, new_password
from app.jobs.database import VARIABLE as DATABASE_VARIABLE
from app.jobs.engine import Queue
from app.jobs.launched import LaunchedWorkers
from app.jobs.processes import stop_on_signals
from app.tokens import Tokens
from app.workspace import Workspace
from trainer.command_line import run_command
from trainer.errors import ConfigError

if TYPE_CHECKING:
    import gradio as gr

PASSWORD_VARIABLE = "DASHBOOTH_PASSWORD"


@dataclass(frozen=True)
class LaunchConfig:
    """Open the studio: photos in, adapters, pictures and scores out."""

    host: str = "127.0.0.1"
    """Address to listen on. Any but this machine's own (127.0.0.1) asks for a password."""
    port: int = 7860
    """Port to listen on."""
    workspace: Path = Path("workspace")
    """Folder for everything you make."""
    password: str | None = None
    """For the log-in; better in the environment as DASHBOOTH_PASSWORD, where no other user of this
    machine sees it. Unset, one is made and printed where one is needed."""
    share: bool = False
    """Also a public https address, through the tunnel of Gradio's makers."""
    slots: str = "auto"
    """Workers: auto is one a GPU, or one on the CPU; a number; none, where others do the work."""
    database: str | None = None
    """postgresql://user@host/name of a fleet; without it, a file in the workspace. With a password,
    better in the environment as DASHBOOTH_DATABASE, where no other user of this machine sees it."""


def main(arguments: Sequence[str] | None = None) -> int:
    config = tyro.cli(LaunchConfig, args=arguments, prog="launch.py")
    return run_command(lambda: launch(config))


def launch(config: LaunchConfig) -> None:
    """Serve until Ctrl-C or SIGTERM; no process is left behind."""
    _check_free(config.host, config.port)
    stop = stop_on_signals()
    workspace = Workspace(config.workspace.resolve()).make()
    password, made = _password(config)
    access = Access(Tokens(workspace), password)
    database = config.database or os.environ.get(DATABASE_VARIABLE)
    queue = Queue(workspace.root, database)
    page = serve(config, workspace, queue, access)
    print(f"Dashbooth: {page.local_url}")
    if config.share:
        print(f"Public:    {page.share_url or 'no tunnel could be opened; see the lines above'}")
    if made:
        print(f"Password:  {password}   (shown this once)")
    sys.stdout.flush()
    try:
        with LaunchedWorkers(workspace, config.slots, database):
            stop.wait()
    finally:
        page.close(verbose=False)
        queue.close()


def serve(config: LaunchConfig, workspace: Workspace, queue: Queue, access: Access) -> gr.Blocks:
    """The page and REST, up and answering; both behind the guard."""
    scratch = workspace.cache / "gradio"
    os.environ.update(
        GRADIO_ANALYTICS_ENABLED="False",
        GRADIO_TEMP_DIR=str(scratch),
        HF_HUB_DISABLE_TELEMETRY="1",
    )
    # Imported now: gradio reads its environment once.
    from starlette.middleware import Middleware
    from starlette.routing import Mount

    from app.api import build_api
    from app.guard import Guard
    from app.photos import MAX_FILE_BYTES
    from app.studio import Studio
    from app.ui import build_ui, launch_options

    studio = Studio(workspace, queue)
    page = build_ui(studio)
    shown = (workspace.subjects, workspace.runs, workspace.jobs, workspace.comparisons,
             workspace.blind)  # fmt: skip
    hosts = _names(config.host) if access.is_open else None
    page.launch(
        server_name=config.host,
        server_port=config.port,
        share=config.share,
        prevent_thread_lock=True,
        quiet=True,
        enable_monitoring=False,
        allowed_paths=list(map(str, shown)),
        blocked_paths=[str(workspace.queue)],
        max_file_size=MAX_FILE_BYTES,
        app_kwargs={
            "routes": [Mount("/api", build_api(studio))],
            "middleware": [Middleware(Guard, access, hosts, secure=config.share)],
            "docs_url": None,
            "redoc_url": None,
            "openapi_url": None,
        },
        **launch_options(),
    )
    return page


def _password(config: LaunchConfig) -> tuple[str | None, bool]:
    """The password, if one is needed or given, and whether we made it."""
    given = config.password or os.environ.get(PASSWORD_VARIABLE)
    if given or (_is_loopback(config.host) and not config.share):
        return given, False
    return new_password(), True


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _names(host: str) -> frozenset[str]:
    return frozenset({"localhost", "127.0.0.1", "::1", host})


def _check_free(host: str, port: int) -> None:
    try:
        address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(address[0]) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address[4])
    except (OSError, OverflowError) as error:
        raise ConfigError(
            f"--host {host} --port {port}: cannot listen there ({error}). If the studio runs "
            "already, open it in the browser; else give another --port."
        ) from error


if __name__ == "__main__":
    sys.exit(main())
