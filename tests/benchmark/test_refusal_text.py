"""Conditions that models cannot predict, told in sentences."""

from primeflow_core.benchmark.refusal_text import refusals

RECIPES = ["unet-tiny", "additive", "ridge", "cpa", "latent", "linear", "mean"]


def test_nothing_refused_is_nothing_said():
    assert refusals({}, RECIPES) == []


def test_what_every_model_refuses_is_scored_for_none():
    refused = {recipe: {"A+B": "B was never measured."} for recipe in RECIPES}
    assert refusals(refused, RECIPES) == [
        "No model can predict A+B, and none is scored on it: B was never measured."
    ]  # fmt: skip


def test_what_some_refuse_names_them_as_people_know_them():
    refused = {"additive": {"C": "no part alone.", "A+B": "why"}, "ridge": {"C": "no part alone."}}
    assert refusals(refused, RECIPES) == [
        "Sum of single effects cannot predict A+B: why",
        "Sum of single effects, Ridge cannot predict C: no part alone.",
    ]


def test_many_models_are_counted():
    refused = {recipe: {"C": "why"} for recipe in RECIPES[1:]}
    said = refusals(refused, RECIPES)[0]
    assert said == "Sum of single effects, Ridge, CPA, Latent Additive and 2 more cannot predict C: why"
