"""The machine: workers, memory, disk, caches, versions, a report for a bug, API tokens."""

from __future__ import annotations

from typing import Any

import gradio as gr

from app.studio import Studio
from app.tabs.amounts import moment, size
from app.tabs.desk import Desk, panel, said, when
from app.tabs.figures import progress
from app.tabs.markup import Markup, button, el, facts, join, note, table
from app.tabs.words import say
from app.views import CacheView, SystemView


def build(desk: Desk, tab: gr.Tab) -> None:
    """Lay out and wire the tab."""
    studio = desk.studio
    machine, problem = panel(elem_classes="system"), gr.HTML(padding=False)
    with gr.Accordion(say("system.report"), open=False) as reveal:
        report = gr.Code(language=None, label=say("system.report_info"), interactive=False,
                         wrap_lines=True)  # fmt: skip
    with gr.Accordion(say("token.title"), open=False):
        gr.Markdown(say("token.lead"))
        with gr.Row():
            name = gr.Textbox(label=say("token.name"), placeholder=say("token.name_hint"), scale=4)
            create = gr.Button(say("token.create"), variant="primary", scale=1)
        token_problem, secret = gr.HTML(padding=False), gr.HTML(padding=False)
        tokens = panel()

    def press(event: gr.EventData) -> Markup:
        studio.delete_cache(said(event).get("file", ""))
        return machine_page(studio.system())

    def make(label: str) -> list[Any]:
        _, words = studio.create_token(label)
        return [token_list(studio), join([note(say("token.once")), el("code", words)]), ""]

    def revoke(event: gr.EventData) -> list[Any]:
        studio.revoke_token(said(event).get("file", ""))
        return [token_list(studio), ""]

    def fill() -> list[Any]:
        return [machine_page(studio.system()), token_list(studio)]

    desk.on_show(tab, fill, None, [machine, tokens])
    when(machine.click, press, [], [machine], problem)
    when(create.click, make, [name], [tokens, secret, name], token_problem)
    when(tokens.click, revoke, [], [tokens, secret], token_problem)
    reveal.expand(studio.bug_report, None, report, api_visibility="private")


def machine_page(view: SystemView) -> Markup:
    """All of the machine at a glance."""
    memory = _used(say("system.memory"), view.memory_used_gib, view.memory_total_gib)
    disk = _used(say("system.disk"), view.disk_total_gib - view.disk_free_gib, view.disk_total_gib)
    gpus = [_used(gpu.name, gpu.used_gib, gpu.total_gib) for gpu in view.gpus]
    gauges = el("div", *gpus, memory, disk, class_="gauges")
    no_gpu = None if gpus else note(say("system.no_gpu"))
    versions = el("details", el("summary", say("system.versions")), facts(view.versions.items()),
                  data_part="versions")  # fmt: skip
    return join([gauges, no_gpu, _workers(view), _caches(view.caches), versions])


def _used(name: str, used: float, total: float) -> Markup:
    share = used / total if total else 0.0
    amount = say("system.of", used=f"{used:.1f}", total=f"{total:.1f}")
    return el("div", el("strong", name), el("span", amount), progress(share, name), class_="gauge")


def _workers(view: SystemView) -> Markup:
    if not view.workers:
        return note(say("system.no_worker"), "problem")
    head = [say(f"system.{name}") for name in ("worker", "device", "does", "seen")]
    rows = [[row.id, row.device, _does(row), moment(row.seen_at)] for row in view.workers]
    return table(head, rows, caption=say("system.workers"))


def _does(row: Any) -> str:
    if not row.alive:
        return say("system.gone")
    return row.job_id or say("system.warm" if row.warm else "system.free")


def _caches(caches: list[CacheView]) -> Markup | None:
    if not caches:
        return None
    rows = [
        [cache.name, size(cache.bytes), _deletion(cache) if cache.deletable else ""]
        for cache in caches
    ]
    head = [say("system.cache"), say("system.size"), ""]
    return table(head, rows, caption=say("system.caches"))


def _deletion(cache: CacheView) -> Markup:
    return button(say("system.clear"), "clear", file=cache.name, kind="danger",
                  confirm=say("system.clear_confirm", name=cache.name))  # fmt: skip


def token_list(studio: Studio) -> Markup:
    tokens = studio.tokens()
    if not tokens:
        return note(say("token.none"))
    rows = [
        [token.name, moment(token.created_at),
         button(say("token.revoke"), "revoke", file=token.id, kind="danger",
                confirm=say("token.revoke_confirm", name=token.name))]
        for token in tokens
    ]  # fmt: skip
    return table([say("token.name"), say("token.created"), ""], rows, caption=say("token.title"))
