"""A question of the study, and what came out."""

from dataclasses import dataclass, field

from study_grid.page.records import FOLDER


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Attributes:
        blocks: Paragraphs, tables, headings and pictures in Markdown.
        figures: Dict from names of pictures to figures.
        aim: What was hoped for, `None` where nothing is judged.
        verdict: `"met"`, `"open"` or `"missed"`, `None` where nothing is judged.
        is_complete: Whether all of its cells are computed.
    """

    blocks: list
    figures: dict = field(default_factory=dict)
    aim: str | None = None
    verdict: str | None = None
    is_complete: bool = True

    @property
    def result(self):
        """The verdict for tables and text."""
        return f"**{self.verdict}**{'' if self.is_complete else ' so far'}"


def folded(summary, *blocks):
    """The block that shows others once its summary is clicked on."""
    inner = "\n\n".join(blocks)
    return f"<details>\n<summary>{summary}</summary>\n\n{inner}\n\n</details>"


def picture(name, description):
    """The block that shows a figure of a section."""
    return f"![{description}]({FOLDER}/{name}.png)"
