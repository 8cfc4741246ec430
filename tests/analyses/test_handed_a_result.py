"""Every verb that is handed a result where data are meant says what to hand on, through one door."""

from __future__ import annotations

import inspect
import warnings

import numpy as np
import pytest

import consilience as cs
from consilience import analyses

RNG = np.random.default_rng(0)
IDS = [f"s{i}" for i in range(12)]


def made(n_units=6):
    return cs.responses(RNG.normal(size=(12, n_units)), stimulus=IDS)


A, B = made(), made()
RECORDING = cs.Recording(spikes=[[0.1, 0.2]], observed=cs.Intervals([0], [1]))
RDM = cs.rdm_data(cs.measures.rdm(A.values)[None], stimulus=IDS)
PLACED = A.assign_coords(x=("unit", np.arange(6.0)))
MOVING = cs.responses(
    RNG.normal(size=(12, 2, 6)), stimulus=IDS, time=[0.0, 0.1], dims=("trial", "time", "unit")
)

REDUCTION = cs.reduce(MOVING, cs.models.PCA(1), cv=0, n_boot=0, n_perm=0, rng=0)

# verb -> the name of the argument in the message -> the call with a result there
CALLS = {
    "compare": {
        "a": lambda r: cs.compare(r, B),
        "b['q']": lambda r: cs.compare(A, {"q": r}),
        "baseline[0]": lambda r: cs.compare({"a": A}, B, baseline={0: r}),
        "baseline[0]['a']": lambda r: cs.compare({"a": A}, B, baseline={0: {"a": r}}),
    },
    "rdms": {"systems": cs.rdms, "systems['q']": lambda r: cs.rdms({"q": r})},
    "psth": {"data": cs.psth},
    "rdm_movie": {
        "data": cs.rdm_movie,
        "models": lambda r: cs.rdm_movie(MOVING, models=r),
        "models['q']": lambda r: cs.rdm_movie(MOVING, models={"q": r}),
    },
    "searchlight": {
        "data": lambda r: cs.searchlight(r, RDM, radius=2),
        "target": lambda r: cs.searchlight(PLACED, r, radius=2),
    },
    "evaluate_models": {
        "models": lambda r: cs.evaluate_models(r, RDM),
        "models['q']": lambda r: cs.evaluate_models({"q": r}, RDM),
        "models['fixed']": lambda r: cs.evaluate_models({"fixed": cs.models.FixedRDM(r)}, RDM),
        "models['sum']['q']": lambda r: cs.evaluate_models(
            {"sum": cs.models.WeightedRDM({"q": r, "d": RDM})}, RDM
        ),
        "data": lambda r: cs.evaluate_models({"d": RDM}, r),
        "data['s1']": lambda r: cs.evaluate_models({"d": RDM}, {"s1": r}),
    },
    "partition": {
        "data": lambda r: cs.partition(r, {"d": RDM}),
        "models": lambda r: cs.partition(RDM, r),
        "models['q']": lambda r: cs.partition(RDM, {"q": r}),
    },
    "shape_space": {
        "systems": cs.shape_space,
        "systems['c']": lambda r: cs.shape_space({"a": A, "b": B, "c": r}),
    },
    "encode": {
        "x": lambda r: cs.encode(r, A),
        "x['q']": lambda r: cs.encode({"b": B, "q": r}, A),
        "y": lambda r: cs.encode(A, r),
    },
    "decode": {"data": lambda r: cs.decode(r, target="stimulus")},
    "ablate": {"data": lambda r: cs.ablate(r, target="stimulus")},
    "attribute": {"units": lambda r: cs.attribute(r, np.zeros((2, 3)))},
    "interchange": {"net": lambda r: cs.interchange(r, A, B, "0", {}, expected=[])},
    "patch": {"net": lambda r: cs.patch(r, A, B, "0")},
    "robustness": {"net": lambda r: cs.robustness(r, "0", stimuli=A)},
    "shapley": {"game": cs.shapley},
    "synthesize": {"units": cs.synthesize},
    "predict_perturbation": {
        "data": lambda r: cs.predict_perturbation(r, "stimulus", sets={"first": [0]}),
    },
    "exemplars": {"data": cs.exemplars},
    "characterize": {"data": cs.characterize},
    "receptive_field": {"responses": lambda r: cs.receptive_field(r, np.zeros((12, 3)))},
    "unit_report": {"system": cs.unit_report},
    "dimensionality": {"data": cs.dimensionality},
    "quality": {"data": cs.quality, "trials": lambda r: cs.quality(RECORDING, trials=r)},
    "project": {"data": lambda r: cs.project(REDUCTION, r)},
    "reduce": {"data": cs.reduce},
    "structure": {"data": cs.structure},
    "subspaces": {"a": lambda r: cs.subspaces(r, A), "b": lambda r: cs.subspaces(A, r)},
    "geometry": {
        "data": lambda r: cs.geometry(r, by="stimulus"),
        "data['q']": lambda r: cs.geometry({"q": r}, by="stimulus"),
    },
    "select_units": {"data": lambda r: cs.select_units(r, by={"reliability": 0.1})},
    "influence": {"a": lambda r: cs.influence(r, A), "b['q']": lambda r: cs.influence(A, {"q": r})},
    "equivalence": {
        "models": lambda r: cs.equivalence(r, {"a": A, "b": B}, margin=0.1),
        "models['q']": lambda r: cs.equivalence({"q": r}, {"a": A, "b": B}, margin=0.1),
        "animals": lambda r: cs.equivalence(A, r, margin=0.1),
        "animals['q']": lambda r: cs.equivalence(A, {"b": B, "q": r}, margin=0.1),
    },
    "deciding_stimuli": {
        "first": lambda r: cs.deciding_stimuli(r, A, B),
        "second": lambda r: cs.deciding_stimuli(A, r, B),
        "b": lambda r: cs.deciding_stimuli(A, B, r),
    },
}
# where RDMs would not do, so that to_rdm_data would not help, and what would
OF_RESPONSES = {
    ("encode", "x"),
    ("encode", "x['q']"),
    ("encode", "y"),
    ("decode", "data"),
    ("psth", "data"),
    ("project", "data"),
    ("reduce", "data"),
    ("structure", "data"),
    ("subspaces", "a"),
    ("subspaces", "b"),
    ("ablate", "data"),
    ("predict_perturbation", "data"),
    ("exemplars", "data"),
    ("characterize", "data"),
    ("receptive_field", "responses"),
    ("unit_report", "system"),
    ("rdm_movie", "data"),
} | {("searchlight", "data")}
WANTED = dict.fromkeys(OF_RESPONSES, "responses") | {
    ("dimensionality", "data"): "responses, or a mapping of them",
    ("geometry", "data"): "responses, or a mapping of them",
    ("geometry", "data['q']"): "responses, or a mapping of them",
    ("quality", "data"): "a recording or responses",
    ("attribute", "units"): "units of a network",
    ("synthesize", "units"): "units of a network",
    ("interchange", "net"): "a network",
    ("patch", "net"): "a network",
    ("robustness", "net"): "a network",
    ("shapley", "game"): "a network, a function of coalitions or lesions",
}
# say why tables of lesions do not join; takes a prediction
OTHERS = {"score_perturbation", "selectivity_impact"}
PLACES = [(verb, name) for verb, calls in CALLS.items() for name in calls]


