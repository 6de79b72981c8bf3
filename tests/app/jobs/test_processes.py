"""No process is left behind, and none is killed that is not meant."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace

import psutil
import pytest

from app.jobs.processes import ROOT, ProcessName

FAMILY = """
import subprocess, sys, time
from app.jobs.processes import become_subreaper, kill_descendants
become_subreaper()
sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
spared = subprocess.Popen(sleep)
# A child that detaches: double fork, own session; its parent ends at once.
orphan = "import subprocess, sys; subprocess.Popen(%r, start_new_session=True)" % sleep
subprocess.run([sys.executable, "-c", orphan])
print(spared.pid, flush=True)
kill_descendants(spare=[spared.pid])
print("killed", flush=True)
sys.stdin.read()
"""

PARENT = """
import subprocess, sys
from app.jobs.processes import dies_with_parent
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"],
                         preexec_fn=dies_with_parent())
print(child.pid, flush=True)
sys.stdin.read()
"""


def start(code: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip


def test_a_detached_grandchild_is_killed_and_the_spared_child_is_not() -> None:
    with start(FAMILY) as family:
        assert family.stdout is not None
        spared = int(family.stdout.readline())
        assert family.stdout.readline() == "killed\n"
        below = psutil.Process(family.pid).children(recursive=True)
        assert [process.pid for process in below] == [spared]
        psutil.Process(spared).kill()


def test_a_child_dies_with_a_parent_that_is_killed() -> None:
    with start(PARENT) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
        gone, _ = psutil.wait_procs([child], timeout=5)
        assert gone == [child]


def test_a_process_is_known_by_its_name_and_known_dead_only_here() -> None:
    own = ProcessName.own()
    assert ProcessName.parse(str(own)) == own
    assert not own.known_dead()
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    gone = replace(own, pid=ended.pid)
    assert gone.known_dead()
    assert not replace(gone, machine="another").known_dead()


def test_another_process_with_a_reused_number_is_not_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as bystander:
        before = replace(ProcessName.own(), pid=bystander.pid, started=time.time() - 3600)
        assert before.known_dead()
        before.kill()
        elsewhere = replace(before, machine="another", started=time.time())
        elsewhere.kill()
        with pytest.raises(subprocess.TimeoutExpired):
            bystander.wait(0.3)
        bystander.kill()
