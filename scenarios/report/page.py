"""The page: its sections in order, its head, and the stamp that says who may have it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from importlib import resources
from typing import NamedTuple

from scenarios.report import closing, faults, ledgers, opening, privacy, register
from scenarios.report.elements import Html, element, join, text
from scenarios.report.material import Material


class Section(NamedTuple):
    """A part of the page. Its anchor has a colon, so that no transaction can be called like it."""

    anchor: str
    title: str
    make: Callable[[Material], Html]


def sections(material: Material) -> list[Section]:
    """What this run and this audience get, in order."""
    found = [
        Section("report:repeat", "How to repeat it", opening.repeating),
        Section("report:expectations", "Expectations", opening.expectations),
        Section("report:matrix", "Privacy matrix", privacy.matrices),
        Section("report:metadata", "Metadata and inference", privacy.metadata),
    ]
    if any(material.reading.highest().acts()):
        found.append(Section("report:register", "Disclosure register", register.register))
    if material.audience is not None:
        title = f"Content readable by {material.audience}"
        found.append(Section("report:content", title, closing.content))
    return [
        *found,
        Section("report:agreement", "Agreement", ledgers.agreement),
        Section("report:consensus", "Consensus", ledgers.consensus),
        Section("report:faults", "Faults", faults.timeline),
        Section("report:limits", "What this run does not show", closing.limits),
        Section("report:glossary", "Glossary", closing.glossary),
        Section("report:scenario", "The scenario", closing.scenario),
    ]


def audience_of(material: Material) -> str:
    """`public`, or the name of the party whose content is in it."""
    return material.audience or "public"


def stamp(material: Material) -> str:
    """What stands on every page, on paper too."""
    who = material.audience
    return "public: no content" if who is None else f"contains content readable by {who}"


def page(material: Material) -> str:
    """The whole file. It loads nothing, runs nothing, and its only style is the one whose hash it names."""
    style = style_sheet()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    name = str(material.run.get("name", ""))
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="referrer", content="no-referrer"),
        element("title", f"{name}: run {material.folder.number}"),
        element("style", Html(style)),
    )
    parts = sections(material)
    about = material.scenario.about if material.scenario else ""
    body = element(
        "body",
        element("p", stamp(material), class_="stamp"),
        element(
            "header",
            element("h1", name),
            *([element("p", about)] if about else []),
            opening.verdict(material),
            element("p", "Made by a simulator: nothing in it is real, and no key in it is secret."),
        ),
        element("nav", element("ul", *map(_link, parts)), aria_label="Sections"),
        element("main", join(_made(material, part) for part in parts)),
    )
    return f"<!DOCTYPE html>\n{element('html', head, body, lang='en')}\n"


def style_sheet() -> str:
    """The style as it stands in the page, which its hash is taken over."""
    return resources.files("scenarios.report").joinpath("style.css").read_text(encoding="utf-8")


def _link(part: Section) -> Html:
    return element("li", element("a", part.title, href=f"#{part.anchor}"))


def _made(material: Material, part: Section) -> Html:
    title = element("h2", text(part.title))
    return element("section", title, part.make(material), id_=part.anchor)
