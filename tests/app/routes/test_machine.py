"""The machine over HTTP."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from app.studio import Studio


@pytest.mark.parametrize("name", ["nothing", "%2E%2E", "queue"])
def test_a_cache_that_is_not_there_is_not_there(
    client: TestClient, studio: Studio, name: str
) -> None:
    (studio.workspace.cache / "decompositions").mkdir()
    answer = client.delete(f"/api/caches/{name}")
    assert answer.status_code == 404
    assert client.delete("/api/caches/decompositions").status_code == 204
