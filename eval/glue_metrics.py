"""GLUE's metrics (Wang et al. 2019; the paper's Tables 9 and 12) on stacks of columns.

    accuracy, f1        classification; F1 of the label 1, a paraphrase
    matthews            of two labels 0 and 1, where it is their Pearson correlation
    pearson, spearman   regression

Columns are (..., n): the bootstrap asks for 2,000 resamples, for which scikit-learn's functions,
made for one column, take half a minute. Predictions that are all the same correlate with
nothing: 0, where a correlation would be undefined. What is not finite has no score: it is refused.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from eval.scores import Score, Values, score_of
from trainer.data.glue import SIMILARITY, GlueTask
from trainer.errors import NonFiniteError

Column = NDArray[Any]
"""(..., n) label indices, or numbers of a regression."""


def accuracy(truth: Column, predicted: Column) -> Values:
    """(...) share of equal labels."""
    share: Values = (truth == predicted).mean(axis=-1)
    return share


def f1(truth: Column, predicted: Column) -> Values:
    """(...) harmonic mean of precision and recall of the label 1; 0 where neither column has it."""
    found = ((truth == 1) & (predicted == 1)).sum(axis=-1)
    told = (truth == 1).sum(axis=-1) + (predicted == 1).sum(axis=-1)
    value: Values = 2 * found / np.maximum(told, 1)
    return value


def pearson(truth: Column, predicted: Column) -> Values:
    """(...) Pearson correlation; 0 where a column is constant, as one of a single row is."""
    columns = [column.astype(np.float64) for column in (truth, predicted)]
    if not all(np.isfinite(column).all() for column in columns):
        raise NonFiniteError("A column to correlate holds NaN or Inf, of which there is no score.")
    if truth.shape[-1] < 2:
        return np.zeros(truth.shape[:-1])[()]
    constant = np.logical_or(*(np.ptp(column, axis=-1) == 0 for column in columns))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.ConstantInputWarning)
        found = stats.pearsonr(*columns, axis=-1)
    correlation: Values = np.where(constant, 0.0, found.statistic)[()]
    return correlation


def spearman(truth: Column, predicted: Column) -> Values:
    """(...) Pearson correlation of ranks; ties share their mean rank."""
    return pearson(stats.rankdata(truth, axis=-1), stats.rankdata(predicted, axis=-1))


METRICS: dict[str, Callable[[Column, Column], Values]] = {
    "accuracy": accuracy,
    "f1": f1,
    "matthews": pearson,
    "pearson": pearson,
    "spearman": spearman,
}


def score_task(task: GlueTask, truth: Column, predicted: Column, seed: int = 0) -> dict[str, Score]:
    """Every metric of the task with its bootstrap interval over rows, by name; columns (n)."""
    return {name: score_of(METRICS[name], truth, predicted, seed=seed) for name in task.metrics}


def predictions(task: GlueTask, outputs: NDArray[np.float32]) -> Column:
    """(n) predictions from a classifier's outputs (n, labels); a regression's within its range.

    NonFiniteError where a row has no outputs that could be compared.
    """
    wrong = np.flatnonzero(~np.isfinite(outputs).all(axis=1))
    if len(wrong):
        raise NonFiniteError(
            f"The outputs for row {wrong[0] + 1} are {outputs[wrong[0]].tolist()}: this run has "
            "diverged and answers nothing. Train again with a lower learning rate."
        )
    if task.is_regression:
        in_range: Column = np.clip(outputs[:, 0], *SIMILARITY)
        return in_range
    largest: Column = outputs.argmax(axis=1)
    return largest
