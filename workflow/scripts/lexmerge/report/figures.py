"""What all figures share: fonts, and files for a page, for a slide and for a paper."""

import matplotlib
import matplotlib_fontja
from matplotlib.figure import Figure

from lexmerge.common.files import fresh_file

matplotlib_fontja.japanize()  # adds the font that comes with it, so that no machine draws boxes for kanji
matplotlib.rcParams |= {
    "font.family": ["DejaVu Sans", matplotlib_fontja.matplotlib_fontja.FONT_NAME],
    "font.size": 9,
    "text.parse_math": False,  # a dollar in a name is a dollar
    "svg.fonttype": "none",
    "pdf.fonttype": 42,  # TrueType, which journals take and programs can edit
}
COLOURS = ("#33658a", "#c8553d", "#588157", "#7d5ba6")


def save(figure: Figure, svg: str, png: str, pdf: str, dpi: int = 130) -> None:
    """The same bytes for the same figure: no dates, and in the SVG names that do not depend on chance."""
    with (
        matplotlib.rc_context({"svg.hashsalt": "lexmerge"}),
        fresh_file(svg) as vector,
        fresh_file(png) as pixels,
        fresh_file(pdf) as page,
    ):
        figure.savefig(vector, format="svg", metadata={"Date": None})
        figure.savefig(pixels, format="png", dpi=dpi, metadata={"Software": None})
        figure.savefig(page, format="pdf", metadata={"CreationDate": None})
