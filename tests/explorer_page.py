"""The data of the report's term explorer, taken from a page or put into it, and how long a filter takes."""

import base64
import json
import re

import zstandard
from lexmerge.definitions.flags import FLAGS
from lexmerge.report.page_data import packed

PLACE = re.compile(r'(id="data">)(.*?)(</script>)', re.S)
# In the page: milliseconds that the list takes for each of some searches.
FILTER_TIMES = """async (texts) => {
  const times = [], field = document.getElementById("f-text");
  for (const text of texts) {
    const began = performance.now();
    field.value = text;
    field.dispatchEvent(new Event("input", {bubbles: true}));
    document.getElementById("hits").getBoundingClientRect();
    times.push(performance.now() - began);
    await new Promise((done) => setTimeout(done, 30));
  }
  return times;
}"""


def unpacked(text: str) -> object:
    return json.loads(zstandard.ZstdDecompressor().decompress(base64.b64decode(text)))


def data_of(page: str) -> dict:
    return unpacked(PLACE.search(page)[2])


def with_terms(page: str, rows: list[list], models: list[str], judges: list[str]) -> str:
    """The page with other terms in it; the first model is asked in English, the others in Japanese."""
    data = {
        "languages": {"source": "en", "target": "ja"},
        "models": models,
        "parents": models[:2],
        "asked": ["en"] + ["ja"] * (len(models) - 1),
        "others": ["ja"] + ["en"] * (len(models) - 1),
        "judges": judges,
        "flags": FLAGS,
        "terms": rows,
    }
    return PLACE.sub(lambda found: found[1] + packed(data) + found[3], page)