@pytest.fixture(scope="module")
def results():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cs.ConsilienceWarning)
        return cs.rdms({"V1": A, "IT": B}, n_boot=0), cs.compare(A, B, n_boot=0, n_perm=0)


def test_no_verb_is_left_out():
    verbs = {name for name in analyses.__all__ if inspect.isfunction(getattr(analyses, name))}
    assert set(CALLS) == verbs - OTHERS


@pytest.mark.parametrize(("verb", "name"), PLACES)
def test_a_result_is_refused_by_the_verb_that_was_called(results, verb, name):
    rdms, other = results
    with pytest.raises(cs.InputError) as error:
        CALLS[verb][name](rdms)
    text = str(error.value)
    assert error.value.code == "not-responses"
    assert text.startswith(f"cs.{verb}: {name} is a result ")
    if (verb, name) in WANTED:
        assert f"(RDMs), and not data; give {WANTED[verb, name]}, such as" in text
    else:
        assert "of cs.rdms; hand its RDMs on with .to_rdm_data(), a mapping {system: RDM data}" in text
    with pytest.raises(cs.InputError) as error:
        CALLS[verb][name](other)
    assert error.value.code == "not-responses"
    assert str(error.value).startswith(f"cs.{verb}: {name} is a result (Comparison), and not data; give ")


@pytest.mark.filterwarnings("ignore::consilience.ConsilienceWarning")
def test_what_the_message_says_works(results):
    rdms, _ = results
    given = rdms.to_rdm_data()
    found = cs.compare(given["V1"], given, n_boot=0, n_perm=0)
    assert found.data["b"].values.tolist() == ["V1", "IT"]
    assert float(found.data["value"].sel(b="V1").squeeze()) == pytest.approx(1)
