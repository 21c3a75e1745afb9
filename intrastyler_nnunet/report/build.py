"""From a dataset and a generator to the page."""

from pathlib import Path

import torch
from markupsafe import Markup
from tqdm import tqdm

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.nnunet import folders
from intrastyler_nnunet.nnunet.cases import PreprocessedCases
from intrastyler_nnunet.offline.style_space import StyleSpace, preprocessed_images, volume_style
from intrastyler_nnunet.pretraining.record import loss_terms
from intrastyler_nnunet.report import figures, sections
from intrastyler_nnunet.report.atlas import StyleAtlas, known_sites, make_atlas
from intrastyler_nnunet.report.history import panel_pictures, style_tables
from intrastyler_nnunet.report.page import Page, Section
from intrastyler_nnunet.report.pictures import THUMBNAIL, slice_picture, voxels_of
from intrastyler_nnunet.report.translations import ENDS, StyleMatrix
from intrastyler_nnunet.styles.coverage import Coverage, coverage
from intrastyler_nnunet.translation.space import GeneratorSpace
from intrastyler_nnunet.translation.windows import intensity_window

MAP = (
    "Each point is a target image; images that look alike lie close together. Stars are the most typical exemplar of "
    "each cluster. Point at one, or choose it from the list."
)
CLUSTERS = (
    "K-means on the style vectors; their number is the one with the highest mean silhouette. A cluster is separable "
    "when its own mean silhouette is near 1, and blurs into others near 0."
)
TRANSLATIONS = (
    "Each source in the style of each typical exemplar. Style: angle between the style vectors of translation and "
    "exemplar, small when the contrast was met. Edges: correlation of edge strengths with the source, 1 when every "
    "edge kept its place; lower where the modalities show different edges, and where anatomy was invented."
)
LEAD = (
    "The source {source} takes the style of the exemplar {exemplar} and keeps its own anatomy and labels, so that a "
    "network can learn from it to segment images like the exemplar."
)
BETWEEN = "The same source on the arc from one exemplar's style to another's (SLERP)."


def build_report(
    space: StyleSpace, generator: Path, configuration: str, pattern: str | None, images: Path | None
) -> str:
    """The page's HTML.

    Args:
        space: generator, style bank and plans.
        generator: the generator's file; statistics and panels of its pretraining are looked for beside it.
        configuration: name of the nnU-Net configuration.
        pattern: finds the site in a case's name (see `read_subdomains`); None: sites.json, if there is one.
        images: folder of new target images whose coverage to show.

    Raises:
        InputError: no preprocessed source or target case; see `preprocessed_images` and `known_sites`.
    """
    dataset, bank = space.plans.dataset_name, space.bank
    if len(bank.names) < 2:
        raise InputError(f"{dataset}: {len(bank.names)} exemplar, expected at least two to compare")
    atlas = make_atlas(bank.names, bank.vectors, known_sites(dataset, bank.names, pattern))
    page = Page(
        f"Styles of {dataset}",
        f"{len(bank.names)} exemplars in {atlas.clusters.count} clusters · {configuration} · {generator.name}",
    )
    new = _new_images(space, images) if images else ([], torch.empty(0, bank.vectors.shape[1]), [])
    covered = coverage(new[1], atlas.vectors) if images else None
    target = PreprocessedCases(
        folders.require_target(dataset, space.plans, configuration), space.generator.metadata.axes
    )
    source_folder = folders.configuration_folder(dataset, space.plans, configuration)
    source = PreprocessedCases(source_folder, space.generator.metadata.axes)
    acquisitions = bank.acquisitions_for(space.generator.metadata, None)
    rows = None if acquisitions is None else acquisitions[atlas.typical]
    translations = StyleMatrix(space, source, atlas.vectors[atlas.typical], rows)
    _add_look(page, translations, target, atlas.names[atlas.typical[0]])
    _add_map(page, atlas, target, new, covered)
    _add_translations(page, atlas, translations)
    _add_trainings(page, generator.parent, folders.results_folder(dataset), space.plans.plans_name, configuration)
    if images:
        _add_coverage(page, atlas, new[0], covered)
    return page.html()


def _new_images(space: StyleSpace, folder: Path) -> tuple[list[str], torch.Tensor, list[str]]:
    """Names, style vectors and middle slices."""
    names, vectors, pictures = [], [], []
    generator_space = GeneratorSpace.of(space.generator.metadata)
    for name, volume in preprocessed_images(space, folder):
        names.append(name)
        vectors.append(volume_style(space, volume))
        window = torch.tensor([intensity_window(volume[0])])
        pictures.append(_middle_picture(generator_space.enter(torch.from_numpy(volume)[None], window)))
    return names, torch.stack(vectors), pictures


