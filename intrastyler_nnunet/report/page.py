"""Everything of the report gathered into one HTML file without references to others."""

import json
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from string import Template

from plotly.offline import get_plotlyjs

FOLDER = Path(__file__).parent


@dataclass
class Page:
    """The parts of the page in the order they are added; `data` is what its script shows on demand."""

    title: str
    subtitle: str
    sections: list[tuple[str, str, str]] = field(default_factory=list)  # identifier, title, HTML
    figures: dict[str, dict] = field(default_factory=dict)
    data: dict = field(default_factory=dict)

    def html(self) -> str:
        """The file's content."""
        # "</script" or "<!--" in a string would end the script element or hide its end.
        data = json.dumps({**self.data, "figures": self.figures}, separators=(",", ":")).replace("<", "\\u003c")
        links = "".join(f'<a href="#{identifier}">{title}</a>' for identifier, title, _ in self.sections)
        return Template((FOLDER / "page.html").read_text()).substitute(
            title=escape(self.title), subtitle=escape(self.subtitle), links=links,
            sections="\n".join(html for _, _, html in self.sections), data=data, plotly=get_plotlyjs(),
            style=(FOLDER / "page.css").read_text(), script=(FOLDER / "page.js").read_text(),
        )  # fmt: skip
