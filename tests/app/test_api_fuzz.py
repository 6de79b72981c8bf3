"""REST under schemathesis: whatever the OpenAPI allows and much that it does not, never a crash.

Bounded: some examples an operation, the same ones each time.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from app.api import build_api
from app.jobs.engine import Queue
from app.studio import Studio
from app.views import Upload
from app.workspace import Workspace
from trainer.config import ASSETS

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Iterator[schemathesis.BaseSchema]:
    """REST alone, over a studio with one subject; without the endless stream of events."""
    root = tmp_path_factory.mktemp("fuzz")
    queue = Queue(root)
    studio = Studio(Workspace(root), queue)
    photo = ASSETS / "subjects" / "duck" / "photos" / "0.png"
    studio.create_subject("Duck", "duck", uploads=[Upload("0.png", photo.read_bytes())])
    loaded = schemathesis.openapi.from_asgi("/openapi.json", build_api(studio))
    yield loaded.exclude(path="/events")
    queue.close()


def test_no_request_crashes_rest_or_is_answered_against_its_schema(
    schema: schemathesis.BaseSchema,
) -> None:
    operations = [result.ok() for result in schema.get_all_operations()]
    assert len(operations) > 40
    for operation in operations:
        _try(operation)


def _try(operation: schemathesis.APIOperation) -> None:
    @given(case=operation.as_strategy())
    @settings(
        max_examples=8,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    def no_fault(case: schemathesis.Case) -> None:
        case.call_and_validate(checks=CHECKS)

    no_fault()
