import pytest
from shop.forms import check_address, check_delivery, one_line, some_lines
from shop.passwords import check_password, hash_password
from shop.storefront import money, own_path


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("  Ida \t Brenner ", "Ida Brenner"),
        ("a\x00b", "a b"),
        ("a\ud800b", "ab"),
        ("نمی‌خواهم", "نمی‌خواهم"),
    ],
)
def test_a_line_of_text_is_tidied_up(written, kept):
    assert one_line(written) == kept


def test_a_text_keeps_its_lines():
    assert some_lines("\r\n  one \r\n\r\n two\x07 \r\n") == "one\n\ntwo"


@pytest.mark.parametrize("postcode", ["10115", "D02 X285", "1012 AB", "BT1-5GS"])
def test_postcodes_of_many_countries_are_accepted(postcode):
    values, errors = check_address(
        {"name": "a", "street": "b", "postcode": postcode, "city": "c", "country": "IE"}
    )
    assert errors == {}
    assert values["postcode"] == postcode


def test_every_missing_answer_is_reported_at_once():
    _values, errors = check_address({})
    assert set(errors) == {"name", "street", "postcode", "city", "country"}
    assert set(check_delivery({})[1]) == {"method"}


def test_a_password_is_recognized_and_no_other():
    stored = hash_password("tea-at-four")
    assert check_password("tea-at-four", stored)
    assert not check_password("tea-at-five", stored)
    assert not check_password("tea-at-four", None)


def test_equal_passwords_are_stored_differently():
    assert hash_password("tea-at-four") != hash_password("tea-at-four")


@pytest.mark.parametrize(("cents", "text"), [(0, "€ 0.00"), (5, "€ 0.05"), (123456, "€ 1234.56")])
def test_money_is_written_to_the_cent(cents, text):
    assert money(cents) == text


@pytest.mark.parametrize("path", ["/", "/cart", "/products/assam-tin", "/login?next=%2Fcart"])
def test_own_paths_are_kept(path):
    assert own_path(path, "/default") == path


@pytest.mark.parametrize(
    "path", [None, "", "cart", "//host", "/\\host", "/\t/host", "/cart\n", "/a//b:c", "/?a=<"]
)
def test_other_paths_are_not(path):
    assert own_path(path, "/default") == "/default"
