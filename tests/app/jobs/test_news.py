"""What of a program's rows reaches the store."""

from __future__ import annotations

from typing import Any

from app.jobs.news import News


def progress(step: int) -> dict[str, Any]:
    return {"kind": "progress", "step": step, "total": 100, "phase": "dash"}


def test_progress_is_told_once_a_second_and_the_newest_wins() -> None:
    news = News(checkpoint=0)
    told = []
    for tenth in range(31):
        now = tenth / 10
        news.add([progress(tenth)], now)
        _, events = news.pending(now)
        if events:
            news.stored(now, events)
            told.append(events[-1][1]["step"])
    assert told == [0, 10, 20, 30]


def test_everything_else_is_told_at_once_and_in_order() -> None:
    news = News(checkpoint=0)
    news.add([progress(1)], 0.0)
    news.stored(0.0, news.pending(0.0)[1])
    news.add([{"kind": "launch", "layers": 3}, progress(2), {"kind": "preview", "step": 2}], 0.1)
    assert [kind for kind, _ in news.pending(0.1)[1]] == ["launch", "preview"]
    assert [kind for kind, _ in news.pending(0.1, last=True)[1]] == [
        "launch", "preview", "progress"]  # fmt: skip


def test_only_a_checkpoint_beyond_the_last_one_clears_the_job_of_blame() -> None:
    news = News(checkpoint=20)
    news.add([{"kind": "checkpoint", "step": 20}], 0.0)
    assert "fruitless" not in news.pending(0.0)[0]
    news.add([{"kind": "checkpoint", "step": 21}], 0.0)
    assert news.pending(0.0)[0] == {"checkpoint": 21, "fruitless": 0}


def test_finished_parts_clear_a_job_of_blame_as_a_checkpoint_does() -> None:
    news = News(checkpoint=0)
    news.add([{"kind": "kept", "step": 4}], 0.0)
    assert news.pending(0.0) == ({"checkpoint": 4, "fruitless": 0}, [("kept", {"step": 4})])


def test_time_left_is_at_the_rate_of_this_attempt() -> None:
    news = News(checkpoint=0)
    news.add([progress(40)], 0.0)  # resumed at 40
    assert news.pending(0.0)[0]["eta_seconds"] is None
    news.add([progress(60)], 10.0)  # 2 steps a second, 40 left
    assert news.pending(10.0)[0]["eta_seconds"] == 20.0


def test_time_left_to_draw_does_not_count_the_time_of_training() -> None:
    news = News(checkpoint=0)
    news.add([progress(1)], 0.0)
    news.add([{"kind": "progress", "step": 0, "total": 30, "phase": "draw"}], 500.0)
    assert news.pending(500.0)[0]["eta_seconds"] is None
    news.add([{"kind": "progress", "step": 10, "total": 30, "phase": "draw"}], 505.0)
    assert news.pending(505.0)[0]["eta_seconds"] == 10.0


def test_what_comes_after_the_last_step_is_in_the_time_left() -> None:
    news = News(checkpoint=0)
    news.add([{**progress(0), "after": 50.0}], 0.0)
    assert news.pending(0.0)[0]["eta_seconds"] is None
    news.add([{**progress(20), "after": 50.0}], 10.0)
    assert news.pending(10.0)[0]["eta_seconds"] == 40.0 + 50.0


def test_a_finished_training_keeps_its_steps_while_it_is_scored() -> None:
    news = News(checkpoint=0)
    drawn = {"kind": "progress", "step": 30, "total": 3480, "phase": "draw", "apart": True}
    news.add([progress(100), {**drawn, "step": 0}], 0.0)  # read at once: neither is lost
    values, events = news.pending(0.0)
    assert (values["step"], values["total_steps"]) == (100, 100)
    assert events[-1][1]["total"] == 3480
    news.stored(0.0, events)
    news.add([drawn], 10.0)
    values, _ = news.pending(10.0)
    assert (values["step"], values["total_steps"]) == (100, 100)
    assert values["eta_seconds"] == 1150.0


def test_an_attempt_that_only_scores_says_nothing_of_steps() -> None:
    news = News(checkpoint=0)
    news.add([{**progress(1), "phase": "draw", "apart": True}], 0.0)
    assert news.pending(0.0)[0] == {"eta_seconds": None}


def test_what_was_not_stored_is_told_again() -> None:
    news = News(checkpoint=0)
    news.add([{"kind": "run", "run": "duck-1"}, progress(1)], 0.0)
    assert news.pending(0.0) == news.pending(0.0)
    assert news.pending(0.0)[0]["run"] == "duck-1"


def test_a_row_with_nonsense_for_a_number_does_no_harm() -> None:
    news = News(checkpoint=0)
    news.add([{"kind": "progress", "step": "many"}, {"kind": "checkpoint"}], 0.0)
    assert news.pending(0.0)[0]["step"] == 0
