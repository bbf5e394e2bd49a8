"""The site in a real browser: Chromium of the distribution, by playwright."""

import functools
import http.server
import shutil
import threading

import pytest

sync_api = pytest.importorskip(
    "playwright.sync_api", reason='needs pip install ".[test]"'
)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="needs Chromium, as from apt install chromium"
)
# Pages with most pictures and the widest tables, for all sizes and schemes.
SHOWN = [
    "index.html",
    "recipes/index.html",
    "recipes/space_invaders.html",
    "results/index.html",
    "results/space_invaders.html",
    "results/cartpole_dqn.html",
    "choosing_parts.html",
    "api/layers.DuelingHead.html",
]
# Width of an image as it is shown, and whether it was decoded.
IMAGES = """() => [...document.querySelectorAll("article img")].map(
    image => [image.src, image.naturalWidth, image.clientWidth]
)"""
TOO_WIDE = """() => document.documentElement.scrollWidth
    - document.documentElement.clientWidth"""
BACKGROUND = """() => getComputedStyle(document.body)
    .backgroundColor.match(/\\d+/g).map(Number)"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="module")
def address(site):
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(site))
    )
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"]
        )
        yield browser
        browser.close()


def opened(context, complaints):
    """A new page that reports all that goes wrong."""
    page = context.new_page()
    page.on(
        "console",
        lambda m: m.type in ("error", "warning") and complaints.append(m.text),
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    # The browser gives up on an icon when the next page is opened.
    page.on(
        "requestfailed",
        lambda request: (
            request.failure != "net::ERR_ABORTED"
            and complaints.append(request.url)
        ),
    )
    page.on(
        "response",
        lambda r: r.status >= 400 and complaints.append(f"{r.status} {r.url}"),
    )
    return page


def test_every_page_loads_without_a_complaint(site, address, browser):
    names = [str(f.relative_to(site)) for f in sorted(site.rglob("*.html"))]
    assert len(names) > 90
    complaints, requests = [], []
    context = browser.new_context()
    page = opened(context, complaints)
    page.on("request", lambda request: requests.append(request.url))
    for name in names:
        response = page.goto(f"{address}/{name}")
        assert response.status == 200, name
        assert page.title(), name
        assert not complaints, (name, complaints)
    context.close()
    assert not [
        url for url in requests if not url.startswith((address, "data:"))
    ]


def test_complaints_are_heard(address, browser):
    complaints = []
    context = browser.new_context()
    page = opened(context, complaints)
    page.goto(f"{address}/index.html")
    page.evaluate("console.error('seen')")
    page.evaluate("fetch('/gone.png')")
    page.wait_for_timeout(300)
    context.close()
    assert "seen" in complaints
    assert any("404" in complaint for complaint in complaints)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_pictures_are_there(address, browser, width, scheme):
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme
    )
    complaints, pictures = [], 0
    page = opened(context, complaints)
    for name in SHOWN:
        page.goto(f"{address}/{name}")
        page.wait_for_function(
            "() => [...document.images].every(image => image.complete)"
        )
        for source, natural, shown in page.evaluate(IMAGES):
            pictures += 1
            assert natural > 0, (name, source)
            assert 100 <= shown <= width, (name, source, shown)
        # Nothing sticks out: wide tables scroll inside themselves.
        assert page.evaluate(TOO_WIDE) <= 0, name
        red, green, blue, *_ = page.evaluate(BACKGROUND)
        assert (red + green + blue > 600) == (scheme == "light"), name
    context.close()
    assert pictures >= 10
    assert not complaints


def test_search_finds_the_dueling_head(address, browser):
    complaints = []
    context = browser.new_context()
    page = opened(context, complaints)
    page.goto(f"{address}/index.html")
    page.fill("input[name=q]", "DuelingHead")
    page.press("input[name=q]", "Enter")
    page.wait_for_selector("#search-results li a")
    page.wait_for_function(
        "() => /finished|found/.test("
        "document.querySelector('#search-results').innerText)"
    )
    found = [
        link.get_attribute("href")
        for link in page.query_selector_all("#search-results li a")
    ]
    assert any("api/layers.DuelingHead.html" in link for link in found), found
    page.click("#search-results li a[href*='api/layers.DuelingHead.html']")
    assert page.text_content("h1").startswith("DuelingHead")
    context.close()
    assert not complaints


def test_site_is_read_from_the_disk_too(site, browser):
    complaints = []
    context = browser.new_context()
    page = opened(context, complaints)
    page.goto((site / "search.html").as_uri() + "?q=DuelingHead")
    page.wait_for_selector("#search-results li a")
    context.close()
    assert not complaints
