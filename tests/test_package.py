"""What importing loads, and what every public name says of itself."""

import doctest
import importlib
import inspect
import subprocess
import sys

import pytest

import consilience as cs

HEAVY = ["torch", "xarray", "pandas", "scipy", "sklearn", "matplotlib", "dask", "h5py", "rich", "jinja2"]


def test_import_loads_nothing_heavy():
    code = f"import sys, consilience; print(' '.join(m for m in {HEAVY!r} if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert not loaded, (
        f"`import consilience` loads {', '.join(loaded)}: import it inside the function that needs it, "
        "or name the public object in consilience/__init__.py instead of importing it there"
    )


def test_measures_load_neither_torch_nor_labels():
    heavy = ["torch", "xarray", "pandas", "matplotlib", "dask"]
    code = f"import sys, consilience.measures; print(' '.join(m for m in {heavy!r} if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not done.stdout.split(), f"consilience.measures loads {done.stdout}: measures know arrays only"


def test_every_public_name_resolves_and_a_typo_gets_a_hint():
    for name in cs.__all__:
        assert getattr(cs, name) is not None
    assert set(cs.__all__) <= set(dir(cs))
    with pytest.raises(AttributeError, match="Did you mean 'compare'"):
        _ = cs.compere


@pytest.mark.parametrize(
    ("word", "name"), [("lesion", "ablate"), ("activation_patching", "patch"), ("saliency", "attribute")]
)
def test_words_of_the_field_lead_to_the_name(word, name):
    with pytest.raises(AttributeError, match=f"Did you mean '{name}'"):
        getattr(cs, word)


def test_every_name_that_other_words_lead_to_exists():
    from consilience import _OTHER_WORDS

    assert set(_OTHER_WORDS.values()) <= set(cs.__all__)
    from consilience.models import _OTHER_WORDS as of_models

    assert set(of_models.values()) <= set(cs.models.__all__)
    with pytest.raises(AttributeError, match="Did you mean 'dimensionality'"):
        cs.participation_ratio  # noqa: B018
    with pytest.raises(AttributeError, match="Did you mean 'CP'"):
        cs.models.TCA  # noqa: B018
    with pytest.raises(AttributeError, match="Did you mean 'DPCA'"):
        cs.models.dPCA  # noqa: B018


def public():
    found = {f"cs.{n}": getattr(cs, n) for n in cs.__all__ if callable(getattr(cs, n))}
    for package in ("measures", "testing"):
        module = importlib.import_module(f"consilience.{package}")
        found |= {
            f"cs.{package}.{n}": getattr(module, n) for n in module.__all__ if callable(getattr(module, n))
        }
    return found


PUBLIC = public()
# contracts and records: described, but nothing to run on their own
WITHOUT_EXAMPLE = {
    "cs.Best",
    "cs.Comparison",
    "cs.RDMs",
    "cs.measures.StochasticFloor",
    "cs.measures.StochasticInterval",
    "cs.measures.MeanShape",
    "cs.ShapeSpace",
    "cs.Agreement",
    "cs.Contrasts",
    "cs.DecidingStimuli",
    "cs.Equivalence",
    "cs.Influence",
    "cs.PerturbationScore",
    "cs.PredictedPerturbation",
    "cs.ModelEvaluation",
    "cs.PSTH",
    "cs.Patching",
    "cs.Interchange",
    "cs.Robustness",
    "cs.Shapley",
    "cs.RDMMovie",
    "cs.Searchlight",
    "cs.Synthesis",
    "cs.Attribution",
    "cs.ConsilienceError",
    "cs.ConsilienceWarning",
    "cs.InputError",
    "cs.load",
    "cs.testing.CheckError",
    "cs.testing.CheckRow",
    "cs.testing.every_measure",
    *(f"cs.measures.{n}" for n in ("Claims", "Measure", "PairParts", "PredictionParts", "Predictions")),
    *(f"cs.measures.{n}" for n in ("SubsampleParts", "as_measure", "claims", "measure", "names")),
}


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_has_a_docstring_with_an_example(name):
    text = inspect.getdoc(PUBLIC[name]) or ""
    assert len(text.split()) > 4, f"{name} needs a docstring"
    assert name in WITHOUT_EXAMPLE or ">>>" in text, f"{name} needs an Examples section"


@pytest.mark.parametrize("name", [n for n in PUBLIC if n.startswith(("cs.measures.", "cs.testing."))])
def test_examples_run(name):
    tests = [t for t in doctest.DocTestFinder(recurse=False).find(PUBLIC[name], name, globs={}) if t.examples]
    for test in tests:
        assert doctest.DocTestRunner(verbose=False).run(test).failed == 0


@pytest.mark.parametrize(
    "name", ["rsa", "cka", "cca", "svcca", "procrustes", "linear_predictivity", "rdm", "compare_rdms"]
)
def test_a_measure_documents_shapes_errors_and_its_source(name):
    text = inspect.getdoc(getattr(cs.measures, name))
    for section in ("Parameters", "Returns", "Raises", "References", "Examples"):
        assert f"{section}\n---" in text, f"{name}: no section {section}"
