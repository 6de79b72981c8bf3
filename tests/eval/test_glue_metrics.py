"""GLUE's metrics: by hand, and against scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from sklearn import metrics

from eval.glue_metrics import METRICS, predictions, score_task
from trainer.data.glue import TASKS
from trainer.errors import NonFiniteError

# Ten paraphrase pairs: 4 found, 2 missed, 1 false alarm, 3 rightly refused.
TRUTH = np.array([1, 1, 1, 1, 1, 1, 0, 0, 0, 0])
PREDICTED = np.array([1, 1, 1, 1, 0, 0, 1, 0, 0, 0])


def test_accuracy_f1_and_matthews_are_what_one_counts_by_hand() -> None:
    assert METRICS["accuracy"](TRUTH, PREDICTED) == pytest.approx(7 / 10)
    # precision 4/5, recall 4/6
    assert METRICS["f1"](TRUTH, PREDICTED) == pytest.approx(2 * (4 / 5) * (4 / 6) / (4 / 5 + 4 / 6))
    # (TP TN - FP FN) / sqrt((TP+FP)(TP+FN)(TN+FP)(TN+FN))
    by_hand = (4 * 3 - 1 * 2) / np.sqrt(5 * 6 * 4 * 5)
    assert METRICS["matthews"](TRUTH, PREDICTED) == pytest.approx(by_hand)


def test_pearson_and_spearman_are_what_one_counts_by_hand() -> None:
    truth, predicted = np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 3.0, 2.0, 8.0])
    # deviations (-1.5, -0.5, 0.5, 1.5) and (-2.5, -0.5, -1.5, 4.5): 10 / sqrt(5 * 29)
    assert METRICS["pearson"](truth, predicted) == pytest.approx(10 / np.sqrt(5 * 29))
    # one swap of neighbours: 1 - 6 * (0 + 1 + 1 + 0) / (4 * 15)
    assert METRICS["spearman"](truth, predicted) == pytest.approx(0.8)


labels = arrays(np.int64, 12, elements=st.integers(0, 1))


@given(labels, labels)
def test_labels_are_scored_as_scikit_learn_scores_them(
    truth: NDArray[np.int64], predicted: NDArray[np.int64]
) -> None:
    expected = {
        "accuracy": metrics.accuracy_score(truth, predicted),
        "f1": metrics.f1_score(truth, predicted, zero_division=0.0),
    }
    if len(set(truth) | set(predicted)) > 1:  # scikit-learn warns about a single label
        expected["matthews"] = metrics.matthews_corrcoef(truth, predicted)
    for name, value in expected.items():
        assert METRICS[name](truth, predicted) == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize("name", METRICS)
def test_a_stack_of_columns_is_scored_as_each_alone(name: str) -> None:
    rng = np.random.default_rng(0)
    truth, predicted = rng.integers(2, size=(2, 5, 20))
    alone = [METRICS[name](t, p) for t, p in zip(truth, predicted, strict=True)]
    assert METRICS[name](truth, predicted) == pytest.approx(alone)


@pytest.mark.parametrize("name", ["f1", "matthews", "pearson", "spearman"])
def test_constant_predictions_tell_nothing(name: str) -> None:
    assert METRICS[name](TRUTH, np.zeros(10, dtype=int)) == 0


@pytest.mark.parametrize("name", ["matthews", "pearson", "spearman"])
def test_what_is_no_number_is_refused_and_never_scored_as_nothing(name: str) -> None:
    for wrong in (np.nan, np.inf):
        if name == "spearman" and wrong == np.inf:
            continue  # it has a rank
        with pytest.raises(NonFiniteError, match="NaN or Inf"):
            METRICS[name](np.array([wrong, 1.0, 0.0]), np.array([0.0, 1.0, 0.0]))


def test_a_single_row_correlates_with_nothing() -> None:
    assert METRICS["pearson"](np.array([2.0]), np.array([3.0])) == 0
    assert METRICS["matthews"](np.array([[1], [0]]), np.array([[1], [1]])).tolist() == [0, 0]


@pytest.mark.parametrize(("task", "width"), [("sst2", 2), ("stsb", 1)])
def test_outputs_of_a_run_that_diverged_are_no_predictions(task: str, width: int) -> None:
    outputs = np.ones((3, width), dtype=np.float32)
    outputs[1, -1] = np.nan
    with pytest.raises(NonFiniteError, match="row 2 .*nan.*lower learning rate"):
        predictions(TASKS[task], outputs)


def test_every_task_has_its_own_metrics_with_intervals() -> None:
    assert {name: task.metrics for name, task in TASKS.items()} == {
        "cola": ("matthews",), "sst2": ("accuracy",), "mrpc": ("accuracy", "f1"),
        "qqp": ("accuracy", "f1"), "stsb": ("pearson", "spearman"), "mnli": ("accuracy",),
        "qnli": ("accuracy",), "rte": ("accuracy",), "demo": ("accuracy",),
    }  # fmt: skip
    scores = score_task(TASKS["mrpc"], TRUTH, PREDICTED)
    assert list(scores) == ["accuracy", "f1"]
    found = scores["accuracy"]
    assert found.low is not None and found.high is not None
    # a binomial share of 7 in 10 has a standard deviation of 0.145
    assert (found.low, found.high) == pytest.approx((0.4, 1.0), abs=0.1)
    assert (found.n, found.resampled) == (10, "rows")


def test_a_classifier_predicts_its_largest_output_and_a_regression_stays_in_range() -> None:
    outputs = np.array([[0.1, 0.9], [2.0, -1.0]])
    assert predictions(TASKS["sst2"], outputs).tolist() == [1, 0]
    assert predictions(TASKS["stsb"], np.array([[-0.2], [5.3], [2.5]])).tolist() == [0, 5, 2.5]
