"""Everything of the report gathered into one HTML file without references to others."""

from dataclasses import dataclass, field

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

# Every name that reaches the page is some file's or folder's, and may hold anything: all values are escaped.
TEMPLATES = Environment(
    loader=PackageLoader("intrastyler_nnunet.report"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
TEMPLATES.policies["json.dumps_kwargs"] = {"separators": (",", ":")}


@dataclass(frozen=True)
class Section:
    """A titled part of the page; `explanation` says in a sentence or two how to read it."""

    identifier: str
    title: str
    explanation: str
    body: Markup


@dataclass
class Page:
    """The parts of the page in the order they are added; `data` is what its script shows on demand.

    First come a sentence and a picture: `lead` and `look`.
    """

    title: str
    subtitle: str
    lead: str = ""
    look: Markup = Markup()  # noqa: RUF009 (cannot be changed)
    sections: list[Section] = field(default_factory=list)
    figures: dict[str, dict] = field(default_factory=dict)
    data: dict = field(default_factory=dict)

    def html(self) -> str:
        """The file's content."""
        data = {**self.data, "figures": self.figures}
        return TEMPLATES.get_template("page.html").render(page=self, data=data, plotly=Markup(get_plotlyjs()))
