"""Readers that are not etcd's are not handed what etcd would read as a secret."""

from dataclasses import dataclass

import pytest

from tests.corpus import needs_corpus, unpacked
from tests.inspect.answers import DISK
from walctl.datadir.layout import understand
from walctl.inspect.reading import ONE_PROCESS, flow_of
from walctl.inspect.select import Choice
from walctl.model.record import Entry, EntryKind
from walctl.payload.base import Blob, Redaction, Request
from walctl.payload.etcd import EtcdDecoder
from walctl.payload.guarded import HIDDEN, GuardedDecoder
from walctl.payload.privacy import is_hidden

PUT = b"\x22\x06\x0a\x01k\x12\x01v\xa2\x06\x02\x08\x07"


@dataclass(frozen=True)
class Echo:
    """Shows whatever it is handed."""

    name: str = "echo"

    def decode(self, payload: bytes, kind: EntryKind) -> Request | None:
        return Request(decoder="echo", type="said", body={"said": Blob(payload)})


def test_what_holds_no_secret_is_read_as_ever() -> None:
    guarded = GuardedDecoder(Echo())
    assert guarded.decode(PUT, EntryKind.NORMAL) == Echo().decode(PUT, EntryKind.NORMAL)
    assert guarded.name == "echo"


@needs_corpus
@pytest.mark.parametrize("name", ["b-single-allops-34", "b-single-allops-35"])
def test_every_password_and_token_of_a_real_log_stays_hidden_from_it(name: str) -> None:
    layout = understand(DISK, unpacked(name) / "n1")
    assert layout.wal_dir is not None
    choice = Choice(disk=DISK, folder=layout.wal_dir)
    flow = flow_of(DISK, layout, depth=ONE_PROCESS)
    rows = [row for item in flow.items() for row in choice.rows(item)]
    entries = [row.frame.record for row in rows if hasattr(row, "frame")]
    hidden = 0
    for entry in entries:
        if not isinstance(entry, Entry) or not entry.payload:
            continue
        told = GuardedDecoder(Echo()).decode(entry.payload, entry.kind)
        own = EtcdDecoder().decode(entry.payload, entry.kind)
        is_secret = is_hidden(entry.payload, own, Redaction.AUTH)
        assert told is not None
        assert (told.type == HIDDEN) == is_secret
        if is_secret:
            hidden += 1
            assert told.body == {}
            assert is_hidden(entry.payload, told, Redaction.AUTH)
    assert hidden > 10
