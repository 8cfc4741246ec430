"""Models: scikit-learn estimators (``__init__`` stores, ``fit`` validates, fitted names end in ``_``)."""

from __future__ import annotations

__all__: list[str] = []
