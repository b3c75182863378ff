"""The page in a real browser: skipped where there is none (see tests/browser.py)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from econ_pages.charts import Chart, Estimate, Intervals, Series
from econ_pages.page import Block, Charts, Link, Page, Section, Table, write_page
from econ_pages.transcripts import read_game
from tests.browser import Tab, browser_tab
from tests.econ_pages.plain_games import commitment, played, strategy, transcript

pytestmark = pytest.mark.slow

HOSTILE = (
    "<img src=x onerror=\"document.title='owned'\"></script><script>document.title='owned'</script>"
)
GAMES = 1000
LONG = "unbroken" * 60


def games() -> list[dict[str, object]]:
    """Games 1 to 1000: 1 is hostile, 2 failed, 3 flipped, 4 no JSON, the others right."""
    right = transcript(played("7", "7", "7", value="7"), scores=(1.0, 1.0, 1.0))
    hostile = transcript(
        played(HOSTILE, LONG, "\u202ereversed\x1b[31m", value=HOSTILE),
        gold=HOSTILE,
        scores=(1.0, 0.0, 0.0),
        question={"id": HOSTILE, "text": f"{HOSTILE} {LONG}", "gold": HOSTILE, "kind": HOSTILE},
        strategies=[strategy(text=f"add {HOSTILE}", strategy="add", leaked=True, agent=HOSTILE)],
    )
    flipped = transcript(
        played("7", "7", "7", value="7"),
        played("8", "7", "8", value="8"),
        played("8", "8", "8", value="8"),
        scores=(0.0, 0.0, 0.0),
    )
    odd = played("7", "8", value="7", commitments=[commitment("7", parse_method="boxed")])
    failed = transcript(played("7", "7", value="7"), failed="executor_0: time-out")
    others = [
        {**right, "usage": {"prompt_tokens": number, "completion_tokens": 0, "requests": 4}}
        for number in range(5, GAMES + 1)
    ]
    return [hostile, failed, flipped, transcript(odd), *others]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "page.html"
    ends = [0.0, 150_000.0]  # under whose end there is a long label
    curve = Series(label="team", x=ends, y=[-0.001, 0], low=[-0.002, -0.001], high=[0, 0.001])
    drawing = Chart(title="Reward", x_label="episodes", y_label="reward", series=[curve])
    row = Estimate(label="trained team, refined (up to 3 rounds)", value=50, low=40, high=60)
    blocks: list[Block] = [
        Charts(charts=[drawing, drawing]),
        Charts(charts=[Intervals(title="Test", x_label="%", rows=[row])]),
        Table(head=["game", "question"], rows=[[Link(text="game 3", game=3), LONG]]),
    ]
    shown = [
        read_game(data, number=i, source="games.jsonl", where=f"games.jsonl:{i}")
        for i, data in enumerate(games(), 1)
    ]
    sections = [Section(title="A run", paragraphs=[HOSTILE], blocks=blocks)]
    write_page(Page(title=HOSTILE, conclusion=[LONG], sections=sections, games=shown), path)
    return path


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with browser_tab(tmp_path_factory.mktemp("profile")) as tab:
        yield tab


@pytest.fixture
def tab(browser: Tab) -> Iterator[Tab]:
    """A tab whose page complained of nothing and asked for nothing but itself."""
    browser.complaints.clear()
    browser.requests.clear()
    browser.size(1600, 1000)
    yield browser
    assert browser.complaints == []
    assert {address.partition("#")[0] for address in browser.requests} <= {
        "about:blank",
        *(address.partition("#")[0] for address in browser.requests if ".html" in address),
    }


HEADING = "document.querySelector('#game h3').textContent"
LISTED = "[...document.querySelectorAll('#list a')].map(a => Number(a.dataset.game))"
COUNT = "document.getElementById('count').textContent"
PRESS = "document.querySelector('#shows button[value={}]').click()"


def test_it_opens_with_the_first_game_and_a_part_of_the_list(tab: Tab, page: Path) -> None:
    tab.open(page)
    assert tab.run(HEADING) == "Game 1"
    assert tab.run(COUNT) == "1,000 games"
    assert 10 < len(tab.run(LISTED)) < 200


def test_hostile_texts_stay_texts(tab: Tab, page: Path) -> None:
    tab.open(page, "#game-1")
    assert tab.run("document.querySelectorAll('img').length") == 0
    assert tab.run("document.querySelectorAll('script').length") == 2
    assert tab.run("document.title") == HOSTILE
    shown = tab.run("document.querySelector('#game').textContent")
    assert HOSTILE in shown
    assert "⟨U+202E⟩reversed␛[31m" in shown


def test_every_call_shows_its_prompt_also_one_that_executors_share(tab: Tab, page: Path) -> None:
    tab.open(page, "#game-5")
    prompts = (
        "[...document.querySelectorAll('#game details')]"
        ".filter(one => one.firstChild.textContent === 'prompt as sent')"
        ".map(one => one.textContent.replace('prompt as sent', ''))"
    )
    asked = "userWhat is 3 + 4?"
    assert tab.run(prompts) == ["userPlan.", asked, asked, asked, "userConclude."]


def test_a_link_leads_to_its_game(tab: Tab, page: Path) -> None:
    tab.open(page, "#game-987")
    assert tab.run(HEADING) == "Game 987"
    assert tab.run("document.querySelector('#list [aria-current]').dataset.game") == "987"
    tab.run("document.querySelector('td a').click()")
    assert tab.run(HEADING) == "Game 3"
    tab.run("history.back()")
    tab.run("new Promise(go => setTimeout(go, 300))")
    assert tab.run(HEADING) == "Game 987"


def test_a_link_to_no_game_says_so(tab: Tab, page: Path) -> None:
    tab.open(page, "#game-1001")
    assert tab.run("document.querySelector('#game').textContent") == "This page has no game 1001."


@pytest.mark.parametrize(
    ("show", "numbers"), [("wrong", [3]), ("failed", [2]), ("flipped", [3]), ("no_json", [4])]
)
def test_a_filter_keeps_its_games(tab: Tab, page: Path, show: str, numbers: list[int]) -> None:
    tab.open(page)
    tab.run(PRESS.format(show))
    assert tab.run(LISTED) == numbers
    assert tab.run(HEADING) == f"Game {numbers[0]}"
    assert tab.run("location.hash") == f"#show={show}"


def test_the_filter_of_an_address_is_pressed_although_no_game_is_like_that(
    tab: Tab, page: Path, tmp_path: Path
) -> None:
    right = read_game(games()[4], number=1, source="games.jsonl", where="games.jsonl:1")
    alone = tmp_path / "right.html"
    write_page(Page(title="right", games=[right]), alone)
    shown = (
        "[...document.querySelectorAll('#shows button')].filter(b => b.offsetParent)"
        ".map(b => [b.textContent, b.getAttribute('aria-pressed')])"
    )
    usual = [["all 1", "true"], ["wrong 0", "false"], ["right 1", "false"], ["failed 0", "false"]]
    tab.open(alone)
    assert tab.run(shown) == usual
    tab.open(alone, "#show=no_json")
    assert ["no JSON 0", "true"] in tab.run(shown)
    tab.run(PRESS.format("all"))
    assert tab.run(shown) == usual


def test_a_table_that_scrolls_has_a_shadow_at_its_hidden_end(tab: Tab, page: Path) -> None:
    for dark in (False, True):
        tab.size(400, 1000, dark=dark)
        tab.open(page)
        drawn = "getComputedStyle(document.querySelector('.scroll')).{}"
        assert tab.run(drawn.format("backgroundAttachment")) == "local, local, scroll, scroll"
        assert tab.run(drawn.format("backgroundImage")).count("linear-gradient") == 4


def test_search_looks_into_questions_and_responses(tab: Tab, page: Path) -> None:
    tab.open(page)
    tab.run(
        "{ const find = document.getElementById('find'); find.value = 'REVERSED';"
        " find.dispatchEvent(new Event('input')); }"
    )
    assert tab.run(LISTED) == [1]
    assert tab.run(COUNT) == "1 of 1,000 games"


def test_games_are_sorted_by_tokens(tab: Tab, page: Path) -> None:
    tab.open(page, "#sort=tokens")
    assert tab.run(LISTED)[:3] == [1000, 999, 998]
    tab.open(page, "#sort=worst")
    assert tab.run(LISTED)[0] == 3


def test_an_address_keeps_the_filter_and_the_game(tab: Tab, page: Path) -> None:
    tab.open(page, "#game-3&show=flipped")
    assert tab.run(LISTED) == [3]
    assert tab.run(HEADING) == "Game 3"


def test_the_whole_list_can_be_scrolled_to(tab: Tab, page: Path) -> None:
    tab.open(page)
    for _ in range(40):
        tab.run("{ const list = document.getElementById('list'); list.scrollTop = 1e9; }")
        tab.run("new Promise(go => requestAnimationFrame(() => setTimeout(go, 20)))")
        if len(tab.run(LISTED)) == GAMES:
            break
    assert tab.run(LISTED) == list(range(1, GAMES + 1))


def test_rounds_stand_side_by_side_and_say_what_changed(tab: Tab, page: Path) -> None:
    tab.open(page, "#game-3")
    columns = tab.run(
        "[...document.querySelectorAll('.rounds .column')]"
        ".map(c => [c.textContent, c.getBoundingClientRect().top])"
    )
    assert [name for name, _ in columns] == ["round 1", "round 2", "round 3"]
    assert len({top for _, top in columns}) == 1
    second = tab.run("document.querySelectorAll('.rounds .card')[1].textContent")
    assert "8 ✗ wrong was 7" in second


@pytest.mark.parametrize("width", [400, 1600])
@pytest.mark.parametrize("place", ["", "#game-1", "#game-3", "#game-5"])
def test_nothing_is_cut_at_any_width(tab: Tab, page: Path, width: int, place: str) -> None:
    tab.size(width, 1000)
    tab.open(page, place)
    assert tab.run("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    # Whatever is wider than its own box must be in a part that scrolls.
    cut = tab.run(
        "[...document.querySelectorAll('body *')].filter(e => {"
        "  if (e.closest('.scroll, .rounds, #list, svg, script, style')) return false;"
        "  return e.getBoundingClientRect().right > document.documentElement.clientWidth + 1;"
        "}).map(e => e.outerHTML.slice(0, 120))"
    )
    assert cut == []


def test_no_text_of_a_chart_leaves_its_drawing(tab: Tab, page: Path) -> None:
    tab.open(page)
    cut = tab.run(
        "[...document.querySelectorAll('svg.chart text')].filter(e => {"
        "  const box = e.getBoundingClientRect();"
        "  const all = e.ownerSVGElement.getBoundingClientRect();"
        "  return box.left < all.left - 1 || box.right > all.right + 1;"
        "}).map(e => e.textContent)"
    )
    assert cut == []


def test_dark_is_dark(tab: Tab, page: Path) -> None:
    shades = []
    for dark in (False, True):
        tab.size(1600, 1000, dark=dark)
        tab.open(page)
        shade = tab.run("getComputedStyle(document.body).backgroundColor")
        shades.append(sum(map(int, shade[4:-1].split(","))))
    assert shades[0] > 600
    assert shades[1] < 150
