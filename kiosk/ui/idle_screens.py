"""Nobody is here yet: the idle screen, and the articles."""

from __future__ import annotations

from kiosk.session.provider import Article
from kiosk.ui.layout import list_page
from kiosk.ui.local import Front
from kiosk.ui.markdown import plain
from kiosk.ui.screen import Choice, Screen
from kiosk.ui.texts import Say
from kiosk.ui.view import View


def idle(view: View, front: Front, say: Say) -> Screen:
    """Way to ask (where the provider allows it) and articles; in browsing the single button walks through these."""
    provider, asking = view.provider, []
    if provider.requests_allowed:
        asking = [Choice("ask", say("Request video help"), "primary", icon="camera-plus", place="main")]
    articles = list_page("idle", provider.articles, front)
    listed = [Choice("article", a.title, arg=a.id, icon="book", place="list") for a in articles.items]
    more = [Choice("page", say("More"), icon="more", place="list")] if articles.pages > 1 else []
    if view.recall:
        more.append(Choice("recall", say("Back to the last session"), icon="undo"))
    end = [Choice("browse-end", say("Back"), icon="back")] if front.browsing else []
    hint = ""
    if front.browsing:
        hint = say("Button: short = next, hold = choose")
    elif listed and asking:
        hint = say("Button: short = help, hold = articles")
    return Screen(
        name="idle",
        key="",
        title=say("Request video help") if asking else say("Welcome"),
        lines=(say("Press the camera-plus button"),) if asking else (say("Requests are switched off at this device."),),
        choices=(*([] if front.browsing else asking), *listed, *more, *end)
        if front.browsing
        else (*asking, *listed, *more),
        layout="idle",
        icon="camera-plus" if asking else "camera",
        hint=hint,
    )


def article(view: View, article_id: str, front: Front, say: Say) -> Screen:
    """An article; its action button starts the creation flow with the reason filled in."""
    found = next((a for a in view.provider.articles if a.id == article_id), None)
    choices = [Choice("done", say("Back"), icon="back")]
    if found and found.action and view.provider.requests_allowed:
        choices = [
            Choice("ask-with-reason", found.action, "primary", found.reason or found.title, "camera-plus"),
            *choices,
        ]
    return text_page("article", found or Article("none", say("Not found"), ""), choices, front, say)


def text_page(name: str, told: Article, choices: list[Choice], front: Front, say: Say) -> Screen:
    """A text to be read, over several pages where it is long."""
    pages = list_page("text", plain(told.text, front.size), front)
    if pages.pages > 1:
        choices = [Choice("page", say("Read on"), "primary", icon="next"), *choices]
    return Screen(
        name=name,
        key="",
        title=told.title,
        lines=pages.items,
        choices=tuple(choices),
        layout="text",
        step=None,
        hint=say("Button: short = next, hold = choose"),
    )
