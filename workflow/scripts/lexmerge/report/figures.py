"""Fonts and colours of all figures, and their files: SVG for the page, PNG for slides, PDF for papers."""

import matplotlib
import matplotlib_fontja
from matplotlib.figure import Figure

from lexmerge.common.files import fresh_file

matplotlib_fontja.japanize()  # adds the bundled font with kana, whatever fonts the machine has
matplotlib.rcParams |= {
    "font.family": ["DejaVu Sans", matplotlib_fontja.matplotlib_fontja.FONT_NAME],
    "font.size": 9,
    "text.parse_math": False,  # dollar signs in names are literal
    "svg.fonttype": "none",
    "pdf.fonttype": 42,  # TrueType, which journals accept and drawing programs can edit
}
COLOURS = ("#33658a", "#c8553d", "#588157", "#7d5ba6")


def save(figure: Figure, svg: str, png: str, pdf: str, dpi: int = 130) -> None:
    """Save a figure in three formats, reproducibly: no dates, and fixed element ids in the SVG.

    Args:
        figure: The figure.
        svg: The SVG file to write.
        png: The PNG file to write.
        pdf: The PDF file to write.
        dpi: The resolution of the PNG.
    """
    with (
        matplotlib.rc_context({"svg.hashsalt": "lexmerge"}),
        fresh_file(svg) as vector,
        fresh_file(png) as pixels,
        fresh_file(pdf) as page,
    ):
        figure.savefig(vector, format="svg", metadata={"Date": None})
        figure.savefig(pixels, format="png", dpi=dpi, metadata={"Software": None})
        figure.savefig(page, format="pdf", metadata={"CreationDate": None})
