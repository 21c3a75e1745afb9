"""The tables of docs/pretraining.md, made from the recipes and the configuration of the pretraining.

python docs/tables.py
"""

from dataclasses import fields
from pathlib import Path

from intrastyler_nnunet.objective.config import PretrainingConfig
from intrastyler_nnunet.objective.options import options_of
from intrastyler_nnunet.objective.terms import TERMS, WEIGHT
from intrastyler_nnunet.pretraining.recipes import read_recipe, recipe_names, resolved

PAGE = Path(__file__).with_name("pretraining.md")
TEXT = """# The pretraining: recipes, terms, settings

Made by `python docs/tables.py`. How the settings differ from the paper and why: [differences](differences.md).

## Recipes

`intrastyler pretrain --recipe NAME`, or a JSON file like those in `intrastyler_nnunet/pretraining/recipes`. Options
given beside it count instead of its entries. The resolved settings are saved as `config.json` beside the generator and
in its metadata. On CPUs with AMX some versions of oneDNN return NaN from bfloat16 convolutions whose result is one
voxel thick, as the discriminator's are in the recipe `released`: its steps are skipped there, and `--precision float32`
helps.

{recipes}

## Terms of the objective

The loss is the sum of the terms, each times its weight. A term without weight is not computed. Weights that change in
the course of the training are written as progress:weight, between which they change linearly; progress is 0 after the
style warm-up and 1 at the end. `--weight TERM=WEIGHT` and `--weight TERM=PROGRESS:WEIGHT,...` change one.

{terms}

## Settings

Those with an option can be changed on the command line, the others in a recipe. Where all recipes agree one value
stands for all.

{settings}
"""


def main() -> None:
    """Write the page."""
    PAGE.write_text(page())


def page() -> str:
    """What docs/pretraining.md has to say."""
    recipes = {name: read_recipe(name) for name in recipe_names()}
    values = {name: resolved(recipe, {}, {}) for name, recipe in recipes.items()}
    heads = [f"| {' | '.join(recipes)} ", "|---" * len(recipes)]
    terms = [f"| term {heads[0]}| what it does, and when to change it |", f"|---{heads[1]}|---|"]
    settings = ["| setting | option | value | what it does, and when to change it |", "|---|---|---|---|"]
    options = options_of(PretrainingConfig)
    for field in (f for f in fields(PretrainingConfig) if f.name in options):
        name, option = field.name, options[field.name]
        described = option.help.replace("|", "/")
        if (term := name.removeprefix(WEIGHT)) in TERMS:
            weights = (_weight(value, name, term) for value in values.values())
            terms.append(f"| {term} | {' | '.join(weights)} | {described} |")
            continue
        found = {recipe: _shown(value[name]) for recipe, value in values.items()}
        alike = len(set(found.values())) == 1
        shown = next(iter(found.values())) if alike else ", ".join(f"{x} ({recipe})" for recipe, x in found.items())
        flag = f"`{option.flag(name)}`" if option.group else "–"
        settings.append(f"| {name.replace('_', ' ')} | {flag} | {shown} | {described} |")
    table = [
        "| recipe | what it is for |",
        "|---|---|",
        *(f"| `{x}` | {recipe.purpose} |" for x, recipe in recipes.items()),
    ]
    return TEXT.format(recipes="\n".join(table), terms="\n".join(terms), settings="\n".join(settings))


def _weight(settings: dict, name: str, term: str) -> str:
    points = settings["schedules"].get(term)
    return f"{settings[name]:g}" if points is None else ", ".join(f"{place:g}:{weight:g}" for place, weight in points)


def _shown(value: object) -> str:
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
