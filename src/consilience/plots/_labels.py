"""Names as they may be shown: control characters escaped, long ones shortened, TeX delimiters inert."""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Callable, Sequence

__all__ = [
    "axis_labels",
    "harm",
    "label",
    "number",
    "probability",
    "scored",
    "shortened",
    "told_apart",
    "visible",
]

_HIDDEN = ("Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp")
_ERRORS = ("loss", "cross-entropy", "mean squared error", "circular_error")  # lower is better
_JOINERS = "\u200c\u200d"  # they shape Persian and Indic words and emoji, and can hide nothing


def visible(text: object, *, keep: str = "") -> str:
    r"""Text with every control, format and unassigned character written as an escape (``\n``, ``\x1b``,
    ``\u202e``).

    >>> visible("a\x00b\nc")
    'a\\x00b\\nc'
    """
    return "".join(
        c if c in keep or c in _JOINERS or unicodedata.category(c) not in _HIDDEN else _escape(c)
        for c in str(text)
    )


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def shortened(text: str, limit: int) -> str:
    """At most ``limit`` characters; the middle goes, because layer names tell their difference at the end.

    >>> shortened("encoder.block.11.attention.output", 15)
    'encoder….output'
    """
    if len(text) <= limit:
        return text
    head = (limit - 1) // 2
    return f"{text[:head]}…{text[len(text) - (limit - 1 - head) :]}"


def label(text: object, limit: int = 28) -> str:
    r"""A name as a figure shows it. ``$`` cannot open TeX; a character that the figure's font lacks becomes
    ``□``.

    >>> label("$\\frac{1}{2}$")
    '\\$\\frac{1}{2}\\$'
    """
    from consilience.plots._style import drawing_svg

    raw = str(text)
    raw = raw if len(raw) <= 4 * limit + 8 else raw[: 2 * limit] + "…" + raw[-2 * limit :]
    clean = shortened(visible(raw), limit)
    if not drawing_svg():  # a browser finds another font for them
        clean = "".join(c if c in _glyphs() or ord(c) < 128 else "" if c in _JOINERS else "□" for c in clean)
    return clean.replace("$", r"\$")


@functools.cache
def _glyphs() -> frozenset[str]:
    from matplotlib import font_manager

    path = font_manager.findfont("DejaVu Sans")
    return frozenset(map(chr, font_manager.get_font(path).get_charmap()))


def harm(score: object, limit: int = 24) -> str:
    """What a lesion costs, in words: of an error the rise.

    >>> harm("accuracy"), harm("circular_error")
    ('loss of accuracy', 'rise of circular error (rad)')
    """
    return f"{'rise' if score in _ERRORS else 'loss'} of {label(scored(score), limit)}"


def scored(score: object) -> str:
    """The name of a score as text, with its unit.

    >>> scored("balanced_accuracy"), scored("circular_error")
    ('balanced accuracy', 'circular error (rad)')
    """
    return str(score).replace("_", " ") + (" (rad)" if score == "circular_error" else "")


def told_apart(names: Sequence[object], limit: int = 28) -> list[str]:
    """A `label` of each name; what all share at start and end goes where the short forms would read alike.

    >>> told_apart(["a long name, number 1, by night", "a long name, number 2, by night"], 12)
    ['…1…', '…2…']
    """
    words = [label(name, limit) for name in names]
    texts = [str(name)[:1000] for name in names]
    if len(set(words)) == len(set(texts)):
        return words
    head = _shared(texts)
    tail = _shared([text[head:][::-1] for text in texts])
    start, end = "…" * (head > 0), "…" * (tail > 0)
    middles = [text[head : len(text) - tail] for text in texts]
    return [label(f"{start}{middle}{end}" if middle else "…", limit) for middle in middles]


def _shared(texts: Sequence[str]) -> int:
    """How many first characters all texts share."""
    one, other = min(texts), max(texts)  # those that differ first
    return next((k for k, (x, y) in enumerate(zip(one, other)) if x != y), min(len(one), len(other)))


def axis_labels(names: list[object], *, most: int = 40, limit: int = 22) -> tuple[list[int], list[str]]:
    """Positions and labels of at most ``most`` ticks, evenly thinned, first one always shown.

    >>> axis_labels(["conv1", "conv2", "conv3"], most=2)
    ([0, 2], ['conv1', 'conv3'])
    """
    step = max(1, -(-len(names) // most))
    places = list(range(0, len(names), step))
    every = told_apart(names, limit)
    return places, [every[i] for i in places]


def number(value: float, digits: int = 2) -> str:
    """``0.42``, ``−0.03``; an en dash for what does not exist.

    >>> number(-0.031), number(float("nan"))
    ('−0.03', '–')
    """
    if value != value:
        return "–"
    text = f"{value:.{digits}f}" if abs(value) < 1e4 else f"{value:.{digits + 1}g}"
    if float(text) == 0:
        text = text.lstrip("-")
    return text.replace("-", "−")


def probability(p: float) -> str:
    """``p = 0.012`` or ``p < 0.001``.

    >>> probability(0.0004), probability(0.0123)
    ('p < 0.001', 'p = 0.012')
    """
    if p != p:
        return ""
    if p < 0.00095:
        return "p < 0.001"
    return f"p = {p:.2g}" if p < 0.1 else f"p = {p:.2f}"


def interval_text(low: float, high: float, format: Callable[[float], str] = number) -> str:
    return f"[{format(low)}, {format(high)}]" if low == low and high == high else ""
