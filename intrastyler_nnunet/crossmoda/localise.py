"""Cochleae of unlabelled images: what a network predicted where that is plausible, else a registration if it is sure.

A case of which neither is true gets no label map, so that `prepare` keeps its whole field of view.
"""

import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import SimpleITK
from scipy.ndimage import label
from tqdm import tqdm

from intrastyler_nnunet.crossmoda.download import DownloadedCase
from intrastyler_nnunet.crossmoda.postprocess import TOUCHING
from intrastyler_nnunet.crossmoda.registration import Localisation, locate_cochleae
from intrastyler_nnunet.errors import InputError, require_none
from intrastyler_nnunet.files import write_json
from intrastyler_nnunet.grids import SamplingGrid, require_same_grid, to_lps
from intrastyler_nnunet.images import read_volume, write_image
from intrastyler_nnunet.label_maps import read_label_map
from intrastyler_nnunet.workers import workers

BALL_RADIUS = 3.5  # mm: a cochlea measures 5.7-7.4 x 4.9-6.6 x 6-7.5 mm
PLAUSIBLE_DISTANCE = (55.0, 85.0)  # mm between the cochleae; 68-71 were measured
PLAUSIBLE_VOLUME = (15.0, 300.0)  # mm^3 of one cochlea; 48-84 were measured
LARGEST_DISAGREEMENT = 5.0  # mm between registrations from different starts
LEAST_INFORMATION = 0.3  # of the registration; simulated heads reach 0.6 to 0.9, noise less than 0.1
NETWORK, REGISTRATION, UNSURE = "network", "registration", "unsure"


@dataclass(frozen=True)
class Finding:
    """What was found for one case and why."""

    case: str
    route: str  # NETWORK, REGISTRATION or UNSURE
    reasons: list[str]  # why a better route was not taken
    cochleae: list[list[float]]  # (2, 3) mm in the patient; empty if unsure


@dataclass(frozen=True)
class Search:
    """One case and where to look."""

    case: DownloadedCase
    predictions: Path | None  # folder of label maps of a network for the cochlea alone, on the images' grids
    output: Path


def localise(searches: list[Search], report: Path, processes: int) -> list[Finding]:
    """Write `<case>.nii.gz`, the cochleae as two balls, for every case they were found in, and a report of all.

    Raises:
        InputError: images or predictions that cannot be read, one line for each; the others are written.
    """
    with workers(processes) as pool:
        results = list(tqdm(pool.map(_localise_case, searches), "localise", len(searches)))
    findings = [result for result in results if isinstance(result, Finding)]
    write_json([asdict(finding) for finding in findings], report)
    problems = [result for result in results if isinstance(result, str)]
    require_none(problems, f"{len(searches)} images cannot be searched, the others are")
    return findings


def find_cochleae(image: SimpleITK.Image, prediction: SimpleITK.Image | None, case: str) -> Finding:
    """Take the first route that is convincing."""
    reasons = []
    if prediction is not None:
        places = _in_prediction(prediction)
        doubt = _doubt_about(places)
        if doubt is None:
            return Finding(case, NETWORK, reasons, [list(centre) for centre, _ in places])
        reasons.append(f"network: {doubt}")
    found = locate_cochleae(image)
    doubt = _doubt(found)
    if doubt is None:
        return Finding(case, REGISTRATION, reasons, found.cochleae.round(2).tolist())
    return Finding(case, UNSURE, [*reasons, f"registration: {doubt}"], [])


def draw_balls(places: list[list[float]], image: SimpleITK.Image) -> SimpleITK.Image:
    """A label map (uint8) on the grid of `image` with a ball of BALL_RADIUS at each place (mm in the patient)."""
    # Indices of all voxels are far cheaper than their points; distances are taken along the image's axes, in mm.
    spacing = np.array(image.GetSpacing())
    labels = np.zeros(image.GetSize(), np.uint8)
    for place in places:
        centre = np.array(image.TransformPhysicalPointToContinuousIndex(place))
        low = np.maximum(np.floor(centre - BALL_RADIUS / spacing), 0).astype(int)
        high = np.minimum(np.ceil(centre + BALL_RADIUS / spacing) + 1, labels.shape).astype(int)
        box = tuple(slice(a, max(a, b)) for a, b in zip(low, high, strict=True))
        axes = np.ogrid[box]
        distance = sum(((axis - c) * s) ** 2 for axis, c, s in zip(axes, centre, spacing, strict=True))
        # At least the nearest voxel, where slices are thicker than the ball.
        labels[box][distance <= max(BALL_RADIUS**2, distance.min(initial=np.inf) + 1e-6)] = 1
    result = SimpleITK.GetImageFromArray(labels.transpose(2, 1, 0))
    result.CopyInformation(image)
    return result


def _localise_case(search: Search) -> Finding | str:
    SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(1)  # as many processes as cores; and results that repeat
    try:
        image = read_volume(search.case.image)
        prediction, reasons = None, []
        if search.predictions is not None:
            path = search.predictions / f"{search.case.case}.nii.gz"
            if os.path.lexists(path):  # what is there and cannot be read is no missing prediction
                prediction = read_label_map(path, (0, 1)).image
                grids = (SamplingGrid.of(to_lps(picture)) for picture in (prediction, image))
                require_same_grid(*grids, path, search.case.image)
            else:
                reasons = ["network: no prediction"]
        finding = find_cochleae(image, prediction, search.case.case)
        finding = replace(finding, reasons=reasons + finding.reasons)
    except InputError as error:
        return str(error)
    path = search.output / f"{search.case.case}.nii.gz"
    if finding.route == UNSURE:
        path.unlink(missing_ok=True)
        return finding
    try:
        write_image(draw_balls(finding.cochleae, image), path)
    except InputError as error:
        return str(error)
    return finding


def _in_prediction(prediction: SimpleITK.Image) -> list[tuple[tuple[float, ...], float]]:
    """Centre (mm in the patient) and volume (mm^3) of the two largest components, or of fewer."""
    components, count = label(SimpleITK.GetArrayFromImage(prediction), TOUCHING)
    sizes = np.bincount(components.ravel(), minlength=count + 1)[1:]
    found = []
    for component in 1 + np.argsort(sizes)[::-1][:2]:
        centre = np.argwhere(components == component).mean(axis=0)[::-1]
        place = prediction.TransformContinuousIndexToPhysicalPoint(centre.tolist())
        found.append((place, float(sizes[component - 1] * np.prod(prediction.GetSpacing()))))
    return found


def _doubt_about(found: list[tuple[tuple[float, ...], float]]) -> str | None:
    """Why these components cannot be the cochleae; None if they can."""
    if len(found) < 2:
        return f"{len(found)} of 2 cochleae"
    for _, volume in found:
        if not PLAUSIBLE_VOLUME[0] <= volume <= PLAUSIBLE_VOLUME[1]:
            return f"a cochlea of {volume:.0f} mm3"
    distance = float(np.linalg.norm(np.subtract(found[0][0], found[1][0])))
    if not PLAUSIBLE_DISTANCE[0] <= distance <= PLAUSIBLE_DISTANCE[1]:
        return f"cochleae {distance:.0f} mm apart"
    return None


def _doubt(found: Localisation | None) -> str | None:
    """Why the registration is not trusted; None if it is."""
    if found is None:
        return "no overlap with the template"
    if found.disagreement > LARGEST_DISAGREEMENT:
        return f"two starts end {found.disagreement:.1f} mm apart"
    if found.information < LEAST_INFORMATION:
        return f"mutual information {found.information:.2f}"
    return None
