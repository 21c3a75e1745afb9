"""Sub-domains of the target images, which the paper's competitors need and IntraStyler does without (section 3)."""

import re
from dataclasses import dataclass

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.nnunet import folders
from intrastyler_nnunet.typed_json import FileName, Text, read_json

SITES = "the sites of the target cases"


@dataclass(frozen=True)
class CaseSite:
    """Where the image of a case was taken."""

    case: FileName
    site: Text


@dataclass(frozen=True)
class SiteList:
    """Content of sites.json, in which simulations and `intrastyler crossmoda prepare` say more."""

    cases: tuple[CaseSite, ...]


def read_subdomains(dataset: str, cases: list[str], pattern: str | None = None) -> dict[str, str]:
    """The sub-domain of every case.

    Args:
        dataset: id or name.
        cases: names of the target cases.
        pattern: regular expression whose first group, found in a case's name, is its sub-domain; None: the "site"
            of the case's record in sites.json of the raw dataset.

    Raises:
        InputError: no sites.json and no pattern; a bad pattern; a case without a sub-domain.
    """
    if pattern is not None:
        return {case: _matched(pattern, case) for case in cases}
    path = folders.raw_folder(dataset) / "sites.json"
    if not path.is_file():
        raise InputError(f"{path}: no such file, expected {SITES}; or give --subdomain-pattern")
    sites = {record.case: record.site for record in read_json(path, SiteList, SITES, "ignore").cases}
    missing = [case for case in cases if case not in sites]
    if missing:
        raise InputError(f"{path}: no site for {missing[0]}, expected one for each of the {len(cases)} target cases")
    return {case: sites[case] for case in cases}


def codes_of(subdomains: dict[str, str], method: str, only: str | None) -> dict[str, tuple[float, ...]]:
    """The style code of every case: one-hot over sub-domains (unified), or the same for all (nodiverse).

    Args:
        subdomains: by case.
        method: "unified" or "nodiverse".
        only: keep the cases of this sub-domain (MultiNets trains one network per sub-domain); None: all.

    Raises:
        InputError: no case is of sub-domain `only`.
    """
    names = sorted(set(subdomains.values()))
    if only is not None and only not in names:
        raise InputError(f"sub-domain {only!r} has no target case, expected one of {', '.join(names)}")
    kept = {case: name for case, name in subdomains.items() if only in (None, name)}
    if method == "nodiverse":
        return dict.fromkeys(kept, (1.0,))
    return {case: tuple(float(name == other) for other in names) for case, name in kept.items()}


def _matched(pattern: str, case: str) -> str:
    try:
        found = re.search(pattern, case)
        subdomain = found and found.group(1)
    except (re.error, IndexError) as error:
        raise InputError(f"sub-domain pattern {pattern!r}: {error}, expected an expression with one group") from None
    if not subdomain:
        raise InputError(f"{case}: the sub-domain pattern {pattern!r} finds nothing in its name")
    return subdomain
