"""Removal of secrets from addresses, for messages to the operator and for data that leaves the machine.

`hidden` and `public` take a string that is one address, so its password may contain any character. `redact` and `public_text`
search a text for addresses, each of which ends at the next space.

    hidden("rtsp://adm:pa/ss@10.0.0.2:554/live?token=abc")    rtsp://***@10.0.0.2:554/live?token=***
    public("rtsp://adm:pa/ss@10.0.0.2:554/live?token=abc")    rtsp://10.0.0.2:554

Passwords are not always percent-encoded, so it can be ambiguous where one ends. Whatever could be part of a password is hidden,
even if that sometimes hides a host or a path too.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Callable

STARS = "***"
LONGEST = 5_000
"""The longest line or address, in characters, that is searched. Some patterns take time that grows with the square of the
length, so a longer text could take hours.
"""
_LONG_WORD = re.compile(r"\S{1000,}")
_SCHEME = re.compile(r"(?:\b[a-z0-9][a-z0-9+.-]{0,40})?://", re.IGNORECASE)
"""Matches mistyped and missing schemes too, because a password may still follow."""
_HOST_AND_PORT = re.compile(r"(?:\[[0-9a-f:.%\w]*\]|[\w.-]*)(?::(?P<port>\d{0,5}))?", re.IGNORECASE)
_PLAUSIBLE_HOST = re.compile(r"\[.*\]|localhost|.*\.[^.]+|.*:\d+", re.IGNORECASE)
_PLACEHOLDER = re.compile(r"\[?USER(?::PASSWORD)?@")
"""The placeholder in hints on how to write an address."""
_SPACED_USER = re.compile(r"(?!\S*[,;:]\s)[^\s@:/]+:\S*\s(?:(?![:;,]\s|\s\().){0,200}@(?=[\w\[])")
"""User and password with a space in them, unless a sentence continues after the address."""
_KEY = re.compile(r"(?P<key>(?:(?<![A-Za-z0-9])|(?<=_))[A-Za-z0-9%][\w%.\[\]-]{0,60}?)(?P<is>=|%3D)", re.IGNORECASE)
_VALUE_END = re.compile(r"[&;?#][\w%.\[\]-]+=|_(?:channel|stream|real_stream|user|password|subtype)=", re.IGNORECASE)
_SECOND_VALUE = re.compile(r"(=[^&;/?#=_]*=)(?!\*\*\*)[^&;/?#=][^&;/?#]*")
"""What follows a second = without a separator in between: a key is missing, which may have been that of a password."""
_SECRET_KEY = re.compile(
    r"pass|pwd|psw|token|secret|signature|credential|session|jwt|auth|bearer|login(?:pas|use)|cred"
    r"|(?:^|[^a-z])(?:pw|pin|otp|sid|sas|code|sign|ticket|cookie|hash|digest|nonce|webhook)$|key$|sig$|accesscode$",
    re.IGNORECASE,
)
_PLAIN_SECRET_KEY = re.compile(r"(?P<key>\b[\w-]{0,60}(?:passw(?:or)?d|pwd|token|secret|api[_-]?key))(?P<is>=)", re.IGNORECASE)
"""Outside addresses, fewer words count as names of secrets."""
_ADDRESS_INSIDE = re.compile(r"([a-z][a-z0-9+.-]{0,40}%3A%2F%2F)[^&\s'\"]+", re.IGNORECASE)
"""A percent-encoded address inside the query of another."""
_HEADER = re.compile(
    r"\b((?:proxy-)?authorization|(?:set-)?cookie|x-[\w-]{0,60}?(?:key|token|auth)[\w-]*)(['\"]?\s*[:=]\s*)\S.*", re.I
)
_BASIC = re.compile(r"\b(Basic\s+)([A-Za-z0-9+/_-]{4,}={0,2})", re.IGNORECASE)
_BEARER = re.compile(r"\b(Bearer\s+)([\w.~+/=-]*[\d._~+/=-][\w.~+/=-]*|[\w.~+/=-]{16,})", re.IGNORECASE)
_TOKEN_HINT = re.compile(
    r"(?:web_?)?hooks?|services|bot|tokens?|secrets?|keys?|auth|sessions?|jwt|sig|api_?keys?", re.IGNORECASE
)
"""Path segments that secrets follow in URLs of Discord, Slack, Teams and Home Assistant."""
_TELEGRAM = re.compile(r"bot\d+:.*", re.IGNORECASE)
_PUNCTUATION = ":,;.)]}>'\"`"
"""Characters after an address that belong to the surrounding text."""


def redact(text: str) -> str:
    """Hide users, passwords, tokens and other secrets in the addresses and HTTP headers of `text`."""
    return "\n".join(_in_line(_cut(line), hidden) for line in text.split("\n"))


def public_text(text: str) -> str:
    """Replace every address in `text` with its `public` form."""
    return "\n".join(_in_line(_cut(line), public) for line in text.split("\n"))


def _cut(line: str) -> str:
    """Shorten a line to LONGEST characters: drop very long words, then cut between words.

    A cut inside an address could leave half a password visible.
    """
    if len(line) <= LONGEST:
        return line
    line = _LONG_WORD.sub("[...]", line)
    return line if len(line) <= LONGEST else f"{line[: max(0, line.rfind(' ', 0, LONGEST))]} ..."


def hidden(address: str) -> str:
    """Return an address without its secrets, for messages to the operator. Other text is returned redacted."""
    found = _SCHEME.search(address)
    if found is None:
        return _hide_values(address, _PLAIN_SECRET_KEY)
    parts = _split(address[found.end() :]) if len(address) <= LONGEST else None
    before = _up_to(found, address)
    if parts is None:
        return before + STARS
    user = f"{STARS}@" if parts.has_user else ""
    return before + user + re.sub(r"\s", "%20", parts.place + _hide_rest(parts.rest))


def public(address: str) -> str:
    """Return scheme, host and port of an address, for data that leaves the machine. Other text is returned unchanged."""
    found = _SCHEME.search(address)
    if found is None:
        return address
    parts = _split(address[found.end() :]) if len(address) <= LONGEST else None
    return _up_to(found, address) + (STARS if parts is None else re.sub(r"\s", "%20", parts.place))


def _up_to(scheme: re.Match[str], address: str) -> str:
    """Return an address up to the end of its scheme. Before the scheme there may be a mistyped address with a password."""
    return _without_user(address[: scheme.start()]) + scheme.group()


def _without_user(text: str) -> str:
    """Hide everything up to the last @ of a text without a scheme, if that may contain a password."""
    before, at, after = text.rpartition("@")
    return f"{STARS}@{after}" if at and ":" in before else text


def shown(text: str, show: Callable[[str], str] = hidden) -> str:
    """Return user input that should be an address, without its secrets.

    Text with a scheme is passed to `show`, which is `hidden` or `public`. Text without one may be a mistyped address such as
    `rtsp//user:password@host/?token=abc`, so everything up to its last @ is hidden, and so are the values of its query.
    """
    if _SCHEME.search(text):
        return show(text)
    if _is_in_disorder(text):
        return STARS
    without_user = _without_user(text)
    place, mark, query = without_user.partition("?")
    query = re.sub(r"(?<==)[^&]+", STARS, query)
    if without_user != text:  # an address: words without a value may be secrets too
        query = re.sub(r"(?:(?<=&)|^)[^&=]+(?=&|$)", STARS, query)
    return _hide_values(place, _KEY) + mark + query


def _is_in_disorder(text: str) -> bool:
    """Whether the parts of a mistyped address are not where they belong, so any of them may be the password."""
    before, at, after = text.rpartition("@")
    rest = after[end.end() :] if (end := _HOST_AND_PORT.match(after)) else after
    return bool(at) and ("//" in after or (":" in before and ":" in rest.partition("?")[0]))


def public_file(address: str) -> str:
    """Return the `public` form of a file's address, with 8 digits of its hash to tell files on one host apart."""
    digits = hashlib.sha256(hidden(address).encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{public(address)}#{digits}"


def is_secret_key(name: str) -> bool:
    """Return whether a parameter with this name holds a secret, such as `access_token` or `X-Amz-Signature`."""
    return bool(_SECRET_KEY.search(unquote(name)))


class _Parts(NamedTuple):
    """What follows the scheme: whether there is a user, HOST[:PORT], and the rest."""

    has_user: bool
    place: str
    rest: str


def _split(body: str) -> _Parts | None:
    """Split what follows the scheme. Returns None if a password cannot be told from a path that contains an @."""
    end = _end_of_host(body)
    at = body.rfind("@")
    if body.startswith(f"{STARS}@"):  # already redacted
        at = len(STARS)
        end = _end_of_host(body, at + 1)
    elif at > end:
        usual = body[:end].rpartition("@")[2]
        after = body[at + 1 : _end_of_host(body, at + 1)]
        is_usual = bool(_HOST_AND_PORT.fullmatch(usual))
        if is_usual and ("=" in body[end:at] or not _PLAUSIBLE_HOST.fullmatch(after)):
            return None
        end = _end_of_host(body, at + 1)
    place = body[at + 1 : end]
    if not _HOST_AND_PORT.fullmatch(place):  # such as a password without a host
        host, colon, _ = place.partition("[" if place.startswith("[") else ":")
        place = host + colon + STARS if colon else STARS
    return _Parts(at > 0, body[: at + 1] * (at == 0) + place, body[end:])


def _end_of_host(body: str, begin: int = 0) -> int:
    return next((i for i in range(begin, len(body)) if body[i] in "/?#\\"), len(body))


def _hide_rest(rest: str) -> str:
    """Hide secrets in path, query and fragment."""
    rest = _ADDRESS_INSIDE.sub(rf"\1{STARS}", rest)
    rest = _SECOND_VALUE.sub(rf"\1{STARS}", _hide_values(rest, _KEY))
    path, mark, query = re.fullmatch(r"([^?#]*)([?#]?)(.*)", rest, re.DOTALL).groups()  # type: ignore[union-attr]  # always matches
    return _hide_segments(path) + mark + re.sub(r"[^&;=#?]+", lambda word: _hide_token(word[0]), query)


def _hide_values(text: str, keys: re.Pattern[str]) -> str:
    """Hide the values of secret parameters in any position: `?token=`, `;token=`, `/user=admin_password=`."""
    shown, at = "", 0
    while found := keys.search(text, at):
        shown += text[at : found.end()]
        at = found.end()
        if not is_secret_key(found["key"]) or text.startswith(("TEXT", "PASSWORD", STARS), at):
            continue
        follows = _VALUE_END.search(text, at)
        shown += STARS
        at = follows.start() if follows else len(text)
    return shown + text[at:]


def _hide_segments(path: str) -> str:
    """Hide path segments that are tokens or follow a word such as `webhook`."""
    shown: list[str] = []
    follows_hint = False
    for segment in path.split("/"):
        shown.append(STARS if follows_hint and segment else _hide_token(segment))
        follows_hint = follows_hint or bool(_TOKEN_HINT.fullmatch(unquote(segment)))
    return "/".join(shown)


def _hide_token(word: str) -> str:
    plain = unquote(word)
    return f"bot{STARS}" if _TELEGRAM.fullmatch(plain) else STARS if _is_token(plain) else word


def _is_token(word: str) -> bool:
    """Return whether a word looks random. Stream names such as h264Preview_01_main are shorter or less mixed."""
    if "=" in word:
        return False
    pieces = re.split(r"[-_.,:;~ ]", word)
    longest = max(pieces, key=len)
    has = [bool(re.search(kind, word)) for kind in ("[a-z]", "[A-Z]", "[0-9]")]
    mixed = len(word) >= 20 and all(has) and not word.isalpha()
    turns = len(re.findall(r"[a-z][A-Z]", word))
    return (
        (len(longest) >= 12 and bool(re.search("[0-9]", longest)) and bool(re.search("[A-Za-z]", longest)))
        or len(longest) >= 24
        or mixed
        or (len(longest) >= 16 and turns >= 4)
    )


def _in_line(line: str, replace: Callable[[str], str]) -> str:
    """Replace the addresses in a line and hide secrets between them."""
    shown, at = "", 0
    while found := _SCHEME.search(line, at):
        shown += _hide_plain(line[at : found.start()])
        end = _end_in_text(line, found.end())
        shown += line[found.start() : end] if _PLACEHOLDER.match(line, found.end()) else replace(line[found.start() : end])
        at = max(end, found.end())
    return shown + _hide_plain(line[at:])


def _end_in_text(line: str, begin: int) -> int:
    """Return the end of the address whose scheme ends at `begin`."""
    spaced = _SPACED_USER.match(line, begin)
    if spaced and "@" not in line[begin : _end_of_word(line, begin)]:
        return _without_punctuation(line, begin, _end_of_word(line, spaced.end()))
    end = _end_of_word(line, begin)
    other = _SCHEME.search(line, begin + 1, end)
    while other and "@" in line[other.end() : end] and _is_inside(line[begin : other.start()]):
        other = _SCHEME.search(line, other.end(), end)  # a password with :// in it
    return _without_punctuation(line, begin, other.start() if other else end)


def _is_inside(before: str) -> bool:
    """Return whether `before` has a user whose password may still continue."""
    return "@" not in before and not re.search(r"[/,\s'\"(=]", before)


def _end_of_word(line: str, begin: int) -> int:
    return next((i for i in range(begin, len(line)) if line[i].isspace()), len(line))


def _without_punctuation(line: str, begin: int, end: int) -> int:
    while end > begin and line[end - 1] in _PUNCTUATION and not line.endswith(("://", f"{STARS}"), begin, end):
        if line[end - 1] == "]" and "[" in line[begin:end]:
            break
        end -= 1
    return end


def _hide_plain(text: str) -> str:
    text = _HEADER.sub(rf"\1\2{STARS}", text)
    text = _BASIC.sub(lambda found: found[1] + (STARS if _is_user_and_password(found[2]) else found[2]), text)
    text = _BEARER.sub(rf"\1{STARS}", text)
    if "=" not in text:
        return text
    return "".join(_hide_values(word, _PLAIN_SECRET_KEY) for word in re.split(r"(\s+)", text))


def _is_user_and_password(encoded: str) -> bool:
    try:
        return b":" in base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_" if "-" in encoded else None)
    except binascii.Error:
        return False
