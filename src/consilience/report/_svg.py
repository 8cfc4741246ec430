"""matplotlib figures as inline SVG: ids that cannot collide, no metadata, the page's colours."""

from __future__ import annotations

import base64
import io
import re
import warnings
import xml.etree.ElementTree as ET
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from consilience.plots import _style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Drawings"]

_SVG, _XLINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}"
_COLORS = {
    _style.INK: "var(--ink)",
    _style.MUTED: "var(--muted)",
    _style.GRID: "var(--grid)",
    _style.PAPER: "var(--paper)",
    _style.BAND: "var(--band)",
    _style.FAINT: "var(--faint)",
    **{color: f"var(--c{i})" for i, color in enumerate(_style.PALETTE)},
}
_COLOR = re.compile("|".join(_COLORS), re.IGNORECASE)
_FONT = re.compile(r"\s*font-family:[^;]*;?")
_PIXELS = 1.36  # CSS pixels per SVG point, so that 9 pt text reads like the page's small text


class Drawings:
    """The figures of one page. Numbers them, and keeps each picture once for all that show it."""

    def __init__(self) -> None:
        self._count = 0
        self._pictures: dict[str, tuple[str, int, int]] = {}

    def svg(self, figure: Figure, words: str) -> Markup:
        """One figure as an ``<svg>`` element; ``words`` say what it shows to those who do not see it."""
        self._count += 1
        prefix = f"g{self._count}-"
        tips = _name_tips(figure)
        root = ET.fromstring(_draw(figure))
        for child in [c for c in root if c.tag.endswith("metadata")]:
            root.remove(child)
        _drop_style_sheets(root)
        box = [float(v) for v in root.get("viewBox", "0 0 1 1").split()]
        for element in root.iter():
            self._clean(element, prefix)
        for element in root.iter():
            said = tips.get(str(element.get("id", "")).removeprefix(prefix))
            if said is not None:
                element.set("class", "tip")
                title = ET.Element("title")
                title.text = said
                element.insert(0, title)
        root.attrib.clear()
        root.set("viewBox", " ".join(f"{v:g}" for v in box))
        root.set("role", "img")
        root.set("aria-label", words)
        root.set("style", f"--w:{box[2] * _PIXELS:.0f}px")
        return Markup(ET.tostring(root, encoding="unicode"))

    def pictures(self) -> Markup:
        """The hidden element that holds every picture; figures point into it."""
        if not self._pictures:
            return Markup("")
        root = ET.Element(
            "svg",
            {"class": "store", "width": "0", "height": "0", "aria-hidden": "true", "focusable": "false"},
        )
        defs = ET.SubElement(root, "defs")
        for data, (name, width, height) in self._pictures.items():
            size = {"width": str(width), "height": str(height)}
            ET.SubElement(defs, "image", {"id": name, **size, "href": data, "preserveAspectRatio": "none"})
        return Markup(ET.tostring(root, encoding="unicode"))

    def _clean(self, element: ET.Element, prefix: str) -> None:
        element.tag = element.tag.removeprefix(_SVG)
        for key, value in list(element.attrib.items()):
            if key.startswith(_XLINK):
                del element.attrib[key]
                key = key.removeprefix(_XLINK)
                element.set(key, value)
            if key == "id":
                element.set(key, prefix + value)
            elif key == "href" and value.startswith("#"):
                element.set(key, "#" + prefix + value[1:])
            elif "url(#" in value:
                element.set(key, value.replace("url(#", f"url(#{prefix}"))
            elif key == "style":
                value = _COLOR.sub(lambda m: _COLORS[m.group().lower()], _FONT.sub("", value)).replace(
                    "font-weight: 700", "font-weight: 600"
                )
                element.set(key, value.strip())
        if element.tag == "image":
            self._share(element, prefix)

    def _share(self, element: ET.Element, prefix: str) -> None:
        element.set("href", re.sub(r"\s", "", element.get("href", "")))
        element.set("preserveAspectRatio", "none")
        if not element.get("id", "").startswith(f"{prefix}thumbnail"):
            if element.get("id", "").startswith(f"{prefix}rdm"):
                element.set("class", "rdm")
            element.attrib.pop("id", None)  # several RDMs in one figure have one gid
            return
        width, height = round(float(element.get("width", 1))), round(float(element.get("height", 1)))
        name = self.share(element.get("href", ""), width, height)
        transform = element.get("transform", "")
        element.tag = "use"
        element.attrib.clear()
        element.set("href", f"#{name}")
        element.set("transform", transform)

    def share(self, href: str, width: int, height: int) -> str:
        """The id under which a picture (data URI) is stored, in its own pixels."""
        if href not in self._pictures:
            self._pictures[href] = (f"p-{sha256(href.encode()).hexdigest()[:12]}", width, height)
        return self._pictures[href][0]


def _draw(figure: Figure) -> bytes:
    stream = io.BytesIO()
    figure.patch.set_visible(False)
    with _style.style(svg=True), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"(?s)Glyph .* missing from")  # the browser has other fonts
        from matplotlib.backends.backend_svg import FigureCanvasSVG

        # not savefig, which draws twice; one drawing sets the layout too
        FigureCanvasSVG(figure).print_svg(
            stream, metadata=dict.fromkeys(("Date", "Creator", "Format", "Type"))
        )
    return stream.getvalue()


def _name_tips(figure: Figure) -> dict[str, str]:
    tips: dict[str, str] = {}
    for artist in figure.findobj():
        said = _style.tip_of(artist)
        if said is not None:
            name = f"tip{len(tips)}"
            artist.set_gid(name)
            tips[name] = said
    return tips


def _drop_style_sheets(root: ET.Element) -> None:
    """matplotlib's ``* { ... }`` would reach the whole page; its own sheet says the same for figures."""
    for parent in root.iter():
        for child in [c for c in parent if c.tag == f"{_SVG}style"]:
            parent.remove(child)


def png_uri(picture: Any) -> str:
    """A uint8 picture (y, x, 3) as a PNG data URI."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode("ascii")
