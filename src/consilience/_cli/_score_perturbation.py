"""``consilience score-perturbation PREDICTION MEASURED``: a prediction held against the experiment that came later."""

from __future__ import annotations

from typing import Any

from consilience._cli._picture import drawing
from consilience._cli._shapley import table_of
from consilience._cli._verb import run_verb, said_as_options, target

__all__ = ["command"]

NEEDS = "perturbation, outcome and change (se), or perturbation, outcome, condition and value"


def command(
    *,
    prediction: str,
    measured: str,
    picture: str | None,
    output: str | None,
    as_json_text: bool,
    **options: Any,
) -> int:
    from consilience._results import load

    drawn = drawing(picture)
    target(output, [prediction, measured], option="--output")
    with said_as_options([*options], ()):
        said = load(prediction)
        later = table_of(measured, needs=NEEDS)

    return run_verb(
        "score_perturbation",
        [],
        lambda _systems: ((said, later), {}),
        reading={},
        options=options,
        output=output,
        as_json_text=as_json_text,
        more=drawn,
    )
