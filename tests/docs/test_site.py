"""The site as it is built: names, links and pictures."""

import html
import html.parser
import operator
import re
import sys
import urllib.parse

import pytest

import keras_rlkit as rlk
from tests.docs.conftest import build_command

pytest.importorskip("sphinx", reason='needs pip install ".[docs]"')
PACKAGES = [name for name in rlk.__all__ if name != "utils"]
NAMES = {
    f"keras_rlkit.{package}.{name}"
    for package in PACKAGES
    for name in getattr(rlk, package).__all__
}
ASSETS = {"img": "src", "script": "src", "link": "href", "source": "src"}


class Page(html.parser.HTMLParser):
    """Collects links, anchors and what a page loads."""

    def __init__(self, file):
        super().__init__()
        self.links, self.anchors, self.assets, self.images = [], {""}, [], []
        self.feed(file.read_text())

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.anchors |= {values.get("id"), values.get("name")}
        if tag == "a" and values.get("href"):
            self.links.append(values["href"])
        loads = values.get(ASSETS.get(tag, ""))
        # Some links name pages and load nothing.
        pages = ("next", "prev", "index", "search", "canonical")
        if loads and values.get("rel") not in pages:
            self.assets.append(loads)
        if tag == "img":
            self.images.append(values)


@pytest.fixture(scope="module")
def pages(site):
    return {file: Page(file) for file in sorted(site.rglob("*.html"))}


def outside(link):
    return bool(re.match(r"\w+:|//", link))


def test_warnings_are_errors(built, site):
    assert " -W " in build_command()
    assert "build succeeded" in (built / "log").read_text()


def thing(name):
    """Return what a dotted name means: `atari` is a room, and a function."""
    module, _, path = name.rpartition(".")
    while module not in sys.modules:
        module, _, first = module.rpartition(".")
        path = f"{first}.{path}"
    return operator.attrgetter(path)(sys.modules[module])


def text_of(file):
    """What is to be read on a page."""
    return html.unescape(re.sub(r"<[^>]+>", "", file.read_text()))


def test_every_public_name_has_its_page(site):
    from sphinx.util.inventory import InventoryFile

    with open(site / "objects.inv", "rb") as file:
        inventory = InventoryFile.load(file, "", lambda base, uri: uri)
    documented = {
        name: item.uri.split("#")[0]
        for kind in ("py:class", "py:function")
        for name, item in inventory[kind].items()
    }
    assert set(documented) >= NAMES
    for name, page in documented.items():
        # Also by the path of its module, it is the public object of its page.
        public = page.removeprefix("api/").removesuffix(".html")
        assert thing(name) is thing(f"keras_rlkit.{public}")
        assert f"keras_rlkit.{public}" in NAMES
    pages = {file.stem for file in (site / "api").glob("*.html")}
    assert pages == {name.split(".", 1)[1] for name in NAMES} | {
        "index",
        *PACKAGES,
    }


def test_pages_hold_what_the_docstring_says(site):
    text = text_of(site / "api" / "layers.DuelingHead.html")
    assert "num_actions, units=512, activation='relu'" in text
    assert "number of actions. NumPy integers" in " ".join(text.split())
    assert "rlk.layers.DuelingHead(6, units=256)" in text
    assert "https://arxiv.org/abs/1511.06581" in text
    # Nothing of the docstring's own markup is left over.
    for file in (site / "api").glob("*.html"):
        text = text_of(file)
        assert "```" not in text, file.name
        assert not re.search(r"\w\*\*\w+\*\*", text), file.name


def test_internal_links_resolve(site, pages):
    broken = []
    for file, page in pages.items():
        for link in page.links:
            if outside(link):
                continue
            path, anchor = urllib.parse.urldefrag(link)
            target = file
            if path:
                path = urllib.parse.unquote(path.split("?")[0])
                target = (file.parent / path).resolve()
            known = target.exists() and (
                target not in pages or anchor in pages[target].anchors
            )
            # The theme's own jump to the content.
            if not known and link != "#":
                broken.append((str(file.relative_to(site)), link))
    assert not broken


def test_nothing_is_loaded_from_elsewhere(site, pages):
    for file, page in pages.items():
        for asset in page.assets:
            assert not outside(asset), (file.name, asset)
            path = (file.parent / asset.split("?")[0]).resolve()
            assert path.exists(), (file.name, asset)
    for style in site.rglob("*.css"):
        found = re.findall(r"url\(\W*(https?:)?//", style.read_text())
        assert not found, style.name
        assert "@import" not in style.read_text(), style.name


def test_images_are_there_and_described(site, pages):
    count = 0
    for file, page in pages.items():
        for image in page.images:
            count += 1
            assert image.get("alt"), (file.name, image)
            assert (file.parent / image["src"]).stat().st_size > 500
    assert count >= 8


def test_home_shows_the_trained_agent(site, pages):
    home = pages[site / "index.html"]
    assert [i["src"] for i in home.images] == ["_images/play.gif"]


def test_gallery_shows_every_recipe(site, pages, built):
    recipes = {
        file.stem
        for file in (built / "docs" / "recipes").iterdir()
        if file.stem != "index" and file.suffix in (".py", ".md")
    }
    assert len(recipes) >= 9
    gallery = pages[site / "recipes" / "index.html"]
    text = (site / "recipes" / "index.html").read_text()
    assert text.count('class="card') == len(recipes)
    for name in recipes:
        assert f"{name}.html" in gallery.links
        assert (site / "recipes" / f"{name}.html").exists()


def test_recipe_page_is_the_recipe(site, built):
    source = (built / "docs" / "recipes" / "cartpole_dqn.py").read_text()
    text = text_of(site / "recipes" / "cartpole_dqn.html")
    assert "The agent" in text and "# ## The agent" not in text
    for line in source.split('"""')[2].splitlines():
        if line.strip() and not line.startswith("#"):
            assert line in text


def test_search_index_knows_the_names(site):
    index = (site / "searchindex.js").read_text()
    for name in ("DuelingHead", "ReplayBuffer", "check"):
        assert f'"{name}"' in index or f"{name}:" in index
