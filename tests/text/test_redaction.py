"""Removal of secrets from addresses and texts."""

from __future__ import annotations

import base64
import string
import time
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecls.errors import EdgeclsError
from edgecls.text.redaction import LONGEST, hidden, public, public_file, public_text, redact, shown

ALPHABET = string.ascii_letters + string.digits
MARKED = st.text(ALPHABET, min_size=4, max_size=12).map(lambda text: f"Zq{text}9")
"""Texts that cannot occur by chance in another part of an address."""
ODD = st.text(st.sampled_from(ALPHABET + "/#?@%: &;=_-+'\"äß漢"), max_size=8)
KEYS = st.sampled_from(
    (
        *("access_token", "api_key", "apikey", "key", "sig", "signature", "jwt", "token", "auth", "pwd", "pass", "passwd"),
        *("password", "loginpas", "loginuse", "secret", "X-Amz-Signature", "code", "session", "sessionid", "client_secret"),
    )
)
CASES = st.sampled_from((str.lower, str.upper, str.title, str))
SCHEMES = st.sampled_from(("rtsp", "rtsps", "http", "https", "mqtt", "mqtts", "rtmp", "webhook:https", "RTSP"))
HOSTS = st.sampled_from(("10.0.0.7", "cam.local", "[fe80::1]", "10.0.0.7:8554", "[::1]:80"))


SECRET = "hunter2Secret"  # noqa: S105 - the tests check that it is hidden


@pytest.mark.parametrize(
    ("address", "shown", "outside"),
    [
        ("rtsp://adm:12/zz@127.0.0.1:9/1", "rtsp://***@127.0.0.1:9/1", "rtsp://127.0.0.1:9"),
        ("rtsp://adm:p w@h/1", "rtsp://***@h/1", "rtsp://h"),
        ("mqtt://me@home:hun/zz#1@127.0.0.1:1/p", "mqtt://***@127.0.0.1:1/p", "mqtt://127.0.0.1:1"),
        (
            "rtsp://h/user=a_password=b/c_channel=1_stream=0.sdp",
            "rtsp://h/user=a_password=***_channel=1_stream=0.sdp",
            "rtsp://h",
        ),
        ("http://h/v.cgi?loginuse=a&loginpas=b&x=1", "http://h/v.cgi?loginuse=***&loginpas=***&x=1", "http://h"),
        ("http://h/v;JSESSIONID=12?x=1", "http://h/v;JSESSIONID=***?x=1", "http://h"),
        ("http://h/#access_token=a&x=1", "http://h/#access_token=***&x=1", "http://h"),
        ("https://hooks.slack.com/services/T0/B0/x", "https://hooks.slack.com/services/***/***/***", "https://hooks.slack.com"),
        ("https://discord.com/api/webhooks/1/x", "https://discord.com/api/webhooks/***/***", "https://discord.com"),
        ("http://ha:8123/api/webhook/door", "http://ha:8123/api/webhook/***", "http://ha:8123"),
        ("https://api.telegram.org/bot1:A-b/send", "https://api.telegram.org/bot***/send", "https://api.telegram.org"),
        ("http://h/?u=rtsp%3A%2F%2Fa%3Ab%40h&z=1", "http://h/?u=rtsp%3A%2F%2F***&z=1", "http://h"),
        ("rtsp://h:554/Streaming/Channels/101", "rtsp://h:554/Streaming/Channels/101", "rtsp://h:554"),
        ("rtsp://h/h264Preview_01_main", "rtsp://h/h264Preview_01_main", "rtsp://h"),
        ("rtsp://h/cam/realmonitor?channel=1&subtype=0", "rtsp://h/cam/realmonitor?channel=1&subtype=0", "rtsp://h"),
        ("rtsp://[fe80::1]:554/1", "rtsp://[fe80::1]:554/1", "rtsp://[fe80::1]:554"),
        ("udp://@239.0.0.1:1234", "udp://@239.0.0.1:1234", "udp://@239.0.0.1:1234"),
        ("0://a:zz@h/1", "0://***@h/1", "0://h"),
        ("://a:zz@h/1", "://***@h/1", "://h"),
        ("4rtsp://a:zz@h", "4rtsp://***@h", "4rtsp://h"),
        ("jsonl:a.jsonl", "jsonl:a.jsonl", "jsonl:a.jsonl"),
    ],
)
def test_an_address_is_shown_without_secrets_and_leaves_the_machine_as_its_host(address, shown, outside):
    """Messages to the operator keep the path of an address; data that leaves the machine has only scheme, host and port."""
    assert hidden(address) == shown
    assert public(address) == outside
    assert redact(f"error: {address}: no answer, try again") == f"error: {shown}: no answer, try again"
    assert public_text(f"lost ({address})") == f"lost ({outside})"


