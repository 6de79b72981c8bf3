"""`launch.py` behind a stand-in for the tunnel, telling which routes it serves.

The real tunnel is a program of others on a machine of others; what is behind it is ours.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import gradio.networking
from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute, Mount

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import launch


def routes_of(routes: Sequence[BaseRoute], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Method and path of every route, those of included and mounted apps too."""
    for found in iter_route_contexts(routes):
        if isinstance(found.original_route, Mount):
            mount = found.original_route
            yield from routes_of(mount.routes, prefix + mount.path)
        else:
            yield from ((method, f"{prefix}{found.path}") for method in found.methods or ())


def serve_and_tell(*arguments: Any) -> Any:
    page = serve(*arguments)
    listed = sorted(set(routes_of(page.app.routes)))
    (arguments[1].root / "routes.json").write_text(json.dumps(listed))
    return page


serve = launch.serve
launch.serve = serve_and_tell
gradio.networking.setup_tunnel = lambda **_: "https://stand-in.example"
sys.exit(launch.main())
