"""The verbs of a study about lesions, and about what stands for one."""

from __future__ import annotations

from consilience.study._attribution import METHODS, OF
from consilience.study._lesions import ablation_arguments, check_ablation, check_network, lay_out_lesions
from consilience.study._patch import check_patch, lay_out_patch, read_noise_on_layer, word_or_number
from consilience.study._perturbation import (
    check_perturbation,
    perturbation_arguments,
    read_act,
    read_sets,
)
from consilience.study._readers import Key, between, many, one_of, plain, read_flag, read_name, whole
from consilience.study._robustness import check_robustness
from consilience.study._verb import Side, Verb, lay_out_one
from consilience.study._verb_readers import (
    INFERENCE,
    make_model,
    or_none,
    read_gap,
    read_model,
)

__all__ = ["LESIONS"]

LESIONS: dict[str, Verb] = {
    "predict_perturbation": Verb(
        function="consilience.analyses:predict_perturbation",
        sides={
            "data": Side(alone=True, responses=True),
            "target_system": Side(alone=True, responses=True, required=False),
        },
        options={
            "target": Key(read_name),
            "numbers": Key(read_flag),
            "sets": Key(read_sets, required=True),
            "act": Key(read_act),
            "circular": Key(read_flag),
            "n_controls": Key(whole(0, 10_000)),
            "n_refits": Key(whole(0, 10_000)),
            "power": Key(between(0, 1)),
            "alpha": Key(between(0, 1)),
            "trial": Key(whole(1)),
            "time": Key(or_none(one_of("mean"))),
            "cv": Key(whole(2, 1000)),
            "groups": Key(read_name),
            "folds": Key(read_name),
            "gap": Key(read_gap),
            "standardise": Key(read_flag),
            "level": INFERENCE["level"],
        },
        labels=("target", "folds"),
        read=check_perturbation,
        arguments=perturbation_arguments,
        lay_out=lay_out_one,
    ),
    "ablate": Verb(
        function="consilience.study._lesions:ablate",
        sides={
            "data": Side(alone=True, responses=True),
            "target_system": Side(alone=True, responses=True, required=False),
        },
        options={
            "target": Key(read_name),
            "evaluate": Key(one_of("accuracy", "loss", "probability")),
            "how": Key(many(one_of("zero", "mean", "resample", "noise", "refit"))),
            "order": Key(
                many(
                    one_of(
                        "random",
                        *(
                            f"{sign}{one}"
                            for one in ("selectivity", "attribution", "impact", "greedy")
                            for sign in ("", "-")
                        ),
                    )
                )
            ),
            "parts": Key(one_of("units", "channels", "layer", "components")),
            "n_orders": Key(whole(0, 10_000)),
            "refit": Key(read_flag),
            "numbers": Key(read_flag),
            "circular": Key(read_flag),
            "model": Key(read_model),
            "cv": Key(whole(2, 1000)),
            "groups": Key(read_name),
            "folds": Key(read_name),
            "gap": Key(read_gap),
            "time": Key(or_none(one_of("mean"))),
            "score": Key(one_of("balanced_accuracy", "accuracy", "r", "circular_error")),
            "standardise": Key(read_flag),
            "n_draws": Key(whole(1, 10_000)),
            "n_deals": Key(whole(0, 1000)),
            **INFERENCE,
        },
        labels=("target", "folds"),
        made={"model": make_model},
        read=check_ablation,
        arguments=ablation_arguments,
        lay_out=lay_out_lesions,
    ),
    "selectivity_impact": Verb(
        function="consilience.study._selectivity_impact:selectivity_impact",
        sides={"data": Side(alone=True, responses=True)},
        options={
            "by": Key(read_name, required=True),
            "target": Key(read_name),
            "evaluate": Key(one_of("accuracy", "loss", "probability")),
            "selectivity": Key(one_of("class_selectivity", "d_prime", "eta_squared", "lifetime_sparseness")),
            "how": Key(many(one_of("zero", "mean", "resample", "noise"))),
            "parts": Key(one_of("units", "channels")),
            "n_splits": Key(whole(1, 10_000)),
            **INFERENCE,
        },
        labels=("by", "target"),
        lay_out=lay_out_lesions,
    ),
    "shapley": Verb(
        function="consilience.study._shapley:shapley",
        sides={"data": Side(alone=True, responses=True)},
        options={
            "target": Key(read_name),
            "evaluate": Key(one_of("accuracy", "loss", "probability")),
            "how": Key(one_of("zero", "mean", "resample", "noise")),
            "parts": Key(one_of("units", "channels", "layer", "components")),
            "precision": Key(between(0, float("inf"))),
            "budget": Key(whole(1)),
            "interactions": Key(whole(2, 1000)),
            "level": Key(between(0, 1)),
        },
        labels=("target",),
        lay_out=lay_out_lesions,
    ),
    "robustness": Verb(
        function="consilience.study._robustness:robustness",
        sides={"data": Side(responses=True)},
        options={
            "target": Key(read_name),
            "evaluate": Key(one_of("accuracy", "loss", "probability")),
            "noise": Key(one_of("gaussian", "signal-dependent", "dropout")),
            "scale": Key(one_of("unit", "layer")),
            "levels": Key(many(plain)),
            "n_draws": Key(whole(1, 10_000)),
            **INFERENCE,
        },
        labels=("target",),
        read=check_robustness,
        lay_out=lay_out_lesions,
    ),
    "attribute": Verb(
        function="consilience.study._attribution:attribute",
        sides={"data": Side(alone=True, responses=True)},
        options={
            "unit": Key(many(whole(0)), required=True),
            "of": Key(one_of(*OF)),
            "method": Key(many(one_of(*METHODS))),
            "baseline": Key(one_of("mean", "zero")),
            "steps": Key(whole(1, 100_000)),
            "n_samples": Key(whole(1, 100_000)),
            "noise": Key(between(0, 10)),
            "n_check": Key(whole(0)),
            "n_orders": Key(whole(1, 10_000)),
            "n_null": Key(whole(0, 1000)),
            "n_perm": INFERENCE["n_perm"],
            "level": INFERENCE["level"],
        },
        read=check_network,
        lay_out=lay_out_lesions,
    ),
    "patch": Verb(
        function="consilience.study._patch:patch",
        sides={
            "clean": Side(responses=True),
            "corrupted": Side(responses=True, keyword=True, required=False),
        },
        options={
            "noise": Key(read_noise_on_layer),
            "pairs": Key(read_name),
            "target": Key(read_name),
            "other": Key(read_name),
            "evaluate": Key(one_of("difference", "logit", "probability", "loss", "accuracy")),
            "direction": Key(one_of("denoise", "noise")),
            "places": Key(word_or_number("each")),
            "parts": Key(word_or_number("channels")),
            "window": Key(whole(1)),
            "n_controls": Key(whole(0, 1000)),
            "n_noise": Key(whole(1, 10_000)),
            "n_null": Key(whole(0, 1_000_000)),
            "level": INFERENCE["level"],
        },
        labels=("pairs", "target", "other"),
        read=check_patch,
        lay_out=lay_out_patch,
    ),
}