@pytest.mark.parametrize("address", ["http://h/cb?token=ab@cd", "http://h:80/@me/x", "rtsp://adm:1/2=3@cam"])
def test_an_ambiguous_address_is_hidden_completely(address):
    """An @ after the host belongs either to a path or to a password with a slash."""
    scheme = address.partition(":")[0]
    assert hidden(address) == public(address) == f"{scheme}://***"


@pytest.mark.parametrize(
    "text",
    [
        "a: is not the address of a broker; expected mqtt://[USER:PASSWORD@]HOST[:PORT]/PREFIX, with special characters",
        "rtsp://cam:554/1: they stand in the address as USER:PASSWORD@HOST, an @ in them as %40",
        "expected only secret=TEXT after the #",
        "basic authentication is wrong; the bearer of a token",
        "http://host:80 is wrong, mail: a@b.c",
    ],
)
def test_hints_stay_readable(text):
    """The expected form of an address is not a secret."""
    assert redact(text) == text


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Basic {base64.b64encode(b'adm:Zq1secret9').decode()}",
        f"sent Basic {base64.b64encode(b'adm:Zq1secret9').decode()}",
        "{'Authorization': 'Bearer Zq1secret9'}",
        "X-Api-Key: Zq1secret9",
        "Cookie: session=Zq1secret9; a=b",
        "connect(username='a', password='Zq1secret9')",
    ],
)
def test_secrets_of_headers_are_hidden(text):
    """Messages of libraries about headers show no password, encoded or not."""
    assert "Zq1secret9" not in redact(text)
    assert base64.b64encode(b"adm:Zq1secret9").decode() not in redact(text)


def test_files_of_one_host_have_different_public_names():
    """The digits depend on the path, so two videos of a server have two names; they do not depend on user and password."""
    one, two = public_file("http://u:p@h/a.mp4"), public_file("http://h/b.mp4")
    assert one != two
    assert one.startswith("http://h#")
    assert public_file("http://u:q@h/a.mp4") == one


@st.composite
def addresses(draw):
    """Generate an address that contains a secret, and the secret."""
    secret, scheme, host = draw(MARKED), draw(SCHEMES), draw(HOSTS)
    key = draw(CASES)(draw(KEYS))
    value = draw(st.sampled_from((secret, f"{secret}%2F%40", quote(f"{secret}/+ ü", safe=""))))
    place = draw(st.sampled_from(("user", "password", "name", "query", "later", "fragment", "param", "style", "hook", "path")))
    # without ://, because a raw password that looks like a complete address before another one cannot be recognized
    before, after = (draw(ODD).replace("://", "") for _ in range(2))
    address = {
        "user": f"{quote(before + secret + after, safe='')}@{host}/live",
        "password": f"adm:{before}{secret}{after}@{host}/live",
        "name": f"me@home:{secret}{after.replace('@', '')}@{host}/live",
        "query": f"{host}/v?{key}={value}&x=1",
        "later": f"{host}/v?x=1&{key}={value}#t",
        "fragment": f"{host}/v#{key}={value}",
        "param": f"{host}/v;{key}={value}?x=1",
        "style": f"{host}/user=adm_password={value}_channel=1_stream=0.sdp?real_stream",
        "hook": f"{host}/api/webhook/{value}",
        "path": f"{host}/v/{secret}{draw(st.text(ALPHABET, min_size=16, max_size=40))}/x",
    }[place]
    return f"{scheme}://{address}", secret


@given(addresses())
def test_no_secret_of_an_address_is_ever_shown(drawn):
    """In any position and encoding: in an address alone, and in a text if the address contains no space."""
    address, secret = drawn
    encoded = base64.b64encode(secret.encode()).decode()
    shown = [hidden(address), public(address), public_file(address), redact(hidden(address)), public_text(hidden(address))]
    if not any(char.isspace() for char in address):
        texts = [f"error: {address}: no answer", f"['{address}', 'rtsp://h/1']", f'"{address}"', f"({address})"]
        shown += [redact(text) for text in texts] + [public_text(text) for text in texts]
        shown += [str(EdgeclsError(text)) for text in texts]
    for text in shown:
        assert secret not in text
        assert encoded not in text


@given(addresses())
def test_hiding_twice_changes_nothing(drawn):
    """An error that quotes another error shows the same text."""
    shown = hidden(drawn[0])
    assert hidden(shown) == shown
    assert redact(f"{shown}: no answer") == f"{shown}: no answer"


@given(st.text())
def test_any_text_can_be_redacted(text):
    """No text raises an exception."""
    assert isinstance(redact(text), str)
    assert isinstance(public_text(hidden(text)), str)


@pytest.mark.parametrize("address", ["http://[::1", "rtsp://h h/1", "http://adm:pa", "rtsp://h:x/1", "rtsp:///x", "http://"])
def test_hiding_an_invalid_address_twice_changes_nothing(address):
    """Neither with `hidden` nor with `redact`."""
    shown = hidden(address)
    assert hidden(shown) == redact(shown) == shown


