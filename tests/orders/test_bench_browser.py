"""The bench's browser fills in forms as a browser would."""

from orders.management.bench.browser import forms_of

PAGE = """
<form action="/search/"><input name="q"></form>
<form method="POST" action="/buy/">
  <input type="hidden" name="csrf" value="a&amp;b">
  <input type="radio" name="sku" value="1"><input type="radio" name="sku" value="2" checked>
  <input type="radio" name="way" value="fast">
  <input type="checkbox" name="note"><input type="checkbox" name="terms" checked>
  <select name="quantity"><option value="1">1<option value="2" selected>2</select>
  <select name="country"><option value="DE">Germany<option value="FR">France</select>
  <textarea name="words"></textarea>
  <button>Buy</button>
</form>
"""


def test_a_form_holds_what_its_page_shows_as_chosen() -> None:
    search, buy = forms_of(PAGE)
    assert (search.action, search.is_post, search.names) == ("/search/", False, {"q"})
    assert (buy.action, buy.is_post) == ("/buy/", True)
    assert buy.fields == {
        "csrf": "a&b",
        "sku": "2",
        "terms": "on",
        "quantity": "2",
        "country": "DE",
    }
    assert buy.names == {*buy.fields, "way", "note", "words"}
