"""Make the pages and pictures of docs/gallery: ``python -m scripts.gallery``.

They are of the simulated team, whose questions and texts this repository makes itself. Training
takes minutes; ``--run`` takes a tested run of the preset ``simulated`` instead. To keep the report
small it shows :data:`SHOWN` games of each arm and no losses; its numbers are of all games. The
pictures need Chromium and Pillow.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import tyro

from tests.browser import find_browser

ROOT = Path(__file__).resolve().parents[1]
GALLERY = ROOT / "docs" / "gallery"
RUN = "simulated"
"""Name of the run's folder, as the report tells it."""
SHOWN = 2
"""Number of games of each arm in the report."""
PLAYED = 14
"""Number of games of the trained team, refined, in the page of games."""
COLOURS = 128
"""Number of colours of a picture, which keeps it small."""
SHOTS = {"report": ("report.html", 1000, 930), "games": ("games.html#show=flipped", 1400, 1040)}
"""Pages to take pictures of, with the width and height in pixels."""


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """Make the pages and pictures of docs/gallery."""

    run: Path | None = None
    """A tested run of the preset simulated. None: one is trained and tested."""
    out: Path = GALLERY
    """Folder for the pages and pictures."""

    def make(self) -> None:
        """Write all files."""
        self.out.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory() as folder:
            work = Path(folder)  # where the programs run, so that pages name no folder of ours
            run, out = work / RUN, self.out.resolve()
            if self.run is not None:
                shutil.copytree(self.run, run, ignore=shutil.ignore_patterns("*.jsonl.part"))
            else:
                _program(work, "econ_agents", "train", "--config", "simulated", "--log-dir", RUN)
                _program(work, "econ_agents", "test", "--model-dir", RUN, "--log-dir", RUN)
            games = work / "refined.json"
            for traces in sorted(run.glob("llm_traces_*.json")):  # those refined are the last
                played = json.loads(traces.read_text(encoding="utf-8"))
                traces.write_text(json.dumps(played[:SHOWN]), encoding="utf-8")
                games.write_text(json.dumps(played[:PLAYED]), encoding="utf-8")
            metrics = run / "metrics.jsonl"
            lines = map(json.loads, metrics.read_text(encoding="utf-8").splitlines())
            metrics.write_text("".join(map(_without_losses, lines)), encoding="utf-8")
            _program(work, "econ_agents", "report", RUN, "--out", f"{out / 'report.html'}")
            _program(work, "econ_env", "view", games.name, "--out", f"{out / 'games.html'}")
            for page in self.out.glob("*.html"):
                page.chmod(0o644)  # these are for everybody
        for name, (address, width, height) in SHOTS.items():
            take_picture(self.out, address, self.out / f"{name}.png", width, height)


def take_picture(folder: Path, page: str, out: Path, width: int, height: int) -> None:
    """Write what Chromium shows of a page, such as ``games.html#game-5``, as a small PNG."""
    from PIL import Image

    browser = find_browser()
    if browser is None:
        sys.exit("the pictures need Chromium on the path, or named by ECON_BROWSER")
    name, _, place = page.partition("#")
    address = f"{(folder / name).resolve().as_uri()}{'#' if place else ''}{place}"
    # Higher than the page, so that nothing is scrolled, and cut afterwards.
    window = f"--window-size={width},4000"
    shows = [browser, "--headless", "--no-sandbox", "--hide-scrollbars", window]
    subprocess.run([*shows, f"--screenshot={out}", address], check=True, capture_output=True)
    with Image.open(out) as picture:
        shown = picture.convert("RGB").crop((0, 0, width, height))
        small = shown.quantize(COLOURS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    small.save(out, optimize=True)


def _without_losses(line: dict[str, float]) -> str:
    kept = {name: value for name, value in line.items() if not name.startswith("train/loss_")}
    return json.dumps(kept) + "\n"


def _program(folder: Path, module: str, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", module, *arguments], check=True, cwd=folder)


if __name__ == "__main__":
    tyro.cli(Gallery).make()
