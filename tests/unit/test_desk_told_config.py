"""What a kiosk tells of the configuration that is in force: whole, or as much as fits into one message."""

from __future__ import annotations

from kiosk.fleet.reported import in_force
from kiosk.session.provider import Article, Provider
from kiosk.session.record import Person
from kiosk.wire.codec import MAX_MESSAGE, decode, encode
from kiosk.wire.messages import InForce


def test_it_is_told_whole_where_it_fits() -> None:
    provider = Provider(name="Example", staff=(Person("anna", "Anna"),), articles=(Article("oil", "Oil", "text"),))
    told = in_force(provider)
    assert decode(encode(told), InForce) == told
    assert (told.name, told.staff, told.articles[0].text) == ("Example", provider.staff, "text")


def test_texts_that_do_not_fit_are_left_out_from_the_last_one_on() -> None:
    articles = tuple(Article(f"art-{n}", f"Article {n}", "x" * 19_000) for n in range(6))
    told = in_force(Provider(articles=articles))
    assert len(encode(told)) <= MAX_MESSAGE
    assert [bool(article.text) for article in told.articles] == [True, True, True, False, False, False]
    assert [article.title for article in told.articles] == [article.title for article in articles]


def test_what_is_more_than_anybody_writes_is_told_without_lists() -> None:
    told = in_force(Provider(name="Example", reasons=tuple("r" * 200 for _ in range(500))))
    assert len(encode(told)) <= MAX_MESSAGE
    assert (told.name, told.reasons) == ("Example", ())


def test_a_kiosk_that_knows_more_than_this_desk_is_understood() -> None:
    assert (
        decode(b'{"name":"x","soon":1,"articles":[{"id":"oil","title":"t","text":"","soon":2}]}', InForce).name == "x"
    )
