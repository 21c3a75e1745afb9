"""The sections of the page: what each shows, put into the templates of `templates/sections.html`."""

from collections import Counter

import numpy as np
from markupsafe import Markup

from intrastyler_nnunet.report.atlas import StyleAtlas
from intrastyler_nnunet.report.page import TEMPLATES
from intrastyler_nnunet.report.translations import SourceRow
from intrastyler_nnunet.styles.coverage import Coverage

PARTS = TEMPLATES.get_template("sections.html").module


def figure(name: str, description: str) -> Markup:
    """Where the script draws the figure `name`."""
    return PARTS.figure(name, description)


def look(captions: list[tuple[str, str]]) -> Markup:
    """Views of the linked volumes, each with its caption and name, and what moves through them."""
    return PARTS.look(captions)


def heading(text: str) -> Markup:
    """A heading within a section."""
    return PARTS.heading(text)


def style_map_section(atlas: StyleAtlas, new_names: list[str]) -> Markup:
    """The map, its colouring, and the card of the point that is looked at."""
    groups = [
        (f"cluster {cluster + 1}", [(int(i), atlas.names[i]) for i in atlas.members(cluster)])
        for cluster in range(atlas.clusters.count)
    ]
    if new_names:
        groups.append(("new images", list(enumerate(new_names, start=len(atlas.names)))))
    return PARTS.style_map(("cluster", "site") if atlas.sites else (), groups)


def cluster_table(atlas: StyleAtlas) -> Markup:
    """Size, sites, typical exemplar and separability of each cluster."""
    rows = []
    for cluster, typical in enumerate(atlas.typical):
        members = atlas.members(cluster)
        counts = Counter(atlas.sites[atlas.names[i]] for i in members) if atlas.sites else {}
        sites = PARTS.unbroken([f"{site} {count}" for site, count in sorted(counts.items())]) or "not known"
        rows.append((cluster + 1, len(members), sites, atlas.names[typical], _number(atlas.separability[cluster])))
    return PARTS.table(("cluster", "exemplars", "sites", "typical exemplar", "separability"), rows)


def matrix(atlas: StyleAtlas, rows: list[SourceRow], thumbnails: list[str]) -> Markup:
    """Typical exemplars on top, sources on the left, translations inside."""
    exemplars = [{"name": atlas.names[i], "picture": thumbnails[i]} for i in atlas.typical]
    return PARTS.matrix(exemplars, rows)


def interpolation(atlas: StyleAtlas, ends: int) -> Markup:
    """Two typical exemplars to choose, t to drag, and the frame between them."""
    return PARTS.interpolation([f"cluster {c + 1}: {atlas.names[i]}" for c, i in enumerate(atlas.typical[:ends])])


def panels(steps: list[int]) -> Markup:
    """The fixed panel at several steps of the pretraining."""
    return PARTS.panels(steps)


def dice_table(rows: list[dict]) -> Markup:
    """Dice of each style in the last epoch and at its best, the worst style first."""
    last = {name: value for name, value in rows[-1]["dice"].items() if value is not None}
    best = {name: max(row["dice"].get(name) or 0.0 for row in rows) for name in last}
    cells = [
        (name, f"{value:.3f}", f"{best[name]:.3f}") for name, value in sorted(last.items(), key=lambda item: item[1])
    ]
    return PARTS.table(("translated to the style of", f"Dice, epoch {rows[-1]['epoch']}", "best epoch"), cells)


def coverage_table(names: list[str], result: Coverage, exemplars: tuple[str, ...]) -> Markup:
    """New images, the farthest from every exemplar first."""
    rows = [
        (names[i], f"{result.angles[i]:.1f}°", exemplars[int(result.nearest[i])],
         PARTS.strong("outside") if result.outside[i] else "covered")
        for i in result.angles.argsort(descending=True).tolist()
    ]  # fmt: skip
    return PARTS.table(("new image", "to nearest exemplar", "which is", ""), rows)


def _number(value: float) -> str:
    return "one cluster" if np.isnan(value) else f"{value:.2f}"
