"""Small pieces of HTML, escaped by default."""

from __future__ import annotations

from decimal import Decimal
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

STYLE = Path(__file__).with_name("style.css").read_text()


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def text(value: Any) -> Markup:
    """A value as HTML: nothing for None, plain digits for a number."""
    if isinstance(value, Markup):
        return value
    if value is None or value == "":
        return Markup('<span class="none">none</span>')
    if isinstance(value, bool):
        return Markup("yes" if value else "no")
    if isinstance(value, Decimal):
        return Markup(f"{value:f}")
    return Markup(escape(str(value)))


def link(address: str, label: Any) -> Markup:
    return Markup(f'<a href="{escape(address, quote=True)}">{text(label)}</a>')


def badge(word: str) -> Markup:
    """A status, coloured by what it means and readable without the colour."""
    tone = {"Active": "good", "Completed": "good", "Posted": "good", "Processed": "good"}.get(word, "plain")
    tone = "bad" if word in ("Cancelled", "Expired", "Failed") else tone
    return Markup(f'<span class="badge {tone}">{escape(word)}</span>')


def facts(pairs: Iterable[tuple[str, Any]]) -> Markup:
    return Markup(
        "<dl>" + "".join(f"<div><dt>{escape(name)}</dt><dd>{text(value)}</dd></div>" for name, value in pairs) + "</dl>"
    )


def table(headings: list[str], rows: Iterable[Iterable[Any]], *, caption: str, empty: str) -> Markup:
    """A table with a caption, or a sentence where there are no rows."""
    body = "".join("<tr>" + "".join(f"<td>{text(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    head = f"<h2>{escape(caption)}</h2>"
    if not body:
        return Markup(f'{head}<p class="none">{escape(empty)}</p>')
    columns = "".join(f'<th scope="col">{escape(one)}</th>' for one in headings)
    scroll = f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption, quote=True)}">'
    return Markup(f"{head}{scroll}<table><thead><tr>{columns}</tr></thead><tbody>{body}</tbody></table></div>")


def page(title: str, kind: str, *parts: str) -> bytes:
    """A whole page."""
    body = "".join(parts)
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)} - Zuora stand-in</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head><body>'
        '<header><a href="/platform/webapp">Zuora stand-in</a><span>a local tenant; nothing is real</span></header>'
        f'<main><p class="kind">{escape(kind)}</p><h1>{escape(title)}</h1>{body}</main></body></html>'
    ).encode()
