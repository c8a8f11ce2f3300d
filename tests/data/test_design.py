"""Which tasks a file allows, from its conditions alone."""

import pytest

from primeflow_core.data.conditions import Condition, parse_perturbations
from primeflow_core.data.design import tasks


def design(labels_of, each=100):
    return {
        Condition(parse_perturbations(label), (("cell_type", context),)): each
        for context, labels in labels_of.items()
        for label in ("control", *labels)
    }


def possible(cells_of, *others):
    return {task.name: task.options for task in tasks(cells_of, others) if task.possible}


SINGLES, PAIRS = ("A", "B", "C"), ("A+B", "A+C", "B+C")


@pytest.mark.parametrize(
    ("labels_of", "allowed"),
    [
        ({"k562": SINGLES}, {"cells"}),
        ({"k562": (*SINGLES, *PAIRS)}, {"combo", "named", "cells"}),
        ({"k562": (*SINGLES, *PAIRS[:2])}, {"named", "cells"}),
        ({"d1": ("drug",), "d2": ("drug",)}, {"transfer", "named", "cells"}),
        ({"d1": SINGLES, "d2": ("D", "E")}, {"cells"}),
        ({"d1": ("drug",)}, {"cells"}),
    ],
)
def test_the_tasks_follow_from_the_conditions(labels_of, allowed):
    assert set(possible(design(labels_of))) == allowed


def test_each_task_that_is_not_possible_says_why():
    told = {task.name: task.text for task in tasks(design({"k562": SINGLES}, each=20)) if not task.possible}
    assert told == {
        "combo": "there is no combination of perturbations",
        "transfer": "no perturbation was measured in two contexts with control cells",
        "named": "no condition could be predicted once it is held out: each has a part of its own",
        "cells": "no condition has 80 cells",
    }


def test_the_example_to_hold_out_is_one_that_a_model_can_predict():
    assert possible(design({"k562": (*SINGLES, "A+B", "A+Z")}))["named"] == ("--hold-out", "A+B")
    drug = design({"B cells": ("drug",), "T cells": ("drug",)})
    assert possible(drug)["named"] == ("--hold-out", "drug", "--covariate", "cell_type=B cells")


def test_another_column_can_tell_the_contexts_apart():
    assert possible(design({"k562": ("drug",)}), "patient", "plate")["transfer"] == (
        "--covariates", "cell_type,patient",
    )  # fmt: skip
