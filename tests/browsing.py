"""A headless Chromium with a page of charlstm in it, for tests, benchmarks and pictures."""

import base64
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from charlstm.language_model import LanguageModel
from charlstm.model.lstm import LSTMState
from charlstm.model.model_file import ModelFile
from charlstm.pages.page import HERE, coded_weights

Logits = npt.NDArray[np.float32]

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
# It runs as root in containers, and must not look for updates or anything else in a network.
ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]
PATIENCE = 60.0  # seconds
# Read ids, and return the logits after each as float32 in base64.
LOGITS = """([sizes, weights, ids]) => {
  const lstm = new LSTM(decodeWeights(weights), sizes);
  const state = lstm.empty(), all = new Float32Array(ids.length * sizes.vocab_size);
  ids.forEach((id, t) => {
    lstm.read(state, id);
    all.set(lstm.logits(state), t * sizes.vocab_size);
  });
  const bytes = new Uint8Array(all.buffer);
  let text = "";
  for (let i = 0; i < bytes.length; i += 30000) {
    text += String.fromCharCode(...bytes.subarray(i, i + 30000));
  }
  return btoa(text);
}"""


def chromium() -> str | None:
    """The program, None where it is not installed."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


@contextmanager
def started() -> Iterator[Any]:
    """A browser of playwright."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        yield browser
        browser.close()


def with_engine(browser: Any) -> Any:
    """An empty page on which the functions of the engine can be called."""
    page = browser.new_page()
    page.add_script_tag(content=(HERE / "worker" / "engine.js").read_text(encoding="utf-8"))
    return page


def both_logits(page: Any, model: ModelFile, ids: list[int]) -> tuple[Logits, Logits]:
    """The logits after each of ``ids`` by the engine of a page and by numpy, (T, V) each.

    ``page`` is one ``with_engine``; the weights must be such that float16 holds them.
    """
    asked = [vars(model.config), coded_weights(LanguageModel(model)), ids]
    found = np.frombuffer(base64.b64decode(page.evaluate(LOGITS, asked)), np.float32)
    state = LSTMState(model.lstm)
    expected = []
    for i in ids:
        state.read(i)
        expected.append(state.logits().copy())
    return found.reshape(len(ids), -1), np.array(expected)


class OpenPage:
    """A page in a browser without a network; ``faults`` has what went wrong on it.

    That is a message on the console, an error, a dialogue, or a request for another file.
    """

    def __init__(
        self, browser: Any, path: Path, link: str = "", script: str = "", **context: Any
    ) -> None:
        """``script`` runs before those of the page."""
        self.address = path.absolute().as_uri()
        self.faults: list[str] = []
        self.context = browser.new_context(**context)
        self.context.set_offline(True)
        self.page = self.context.new_page()
        self.page.add_init_script(script)
        self.page.on("console", lambda message: self.faults.append(message.text))
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("dialog", lambda dialog: self.faults.append(dialog.message))
        self.page.on("request", self._on_request)
        self.page.goto(self.address + link)
        self.until("phase !== 'loading'")

    def _on_request(self, request: Any) -> None:
        if request.url.split("#")[0] != self.address and not request.url.startswith("blob:"):
            self.faults.append(f"requests {request.url}")

    def get(self, expression: str) -> Any:
        """The value of an expression of JavaScript."""
        return self.page.evaluate(expression)

    def until(self, condition: str) -> None:
        """Wait for a condition, without ``eval``, which the policy of the page forbids."""
        end = time.monotonic() + PATIENCE
        while not self.get(condition):
            assert time.monotonic() < end, f"not {condition}: {self.status}"
            time.sleep(0.02)

    def set(self, **settings: object) -> None:
        """Fill in fields of the settings."""
        self.get("document.querySelector('details').open = true")
        for name, value in settings.items():
            self.page.fill(f"#{name.replace('_', '-')}", str(value))

    def write(self, phrase: str, button: str = "#write", **settings: object) -> str:
        """Type a phrase, press the button, and return the whole text when it is finished."""
        self.set(**settings)
        self.page.fill("#phrase", phrase)
        self.page.click(button)
        return self.finished()

    def finished(self) -> str:
        """The text when it is finished."""
        self.until("phase === 'over'")
        text: str = self.get("view.text")
        return text

    @property
    def status(self) -> str:
        """What the page says of itself."""
        said: str = self.page.inner_text("#status")
        return said

    def close(self) -> None:
        """Close it; an error if anything went wrong on it."""
        self.context.close()
        assert self.faults == [], self.faults
