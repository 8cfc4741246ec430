"""Models with their options, as a command takes them: ``GLM:observation=bernoulli,alpha=0.1``."""

from __future__ import annotations

from typing import Any

from consilience._cli._text import clean
from consilience._core._errors import InputError

__all__ = ["model_given"]


def model_given(text: str, *, reducing: bool = False, option: str = "--model") -> Any:
    """An estimator of `cs.models`: NAME, or NAME:OPTION=VALUE,...; of several values, joined by +, a list.
    ``reducing`` : one with latents, also by its short name.   option : which was given it, for messages.

    >>> model_given("GLM:observation=bernoulli,alpha=0.1")
    GLM(alpha=0.1, observation='bernoulli')
    >>> model_given("WienerFilter:lags=-2+0+2").lags
    [-2, 0, 2]
    """
    from consilience.study._model_text import model_of_text
    from consilience.study._verb_readers import make_model

    try:
        return make_model(model_of_text(text, reducing=reducing))
    except InputError as error:
        said = f"{option} {clean(text, 100)}: {error}"
        raise type(error)(said, code=error.code) from None
