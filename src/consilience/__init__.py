"""Consilience: one workbench for the representations of artificial and biological neural networks.

Names are resolved on first use, so that ``import consilience`` loads nothing heavy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0.dev0"

# public name -> module that defines it; sub-packages are listed with their own name
_NAMES = {
    "Agreement": "consilience._results",
    "Best": "consilience._results",
    "Comparison": "consilience._results",
    "Contrasts": "consilience._results",
    "DecidingStimuli": "consilience._results",
    "Decoding": "consilience._results",
    "Encoding": "consilience._results",
    "Equivalence": "consilience._results",
    "Influence": "consilience._results",
    "ModelEvaluation": "consilience._results",
    "PSTH": "consilience._results",
    "UnitTable": "consilience._results",
    "Quality": "consilience._results",
    "RDMMovie": "consilience._results",
    "RDMs": "consilience._results",
    "ReceptiveField": "consilience._results",
    "Searchlight": "consilience._results",
    "ShapeSpace": "consilience._results",
    "Synthesis": "consilience._results",
    "VariancePartition": "consilience._results",
    "Events": "consilience._recording",
    "event_betas": "consilience._recording",
    "Intervals": "consilience._recording",
    "Recording": "consilience._recording",
    "Signal": "consilience._recording",
    "SpikeTrains": "consilience._recording",
    "Network": "consilience.networks",
    "align": "consilience._responses",
    "average": "consilience._responses",
    "baseline": "consilience._responses",
    "compare": "consilience.analyses",
    "deciding_stimuli": "consilience.analyses",
    "decode": "consilience.analyses",
    "encode": "consilience.analyses",
    "equivalence": "consilience.analyses",
    "evaluate_models": "consilience.analyses",
    "influence": "consilience.analyses",
    "load": "consilience._results",
    "partition": "consilience.analyses",
    "pseudo_population": "consilience._responses",
    "psth": "consilience.analyses",
    "characterize": "consilience.analyses",
    "quality": "consilience.analyses",
    "rdm_data": "consilience._responses",
    "rdm_movie": "consilience.analyses",
    "rdms": "consilience.analyses",
    "receptive_field": "consilience.analyses",
    "searchlight": "consilience.analyses",
    "select_units": "consilience.analyses",
    "shape_space": "consilience.analyses",
    "synthesize": "consilience.analyses",
    "from_object": "consilience.sources",
    "read": "consilience.sources",
    "record": "consilience.networks",
    "responses": "consilience._responses",
    "smooth": "consilience._responses",
    "split": "consilience._responses",
    "stimuli": "consilience._stimuli",
    "unflatten": "consilience._responses",
    "write_nwb": "consilience.sources",
    "ConsilienceError": "consilience._core._errors",
    "ConsilienceWarning": "consilience._core._errors",
    "InputError": "consilience._core._errors",
}
_PACKAGES = (
    "datasets",
    "linalg",
    "measures",
    "models",
    "networks",
    "plots",
    "report",
    "sources",
    "stats",
    "study",
    "testing",
    "units",
)

__all__ = [
    "Agreement",
    "Best",
    "Comparison",
    "ConsilienceError",
    "ConsilienceWarning",
    "Contrasts",
    "DecidingStimuli",
    "Decoding",
    "Encoding",
    "Equivalence",
    "Events",
    "Influence",
    "InputError",
    "Intervals",
    "ModelEvaluation",
    "Network",
    "PSTH",
    "UnitTable",
    "Quality",
    "RDMMovie",
    "RDMs",
    "ReceptiveField",
    "Recording",
    "Searchlight",
    "ShapeSpace",
    "Signal",
    "SpikeTrains",
    "Synthesis",
    "VariancePartition",
    "align",
    "average",
    "baseline",
    "compare",
    "datasets",
    "deciding_stimuli",
    "decode",
    "encode",
    "equivalence",
    "evaluate_models",
    "event_betas",
    "from_object",
    "influence",
    "linalg",
    "load",
    "measures",
    "models",
    "networks",
    "partition",
    "plots",
    "pseudo_population",
    "characterize",
    "psth",
    "quality",
    "rdm_data",
    "rdm_movie",
    "rdms",
    "read",
    "receptive_field",
    "record",
    "report",
    "responses",
    "select_units",
    "shape_space",
    "sources",
    "searchlight",
    "smooth",
    "split",
    "stats",
    "stimuli",
    "study",
    "synthesize",
    "testing",
    "unflatten",
    "write_nwb",
    "units",
    "__version__",
]

if TYPE_CHECKING:
    from consilience import (
        datasets,
        linalg,
        measures,
        models,
        networks,
        plots,
        report,
        sources,
        stats,
        study,
        testing,
        units,
    )
    from consilience._core._errors import ConsilienceError, ConsilienceWarning, InputError
    from consilience._recording import Events, Intervals, Recording, Signal, SpikeTrains, event_betas
    from consilience._responses import (
        align,
        average,
        baseline,
        pseudo_population,
        rdm_data,
        responses,
        smooth,
        split,
        unflatten,
    )
    from consilience._results import (
        PSTH,
        Agreement,
        Best,
        Comparison,
        Contrasts,
        DecidingStimuli,
        Decoding,
        Encoding,
        Equivalence,
        Influence,
        ModelEvaluation,
        Quality,
        RDMMovie,
        RDMs,
        ReceptiveField,
        Searchlight,
        ShapeSpace,
        Synthesis,
        UnitTable,
        VariancePartition,
        load,
    )
    from consilience._stimuli import stimuli
    from consilience.analyses import (
        characterize,
        compare,
        deciding_stimuli,
        decode,
        encode,
        equivalence,
        evaluate_models,
        influence,
        partition,
        psth,
        quality,
        rdm_movie,
        rdms,
        receptive_field,
        searchlight,
        select_units,
        shape_space,
        synthesize,
    )
    from consilience.networks import Network, record
    from consilience.sources import from_object, read, write_nwb


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        value = getattr(importlib.import_module(_NAMES[name]), name)
    elif name in _PACKAGES:
        value = importlib.import_module(f"consilience.{name}")
    else:
        from consilience._core._errors import nearest

        raise AttributeError(f"module 'consilience' has no attribute {name!r}.{nearest(name, __all__)}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
