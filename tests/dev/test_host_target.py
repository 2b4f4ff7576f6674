"""What becomes of a request's path between the client and the worker."""

import pytest

from dev.functions_host.target import decode_path, encode_path, split_target


@pytest.mark.parametrize(
    ("sent", "arrives"),
    [
        (b"/a%2Fb", b"/a%252Fb"),
        (b"/a%2fb", b"/a%252fb"),
        (b"/%41", b"/A"),
        (b"/%2B", b"/+"),
        (b"/%26", b"/&"),
        (b"/%E9", b"/%25E9"),
        (b"/%C3%A9", b"/%C3%A9"),
        (b"/%C3%A9%E9%C3%A9", b"/%C3%A9%25E9%C3%A9"),
        (b"/a\\b", b"/a%5Cb"),
        (b"/a b".replace(b" ", b"%20"), b"/a%20b"),
        (b"/%", b"/%25"),
        (b"/a%0Ab", b"/a%0Ab"),
        (b"/a%3Fb", b"/a%3Fb"),
        (b"/v1/", b"/v1/"),
        (b"/v1//b", b"/v1//b"),
        (b"//a", b"//a"),
        (b"/a/../b", b"/b"),
        (b"/a/./b/..", b"/a/"),
        (b"/../../a", b"/a"),
        (b"/a/%2e%2E/b", b"/b"),
        (b"/a/..%2Fb", b"/a/..%252Fb"),
        (b"/..a/.b/...", b"/..a/.b/..."),
    ],
)
def test_a_path_is_decoded_its_dots_are_resolved_and_it_is_encoded_again(sent: bytes, arrives: bytes) -> None:
    assert encode_path(decode_path(sent)) == arrives


def test_a_path_with_an_encoded_nul_is_refused() -> None:
    with pytest.raises(ValueError, match="NUL"):
        decode_path(b"/a%00b")


def test_the_query_is_left_as_it_was_sent() -> None:
    assert split_target(b"/a?q=%41%2F?x", b"h") == (b"/a", b"q=%41%2F?x")
    assert split_target(b"/a", b"h") == (b"/a", b"")


def test_an_address_of_this_host_is_read_as_a_path() -> None:
    assert split_target(b"http://Shop.example/a?b", b"shop.example") == (b"/a", b"b")
    assert split_target(b"http://shop.example", b"shop.example") == (b"/", b"")


@pytest.mark.parametrize(
    "target", [b"http://other.example/a", b"ftp://shop.example/a", b"*", b"a", b"/a#b", b"/caf\xc3\xa9", b"/a\x01"]
)
def test_a_target_that_kestrel_does_not_take_is_refused(target: bytes) -> None:
    with pytest.raises(ValueError, match="the target"):
        split_target(target, b"shop.example")
