"""The sections of the page, as HTML."""

from collections import Counter
from html import escape

import numpy as np

from intrastyler_nnunet.report.atlas import StyleAtlas
from intrastyler_nnunet.report.translations import SourceRow
from intrastyler_nnunet.styles.coverage import Coverage


def section(identifier: str, title: str, explanation: str, body: str) -> str:
    """A titled part of the page; `explanation` says in a sentence or two how to read it."""
    return (
        f'<section id="{identifier}" aria-labelledby="{identifier}-title"><h2 id="{identifier}-title">{title}</h2>'
        f"<p>{explanation}</p>{body}</section>"
    )


def figure(name: str, description: str) -> str:
    """Where the script draws the figure `name`."""
    return f'<div class="figure" data-figure="{name}" role="img" aria-label="{escape(description)}"></div>'


def style_map_section(atlas: StyleAtlas, new_names: list[str]) -> str:
    """The map, its colouring, and the card of the point that is looked at."""
    colouring = ""
    if atlas.sites:
        buttons = "".join(
            f'<label><input type="radio" name="colouring" value="{value}"{checked}> {value}</label>'
            for value, checked in (("cluster", " checked"), ("site", ""))
        )
        colouring = f'<fieldset class="colouring"><legend>Colour by</legend>{buttons}</fieldset>'
    groups = [
        (f"cluster {cluster + 1}", [(int(i), atlas.names[i]) for i in atlas.members(cluster)])
        for cluster in range(atlas.clusters.count)
    ]
    if new_names:
        groups.append(("new images", list(enumerate(new_names, start=len(atlas.names)))))
    options = "".join(
        f'<optgroup label="{label}">'
        + "".join(f'<option value="{number}">{escape(name)}</option>' for number, name in members)
        + "</optgroup>"
        for label, members in groups
    )
    return (
        f'{colouring}<div class="map">{figure("map", "Style map: every exemplar on two principal axes")}'
        f'<div class="card"><label for="exemplar">Exemplar</label><select id="exemplar">{options}</select>'
        '<img id="thumbnail" alt=""><p id="facts" aria-live="polite"></p></div></div>'
    )


def cluster_table(atlas: StyleAtlas) -> str:
    """Size, sites, typical exemplar and separability of each cluster."""
    rows = []
    for cluster, typical in enumerate(atlas.typical):
        members = atlas.members(cluster)
        sites = Counter(atlas.sites[atlas.names[i]] for i in members) if atlas.sites else {}
        cells = [
            str(cluster + 1), str(len(members)),
            ", ".join(f"<span>{escape(site)} {count}</span>" for site, count in sorted(sites.items())) or "not known",
            escape(atlas.names[typical]), _number(atlas.separability[cluster]),
        ]  # fmt: skip
        rows.append("".join(f"<td>{cell}</td>" for cell in cells))
    return _table(("cluster", "exemplars", "sites", "typical exemplar", "separability"), rows)


def matrix(atlas: StyleAtlas, rows: list[SourceRow], thumbnails: list[str]) -> str:
    """Typical exemplars on top, sources on the left, translations inside."""
    heads = "".join(
        f'<th scope="col">{_image(thumbnails[i], f"exemplar {atlas.names[i]}")}<small>cluster {cluster + 1}<br>'
        f"{escape(atlas.names[i])}</small></th>"
        for cluster, i in enumerate(atlas.typical)
    )
    body = ""
    for row in rows:
        cells = "".join(
            f"<td>{_image(cell.picture, f'{row.name} in the style of {atlas.names[i]}')}"
            f"<small>style {cell.degrees:.0f}°, edges {cell.edges:.2f}</small></td>"
            for cell, i in zip(row.translations, atlas.typical, strict=True)
        )
        head = f'<th scope="row">{_image(row.picture, f"source {row.name}")}<small>{escape(row.name)}</small></th>'
        body += f"<tr>{head}{cells}</tr>"
    table = f'<tr><td class="corner"><small>exemplars →<br>sources ↓</small></td>{heads}</tr>{body}'
    columns = f"--columns: {len(atlas.typical) + 1}"
    return f'<div class="scroll" tabindex="0"><table class="matrix" style="{columns}">{table}</table></div>'


def interpolation(atlas: StyleAtlas, ends: int) -> str:
    """Two typical exemplars to choose, t to drag, and the frame between them."""
    names = [f"cluster {c + 1}: {escape(atlas.names[i])}" for c, i in enumerate(atlas.typical[:ends])]

    def choice(identifier: str, label: str, chosen: int) -> str:
        options = "".join(
            f'<option value="{i}"{" selected" * (i == chosen)}>{name}</option>' for i, name in enumerate(names)
        )
        return (
            f'<div class="end"><label for="{identifier}">{label}</label><select id="{identifier}">{options}</select>'
            f'<img id="{identifier}-picture" alt=""></div>'
        )

    return (
        f'<div class="between">{choice("from", "t = 0", 0)}'
        '<div class="frame"><label for="t">t = <output id="t-value" for="t">0.5</output></label>'
        '<input type="range" id="t" min="0" max="1" step="0.1" value="0.5"><img id="frame" alt=""></div>'
        f'{choice("to", "t = 1", 1)}</div><div id="strip" class="strip"></div>'
    )


def panels(steps: list[int]) -> str:
    """The fixed panel at several steps of the pretraining."""
    return (
        '<div class="panels"><label for="step">Fixed panel after '
        f'<output id="step-value" for="step">{steps[-1]}</output> steps</label>'
        f'<input type="range" id="step" min="0" max="{len(steps) - 1}" value="{len(steps) - 1}">'
        '<img id="panel" alt=""></div>'
    )


def dice_table(rows: list[dict]) -> str:
    """Dice of each style in the last epoch and at its best, the worst style first."""
    last = {name: value for name, value in rows[-1]["dice"].items() if value is not None}
    best = {name: max(row["dice"].get(name) or 0.0 for row in rows) for name in last}
    cells = [
        f"<td>{escape(name)}</td><td>{value:.3f}</td><td>{best[name]:.3f}</td>"
        for name, value in sorted(last.items(), key=lambda item: item[1])
    ]
    return _table(("translated to the style of", f"Dice, epoch {rows[-1]['epoch']}", "best epoch"), cells)


def coverage_table(names: list[str], result: Coverage, exemplars: tuple[str, ...]) -> str:
    """New images, the farthest from every exemplar first."""
    rows = [
        f"<td>{escape(names[i])}</td><td>{result.angles[i]:.1f}°</td><td>{escape(exemplars[int(result.nearest[i])])}</td>"
        f"<td>{'<strong>outside</strong>' if result.outside[i] else 'covered'}</td>"
        for i in result.angles.argsort(descending=True).tolist()
    ]
    return _table(("new image", "to nearest exemplar", "which is", ""), rows)


def _table(heads: tuple[str, ...], rows: list[str]) -> str:
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return f'<div class="scroll long" tabindex="0"><table class="list"><tr>{head}</tr>{body}</table></div>'


def _image(uri: str, description: str) -> str:
    return f'<img src="{uri}" alt="{escape(description)}">'


def _number(value: float) -> str:
    return "one cluster" if np.isnan(value) else f"{value:.2f}"
