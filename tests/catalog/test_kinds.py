"""Where the rows of accounts and catalogue live."""

import pytest
from django.apps import apps
from django.db.models import Model

from core.sharding import Kind, check_model, kind_of

OURS = [*apps.get_app_config("accounts").get_models(), *apps.get_app_config("catalog").get_models()]


@pytest.mark.parametrize("model", OURS)
def test_a_model_keeps_the_shard_rules(model: type[Model]) -> None:
    assert list(check_model(model)) == []


def test_merchants_and_taxes_are_everywhere_and_the_rest_is_local() -> None:
    kinds = {model.__name__: kind_of(model) for model in OURS}

    everywhere = {name for name, kind in kinds.items() if kind is Kind.REFERENCE}
    assert everywhere == {"Merchant", "TaxClass", "TaxRate"}
    assert set(kinds.values()) == {Kind.LOCAL, Kind.REFERENCE}
