"""Checks that a figure is a plain SVG drawing before it is stored: it runs nothing and loads nothing (SVG 1.1)."""

import re
from collections.abc import Iterator
from xml.etree import ElementTree

from primeflow_core.errors import DataError

ACTIVE = ("script", "foreignobject", "iframe", "object", "embed", "audio", "video", "set", "animate", "handler")
INSIDE = ("#", "data:image/png;", "data:image/jpeg;")
_POINTER = re.compile(r"url\(\s*['\"]?\s*(?!#)|@import", re.IGNORECASE)


def check_svg(text: str, name: str) -> None:
    """Raises DataError, with the figure's ``name``, for text that is not an SVG, or runs or fetches something."""
    if "<!ENTITY" in text:
        raise DataError(_refusal(name, "defines entities"))
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError) as error:
        raise DataError(_refusal(name, f"cannot be read as SVG ({error})")) from error
    if _local(root.tag) != "svg":
        raise DataError(_refusal(name, f"is a <{_local(root.tag)}>, not an SVG"))
    for element in root.iter():
        for problem in _problems(element):
            raise DataError(_refusal(name, problem))


def _problems(element: ElementTree.Element) -> Iterator[str]:
    tag = _local(element.tag)
    if tag in ACTIVE:
        yield f"holds <{tag}>"
    if _POINTER.search(element.text or "") and tag == "style":
        yield "fetches a style from elsewhere"
    for attribute, value in element.attrib.items():
        short = _local(attribute)
        if short.startswith("on"):
            yield f"runs something ({short})"
        if short in ("href", "src") and not value.strip().lower().startswith(INSIDE):
            yield "refers to something outside itself"
        if _POINTER.search(value):
            yield "refers to something outside itself"


def _local(name: str) -> str:
    """A tag or attribute in lower case without its namespace."""
    return str(name).rpartition("}")[2].lower()


def _refusal(name: str, problem: str) -> str:
    return f"The figure {name!r} {problem}, so it was not kept. Draw it again, or leave it out of the report."
