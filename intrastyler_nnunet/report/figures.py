"""The page's interactive figures, as plotly's JSON. Colours of text and lines are left to the page's style sheet."""

import json
from html import escape

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from intrastyler_nnunet.report.atlas import StyleAtlas

# Told apart by people with any colour vision, on white and on black (after Okabe and Ito); with the symbols, 40 groups.
COLOURS = ("#3d8fd1", "#e07b1f", "#2aa17a", "#cf72a8", "#b8960c", "#56a7c9", "#c8523c", "#8a8f98")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "triangle-down")
NEUTRAL = "#8a8f98"
LAYOUT = {
    "paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)", "margin": {"l": 56, "r": 12, "t": 12, "b": 48},
    "legend": {"orientation": "h", "yanchor": "bottom", "y": 1.02, "xanchor": "left", "x": 0},
    "hoverlabel": {"bgcolor": "#1d2330", "bordercolor": "#1d2330", "font": {"color": "#ffffff"}},
    "font": {"family": "system-ui, sans-serif", "size": 13},
    "xaxis": {"title": {"font": {"size": 13}}}, "yaxis": {"title": {"font": {"size": 13}}},
}  # fmt: skip


def style_map(atlas: StyleAtlas, new: tuple[list[str], np.ndarray] | None) -> dict:
    """The exemplars on their two principal axes, once by cluster and once by site (hidden), typical ones as stars.

    `customdata` of a point is its number: exemplars as in the atlas, then new images. The last trace is empty: the
    page puts a ring there around the point that is looked at.

    Args:
        atlas: the exemplars.
        new: names and places (M, 2) of new images.
    """
    places, shares = atlas.project(atlas.vectors), atlas.plane[2]
    figure = go.Figure()
    groups = {"cluster": [f"cluster {label + 1}" for label in atlas.clusters.labels]}
    if atlas.sites:
        groups["site"] = [atlas.sites[name] for name in atlas.names]
    for colouring, names in groups.items():
        for number, name in enumerate(sorted(set(names), key=_natural)):
            members = np.flatnonzero(np.array(names) == name)
            marker = {"size": 9, "color": COLOURS[number % 8], "symbol": SYMBOLS[number // 8 % 5], "opacity": 0.85}
            figure.add_trace(_points(atlas.names, places, members, name, marker, colouring))
    star = {"size": 18, "symbol": "star", "color": "#f2c230", "line": {"width": 1.5, "color": "#1d2330"}}
    figure.add_trace(_points(atlas.names, places, np.array(atlas.typical), "typical exemplar", star, "all"))
    if new is not None:
        names, spots = [*atlas.names, *new[0]], np.concatenate([places, new[1]])
        cross = {"size": 10, "symbol": "x-thin", "line": {"width": 2.5, "color": "#d6336c"}}
        figure.add_trace(_points(names, spots, np.arange(len(places), len(names)), "new image", cross, "all"))
    ring = {"size": 24, "symbol": "circle-open", "color": NEUTRAL, "line": {"width": 3}}
    figure.add_trace(
        go.Scatter(x=[], y=[], mode="markers", marker=ring, hoverinfo="skip", showlegend=False, meta="all")
    )
    for trace in figure.data:
        trace.visible = trace.meta in ("all", "cluster")
    for axis, share, update in zip("12", shares, (figure.update_xaxes, figure.update_yaxes), strict=True):
        update(title=f"principal axis {axis} ({share:.0%} of variance)", zeroline=False)
    return _plain(figure, height=460, hovermode="closest")


def silhouette_curve(atlas: StyleAtlas) -> dict:
    """Mean silhouette by number of clusters, the chosen number marked."""
    numbers, values = list(atlas.clusters.silhouettes), list(atlas.clusters.silhouettes.values())
    sizes = [14 if number == atlas.clusters.count else 6 for number in numbers]
    hover = "%{x} clusters: %{y:.3f}<extra></extra>"
    figure = go.Figure(
        go.Scatter(x=numbers, y=values, mode="lines+markers", marker_size=sizes, hovertemplate=hover,
                   line_color=COLOURS[0])
    )  # fmt: skip
    figure.update_xaxes(title="number of clusters", dtick=1 if len(numbers) < 12 else 2)
    figure.update_yaxes(title="mean silhouette", rangemode="tozero")
    return _plain(figure, height=260)


def training_curves(terms: dict[str, tuple[list[int], list[float]]]) -> dict:
    """One small plot per loss term, over the same steps."""
    figure = make_subplots(len(terms), 1, shared_xaxes=True, vertical_spacing=0.25 / len(terms))
    for row, (name, (steps, values)) in enumerate(terms.items(), start=1):
        hover = "step %{x}: %{y:.4g}<extra>%{fullData.name}</extra>"
        line = {"width": 1.3, "color": COLOURS[0]}
        curve = go.Scatter(x=steps, y=values, name=_text(name), mode="lines", line=line, hovertemplate=hover)
        figure.add_trace(curve, row, 1)
        figure.update_yaxes(title=_text(name), row=row, col=1, nticks=4)
    figure.update_xaxes(title="step", row=len(terms), col=1)
    return _plain(figure, height=60 + 120 * len(terms), showlegend=False)


def dice_curves(rows: list[dict]) -> dict:
    """Pseudo Dice over epochs, one line per style."""
    figure = go.Figure()
    epochs = [row["epoch"] for row in rows]
    for number, name in enumerate(dict.fromkeys(name for row in rows for name in row["dice"])):
        values = [row["dice"].get(name) for row in rows]
        marker = {"color": COLOURS[number % 8], "symbol": SYMBOLS[number // 8 % 5]}
        figure.add_trace(go.Scatter(x=epochs, y=values, name=_text(name), mode="lines+markers", marker=marker))
    figure.update_xaxes(title="epoch")
    figure.update_yaxes(title="pseudo Dice", range=[0, 1])
    return _plain(figure, height=340, showlegend=True)


def _points(names, places: np.ndarray, members: np.ndarray, group: str, marker: dict, colouring: str) -> go.Scatter:
    return go.Scatter(
        x=places[members, 0], y=places[members, 1], mode="markers", name=_text(group), marker=marker,
        meta=colouring, customdata=members.tolist(), text=[_text(names[i]) for i in members],
        hovertemplate="%{text}<extra></extra>",
    )  # fmt: skip


def _text(name: str) -> str:
    """A name as plotly shows it, which takes some HTML for markup and what stands between dollars for an equation."""
    return escape(name, quote=False).replace("$", "&#36;")


def _natural(name: str) -> tuple[str, int]:
    """Orders "cluster 2" before "cluster 10"."""
    stem = name.rstrip("0123456789")
    return stem, int(name[len(stem) :] or 0)


def _plain(figure: go.Figure, **layout) -> dict:
    figure.update_layout(template="none", **LAYOUT, **layout)
    return json.loads(figure.to_json())
