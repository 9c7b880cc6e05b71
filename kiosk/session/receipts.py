"""What proves consent: a chain of receipts in the session, each with a SHA-256 over itself and the one before.

A change, removal or reordering of a line breaks the chain; one at its end contradicts the session's consent or files.
Who can write the whole session anew can make a whole new chain: what pins it is its last hash, which each revision
tells the desk (`faults(session, head)`).
"""

from __future__ import annotations

import hashlib
from typing import Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from kiosk.session.record import Artifact, ArtifactKind, Consent, FileHash, Receipt, Session

MADE_UNDER_CONSENT = (ArtifactKind.RECORDING, ArtifactKind.TIMELINE)


class Fault(Struct, frozen=True):
    """What contradicts what. `code` and what it speaks of are for pages in any language, `text` is for a log."""

    code: Literal["changed", "other_consent", "no_receipt", "not_there", "missing"]
    receipt: int = 0
    file: str = ""

    @property
    def text(self) -> str:
        return {
            "changed": f"receipt {self.receipt} was changed, or stood elsewhere",
            "other_consent": "the consent is not the last receipted",
            "no_receipt": f"{self.file} has no receipt",
            "not_there": f"{self.file} is receipted and not there",
            "missing": "a receipt told earlier is missing",
        }[self.code]


def said(s: Session, consent: Consent, at: str) -> Session:
    """The code user has agreed, refused or withdrawn; said twice is receipted once."""
    if s.recording.consent == consent:
        return s
    s = replace(s, recording=replace(s.recording, consent=consent))
    return _receipt(s, Receipt(n=0, at=at, what="said", consent=consent))


def kept(s: Session, artifact: Artifact, at: str) -> Session:
    """A file made under the consent given last is whole on disk."""
    line = FileHash(artifact.name, artifact.sha256, artifact.call)
    if artifact.kind not in MADE_UNDER_CONSENT or any(line in r.files for r in s.consents):
        return s
    return _receipt(s, Receipt(n=0, at=at, what="kept", files=(line,)))


def deleted(s: Session, call: str, names: tuple[str, ...], at: str) -> Session:
    """Files of a withdrawn recording are gone from disk: they are no artifacts any more, and a line says so."""
    gone = {(call, name) for name in names}
    known = {(f.call, f.name): f.sha256 for r in s.consents if r.what == "kept" for f in r.files}
    done = {(f.call, f.name) for r in s.consents if r.what == "deleted" for f in r.files}
    files = tuple(FileHash(name, known.get((call, name), ""), call) for name in names if (call, name) not in done)
    left = tuple(a for a in s.artifacts if (a.call, a.name) not in gone)
    s = s if left == s.artifacts else replace(s, artifacts=left)
    return _receipt(s, Receipt(n=0, at=at, what="deleted", files=files)) if files else s


def names(s: Session, call: str) -> tuple[str, ...]:
    """The files of `call` that were made under consent and are told as artifacts."""
    return tuple(a.name for a in s.artifacts if a.call == call and a.kind in MADE_UNDER_CONSENT)


def must_go(s: Session, artifact: Artifact) -> bool:
    """Whether it was deleted, or is of the call whose recordings are just being deleted: news that came late."""
    withdrawn = s.recording.deletes and bool(s.calls) and artifact.call == s.calls[-1].id
    return (withdrawn and artifact.kind in MADE_UNDER_CONSENT) or _was_deleted(s, artifact)


def _was_deleted(s: Session, artifact: Artifact) -> bool:
    return any(
        r.what == "deleted" and (f.call, f.name) == (artifact.call, artifact.name) for r in s.consents for f in r.files
    )


def faults(s: Session, head: str = "") -> tuple[Fault, ...]:
    """What contradicts what; empty: nothing was changed later.

    head: the hash of some receipt as it was told earlier, if known; it must still be in the chain.
    """
    return (*_broken_links(s), *_contradictions(s), *_missing(s, head))


def _broken_links(s: Session) -> list[Fault]:
    found: list[Fault] = []
    previous = _root(s)
    for n, receipt in enumerate(s.consents, 1):
        if receipt.n != n or receipt.previous != previous or receipt.hash != _hash(receipt):
            found.append(Fault("changed", receipt=n))
        previous = receipt.hash
    return found


def _contradictions(s: Session) -> list[Fault]:
    answers = [r.consent for r in s.consents if r.what == "said"]
    same = (answers[-1] if answers else None) == s.recording.consent
    kept_: set[tuple[str, str, str]] = set()
    for receipt in s.consents:
        files = {(f.call, f.name, f.sha256) for f in receipt.files}
        names_ = {f[:2] for f in files}
        # kept once more: with another content, the last word counts
        kept_ = {f for f in kept_ if f[:2] not in names_} | (files if receipt.what == "kept" else set())
    here = {(a.call, a.name, a.sha256) for a in s.artifacts if a.kind in MADE_UNDER_CONSENT}
    found = [] if same else [Fault("other_consent")]
    found += [Fault("no_receipt", file=name) for _, name, _ in sorted(here - kept_)]
    return found + [Fault("not_there", file=name) for _, name, _ in sorted(kept_ - here)]


def _missing(s: Session, head: str) -> list[Fault]:
    return [Fault("missing")] if head and all(r.hash != head for r in s.consents) else []


def _receipt(s: Session, receipt: Receipt) -> Session:
    previous = s.consents[-1].hash if s.consents else _root(s)
    receipt = replace(receipt, n=len(s.consents) + 1, previous=previous)
    return replace(s, consents=(*s.consents, replace(receipt, hash=_hash(receipt))))


def _root(s: Session) -> str:
    """A chain cannot be carried over to another session."""
    return hashlib.sha256(s.id.encode()).hexdigest()


def _hash(r: Receipt) -> str:
    """SHA-256 of a JSON array in this order, so that fields added later and other languages get the same."""
    c = r.consent
    consent = [c.given, c.at, c.wording, c.language, c.way] if c else None
    files = [[f.name, f.sha256, f.call] for f in r.files]
    return hashlib.sha256(msgspec.json.encode([r.n, r.at, r.what, consent, files, r.previous])).hexdigest()
