"""Pictures: only what is one gets in, and its file goes with its row."""

from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

from accounts.actors import Actor, Role
from accounts.permissions import merchant_actor
from catalog import services
from catalog.models import ProductImage
from catalog.services import image_add, image_remove
from core.errors import Invalid, NotFound
from tests.factories import make_merchant, make_product

pytestmark = pytest.mark.django_db

STAFF = Actor(Role.STAFF, "1")


@pytest.fixture(autouse=True)
def media_root(settings: Any, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = str(tmp_path)
    return tmp_path


def picture(picture_format: str = "PNG", name: str = "tea.png") -> SimpleUploadedFile:
    content = BytesIO()
    Image.new("RGB", (4, 3), "green").save(content, picture_format)
    return SimpleUploadedFile(name, content.getvalue())


@pytest.mark.parametrize("picture_format", ["JPEG", "PNG", "WEBP"])
def test_pictures_stand_in_the_order_in_which_they_came(picture_format: str) -> None:
    product = make_product()
    for alt in ("front", "back"):
        image_add(product_id=product.pk, image=picture(picture_format), alt=alt, actor=STAFF)

    front, back = product.images.all()

    assert [front.alt, front.position, back.alt, back.position] == ["front", 0, "back", 1]
    with Image.open(front.image.path) as stored:
        assert stored.size == (4, 3)


def test_the_name_of_the_file_is_ours() -> None:
    row = image_add(product_id=make_product().pk, image=picture(name="x.php.png"), actor=STAFF)

    assert "php" not in row.image.path
    assert row.image.path.endswith(".png")


@pytest.mark.parametrize(
    "image",
    [
        SimpleUploadedFile("tea.png", b""),
        SimpleUploadedFile("tea.png", b"<svg onload='alert(1)'/>"),
        picture("GIF"),
        picture("BMP"),
    ],
    ids=["empty", "text", "gif", "bmp"],
)
def test_what_is_no_picture_is_refused(image: SimpleUploadedFile, media_root: Path) -> None:
    product = make_product()

    with pytest.raises(Invalid) as refusal:
        image_add(product_id=product.pk, image=image, actor=STAFF)

    assert refusal.value.code == "image.unreadable"
    assert not ProductImage.objects.exists()
    assert not list(media_root.iterdir())


def test_a_picture_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "LARGEST_PICTURE_BYTES", 10)

    with pytest.raises(Invalid):
        image_add(product_id=make_product().pk, image=picture(), actor=STAFF)


@pytest.mark.django_db(transaction=True)
def test_removing_a_picture_removes_its_file_and_repeats_quietly() -> None:
    row = image_add(product_id=make_product().pk, image=picture(), actor=STAFF)
    stored = Path(row.image.path)
    assert stored.exists()

    for _ in range(2):
        image_remove(image_id=row.pk, actor=STAFF)

    assert not stored.exists()
    assert not ProductImage.objects.exists()


def test_another_merchants_pictures_are_out_of_reach() -> None:
    product = make_product()
    row = image_add(product_id=product.pk, image=picture(), actor=STAFF)
    other = merchant_actor(merchant_id=make_merchant().pk, user_id=1)

    with pytest.raises(NotFound):
        image_add(product_id=product.pk, image=picture(), actor=other)
    image_remove(image_id=row.pk, actor=other)

    assert ProductImage.objects.get() == row
