"""Octets that are UTF-8, and octets that are not: RFC 3629, and the limits of each length."""

from typing import Final

WHOLE: Final = (
    "",
    "κόσμε",
    "Hello-µ@ßöäüàá-UTF-8!!",
    "\x7f",
    "\u0080",
    "\u07ff",
    "\u0800",
    "\ud7ff",
    "\ue000",
    "\ufffd",
    "\ufffe",
    "\uffff",
    "\U00010000",
    "\U0001f600",
    "\U0001fffe",
    "\U0010fffd",
    "\U0010ffff",
)
"""First and last of each length, the neighbours of the surrogates, and non-characters, which are allowed."""

BROKEN: Final = (
    b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited",  # a surrogate in good company
    b"\xce\xba\xe1\xbd\xb9\xf4\x90\x80\x80",  # beyond U+10FFFF
    b"\x80",  # a continuation alone
    b"\xbf\x80\xbf",
    b"\xc0 \xc1 ",  # first octets alone
    b"\xe0 \xef ",
    b"\xf0 \xf4 ",
    b"\xc3",  # the last octet is missing
    b"\xe2\x82",
    b"\xf0\x9f\x98",
    b"\xfe",  # never an octet of UTF-8
    b"\xff",
    b"\xc0\xaf",  # longer than it needs to be
    b"\xe0\x80\xaf",
    b"\xf0\x80\x80\xaf",
    b"\xc1\xbf",
    b"\xe0\x9f\xbf",
    b"\xf0\x8f\xbf\xbf",
    b"\xf8\x88\x80\x80\x80",  # five and six octets
    b"\xfc\x84\x80\x80\x80\x80",
    b"\xed\xa0\x80",  # surrogates, alone and paired
    b"\xed\xbf\xbf",
    b"\xed\xa0\x80\xed\xb0\x80",
)
