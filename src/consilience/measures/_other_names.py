"""What measures are called elsewhere, for the message about a name that is not known here."""

from __future__ import annotations

from collections.abc import Iterable

from consilience._core._errors import nearest

__all__ = ["suggestion"]

_COSINE = "'rsa' as functools.partial(cs.measures.rsa, method={!r})"
# lower case, letters and digits only -> what to use here
_ELSEWHERE = {
    **dict.fromkeys(("linearcka", "ckadebiased", "debiasedcka", "unbiasedcka", "hsic"), "'cka'"),
    **dict.fromkeys(("rbfcka", "kernelcka", "ckarbf"), "functools.partial(cs.measures.cka, kernel='rbf')"),
    **dict.fromkeys(
        ("biasedcka", "ckabiased", "rv", "rvcoefficient"),
        "functools.partial(cs.measures.cka, debiased=False)",
    ),
    **dict.fromkeys(
        ("nbs", "normalizedburessimilarity", "normalisedburessimilarity"),
        "'procrustes' (in-sample: compare(held_out=False)), or 'rsa' as functools.partial(cs.measures.rsa, "
        "distance='euclidean', method='bures')",
    ),
    **dict.fromkeys(("knn", "mknn", "mutualnn", "neighbours", "neighbors", "cyclenn"), "'mutual_knn'"),
    **dict.fromkeys(
        (
            "ridge",
            "ridgecv",
            "regression",
            "linearregression",
            "encoding",
            "brainscore",
            "predictivity",
            "r2",
        ),
        "'linear_predictivity', or cs.encode for single units",
    ),
    **dict.fromkeys(
        ("pls", "plsregression", "plscv"), "'linear_predictivity', or cs.encode(model=cs.models.PLSCV())"
    ),
    **dict.fromkeys(("dcor", "dcorr", "distcorr", "distancecorr"), "'distance_correlation'"),
    **dict.fromkeys(("bures", "buressimilarity", "nuclear"), _COSINE.format("bures")),
    **dict.fromkeys(("cosinecov", "whitenedcosine", "wuc"), _COSINE.format("whitened_cosine")),
    **dict.fromkeys(("corrcov", "whitenedpearson", "whitenedcorr"), _COSINE.format("whitened_pearson")),
    **dict.fromkeys(("rdm", "rdms", "rsm", "rsatoolbox", "representationalsimilarity", "spearman"), "'rsa'"),
    **dict.fromkeys(("crossnobis", "mahalanobis"), "cs.rdms, which makes such RDMs for cs.compare"),
    **dict.fromkeys(("softmatching", "softmatchingdistance"), "'soft_match'"),
    **dict.fromkeys(("permutation", "hungarian", "onetoonematching", "assignment"), "'one_to_one'"),
    **dict.fromkeys(
        ("procrustesdistance", "angular", "angulardistance", "riemannian", "shapemetric", "netrep"),
        "'procrustes' (as a distance: cs.measures.shape_distance)",
    ),
    **dict.fromkeys(("orthogonalprocrustes", "procrustessimilarity", "alignment"), "'procrustes'"),
    **dict.fromkeys(("meancca", "canonicalcorrelation", "r2cca"), "'cca'"),
    **dict.fromkeys(("kcca", "kernelcca"), "'kernel_cca'"),
    **dict.fromkeys(("projectionweightedcca", "pwccadistance"), "'pwcca'"),
}
# functions of cs.measures that `compare` does not take
_NO_MEASURE = {
    bare: f"cs.measures.{name}"
    for name in ("stochastic_shape_distance", "stochastic_shape_interval", "stochastic_shape_floor")
    for bare in (name.replace("_", ""),)
} | dict.fromkeys(("stochasticshape", "stochasticshapes", "ssd"), "cs.measures.stochastic_shape_distance")
# what is not here -> the nearest that is
_NOT_HERE = {
    **dict.fromkeys(
        ("semimatch", "semimatching", "semimatchingcorrelation"),
        "'soft_match', which shares the units of both sides out ('linear_predictivity' fits each unit freely)",
    ),
    **dict.fromkeys(("jaccard", "jaccardsimilarity", "jaccardindex", "knnjaccard"), "'mutual_knn'"),
}


def suggestion(name: str, known: Iterable[str]) -> str:
    """The measure meant by a name that is not known: the nearest here, or what another package calls so."""
    listed = list(known)
    bare = "".join(c for c in name.lower() if c.isalnum())
    for own in listed:
        if own.replace("_", "") == bare:
            return f" Did you mean {own!r}?"
    if bare in _ELSEWHERE:
        return f" Here that is {_ELSEWHERE[bare]}."
    if bare in _NOT_HERE:
        return f" It is not there; the nearest is {_NOT_HERE[bare]}."
    if bare in _NO_MEASURE:
        return f" It needs single trials: call {_NO_MEASURE[bare]} on arrays of (stimuli, trials, units)."
    return nearest(name, listed)
