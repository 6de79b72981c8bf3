"""How a comparison of methods looks: one row a method. (table shape: app.method_table)"""

from __future__ import annotations

from app.studio import Studio
from app.tabs.markup import Markup, empty
from app.tabs.words import say


def method_page(studio: Studio, group: str | None) -> Markup:
    return empty(say("methods.empty"), say("methods.empty_next"))
