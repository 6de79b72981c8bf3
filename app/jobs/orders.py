"""What a worker tells the supervisor that it starts: one line of JSON on its standard input."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from app.jobs.policy import Policy


@dataclass(frozen=True)
class Orders:
    """One attempt at one job."""

    workspace: str
    database: str
    job: str
    ticket: int
    worker: str
    program: str
    policy: Policy

    def to_line(self) -> str:
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def from_line(cls, line: str) -> Orders:
        values = json.loads(line)
        policy = values.pop("policy")
        retries = tuple(policy.pop("retry_seconds"))
        return cls(**values, policy=Policy(**policy, retry_seconds=retries))