@pytest.mark.parametrize(
    "address", ["rtsp//adm:pw1@cam/1", "rtsp:/adm:pw1@cam/1", ":rtsp//:pw1@cam/1", "rtsp:adm:p/w1:pw1@cam/1"]
)
def test_an_address_without_a_scheme_hides_what_may_be_its_password(address):
    """User input that should be an address is shown from its last @ on."""
    assert shown(address) == "***@cam/1"
    assert shown(address.replace("@cam/1", "@cam?token=t1")) == "***@cam?token=***"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rtsp:/u:hunter2Secret@10.0.0.7://1", "***@10.0.0.7://1"),  # the scheme is not at the start
        ("u:hunter2Secret@cam rtsp://10.0.0.7/1", "***@cam rtsp://10.0.0.7/1"),
        ("rtsp:/u:pw@cam/1?${NAME}=hunter2Secret", "***@cam/1?${NAME}=***"),  # an unknown key
        ("rtsp:/u:pw@cam/1?password${NAME}hunter2Secret", "***@cam/1?***"),
        ("rtsp:/u:pw@cam/1?a=1&hunter2Secret&b", "***@cam/1?a=***&***&***"),
        ("rtsp:/cam/1?file=hunter2Secret", "rtsp:/cam/1?file=***"),
        ("what?.mp4", "what?.mp4"),
        ("a=b.mp4", "a=b.mp4"),
    ],
)
def test_a_mistyped_address_shows_no_user_and_no_value(text, expected):
    """Neither before a scheme later in the text, nor in a query without a known key."""
    assert shown(text) == expected
    assert "hunter2Secret" not in shown(text, public) + redact(shown(text))


@pytest.mark.parametrize("rest", ["/user=rtsp=hunter2Secret_x.sdp", "/live?user=a=hunter2Secret&b=1", "?a==hunter2Secret"])
def test_what_follows_a_second_equals_sign_is_hidden(rest):
    """Its key is missing."""
    assert "hunter2Secret" not in hidden("rtsp://cam" + rest)


@pytest.mark.parametrize("key", ["1rtsppassword", "2token", "0_api_key", "live1/password", "9%70assword"])
def test_a_key_may_begin_with_a_digit(key):
    """In the path and in the query."""
    assert "hunter2Secret" not in hidden(f"rtsp://cam/{key}=hunter2Secret")
    assert "hunter2Secret" not in hidden(f"http://cam/live?{key}=hunter2Secret&a=1")


@pytest.mark.parametrize(
    "text",
    [
        "rtsp@//:1/hunter2Secret:127.0.0.1:1",
        "user@//hunter2Secret:cam/1",
        "rtsp:/admin@cam//hunter2Secret",
        "rtsp:@/admin:hunter2Secret%23%3F/127.0.0.1:1",
        "rtsp:admin@cam:554/hunter2Secret:x",
        "\udcffrtsp@//hunter2Secret",
    ],
)
def test_an_address_in_disorder_is_hidden_whole(text):
    """What stands behind the @ need not be the host."""
    assert shown(text) == "***"


@pytest.mark.parametrize("text", ["clips/a.mp4", "2026-01-01T12:30:05.mp4", "jsonl:out.jsonl", "a@b.mp4"])
def test_a_path_is_shown_unchanged(text):
    """A colon or an @ alone does not indicate a password."""
    assert shown(text) == text


@pytest.mark.parametrize("show", [hidden, public])
def test_an_address_with_a_scheme_is_shown_by_the_given_function(show):
    """Which is `hidden` or `public`."""
    assert shown("rtsp://a b:pw1@cam/1", show) == show("rtsp://a b:pw1@cam/1")


@pytest.mark.timeout(60)
@pytest.mark.parametrize("begin", ["", "rtsp://", "rtsp://u:", "http://h/?a="])
@pytest.mark.parametrize(
    "piece", [":", "a:", "x-", "a.", "://", "rtsp://a:b", "http://", "[", "=", "%3A%2F%2F", "x-key", "@", "é"]
)
@pytest.mark.parametrize("function", [redact, public_text, hidden, public, shown])
def test_a_long_text_is_searched_quickly(function, piece, begin):
    """Whatever is repeated in it, as in a file that is not a configuration; below and above the limit."""
    for length in (LONGEST - 1, 200_000):
        began = time.process_time()
        function((begin + piece * length)[:length])
        assert time.process_time() - began < 8  # CPU time, however busy the machine is; it used to take hours


@pytest.mark.parametrize("function", [redact, public_text, hidden, public])
@pytest.mark.parametrize("long", ["a" * LONGEST, "a/" * LONGEST, "a " * LONGEST, "1" * LONGEST])
def test_a_long_address_shows_no_secret(function, long):
    """Not even at the cut, if the user, the password or the path is long."""
    for address in (f"rtsp://u:pw{SECRET}{long}@h/1", f"rtsp://u{long}:{SECRET}@h/1", f"rtsp://u:pw@h/{long}?token={SECRET}"):
        assert SECRET not in function(address)
    assert redact(f"camera {long} is lost").startswith("camera ")
