"""Which decoder the command line of dump asks for.

Decoders are imported when they are asked for: the usual one reads etcd's requests by itself, and
the first line of a dump should not wait for those that it does not need.
"""

from pathlib import Path

from walctl.cli.dump_options import DumpOptions
from walctl.errors import UsageError
from walctl.fs.base import FileSystem
from walctl.payload.auto import OBJECT_ROOT as AUTO_OBJECT_ROOT
from walctl.payload.auto import AutoDecoder
from walctl.payload.base import Decoder

PROTO_BYTES_MAX = 64 << 20
"""Bytes of a descriptor set."""
CHOICES = ("decoder", "proto", "decoder_cmd", "stream_decoder")


def decoder_of(disk: FileSystem, options: DumpOptions, *, is_etcds: bool) -> Decoder:
    """The decoder; without a wish the one that finds out, strict in a log of etcd (`is_etcds`).

    Raises: UsageError; AccessError, when a descriptor set cannot be read; DecoderError.
    """
    given = [name for name in CHOICES if getattr(options, name) is not None]
    if len(given) > 1:
        words = " and ".join("--" + name.replace("_", "-") for name in given)
        raise UsageError(f"{words} exclude each other: only one can read the payloads")
    if options.proto is not None:
        return _proto(disk, options.proto)
    if options.decoder_cmd is not None:
        from walctl.payload.external import CommandDecoder
        from walctl.payload.process import split_command

        return CommandDecoder(split_command(options.decoder_cmd))
    if options.stream_decoder is not None:
        from walctl.payload.external import StreamDecoder
        from walctl.payload.process import split_command

        return StreamDecoder(split_command(options.stream_decoder))
    if options.decoder is None or options.decoder == "auto":
        return AutoDecoder(strict=is_etcds)
    from walctl.payload.registry import decoder

    return decoder(options.decoder)


def close(found: Decoder) -> None:
    """End the program that a decoder asks, where it asks one."""
    if not isinstance(found, AutoDecoder):
        from walctl.payload.external import CommandDecoder, StreamDecoder

        if isinstance(found, CommandDecoder | StreamDecoder):
            found.close()


def is_of_process(options: DumpOptions) -> bool:
    """Whether the decoder has a process of its own, which only one of ours may use."""
    return options.decoder_cmd is not None or options.stream_decoder is not None


def reads_requests_of_etcd(found: Decoder) -> bool:
    """Whether payloads are taken for etcd's requests first of all."""
    if isinstance(found, AutoDecoder):
        return found.strict
    from walctl.payload.etcd import EtcdDecoder
    from walctl.payload.k8s import K8sDecoder

    return isinstance(found, EtcdDecoder | K8sDecoder)


def object_root(found: Decoder) -> bytes | None:
    """How keys begin under which Kubernetes' objects are looked for; `None`: nowhere."""
    if isinstance(found, AutoDecoder):
        return AUTO_OBJECT_ROOT
    from walctl.payload.k8s import K8sDecoder

    return b"" if isinstance(found, K8sDecoder) else None


def _proto(disk: FileSystem, text: str) -> Decoder:
    """`FILE:MESSAGE`; protobuf's own descriptors take long to import, so only when asked for."""
    from walctl.payload.descriptor import ProtoDecoder

    name, colon, message = text.rpartition(":")
    if not colon or not name or not message:
        raise UsageError(f"--proto {text}: expected FILE:MESSAGE, as schema.desc:my.Message")
    with disk.open(Path(name)) as file:
        size = file.stat().size
        if size > PROTO_BYTES_MAX:
            raise UsageError(f"--proto {name}: {size:,} bytes are no descriptor set")
        return ProtoDecoder(file.read_at(0, size), message)