def _add_look(page: Page, translations: StyleMatrix, target: PreprocessedCases, exemplar: str) -> None:
    """The first source, the most typical exemplar, and the one in the style of the other, to scroll through."""
    name, space = translations.names[0], translations.space
    source, translated, place = translations.look()
    whole = target.patch(exemplar, (0, 0, 0), target.shapes[exemplar])[0]
    spacing = tuple(space.configuration.spacing[axis] for axis in space.generator.metadata.axes)
    page.data["viewer"] = {
        "volumes": [voxels_of(volume, spacing) for volume in (source, whole, translated)],
        "place": place,
    }
    page.lead = LEAD.format(source=name, exemplar=exemplar)
    page.look = sections.look([("source", name), ("exemplar", exemplar), ("translation", f"{name} as {exemplar}")])


def _add_map(page: Page, atlas: StyleAtlas, target: PreprocessedCases, new: tuple, covered: Coverage | None) -> None:
    pictures = [
        _middle_picture(target.patch(name, (0, 0, 0), target.shapes[name])[0])
        for name in tqdm(atlas.names, "exemplars' slices")
    ]
    names, vectors, new_pictures = new
    places = atlas.project(torch.cat([atlas.vectors, vectors])).round(4).tolist()
    facts = [_facts(atlas, index) for index in range(len(atlas.names))]
    facts += [_new_facts(atlas, name, covered, index) for index, name in enumerate(names)]
    page.data["points"] = [
        {"name": name, "picture": picture, "place": place, "facts": fact}
        for name, picture, place, fact in zip(
            [*atlas.names, *names], pictures + new_pictures, places, facts, strict=True
        )
    ]
    page.data["typical"] = atlas.typical
    page.figures["map"] = figures.style_map(atlas, (names, atlas.project(vectors)) if names else None)
    _add(page, "map", "Style map", MAP, sections.style_map_section(atlas, names))
    table = sections.cluster_table(atlas)
    if atlas.clusters.silhouettes:
        page.figures["silhouettes"] = figures.silhouette_curve(atlas)
        table += sections.figure("silhouettes", "Mean silhouette by number of clusters")
    _add(page, "clusters", "Clusters", CLUSTERS, table)


def _add_translations(page: Page, atlas: StyleAtlas, translations: StyleMatrix) -> None:
    rows, thumbnails = translations.matrix(), [point["picture"] for point in page.data["points"]]
    _add(page, "translations", "Translations", TRANSLATIONS, sections.matrix(atlas, rows, thumbnails))
    page.data["ends"] = [cell.picture for cell in rows[0].translations[:ENDS]]
    page.data["frames"] = translations.frames()
    if page.data["frames"]:
        _add(page, "between", "Between two styles", BETWEEN, sections.interpolation(atlas, ENDS))


def _add_trainings(page: Page, pretraining: Path, results: Path, plans: str, configuration: str) -> None:
    terms, panels = loss_terms(pretraining / "stats.jsonl"), panel_pictures(pretraining)
    body = Markup()
    if terms:
        page.figures["training"] = figures.training_curves(terms)
        body += sections.figure("training", "Loss terms of the pretraining over its steps")
    if panels:
        page.data["panels"] = panels
        body += sections.panels([step for step, _ in panels])
    if body:
        _add(page, "training", "Pretraining", "Loss terms, and the same images over the course of the training.", body)
    body = Markup()
    for name, rows in style_tables(results, plans, configuration).items():
        page.figures[f"dice {name}"] = figures.dice_curves(rows)
        description = f"Dice by style over the epochs of {name}"
        body += sections.heading(name) + sections.dice_table(rows) + sections.figure(f"dice {name}", description)
    if body:
        explanation = "Dice of the validation cases, translated to each style. The worst style comes first."
        _add(page, "segmentation", "Segmentation by style", explanation, body)


def _add_coverage(page: Page, atlas: StyleAtlas, names: list[str], result: Coverage) -> None:
    explanation = (
        f"{int(result.outside.sum())} of {len(names)} new images are outside: farther from every exemplar than "
        f"{float(result.own_angles.max()):.1f}°, the largest distance of an exemplar to its nearest neighbour."
    )
    _add(page, "coverage", "Coverage", explanation, sections.coverage_table(names, result, atlas.names))


def _add(page: Page, identifier: str, title: str, explanation: str, body: Markup) -> None:
    page.sections.append(Section(identifier, title, explanation, body))


def _facts(atlas: StyleAtlas, index: int) -> str:
    site = f", {atlas.sites[atlas.names[index]]}" if atlas.sites else ""
    typical = ", typical exemplar" if index in atlas.typical else ""
    return f"{atlas.names[index]}: cluster {atlas.clusters.labels[index] + 1}{site}{typical}"


def _new_facts(atlas: StyleAtlas, name: str, covered: Coverage, index: int) -> str:
    outside = ", outside" if covered.outside[index] else ""
    nearest = atlas.names[int(covered.nearest[index])]
    return f"{name}: new image, {covered.angles[index]:.1f}° from {nearest}{outside}"


def _middle_picture(image: torch.Tensor) -> str:
    return slice_picture(image, image.shape[-1] // 2, THUMBNAIL)
