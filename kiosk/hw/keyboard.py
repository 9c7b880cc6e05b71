"""What the keys of a USB keyboard or scanner write, where no system says so: on a bare display (KMS/DRM). Pure.

Keys are numbered as USB numbers them (HID Usage Tables 1.5, section 10: A is 4), and so does SDL.
"""

from __future__ import annotations

from typing import Literal

Layout = Literal["de", "en"]

_FIRST = 4  # the key A
_ENGLISH = "abcdefghijklmnopqrstuvwxyz1234567890"
_ENGLISH_SHIFTED = "ABCDEFGHIJKLMNOPQRSTUVWXYZ!@#$%^&*()"
_SIGNS_FROM = 44  # the space bar
_ENGLISH_SIGNS = " -=[]\\\\;'`,./"
_ENGLISH_SIGNS_SHIFTED = ' _+{}||:"~<>?'
_LETTERS = {
    "en": (_ENGLISH, _ENGLISH_SHIFTED),
    "de": (
        "abcdefghijklmnopqrstuvwxzy1234567890",
        'ABCDEFGHIJKLMNOPQRSTUVWXZY!"§$%&/()=',
    ),
}
_SIGNS = {"en": (_ENGLISH_SIGNS, _ENGLISH_SIGNS_SHIFTED), "de": (" ß´ü+##öä^,.-", " ?`Ü*''ÖÄ°;:_")}
_THIRD = {20: "@", 8: "€", 36: "{", 37: "[", 38: "]", 39: "}", 45: "\\", 48: "~", 100: "|"}
"""With the right Alt key, on a German keyboard."""

_BESIDE_Y = {"de": ("<", ">"), "en": ("\\", "|")}
_KEYPAD = {84: "/", 85: "*", 86: "-", 87: "+", 98: "0", 99: ".", **{n: str(n - 88) for n in range(89, 98)}}


def character(key: int, layout: Layout, shift: bool = False, third: bool = False) -> str:
    """The one character that a key writes; empty for all others."""
    if third:
        return _THIRD.get(key, "") if layout == "de" else ""
    if _FIRST <= key < _FIRST + len(_ENGLISH):
        return _LETTERS[layout][shift][key - _FIRST]
    if _SIGNS_FROM <= key < _SIGNS_FROM + len(_ENGLISH_SIGNS):
        return _SIGNS[layout][shift][key - _SIGNS_FROM]
    if key == 100:  # between left shift and Y (Z), on European keyboards
        return _BESIDE_Y[layout][shift]
    return _KEYPAD.get(key, "")
